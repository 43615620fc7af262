"""A full set of answers: every command with success and failure, in every version, as the product gives them.

`full_set` lives through a small office's day once for each version and keeps what was answered. What is asked
is built by the tests of the single commands; here it only has to be asked for, so that `test_answers` finds
an example of every rule.
"""

import base64
import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from appliance.accounts import accounts, certificates, pictures
from appliance.autodiscover import ENVELOPE, MOBILESYNC
from appliance.devices import policies, wiping
from appliance.devices.wipe import FULL_DELAY, Scope
from appliance.eas.request import Request
from appliance.eas.response import Response
from appliance.eas.versions import OFFERED, at_least, has_command
from appliance.items.account import Account
from appliance.items.folder import FolderType
from appliance.settings import Eas
from appliance.store import folders, messages
from appliance.wbxml.codepages import (
    AirSync,
    AirSyncBase,
    Email,
    Email2,
    Find,
    FolderHierarchy,
    GetItemEstimate,
    ItemOperations,
    MeetingResponse,
    Move,
    Ping,
    Provision,
    ResolveRecipients,
    Search,
    Settings,
    Tasks,
)
from appliance.wbxml.element import Element, Tag
from tests.fakes.pki import NOW, authority, issue, person
from tests.grammar.wire import Node, read, read_xml
from tests.unit.eas import (
    test_autodiscover,
    test_conversations,
    test_drafts,
    test_email_properties,
    test_folder_commands,
    test_item_operations,
    test_meeting_request,
    test_meeting_response,
    test_provision,
    test_send_mail,
    test_settings_oof,
    test_smart_compose,
    test_validate_cert,
)
from tests.unit.eas.test_body_part import part_preference
from tests.unit.eas.world import Phone, Server, body_preference, request

XML_NAMES = {ENVELOPE: "Autodiscover", MOBILESYNC: "MobileSync"}
JPEG = b"\xff\xd8\xff" + b"picture" * 20 + b"\xff\xd9"
DAY = timedelta(days=1)
LETTER = (
    b'From: "Jo B" <jo@partner.example>\r\nSender: office@partner.example\r\nTo: Anna <anna@example.test>\r\n'
    b"Cc: bert@example.test\r\nReply-To: desk@partner.example\r\nSubject: contract\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n"
    b"--m\r\nContent-Type: multipart/related; boundary=r\r\n\r\n"
    b"--r\r\nContent-Type: text/html\r\n\r\n<p>the new words of it <img src=cid:logo></p>"
    b"<blockquote type=cite>old words</blockquote>\r\n"
    b"--r\r\nContent-Type: image/png; name=logo.png\r\nContent-ID: <logo>\r\nContent-Location: logo.png\r\n"
    b"Content-Disposition: inline; filename=logo.png\r\nContent-Transfer-Encoding: base64\r\n\r\niVBORw0K\r\n"
    b"--r--\r\n"
    b"--m\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n"
    b"Content-Disposition: attachment; filename=a.pdf\r\n\r\n"
    + base64.encodebytes(bytes(range(256)))
    + b"\r\n"
    b"--m--\r\n"
)
LATIN = b"From: x@example.net\r\nSubject: \xe4\r\n\r\nraw \xfc\r\n"
EVENTS = (
    (
        "LOCATION:Room 2",
        "RRULE:FREQ=WEEKLY;BYDAY=TU,TH;COUNT=5",
        "BEGIN:VALARM",
        "TRIGGER:-PT15M",
        "END:VALARM",
    ),
    ("RRULE:FREQ=MONTHLY;BYMONTHDAY=5;UNTIL=20270101T000000Z",),
    ("RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2TU",),
    ("RECURRENCE-ID;TZID=Europe/Berlin:20260310T090000",),
)
REPORTS = tuple(
    f"Subject: {subject}\r\nContent-Type: multipart/report; report-type={kind}; boundary=r\r\n\r\n"
    f"--r\r\nContent-Type: message/{kind}\r\n\r\n{said}\r\n--r--\r\n".encode()
    for subject, kind, said in (
        ("failed", "delivery-status", "Action: failed"),
        ("delivered", "delivery-status", "Action: delivered"),
        ("delayed", "delivery-status", "Action: delayed"),
        ("read", "disposition-notification", "Disposition: manual-action; displayed"),
    )
)
FLAG = Email.Flag(
    Tasks.Subject("call back"),
    Email.Status(2),
    Email.FlagType("Flag for follow up"),
    Email.CompleteTime("2026-03-02T10:00:00.000Z"),
    Tasks.DateCompleted("2026-03-02T00:00:00.000Z"),
    Tasks.StartDate("2026-03-01T00:00:00.000Z"),
    Tasks.DueDate("2026-03-03T00:00:00.000Z"),
    Tasks.UtcStartDate("2026-03-01T00:00:00.000Z"),
    Tasks.UtcDueDate("2026-03-03T00:00:00.000Z"),
    Tasks.ReminderSet(1),
    Tasks.ReminderTime("2026-03-02T08:00:00.000Z"),
    Tasks.OrdinalDate("2026-03-01T09:00:00.000Z"),
    Tasks.SubOrdinalDate("5555"),
)


