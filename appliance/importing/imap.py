"""A mailbox of another server brought along: every folder, in the order of its UIDs, from where it stopped.

How far a folder has come is written in the transaction that files its messages: an import that was
interrupted goes on behind the last message that was filed, and a repeated one brings only what is new.
When the server has numbered a folder anew (UIDVALIDITY), it is read from the start and what is here is left
alone.

Source: RFC 9051 2.3.1.1 (UIDs), 2.3.2 (flags); RFC 5788 ($Forwarded); RFC 6154 2 (special use).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from appliance import db
from appliance.db.tables import ImportCursor
from appliance.errors import InvalidInput
from appliance.importing.filing import Filer
from appliance.importing.mbox import check, with_crlf
from appliance.importing.special import place_of
from appliance.items.imported import Imported, Marks, RemoteFolder, RemoteMessage, Unread

COPIES: Final = frozenset({"\\all", "\\flagged", "\\important"})
"""Folders that show what lies in others too: they come last, and what came with the others is left out."""


class Mailbox(Protocol):
    """`net.imap.Mailbox`, or a stand-in."""

    def folders(self) -> list[RemoteFolder]: ...
    def examine(self, folder: RemoteFolder) -> tuple[int, int]: ...
    def uids_after(self, uid: int) -> list[int]: ...
    def messages(self, uids: Sequence[int]) -> Iterator[list[RemoteMessage]]: ...


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an import is: the folder, and how many of its new messages are dealt with."""

    folder: str
    done: int
    total: int


def bring(
    mailbox: Mailbox,
    filer: Filer,
    account_id: int,
    source: str,
    *,
    tell: Callable[[Progress], None],
    without: frozenset[str] = frozenset(),
) -> None:
    """Bring along what is new in every folder but those named in `without` (as the server names them).

    source: names the mailbox there for ever, see `net.imap.Server.name`. Raises what the mailbox does, and
    QuotaExceeded; what was filed before stays, and the next call goes on behind it.
    """
    folders = [each for each in mailbox.folders() if each.name not in without]
    for folder in sorted(folders, key=_shows_others):
        _bring_folder(mailbox, filer, folder, account_id, source, tell)


def _bring_folder(
    mailbox: Mailbox,
    filer: Filer,
    folder: RemoteFolder,
    account_id: int,
    source: str,
    tell: Callable[[Progress], None],
) -> None:
    validity, _ = mailbox.examine(folder)
    uids = mailbox.uids_after(_reached(account_id, source, folder.name, validity))
    place = place_of(folder.path, folder.attributes)
    is_copy = _shows_others(folder)
    done = 0
    tell(Progress(folder.name, done, len(uids)))
    for portion in mailbox.messages(uids):
        for message in portion:
            filer.add(_imported(message, folder), place, is_copy=is_copy)
        if portion:
            filer.flush(partial(_reach, account_id, source, folder.name, validity, portion[-1].uid))
        done += len(portion)
        tell(Progress(folder.name, done, len(uids)))


def _shows_others(folder: RemoteFolder) -> bool:
    return bool(COPIES & {attribute.lower() for attribute in folder.attributes})


def _imported(message: RemoteMessage, folder: RemoteFolder) -> Imported | Unread:
    source = f"{folder.name} UID {message.uid}"
    if message.raw is None:
        return Unread(source, "too large")
    raw = with_crlf(message.raw)
    try:
        check(raw)
    except InvalidInput as error:
        return Unread(source, str(error))
    flags = message.flags
    marks = Marks(
        is_read="\\seen" in flags,
        is_flagged="\\flagged" in flags,
        is_answered="\\answered" in flags,
        is_forwarded="$forwarded" in flags,
        is_deleted="\\deleted" in flags,
    )
    return Imported(source, folder.path, raw, message.received_at, marks)


def _reached(account_id: int, source: str, folder: str, validity: int) -> int:
    """Return the UID up to which a folder has been brought along, 0 when it has to be read from the start."""
    rows = ImportCursor
    with db.connection():
        row = (
            rows.select(rows.uid)
            .where(
                (rows.account == account_id)
                & (rows.source == source)
                & (rows.folder == folder)
                & (rows.uid_validity == validity)
            )
            .tuples()
            .first()
        )
    return 0 if row is None else int(row[0])


def _reach(account_id: int, source: str, folder: str, validity: int, uid: int) -> None:
    """Write down how far a folder has come. Needs the transaction that files its messages."""
    rows = ImportCursor
    rows.insert(account=account_id, source=source, folder=folder, uid_validity=validity, uid=uid).on_conflict(
        conflict_target=[rows.account, rows.source, rows.folder], preserve=[rows.uid_validity, rows.uid]
    ).execute()
