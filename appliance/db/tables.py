"""The tables, grouped by the service that owns them; rows only, no behaviour.

Times are `UtcField`: aware UTC datetimes in Python, integer microseconds since 1970 in the database,
so that both databases index, compare and page them the same way and without loss.

`modseq` columns are the heart of synchronisation (design section 4): one counter per account, taken
inside the writing transaction, so that number order is commit order.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import peewee

from appliance.db.proxy import proxy

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_microseconds(moment: datetime) -> int:
    """Return an aware datetime as integer microseconds since 1970 (exact, unlike a float timestamp)."""
    return (moment - EPOCH) // _MICROSECOND


def from_microseconds(value: int) -> datetime:
    """Return the aware UTC datetime of integer microseconds since 1970."""
    return EPOCH + timedelta(microseconds=value)


class UtcField(peewee.BigIntegerField):
    """An aware UTC datetime stored as integer microseconds."""

    def db_value(self, value: Any) -> Any:
        return to_microseconds(value) if isinstance(value, datetime) else value

    def python_value(self, value: Any) -> Any:
        return None if value is None else from_microseconds(value)


class IdField(peewee.BigAutoField):
    """A number that is never used again, also after its row is gone: phones remember ids for years.

    SQLite hands out the highest id anew unless it is told AUTOINCREMENT; PostgreSQL's sequences never do.
    """

    def ddl(self, ctx: Any) -> Any:
        """Return the column's definition, with what SQLite needs to keep the promise."""
        definition = super().ddl(ctx)
        database = self.model._meta.database
        if isinstance(getattr(database, "obj", None) or database, peewee.SqliteDatabase):
            return peewee.NodeList((definition, peewee.SQL("AUTOINCREMENT")))
        return definition


class Base(peewee.Model):
    """Binds every table to the process's one database."""

    class Meta:
        database = proxy
        legacy_table_names = False

    @classmethod
    def select(cls, *fields: Any) -> Any:
        """Return a query; typed loosely, because peewee's own types know rows only as models."""
        return super().select(*fields)


# --- accounts -----------------------------------------------------------------------------------


class Setting(Base):
    """What an administrator changes in the browser, and facts about this instance."""

    key = peewee.TextField(primary_key=True)
    value = peewee.TextField()


class Domain(Base):
    """A domain this server accepts mail for; the name is lower-case A-labels. See `accounts.domains`."""

    id = IdField()
    name = peewee.TextField(unique=True)
    created_at = UtcField()
    # the domain whose addresses it has, "" for one with addresses of its own
    alias_of = peewee.TextField(default="", constraints=[peewee.SQL("DEFAULT ''")])
    # who gets mail for names nobody has, "" for nobody
    catch_all = peewee.TextField(default="", constraints=[peewee.SQL("DEFAULT ''")])


class DkimKey(Base):
    """A key that signs what a domain sends. See `domains.dkim_keys`."""

    id = IdField()
    domain = peewee.ForeignKeyField(Domain, on_delete="CASCADE", index=False)
    selector = peewee.TextField()
    algorithm = peewee.TextField()  # the a= of its signatures
    sealed_key = peewee.BlobField()  # PKCS #8, sealed for "dkim:<domain>:<selector>"
    record = peewee.TextField()  # what DNS shall say
    state = peewee.TextField()  # pending | active | retired
    created_at = UtcField()
    changed_at = UtcField()  # when the state was taken

    class Meta:
        indexes = ((("domain", "selector"), True),)


class DmarcReport(Base):
    """What another server saw of mail that said it was from one of our domains. See `domains.reports`."""

    id = IdField()
    domain = peewee.ForeignKeyField(Domain, on_delete="CASCADE", index=False)
    organisation = peewee.TextField()
    report_id = peewee.TextField()
    begins_at = UtcField()
    ends_at = UtcField()
    passed = peewee.BigIntegerField()  # messages
    failed = peewee.BigIntegerField()
    sources = peewee.TextField()  # JSON list of mailauth.dmarc_report.Source
    received_at = UtcField()

    class Meta:
        indexes = (
            (("domain", "organisation", "report_id"), True),
            (("domain", "ends_at"), False),
        )


class TlsReport(Base):
    """How well other servers reached one of our domains over TLS. See `domains.reports`."""

    id = IdField()
    domain = peewee.ForeignKeyField(Domain, on_delete="CASCADE", index=False)
    organisation = peewee.TextField()
    report_id = peewee.TextField()
    begins_at = UtcField()
    ends_at = UtcField()
    passed = peewee.BigIntegerField()  # sessions
    failed = peewee.BigIntegerField()
    failures = peewee.TextField()  # JSON list of mailauth.tls_report.Failure
    received_at = UtcField()

    class Meta:
        indexes = (
            (("domain", "organisation", "report_id"), True),
            (("domain", "ends_at"), False),
        )