@dataclass(frozen=True)
class Answer:
    """One answer of the product."""

    command: str
    version: str
    root: Node
    body: bytes
    parts: int


@dataclass
class Recorder(Server):
    """A server that keeps every document it has answered."""

    answers: list[Answer] = field(default_factory=list)

    def ask(self, account: Account, request: Request) -> Response:
        response = super().ask(account, request)
        if response.status == 200 and response.body and response.content_type != "application/octet-stream":
            body, parts = document_of(response)
            root = read_xml(body, XML_NAMES) if request.command == "Autodiscover" else read(body)
            self.answers.append(Answer(request.command, request.version, root, body, parts))
        return response


def document_of(response: Response) -> tuple[bytes, int]:
    """Return the document of an answer and the number of parts beside it."""
    if "multipart" not in response.content_type:
        return response.body, 0
    count, offset, length = struct.unpack_from("<iii", response.body)
    return response.body[offset : offset + length], count - 1


def full_set(data_dir: Path) -> list[Answer]:
    """Return the answers of a day in every version, over an open and empty database."""
    server = Recorder(data_dir, eas=replace(Eas(), folders_per_ping_max=2, collections_per_sync_max=2))
    people = {
        name: accounts.create(f"{name}@example.test", "a long enough password", display_name=f"Be {name}")
        for name in ("bert", "berta", "benno")
    }
    for name in ("bert", "berta"):
        pictures.put(people[name].id, JPEG)
    root = issue(authority("root"))
    certificates.add(people["bert"].id, issue(person("bert@example.test"), root).der, now=NOW)
    for version in OFFERED:
        _day(server, version)
    return server.answers


def _day(server: Recorder, version: str) -> None:
    account = accounts.create(
        f"anna{version}@example.test", "a long enough password", display_name=f"Anna {version}"
    )
    phone = Phone(server, account, version=version)
    for part in (_hierarchy, _mail, _drafts, _estimates, _pings, _operations, _searches, _settings):
        part(phone)
    for part in (_recipients, _sending, _provisioning):
        part(phone)


def _since(phone: Phone, version: str) -> bool:
    return at_least(phone.version, version)


# --- folders ----------------------------------------------------------------------------------------


def _hierarchy(phone: Phone) -> None:
    commands, account = test_folder_commands, phone.account
    phone.folder_sync()
    made = folders.create(account.id, 0, "Projects", FolderType.USER_MAIL)
    phone.folder_sync()
    folders.update(account.id, made.id, 0, "Plans")
    phone.folder_sync()
    messages.delete_folder(account.id, made.id)
    phone.folder_sync()
    own = commands.create(phone, "Own")
    commands.update(phone, own, "Mine")
    commands.delete(phone, own)
    key = phone.hierarchy_key
    for refused in (
        commands.creation(key, "Inbox"),
        commands.change(key, phone.folder(FolderType.INBOX), "x"),
        commands.deletion(key, phone.folder(FolderType.INBOX)),
    ):
        commands.ask(phone, refused)
    phone.asked("FolderSync", FolderHierarchy.FolderSync(FolderHierarchy.SyncKey("99")))
    if has_command(phone.version, "GetHierarchy"):
        folders.create(account.id, 0, "Old", FolderType.USER_MAIL)
        phone.asked("GetHierarchy")


# --- mail -------------------------------------------------------------------------------------------


def _options(*children: Element) -> Element:
    return AirSync.Options(list(children))


def _bodies(phone: Phone) -> list[Element]:
    """Return the ways a phone asks for bodies."""
    found = [
        _options(body_preference(1, 4)),
        _options(body_preference(2, 20, preview=10)),
        _options(AirSync.MIMESupport(2), body_preference(4)),
    ]
    if _since(phone, "14.1"):
        found.append(_options(part_preference(2, 12, preview=5)))
    return found


