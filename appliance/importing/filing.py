"""Messages from elsewhere filed in an account: their folder, their date, what was done with them, once.

What lies in the folder already is left alone, so that an import that was interrupted can be repeated.
Messages are filed in batches, each one transaction: one by one, most of the time would go into waiting for
the disk. A batch in which something cannot be filed is undone and filed again message by message, so that
only that one is reported.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from appliance import db
from appliance.db.tables import Item
from appliance.delivery import arrival
from appliance.errors import ApplianceError, NotFound, QuotaExceeded, TemporaryFailure
from appliance.importing.special import Place, place_of, stripped
from appliance.items.account import Account
from appliance.items.folder import Folder, FolderType
from appliance.items.imported import Imported, Unread
from appliance.items.message import Arrival, Flag
from appliance.store import folders, messages

BATCH_MESSAGES = 50
BATCH_BYTES = 8 * 1024 * 1024
ANSWERED, FORWARDED = 1, 3  # MS-ASEMAIL 2.2.2.42 LastVerbExecuted


@dataclass(slots=True)
class Report:
    """What became of an import; skipped: marked as deleted where they were."""

    imported: int = 0
    already_there: int = 0
    skipped: int = 0
    failed: list[dict[str, str]] = field(default_factory=list)

    @property
    def done(self) -> int:
        """How many messages were dealt with, one way or the other."""
        return self.imported + self.already_there + self.skipped + len(self.failed)

    def fail(self, source: str, error: str) -> None:
        """Note that something could not be brought along."""
        self.failed.append({"source": source, "error": error})


@dataclass(frozen=True, slots=True)
class _Prepared:
    message: Imported
    arrival: Arrival
    folder_id: int
    is_draft: bool
    is_copy: bool


class Filer:
    """Files messages of one import. `flush` at the end, or what is still gathered is not filed."""

    def __init__(self, account: Account, below: tuple[str, ...] = (), *, is_all_read: bool = False) -> None:
        """below: the folder that takes the place of the top; by default the top is the Inbox."""
        self.report = Report()
        self._account = account
        self._below = below
        self._is_all_read = is_all_read
        self._folder_ids: dict[tuple[tuple[str, ...], Place | None], int] = {}
        self._batch: list[_Prepared] = []
        self._bytes = 0
        with db.connection():
            self._drafts = folders.special(account.id, FolderType.DRAFTS).id

    def add(self, message: Imported | Unread, place: Place | None = None, *, is_copy: bool = False) -> None:
        """Take one message; what is wrong with it is reported.

        place: the special folder it belongs to, if the source knows better than its name. is_copy: it is
        left out when it lies in any folder. Raises QuotaExceeded (the next one would not fit either) and
        TemporaryFailure (our own trouble: what was not filed has to come again).
        """
        if isinstance(message, Unread):
            self.report.fail(message.source, message.error)
        elif message.marks.is_deleted:
            self.report.skipped += 1
        else:
            self._prepare(message, place, is_copy)
        if len(self._batch) >= BATCH_MESSAGES or self._bytes >= BATCH_BYTES:
            self.flush()

    def flush(self, also: Callable[[], None] | None = None) -> None:
        """File what was gathered; also: what belongs to the same transaction, such as how far it got."""
        batch, self._batch, self._bytes = self._batch, [], 0
        if not batch and also is None:
            return
        try:
            filed = self._file(batch, also)
        except TemporaryFailure:
            raise
        except ApplianceError:
            self._one_by_one(batch, also)
        else:
            self._count(batch, filed)

    def discard(self) -> None:
        """Let go of what was gathered and not filed: it will come again."""
        self._batch, self._bytes = [], 0

    def _prepare(self, message: Imported, place: Place | None, is_copy: bool) -> None:
        try:
            folder_id = self._folder(message.folder, place)
            is_draft = folder_id == self._drafts
            prepared = _Prepared(message, arrival.prepare(message.raw), folder_id, is_draft, is_copy)
        except (QuotaExceeded, TemporaryFailure):
            raise
        except ApplianceError as error:
            self.report.fail(message.source, str(error))
            return
        self._batch.append(prepared)
        self._bytes += len(message.raw)

    def _one_by_one(self, batch: Sequence[_Prepared], also: Callable[[], None] | None) -> None:
        for prepared in batch:
            try:
                filed = self._file([prepared], None)
            except QuotaExceeded:
                raise QuotaExceeded(self._full(prepared)) from None
            except TemporaryFailure:
                raise
            except ApplianceError as error:
                self.report.fail(prepared.message.source, str(error))
            else:
                self._count([prepared], filed)
        if also is not None:
            db.transaction(also)()

    def _count(self, batch: Sequence[_Prepared], filed: int) -> None:
        self.report.imported += filed
        self.report.already_there += len(batch) - filed

    def _full(self, prepared: _Prepared) -> str:
        return (
            f"the mailbox is full, after {self.report.imported} messages; next was {prepared.message.source}"
        )

    def _file(self, batch: Sequence[_Prepared], also: Callable[[], None] | None) -> int:
        return _commit(self._account.id, batch, self._is_all_read, also)

    def _folder(self, path: tuple[str, ...], place: Place | None) -> int:
        """Return the folder for a path, made if it is not there."""
        key = (path, place)
        if key not in self._folder_ids:
            self._folder_ids[key] = self._find(path, place).id
        return self._folder_ids[key]

    def _find(self, path: tuple[str, ...], place: Place | None) -> Folder:
        if self._below:
            return walk(self._account.id, (*self._below, *path), may_create=True)
        place = place if place is not None else place_of(path)
        with db.connection():
            if isinstance(place, FolderType):
                return folders.special(self._account.id, place)
            found = folders.by_name(self._account.id, place) if place is not None else None
        return found or walk(self._account.id, (place,) if place else stripped(path), may_create=True)


def walk(account_id: int, path: Iterable[str], *, may_create: bool) -> Folder:
    """Return the folder of a path of names, outermost first; raises NotFound unless it may be made."""
    found: Folder | None = None
    for name in path:
        parent_id = 0 if found is None else found.id
        with db.connection():
            below = folders.by_name(account_id, name, parent_id)
        if below is None and not may_create:
            raise NotFound(f"there is no folder {name}")
        found = below or folders.create(account_id, parent_id, name, FolderType.USER_MAIL)
    assert found is not None, "a path has at least one name"
    return found


@db.transaction
def _commit(
    account_id: int, batch: Sequence[_Prepared], is_all_read: bool, also: Callable[[], None] | None
) -> int:
    """File a batch and return how many of it were not there yet."""
    known = _known(account_id, batch)
    filed = 0
    for prepared in batch:
        there = known.setdefault(prepared.arrival.blob.digest, set())
        if prepared.folder_id in there or (prepared.is_copy and there):
            continue
        there.add(prepared.folder_id)
        _file_one(account_id, prepared, is_all_read)
        filed += 1
    if also is not None:
        also()
    return filed


def _known(account_id: int, batch: Sequence[_Prepared]) -> dict[bytes, set[int]]:
    """Return in which folders of the account the messages lie already."""
    known: dict[bytes, set[int]] = {}
    if digests := [prepared.arrival.blob.digest for prepared in batch]:
        here = (Item.account == account_id) & Item.blob.in_(digests)
        for folder_id, digest in Item.select(Item.folder, Item.blob).where(here).tuples():
            known.setdefault(bytes(digest), set()).add(int(folder_id))
    return known


def _file_one(account_id: int, prepared: _Prepared, is_all_read: bool) -> None:
    marks, received_at = prepared.message.marks, prepared.message.received_at
    item_id = messages.file(
        account_id,
        prepared.folder_id,
        prepared.arrival,
        received_at=received_at,
        is_read=is_all_read or bool(marks.is_read),
        is_draft=prepared.is_draft,
    )
    if marks.is_flagged:
        messages.set_flag(account_id, item_id, Flag(status=2))
    if marks.is_forwarded or marks.is_answered:
        verb = FORWARDED if marks.is_forwarded else ANSWERED
        messages.set_last_verb(account_id, item_id, verb, received_at)