class Account(Base):
    """A user and everything stored for them."""

    id = IdField()
    address = peewee.TextField(unique=True)  # the primary address, normalised
    display_name = peewee.TextField(default="")
    password_hash = peewee.TextField()
    credential_version = peewee.IntegerField(default=1)  # raised by every password change
    is_admin = peewee.BooleanField(default=False)
    is_enabled = peewee.BooleanField(default=True)
    quota_bytes = peewee.BigIntegerField(default=-1)  # 0: no limit, -1: as configured
    used_bytes = peewee.BigIntegerField(default=0)
    modseq = peewee.BigIntegerField(default=0)  # the last change number handed out
    hierarchy_modseq = peewee.BigIntegerField(default=0)  # the last change of the folder tree
    created_at = UtcField()


class Address(Base):
    """An address that is delivered to an account: the primary one and its aliases, normalised."""

    id = IdField()
    address = peewee.TextField(unique=True)
    account = peewee.ForeignKeyField(Account, on_delete="CASCADE")


class MailGroup(Base):
    """An address whose mail goes to several others. See `accounts.groups`."""

    id = IdField()
    address = peewee.TextField(unique=True)  # normalised
    name = peewee.TextField(default="")
    senders = peewee.TextField()  # internal | members | anyone
    owner = peewee.ForeignKeyField(Account, null=True, on_delete="SET NULL")  # who reads its bounces
    created_at = UtcField()


class MailGroupMember(Base):
    """One address a group's mail goes to: an account's, another group's, or one outside."""

    group = peewee.ForeignKeyField(MailGroup, on_delete="CASCADE", index=False)
    address = peewee.TextField(index=True)  # normalised
    may_send_as = peewee.BooleanField(default=False)

    class Meta:
        primary_key = peewee.CompositeKey("group", "address")


class AccountForward(Base):
    """Where all mail of an account is sent on. See `accounts.forwards`."""

    account = peewee.ForeignKeyField(Account, primary_key=True, on_delete="CASCADE")
    address = peewee.TextField()
    keeps_copy = peewee.BooleanField()


class MailRule(Base):
    """What an account does with mail that arrives. See `accounts.rules`."""

    id = IdField()
    account = peewee.ForeignKeyField(Account, on_delete="CASCADE", index=False)
    position = peewee.IntegerField()  # from 1, in the order of evaluation
    name = peewee.TextField(default="")
    is_enabled = peewee.BooleanField(default=True)
    conditions = peewee.TextField()  # JSON list of items.rule.Condition
    actions = peewee.TextField()  # JSON list of items.rule.Action
    trouble = peewee.TextField(default="")  # why it could not do what it says, "" when it could

    class Meta:
        indexes = ((("account", "position"), False),)


class SenderVerdict(Base):
    """A sender an account blocks, or always wants to hear of. See `accounts.sender_lists`."""

    account = peewee.ForeignKeyField(Account, on_delete="CASCADE", index=False)
    sender = peewee.TextField()  # a normalised address, or "@" and a domain
    is_blocked = peewee.BooleanField()

    class Meta:
        primary_key = peewee.CompositeKey("account", "sender")


class AccessToken(Base):
    """What opens an account instead of its password. See `accounts.tokens`."""

    id = IdField()
    account = peewee.ForeignKeyField(Account, on_delete="CASCADE")
    digest = peewee.BlobField(unique=True)  # SHA-256
    scopes = peewee.TextField()  # separated by spaces
    label = peewee.TextField(default="")
    credential_version = peewee.IntegerField()  # of the account; a changed password makes it void
    created_at = UtcField()
    expires_at = UtcField(index=True)
    last_used_at = UtcField(null=True)


class LoginFailure(Base):
    """Failed log-ins of one scope: `account:device`, or a network. See `accounts.throttle`."""

    scope = peewee.TextField(primary_key=True)
    failures = peewee.IntegerField(default=0)
    last_secret = peewee.BlobField(null=True)  # keyed digest, so that the same wrong one counts once
    blocked_until = UtcField(null=True)
    updated_at = UtcField()


class AccountPicture(Base):
    """The portrait others see beside an account's name. See `accounts.pictures`."""

    account = peewee.ForeignKeyField(Account, primary_key=True, on_delete="CASCADE")
    content_type = peewee.TextField()  # image/jpeg or image/png
    data = peewee.BlobField()
    changed_at = UtcField()