def _mail(phone: Phone) -> None:
    server, account, inbox = phone.server, phone.account, phone.folder(FolderType.INBOX)
    letter = server.file_raw(account, inbox, LETTER)
    call = test_email_properties.voice(test_email_properties.CALL, ("new.wav", ""))
    test_conversations.arrive(phone, b"To: other@example.net\r\nSubject: a blind copy\r\n\r\n")
    for raw in (LATIN, *REPORTS, call.encode()):
        server.file_raw(account, inbox, raw)
    for lines in EVENTS:
        server.file_raw(account, inbox, test_meeting_request.mail(test_meeting_request.event(*lines)))
    counter = test_meeting_response.event("X-MS-OLK-ORIGINALSTART:20260309T080000Z", method="COUNTER")
    server.file_raw(account, inbox, test_meeting_response.mail(counter, "COUNTER"))
    for options in _bodies(phone):
        phone.prime(inbox, options=options)
    phone.keys[inbox] = "0"
    phone.sync(inbox)
    phone.sync(inbox, AirSync.WindowSize(1))
    phone.prime(inbox, options=_options(AirSync.FilterType(2)))
    _own_changes(phone, inbox, letter)
    messages.set_flag(account.id, letter, None)
    messages.set_read(account.id, letter, False)
    phone.sync(inbox)
    phone.prime(inbox, options=_options(AirSync.FilterType(2)))
    server.clock.step(4 * DAY)
    server.file(account, inbox, "today")
    phone.sync(inbox)
    messages.delete(account.id, server.listed(account, inbox)[0].id)
    phone.sync(inbox)
    phone.prime(inbox, options=_options(body_preference(2)))
    phone.sync_all(*(phone.collection(folder) for folder in (inbox, inbox + 1, inbox + 2)))
    phone.command("Sync", AirSync.Sync(AirSync.Collections(), AirSync.Wait(10_000)))
    phone.sync(inbox, key="{77}5")


def _own_changes(phone: Phone, inbox: int, letter: int) -> None:
    """Let the phone change, fetch, delete and add, with success and without."""
    other = Phone(phone.server, phone.account, "device2", phone.version)
    other.prime(inbox)
    other.sync(inbox, commands=[_change(letter, FLAG, _categories(phone))])
    phone.sync(inbox)
    commands = [
        _change(letter, Email.Read(1)),
        _change(999_999, Email.Read(1)),
        AirSync.Delete(AirSync.ServerId("999999")),
        AirSync.Fetch(AirSync.ServerId(str(letter))),
        AirSync.Fetch(AirSync.ServerId("999999")),
        AirSync.Add(AirSync.ClientId("c1"), AirSync.ApplicationData(Email.Subject("no draft"))),
    ]
    phone.sync(inbox, commands=commands)


def _categories(phone: Phone) -> Element | None:
    return Email.Categories(Email.Category("red")) if _since(phone, "14.0") else None


def _change(item: int, *data: Element | None) -> Element:
    return AirSync.Change(AirSync.ServerId(str(item)), AirSync.ApplicationData(list(data)))


def _drafts(phone: Phone) -> None:
    """Let the phone write a draft with a file, from 16.0 on."""
    if not _since(phone, "16.0"):
        return
    drafts, folder = test_drafts, phone.folder(FolderType.DRAFTS)
    phone.prime(folder)
    told = phone.sync(
        folder,
        commands=[
            drafts.add(
                "c1",
                Email.To("bert@example.test"),
                Email.Cc("berta@example.test"),
                Email2.Bcc("benno@example.test"),
                Email.Subject("draft"),
                AirSyncBase.Attachments(drafts.upload("f1", b"data", "a.pdf")),
                drafts.body(1, "a draft"),
            )
        ],
    )
    (added,) = told.responses
    item = added.text_of(AirSync.ServerId, "")
    file = AirSyncBase.Attachments(drafts.upload("f2", b"more", "b.pdf"))
    phone.sync(folder, commands=[drafts.change(item, file)])
    phone.prime(folder)


def _estimates(phone: Phone) -> None:
    tag, inbox = GetItemEstimate, phone.folder(FolderType.INBOX)

    def collection(folder: int, key: str) -> Element:
        return tag.Collection(
            tag.Class("Email") if not _since(phone, "14.0") else None,
            AirSync.SyncKey(key),
            tag.CollectionId(str(folder)),
        )

    phone.prime(inbox)
    both = [collection(inbox, phone.keys[inbox]), collection(999_999, "1")]
    phone.asked("GetItemEstimate", tag.GetItemEstimate(tag.Collections(both)))
    if _since(phone, "14.0"):
        phone.asked("GetItemEstimate", tag.GetItemEstimate(tag.Collections()))
    item = phone.server.file(phone.account, inbox, "to be moved")
    moves = [
        Move.Move(
            Move.SrcMsgId(str(each)),
            Move.SrcFldId(str(inbox)),
            Move.DstFldId(str(phone.folder(FolderType.DELETED))),
        )
        for each in (item, 999_999)
    ]
    phone.asked("MoveItems", Move.MoveItems(moves))
    if _since(phone, "14.0"):
        phone.asked("MoveItems", Move.MoveItems())