class AccountCertificate(Base):
    """An S/MIME certificate of an account, for whoever writes to it. See `accounts.certificates`."""

    account = peewee.ForeignKeyField(Account, on_delete="CASCADE", index=False)
    fingerprint = peewee.BlobField()  # SHA-256 of data
    data = peewee.BlobField()  # DER
    valid_from = UtcField()
    expires_at = UtcField()

    class Meta:
        primary_key = peewee.CompositeKey("account", "fingerprint")


class OutOfOffice(Base):
    """What an account answers by itself while its owner is away. See `accounts.out_of_office`."""

    account = peewee.ForeignKeyField(Account, primary_key=True, on_delete="CASCADE")
    state = peewee.SmallIntegerField()  # MS-ASCMD OofState: 0 off, 1 on, 2 between two moments
    starts_at = UtcField(null=True)
    ends_at = UtcField(null=True)
    replies = peewee.TextField()  # JSON object audience -> [is_enabled, text, is_html]


class OutOfOfficeReply(Base):
    """Who was answered when, so that nobody hears the same every day. See `delivery.oof`."""

    account = peewee.ForeignKeyField(Account, on_delete="CASCADE", index=False)
    sender = peewee.TextField()  # normalised
    replied_at = UtcField()

    class Meta:
        primary_key = peewee.CompositeKey("account", "sender")


class Correspondent(Base):
    """An address an account has written to. See `accounts.correspondents`."""

    account = peewee.ForeignKeyField(Account, on_delete="CASCADE", index=False)
    address = peewee.TextField()  # normalised

    class Meta:
        primary_key = peewee.CompositeKey("account", "address")


class ImportCursor(Base):
    """How far a folder of another server has been brought along. See `importing.imap`."""

    account = peewee.ForeignKeyField(Account, on_delete="CASCADE", index=False)
    source = peewee.TextField()  # imap://user@host:port
    folder = peewee.TextField()  # as the other server calls it
    uid_validity = peewee.BigIntegerField()  # RFC 9051 2.3.1.1
    uid = peewee.BigIntegerField()  # the last one that was filed

    class Meta:
        primary_key = peewee.CompositeKey("account", "source", "folder")


class CorrespondentCursor(Base):
    """How far Sent Items have been read for `Correspondent`."""

    account = peewee.ForeignKeyField(Account, primary_key=True, on_delete="CASCADE")
    modseq = peewee.BigIntegerField()  # Item.created_modseq of the last one read


# --- store --------------------------------------------------------------------------------------


class Folder(Base):
    """A container in an account; a deleted one stays as a tombstone so that phones hear of it."""

    id = IdField()
    account = peewee.ForeignKeyField(Account, on_delete="CASCADE")
    parent = peewee.ForeignKeyField("self", null=True)
    name = peewee.TextField()
    type = peewee.SmallIntegerField()  # MS-ASCMD Type (FolderSync), see items.folder
    modseq = peewee.BigIntegerField()
    created_modseq = peewee.BigIntegerField()
    changed_by = peewee.BigIntegerField(null=True)  # Device.id whose command changed it last
    is_deleted = peewee.BooleanField(default=False)
    items_modseq = peewee.BigIntegerField(default=0)  # the last change among its items
    total = peewee.IntegerField(default=0)
    unread = peewee.IntegerField(default=0)
    # tombstones of its items were removed up to here: nobody can be told what left before
    pruned_modseq = peewee.BigIntegerField(default=0, constraints=[peewee.SQL("DEFAULT 0")])

    class Meta:
        indexes = ((("account", "modseq"), False),)


class Blob(Base):
    """Bytes by their SHA-256; small ones are kept here, large ones in a file or object store."""

    digest = peewee.BlobField(primary_key=True)
    size = peewee.BigIntegerField()
    data = peewee.BlobField(null=True)  # null: outside the database, see store.blobs
    created_at = UtcField()


class Content(Base):
    """What was derived from a message's bytes once, on arrival; shared like the blob itself."""

    digest = peewee.BlobField(primary_key=True)
    structure = peewee.TextField()  # mime.Structure as JSON
    text = peewee.TextField()  # the plain text body, capped
    is_text_complete = peewee.BooleanField()
    attachment_names = peewee.TextField(default="", constraints=[peewee.SQL("DEFAULT ''")])  # one a line


class Item(Base):
    """Anything stored in a folder. The list columns are computed once, so that no list parses MIME.

    `id` is the ServerId: never reused; a move makes a new row and leaves a tombstone pointing to it.
    The four `*_modseq` columns say when each separately synchronised part changed last
    (MS-ASEMAIL: a Change carries only what changed).
    `changed_by`/`changed_since`: the device that made every change since that modseq, so that a
    phone's own changes are not echoed to it and nobody else's are lost. `created_by`: the device whose
    Sync added the item, which therefore knows it already.
    """

    id = IdField()
    account = peewee.ForeignKeyField(Account, on_delete="CASCADE", index=False)
    folder = peewee.ForeignKeyField(Folder, on_delete="CASCADE", index=False)
    blob = peewee.ForeignKeyField(Blob, column_name="digest", index=True)
    size = peewee.BigIntegerField()
    modseq = peewee.BigIntegerField()
    created_modseq = peewee.BigIntegerField()
    content_modseq = peewee.BigIntegerField()
    read_modseq = peewee.BigIntegerField()
    flag_modseq = peewee.BigIntegerField()
    categories_modseq = peewee.BigIntegerField()
    created_by = peewee.BigIntegerField(null=True)
    changed_by = peewee.BigIntegerField(null=True)
    changed_since = peewee.BigIntegerField(default=0)
    received_at = UtcField()
    # state a client may change
    is_read = peewee.BooleanField(default=False)
    flag = peewee.TextField(default="")  # items.message.Flag as JSON, "" when not flagged
    categories = peewee.TextField(default="")  # JSON list of strings, "" when none
    last_verb = peewee.SmallIntegerField(default=0)  # 1 replied, 2 replied to all, 3 forwarded
    last_verb_at = UtcField(null=True)
    is_draft = peewee.BooleanField(default=False)
    # the account got it as a blind copy
    received_as_bcc = peewee.BooleanField(default=False, constraints=[peewee.SQL("DEFAULT FALSE")])
    # list columns, from mime.Summary
    subject = peewee.TextField(default="")
    thread_topic = peewee.TextField(default="")
    sender_from = peewee.TextField(default="")
    sender = peewee.TextField(default="")
    reply_to = peewee.TextField(default="")
    to = peewee.TextField(default="")
    cc = peewee.TextField(default="")
    bcc = peewee.TextField(default="")
    display_to = peewee.TextField(default="")
    preview = peewee.TextField(default="")
    importance = peewee.SmallIntegerField(default=1)
    message_class = peewee.TextField(default="IPM.Note")
    native_body_type = peewee.SmallIntegerField(default=1)
    internet_cpid = peewee.IntegerField(default=65001)
    has_attachments = peewee.BooleanField(default=False)
    message_id = peewee.TextField(default="")
    conversation_id = peewee.BlobField()
    conversation_index = peewee.BlobField()

    class Meta:
        indexes = (
            (("folder", "modseq"), True),
            (("folder", "created_modseq"), False),
            (("folder", "received_at", "id"), False),
            (("account", "conversation_id"), False),
            (("account", "message_id"), False),
        )


class Tombstone(Base):
    """An item that left a folder: deleted, or moved to `moved_to` in another folder."""

    id = peewee.BigIntegerField(primary_key=True)  # the item's id
    account = peewee.ForeignKeyField(Account, on_delete="CASCADE", index=False)
    folder = peewee.ForeignKeyField(Folder, on_delete="CASCADE", index=False)
    modseq = peewee.BigIntegerField()
    created_modseq = peewee.BigIntegerField()
    received_at = UtcField()
    changed_by = peewee.BigIntegerField(null=True)
    moved_to = peewee.BigIntegerField(null=True)
    created_by = peewee.BigIntegerField(null=True)  # the device that added it, which therefore has it

    class Meta:
        indexes = ((("folder", "modseq"), False),)


class MassDeletion(Base):
    """Messages that one device deleted from one folder in one go. See `devices.mass_deletions`."""

    id = IdField()
    account = peewee.ForeignKeyField(Account, on_delete="CASCADE")
    device = peewee.BigIntegerField()
    folder_name = peewee.TextField()
    deleted_at = UtcField(index=True)  # when it began
    folder = peewee.BigIntegerField(default=0, constraints=[peewee.SQL("DEFAULT 0")])
    folder_total = peewee.IntegerField(default=0, constraints=[peewee.SQL("DEFAULT 0")])  # before it began
    continued_at = UtcField(null=True)  # the last exchange of it
    is_told = peewee.BooleanField(default=False, constraints=[peewee.SQL("DEFAULT FALSE")])