def _pings(phone: Phone) -> None:
    inbox = phone.folder(FolderType.INBOX)

    def ping(interval: int, *ids: int) -> None:
        listed = [Ping.Folder(Ping.Id(str(each)), Ping.Class("Email")) for each in ids]
        phone.asked("Ping", Ping.Ping(Ping.HeartbeatInterval(interval), Ping.Folders(listed)))

    phone.folder_sync()
    phone.prime(inbox)
    phone.server.file(phone.account, inbox, "news")
    ping(600, inbox)
    ping(1, inbox)
    ping(600, 1, 2, 3)


# --- single items, searches -------------------------------------------------------------------------


def _operations(phone: Phone) -> None:
    tag, operations, inbox = ItemOperations, test_item_operations, phone.folder(FolderType.INBOX)
    item = phone.server.file_raw(phone.account, inbox, LETTER)
    preferences = [options.children for options in _bodies(phone)]
    whole = operations.fetched(operations.operations(phone, operations.by_id(inbox, item)))
    attached = whole.require(tag.Properties).require(AirSyncBase.Attachments).children
    file = attached[-1].text_of(AirSyncBase.FileReference, "")
    asked = [
        *(operations.by_id(inbox, item, *preference) for preference in preferences),
        operations.fetch(Search.LongId(str(item))),
        operations.attachment(file),
        operations.attachment(file, "0-3"),
        operations.attachment("none"),
        operations.by_id(inbox, 999_999),
    ]
    operations.operations(phone, *asked)
    document = tag.ItemOperations(asked)
    who = {"device_id": phone.device_id, "version": phone.version, "accept_multipart": True}
    phone.server.ask(phone.account, request("ItemOperations", document, **who))
    trash = phone.folder(FolderType.DELETED)
    emptied = [tag.EmptyFolderContents(AirSync.CollectionId(str(each))) for each in (trash, 999_999)]
    operations.operations(phone, operations.attachment("none"), *emptied)
    phone.asked("ItemOperations", tag.ItemOperations())
    if _since(phone, "14.0"):
        conversation = phone.server.listed(phone.account, inbox)[0].conversation_id
        always = tag.Options(tag.MoveAlways())
        there, nowhere = (
            tag.Move(tag.ConversationId(conversation), tag.DstFldId(str(folder)), options)
            for folder, options in ((trash, always), (trash, None))
        )
        operations.operations(phone, there, nowhere)
        phone.server.file_raw(phone.account, inbox, LETTER)


def _searches(phone: Phone) -> None:
    def ask(name: str, query: Element, *options: Element) -> None:
        wanted = Search.Options(list(options)) if options else None
        store = Search.Store(Search.Name(name), query, wanted)
        phone.asked("Search", Search.Search(store))

    def mail(text: str) -> Element:
        return Search.Query(Search.And(AirSync.Class("Email"), Search.FreeText(text)))

    for options in _bodies(phone):
        ask("Mailbox", mail("contract"), Search.RebuildResults(), *options.children)
    ask("Mailbox", mail("nothingatall"))
    ask("DocumentLibrary", Search.Query())
    picture = Search.Picture() if _since(phone, "14.1") else None
    ask("GAL", Search.Query("Be"), *([picture] if picture else []))
    if has_command(phone.version, "Find"):
        _finds(phone)


def _finds(phone: Phone) -> None:
    def ask(*criterion: Element) -> None:
        phone.asked("Find", Find.Find(Find.SearchId("1"), Find.ExecuteSearch(list(criterion))))

    def mail(text: str, *options: Element) -> Element:
        query = Find.Query(AirSync.Class("Email"), Find.FreeText(text))
        return Find.MailBoxSearchCriterion(query, Find.Options(list(options)))

    ask(mail("contract"))
    ask(mail("draft"))
    ask(mail("nothingatall"))
    ask(mail("contract", Find.Range("5-9")))
    ask(Find.GALSearchCriterion(Find.Query("Be"), Find.Options(Find.Picture())))
    ask()


# --- people, settings -------------------------------------------------------------------------------