class DeletedItem(Base):
    """A message of a mass deletion, with what is needed to put it back where it was."""

    id = IdField()
    deletion = peewee.ForeignKeyField(MassDeletion, on_delete="CASCADE")
    folder = peewee.BigIntegerField()  # where it was; the folder may be gone
    item = peewee.BigIntegerField()  # its id there
    blob = peewee.ForeignKeyField(Blob, column_name="digest", index=True)
    received_at = UtcField()
    is_read = peewee.BooleanField()
    flag = peewee.TextField()
    categories = peewee.TextField()


class ModseqMark(Base):
    """How far an account's change numbers had come at a moment; tells old ones by. See `store.pruning`."""

    account = peewee.ForeignKeyField(Account, on_delete="CASCADE", index=False)
    taken_at = UtcField()
    modseq = peewee.BigIntegerField()

    class Meta:
        primary_key = peewee.CompositeKey("account", "taken_at")


class ConversationRule(Base):
    """Where an account wants what still arrives of a conversation; see `store.conversations`."""

    account = peewee.ForeignKeyField(Account, on_delete="CASCADE", index=False)
    conversation_id = peewee.BlobField()
    folder = peewee.ForeignKeyField(Folder, on_delete="CASCADE", index=True)

    class Meta:
        primary_key = peewee.CompositeKey("account", "conversation_id")


# --- search -------------------------------------------------------------------------------------


class SearchDocument(Base):
    """An indexed item: its row in `search_text`, and what of it a search may ask without the item.

    The number says the account and, within it, when the message was received (`store.search_index`), so
    that newest first is the order of the primary key. A move only changes `item` and `folder`.
    """

    id = peewee.BigIntegerField(primary_key=True)
    item_id = peewee.BigIntegerField(unique=True)
    folder_id = peewee.BigIntegerField()
    received_at = UtcField()
    has_attachments = peewee.BooleanField()


class SearchState(Base):
    """Up to which change number the index of an account holds its items."""

    account = peewee.ForeignKeyField(Account, primary_key=True, on_delete="CASCADE")
    modseq = peewee.BigIntegerField()


class _SearchTextSchema(peewee.SchemaManager):
    """Full-text tables are what peewee has no fields for: the definition is written out."""

    def create_all(self, safe: bool = True, **_options: Any) -> None:  # noqa: ARG002 - peewee's signature
        database = getattr(self.database, "obj", None) or self.database
        is_sqlite = isinstance(database, peewee.SqliteDatabase)
        for statement in SEARCH_TEXT_SQLITE if is_sqlite else SEARCH_TEXT_POSTGRESQL:
            self.database.execute_sql(statement)


SEARCH_TEXT_SQLITE = (
    'CREATE VIRTUAL TABLE "search_text" USING fts5(subject, sender, recipient, copied, attachment, body,'
    " content='', columnsize=0, tokenize='ascii')",
)
SEARCH_TEXT_POSTGRESQL = (
    'CREATE TABLE "search_text" ("id" BIGINT NOT NULL PRIMARY KEY, "vector" TSVECTOR NOT NULL)',
    # Kept out of line, vectors would be slow to read, and the planner would read all of the then small table.
    'ALTER TABLE "search_text" ALTER COLUMN "vector" SET STORAGE MAIN',
    'CREATE INDEX "search_text_vector" ON "search_text" USING GIN ("vector")',
)


class SearchText(Base):
    """The terms of indexed items. Read and written by `store.search_text` only."""

    id = peewee.BigIntegerField(primary_key=True)  # of SearchDocument; "rowid" on SQLite

    class Meta:
        schema_manager_class = _SearchTextSchema


# --- devices ------------------------------------------------------------------------------------