def _settings(phone: Phone) -> None:
    oof, tag = test_settings_oof, Settings

    def ask(*properties: Element) -> None:
        phone.asked("Settings", tag.Settings(list(properties)))

    accounts.add_alias(phone.account.id, f"office{phone.version}@example.test")
    information = tag.DeviceInformation(tag.Set(tag.Model("phone"), tag.OS("1.0")))
    ask(information, tag.UserInformation(tag.Get()), tag.DevicePassword(tag.Set(tag.Password("x"))))
    ask(tag.DeviceInformation(), tag.UserInformation())
    told = [oof.message(tag_, text="away") for tag_ in (oof.INTERNAL, oof.KNOWN, oof.UNKNOWN)]
    ask(tag.Oof(tag.Set(list(oof.window()), told)))
    for kind in ("Text", "HTML"):
        ask(tag.Oof(tag.Get(tag.BodyType(kind))))
    ask(tag.Oof())
    if _since(phone, "14.1"):
        ask(tag.RightsManagementInformation(tag.Get()))
    ask()


def _recipients(phone: Phone) -> None:
    tag = ResolveRecipients

    def ask(*to: str, options: Element | None = None) -> None:
        phone.asked("ResolveRecipients", tag.ResolveRecipients([tag.To(each) for each in to], options))

    times = tag.Availability(
        tag.StartTime("2026-03-02T12:00:00.000Z"), tag.EndTime("2026-03-02T14:00:00.000Z")
    )
    everything = tag.Options(
        tag.CertificateRetrieval(2),
        times if _since(phone, "14.0") else None,
        tag.Picture() if _since(phone, "14.1") else None,
    )
    ask("bert@example.test", "benno@example.test", "Be", "nobody at all", options=everything)
    ask()
    good = test_validate_cert.document(test_validate_cert.GOOD, "no certificate", test_validate_cert.ROOT)
    phone.asked("ValidateCert", good)
    phone.asked("ValidateCert", test_validate_cert.document())
    _invitations(phone)


def _invitations(phone: Phone) -> None:
    meetings, tag = test_meeting_response, MeetingResponse
    item = meetings.invite(phone, "RRULE:FREQ=WEEKLY;BYDAY=TU", invited=phone.account.address)
    single = meetings.request(item)
    instance = meetings.request(item, meetings.ACCEPT, tag.InstanceId(meetings.INSTANCE))
    phone.asked("MeetingResponse", tag.MeetingResponse(single, instance, meetings.request(999_999)))
    if _since(phone, "14.0"):
        phone.asked("MeetingResponse", tag.MeetingResponse())


def _sending(phone: Phone) -> None:
    """Let every command that sends refuse to; success has no document."""
    inbox = phone.folder(FolderType.INBOX)
    item = phone.server.file_raw(phone.account, inbox, test_smart_compose.ORIGINAL)
    if _since(phone, "14.0"):
        test_send_mail.send(phone, b"")
        for compose in (test_smart_compose.reply, test_smart_compose.forward):
            compose(phone, test_smart_compose.item_id(item), mime=b"")
        phone.prime(inbox)
        test_smart_compose.reply(phone, test_smart_compose.item_id(item), client_id="c9")
        phone.sync(inbox)
    for body in (test_autodiscover.question(), b""):
        test_autodiscover.ask(phone, body)


def _provisioning(phone: Phone) -> None:
    tag, provision = Provision, test_provision
    introduces = _since(phone, "14.1")

    def ask(document: Element | None) -> Element:
        return phone.asked("Provision", document)

    def offer(**rest: object) -> Element:
        return provision.offer(**({} if introduces else {"introduction": None}), **rest)

    values = {"UnapprovedInROMApplicationList": ("a.exe",), "ApprovedApplicationList": ("aGFzaA==",)}
    policies.save(f"p{phone.version}", values | {"MinDevicePasswordLength": 6}, phone.server.clock.now())
    policies.assign(phone.account.id, f"p{phone.version}")
    given = provision.policy_of(ask(offer()))
    ask(provision.acknowledgement(given.text_of(tag.PolicyKey)))
    ask(provision.acknowledgement("77"))
    ask(offer(kind="MS-Other"))
    scopes: list[tuple[Scope, Tag]] = [(Scope.FULL, tag.RemoteWipe)]
    if _since(phone, "16.1"):
        scopes.append((Scope.ACCOUNT, tag.AccountOnlyRemoteWipe))
    for scope, directive in scopes:
        _wiped(phone, scope, directive, ask)


def _wiped(phone: Phone, scope: Scope, directive: Tag, ask: Callable[[Element | None], Element]) -> None:
    device = test_provision.device_of(phone)
    wiping.request(device, scope, phone.server.clock.now(), by="test")
    phone.server.clock.step(FULL_DELAY)
    ask(None)
    ask(Provision.Provision(directive(Provision.Status(2))))
    ask(Provision.Provision(directive(Provision.Status(1))))