class Device(Base):
    """A phone of an account. The same DeviceId under another account is another device."""

    id = IdField()
    account = peewee.ForeignKeyField(Account, on_delete="CASCADE")
    device_id = peewee.TextField()  # as in MS-ASHTTP, one canonical form
    device_type = peewee.TextField(default="")
    user_agent = peewee.TextField(default="")
    protocol_version = peewee.TextField(default="")
    model = peewee.TextField(default="")
    friendly_name = peewee.TextField(default="")
    os = peewee.TextField(default="")
    os_language = peewee.TextField(default="")
    imei = peewee.TextField(default="")
    phone_number = peewee.TextField(default="")
    mobile_operator = peewee.TextField(default="")
    is_allowed = peewee.BooleanField(default=True)
    policy_key = peewee.BigIntegerField(default=0)  # 0: not provisioned
    policy_key_pending = peewee.BigIntegerField(default=0)  # handed out in phase 1
    ping_heartbeat_s = peewee.IntegerField(default=0)  # cached Ping parameters, 0: none
    ping_folders = peewee.TextField(default="")  # JSON list of [folder id, class]
    sync_request = peewee.BlobField(null=True)  # the cached Sync request for empty and partial ones
    # what the device was told it may speak, separated by commas; "" when that is not known
    offered_versions = peewee.TextField(default="", constraints=[peewee.SQL("DEFAULT ''")])
    # whether it may come in, and who said so; see devices.access
    access = peewee.TextField(default="allow", constraints=[peewee.SQL("DEFAULT 'allow'")])
    access_reason = peewee.TextField(default="", constraints=[peewee.SQL("DEFAULT ''")])
    is_judged = peewee.BooleanField(default=False, constraints=[peewee.SQL("DEFAULT FALSE")])
    # which policy its keys stand for; see devices.policies
    policy_key_spent = peewee.BigIntegerField(default=0, constraints=[peewee.SQL("DEFAULT 0")])
    policy_offered = peewee.TextField(default="", constraints=[peewee.SQL("DEFAULT ''")])
    policy_applied = peewee.TextField(default="", constraints=[peewee.SQL("DEFAULT ''")])
    policy_applied_at = UtcField(null=True)
    policy_status = peewee.SmallIntegerField(default=0, constraints=[peewee.SQL("DEFAULT 0")])
    # remote wipe; see devices.wipe
    wipe_state = peewee.TextField(default="", constraints=[peewee.SQL("DEFAULT ''")])
    wipe_scope = peewee.TextField(default="", constraints=[peewee.SQL("DEFAULT ''")])
    wipe_changed_at = UtcField(null=True)
    wipe_due_at = UtcField(null=True)  # the phone is not told before
    first_seen_at = UtcField()
    last_seen_at = UtcField()

    class Meta:
        indexes = ((("account", "device_id"), True),)


class SyncState(Base):
    """What one device holds of one collection; folder 0 stands for the hierarchy (FolderSync).

    The SyncKey on the wire is `{generation}.{number}`. `cursor` is what the current key stands for,
    `previous_cursor` what the key before it stood for; `answer` is what was said when the current key
    was handed out, kept so that a repeated request gets the identical answer.
    """

    device = peewee.ForeignKeyField(Device, on_delete="CASCADE", index=False)
    folder = peewee.BigIntegerField()
    generation = peewee.TextField()
    current = peewee.IntegerField()
    previous = peewee.IntegerField(null=True)
    cursor = peewee.TextField()
    previous_cursor = peewee.TextField(default="")
    request_digest = peewee.BlobField(null=True)  # of the request that `answer` answers
    answer = peewee.BlobField(null=True)
    applied_digest = peewee.BlobField(null=True)  # client commands already applied under `current`
    applied_responses = peewee.TextField(default="")  # what to say about them, JSON
    client_ids = peewee.TextField(default="")  # JSON object ClientId -> ServerId of recent Adds
    options = peewee.TextField(default="")  # sticky options, JSON
    supported = peewee.TextField(default="")  # ghosting, JSON; "" when Supported was not sent
    revision = peewee.BigIntegerField()  # raised by every write; a write is conditional on it
    updated_at = UtcField()

    class Meta:
        primary_key = peewee.CompositeKey("device", "folder")


class SentClientId(Base):
    """ClientIds of SendMail, SmartReply and SmartForward: a repeat is never sent twice."""

    device = peewee.ForeignKeyField(Device, on_delete="CASCADE", index=False)
    client_id = peewee.TextField()
    created_at = UtcField()

    class Meta:
        primary_key = peewee.CompositeKey("device", "client_id")
        indexes = ((("created_at",), False),)


class MeetingAnswer(Base):
    """What an account answered to a meeting last, under each of its names. See `delivery.invitations`."""

    account = peewee.ForeignKeyField(Account, on_delete="CASCADE", index=False)
    meeting = peewee.BlobField()  # SHA-256 of the UID, which may be longer than an index allows
    instance = peewee.TextField()  # original start of an occurrence, 20260414T070000Z; "" for all of it
    attendee = peewee.TextField()
    participation = peewee.TextField()  # ACCEPTED | TENTATIVE | DECLINED
    digest = peewee.BlobField()  # of all that was said, and of the version of the invitation
    is_sent = peewee.BooleanField()  # whether the organizer was told by mail
    answered_at = UtcField()

    class Meta:
        primary_key = peewee.CompositeKey("account", "meeting", "instance", "attendee")


class DevicePolicy(Base):
    """A named set of values that phones are asked to apply. See `devices.policies`."""

    id = IdField()
    name = peewee.TextField(unique=True)
    document = peewee.TextField()  # JSON object element name -> value
    version = peewee.IntegerField(default=1)  # raised by every change: the phones' keys become stale
    is_default = peewee.BooleanField(default=False)
    is_enforced = peewee.BooleanField(default=True)
    allows_partial = peewee.BooleanField(default=True)  # phones that cannot apply all of it may come in
    refresh_hours = peewee.IntegerField(default=0)  # 0: never
    changed_at = UtcField()


class AccountPolicy(Base):
    """The policy of an account's phones where it is not the default one."""

    account = peewee.ForeignKeyField(Account, primary_key=True, on_delete="CASCADE")
    policy_id = peewee.BigIntegerField()  # 0: none at all


class GroupPolicy(Base):
    """The policy of the phones of a group's members, but for those with one of their own."""

    group = peewee.ForeignKeyField(MailGroup, primary_key=True, on_delete="CASCADE")
    policy_id = peewee.BigIntegerField()  # 0: none at all


class DeviceRule(Base):
    """Which phones may come in, asked in the order of `id`. See `devices.access`."""

    id = IdField()
    access = peewee.TextField()  # allow | block | quarantine
    field = peewee.TextField()  # type | model | os | user_agent
    pattern = peewee.TextField()


class DeviceTrace(Base):
    """What a phone did last, step by step. See `devices.traces`."""

    device = peewee.ForeignKeyField(Device, primary_key=True, on_delete="CASCADE")
    trace = peewee.TextField()  # devices.health.Trace as JSON
    updated_at = UtcField()


# --- queue --------------------------------------------------------------------------------------


class SendingCount(Base):
    """What an account sent in five minutes. See `delivery.sending`."""

    account = peewee.ForeignKeyField(Account, on_delete="CASCADE", index=False)
    bucket = UtcField()  # when it ends
    messages = peewee.IntegerField()
    recipients = peewee.IntegerField()
    first_contacts = peewee.IntegerField()

    class Meta:
        primary_key = peewee.CompositeKey("account", "bucket")


class SendingNotice(Base):
    """When administrators were told that an account sends too much."""

    account = peewee.ForeignKeyField(Account, primary_key=True, on_delete="CASCADE")
    told_at = UtcField()


class RelayRoute(Base):
    """Which server takes mail for a domain instead of those DNS names. See `delivery.relay_routes`."""

    domain = peewee.TextField(primary_key=True)  # A-labels, or "*" for whatever has no route of its own
    host = peewee.TextField()
    port = peewee.IntegerField()
    tls = peewee.TextField()  # items.next_hop.HopTls
    username = peewee.TextField()  # "" for none
    secret = peewee.BlobField()  # sealed; empty without a user name
    changed_at = UtcField()


class ReturnPath(Base):
    """A reverse-path too long to be wrapped into one of ours. See `delivery.return_paths`."""

    id = IdField()
    address = peewee.TextField(unique=True)
    used_at = UtcField(index=True)


class QueueEntry(Base):
    """One message for one remote recipient. Removed only in the transaction that stores its outcome."""

    id = IdField()
    account = peewee.ForeignKeyField(Account, null=True, on_delete="SET NULL", index=False)
    blob = peewee.ForeignKeyField(Blob, column_name="digest", index=True)
    reverse_path = peewee.TextField()  # "" for the null reverse-path
    forward_path = peewee.TextField()
    domain = peewee.TextField()
    needs_smtputf8 = peewee.BooleanField(default=False)
    priority = peewee.SmallIntegerField(default=0, constraints=[peewee.SQL("DEFAULT 0")])  # queue.priority
    # what the sender asked for (RFC 3461, RFC 8689), as it came
    ret = peewee.TextField(default="", constraints=[peewee.SQL("DEFAULT ''")])
    envid = peewee.TextField(default="", constraints=[peewee.SQL("DEFAULT ''")])
    notify = peewee.TextField(default="", constraints=[peewee.SQL("DEFAULT ''")])
    orcpt = peewee.TextField(default="", constraints=[peewee.SQL("DEFAULT ''")])
    requires_tls = peewee.BooleanField(default=False, constraints=[peewee.SQL("DEFAULT FALSE")])
    next_hop = peewee.TextField(default="", constraints=[peewee.SQL("DEFAULT ''")])  # an operator's, "" none
    uid = peewee.TextField(default="", constraints=[peewee.SQL("DEFAULT ''")])  # random; ids come again
    is_delay_told = peewee.BooleanField(default=False, constraints=[peewee.SQL("DEFAULT FALSE")])
    state = peewee.TextField(default="due")  # due | held
    attempts = peewee.IntegerField(default=0)
    next_attempt_at = UtcField()
    leased_until = UtcField(null=True)
    lease = peewee.TextField(default="")  # who holds it; every write is conditional on it
    last_reply = peewee.TextField(default="")
    created_at = UtcField()
    expires_at = UtcField()

    class Meta:
        indexes = (
            (("state", "next_attempt_at"), False),
            (("state", "priority", "next_attempt_at", "domain"), False),
        )


class QueueAttempt(Base):
    """What became of one of the last attempts for an entry that is still waiting."""

    id = IdField()
    entry = peewee.ForeignKeyField(QueueEntry, on_delete="CASCADE", index=True)
    at = UtcField()
    host = peewee.TextField()
    reply = peewee.TextField()


# --- operators ----------------------------------------------------------------------------------


class AuditEntry(Base):
    """What an operator did. See `setup.audit`."""

    id = IdField()
    at = UtcField(index=True)
    who = peewee.TextField()  # cli:user
    act = peewee.TextField()
    arguments = peewee.TextField()  # JSON object
    outcome = peewee.TextField()


# --- strangers' mail ------------------------------------------------------------------------------


class Greylisted(Base):
    """A stranger who was asked to come back, and whether they did. See `delivery.greylist`."""

    key = peewee.BlobField(primary_key=True)  # SHA-256 of network, sender and recipient
    network = peewee.TextField()
    first_seen_at = UtcField()
    passed_at = UtcField(null=True)

    class Meta:
        indexes = ((("network", "passed_at"), False), (("first_seen_at",), False))


class JunkLesson(Base):
    """A message that a user has moved into the junk folder or out of it. See `store.lessons`."""

    digest = peewee.BlobField(primary_key=True)
    is_junk = peewee.BooleanField()
    noted_at = UtcField()


# --- transport security -------------------------------------------------------------------------


class StsPolicy(Base):
    """Another domain's MTA-STS policy, in force for `max_age_s`. See `domains.sts_policies`."""

    domain = peewee.TextField(primary_key=True)
    policy_id = peewee.TextField()
    mode = peewee.TextField()  # enforce | testing | none
    mx = peewee.TextField()  # name patterns, one a line
    max_age_s = peewee.IntegerField()
    fetched_at = UtcField()


class TlsSession(Base):
    """How connections to another domain's servers went on one day. See `domains.tls_sessions`."""

    day = peewee.TextField()  # UTC, 2026-11-27
    domain = peewee.TextField()
    policy_digest = peewee.TextField()
    policy = peewee.TextField()  # JSON [type, lines, server names]
    result = peewee.TextField()  # RFC 8460 4.3, "" for success
    host = peewee.TextField()
    address = peewee.TextField()
    number = peewee.BigIntegerField()

    class Meta:
        primary_key = peewee.CompositeKey("day", "domain", "policy_digest", "result", "host", "address")


# --- jobs ---------------------------------------------------------------------------------------


class Job(Base):
    """A job that is due again and again, and how it ended last. See `jobs.schedule`."""

    name = peewee.TextField(primary_key=True)
    due_at = UtcField()
    lease = peewee.TextField(default="")  # who runs it; every write is conditional on it
    leased_until = UtcField(null=True)
    started_at = UtcField(null=True)
    ended_at = UtcField(null=True)
    done = peewee.BigIntegerField(default=0)  # rows and files dealt with the last time
    error = peewee.TextField(default="")  # how it failed the last time, "" when it did not
    failures = peewee.IntegerField(default=0)  # in a row


ALL_TABLES: tuple[type[Base], ...] = (
    Setting,
    Domain,
    DkimKey,
    DmarcReport,
    TlsReport,
    Account,
    Address,
    MailGroup,
    MailGroupMember,
    AccountForward,
    MailRule,
    SenderVerdict,
    AccessToken,
    LoginFailure,
    AccountPicture,
    AccountCertificate,
    OutOfOffice,
    OutOfOfficeReply,
    Correspondent,
    ImportCursor,
    CorrespondentCursor,
    Folder,
    Blob,
    Content,
    Item,
    Tombstone,
    MassDeletion,
    DeletedItem,
    ModseqMark,
    ConversationRule,
    SearchDocument,
    SearchState,
    SearchText,
    Device,
    SyncState,
    SentClientId,
    MeetingAnswer,
    DevicePolicy,
    AccountPolicy,
    GroupPolicy,
    DeviceRule,
    DeviceTrace,
    SendingCount,
    SendingNotice,
    RelayRoute,
    ReturnPath,
    QueueEntry,
    AuditEntry,
    Job,
    QueueAttempt,
    Greylisted,
    JunkLesson,
    StsPolicy,
    TlsSession,
)
