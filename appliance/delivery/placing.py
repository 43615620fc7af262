"""Copies written: items in folders, entries in the queue, answers, reports; in the caller's transaction.

Where a copy goes was decided before (`recipients`, `filing`); what that relied on is looked at again here,
because folders and accounts may be gone by now. A rule whose folder is gone files in the Inbox and says so.
"""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from appliance import db, logs
from appliance.accounts import rules
from appliance.delivery import arrival, editions, oof, precedence, reports, return_paths
from appliance.delivery.dsn import ReportedRecipient
from appliance.delivery.editions import AS_IT_CAME, Edition
from appliance.delivery.filing import Filing
from appliance.delivery.recipients import Copies, LocalCopy, RemoteCopy
from appliance.delivery.reports import Report
from appliance.errors import NotFound, QuotaExceeded
from appliance.items.envelope import RecipientWishes, Wishes
from appliance.items.folder import FolderType
from appliance.items.message import Arrival, BlobRef, Flag
from appliance.metrics import counter
from appliance.mime.headers import header_block
from appliance.queue import entries
from appliance.queue.priority import Priority
from appliance.store import blobs, conversations, folders, messages, modseq

ACTIVE_FLAG = Flag(status=2)

log = logging.getLogger("appliance.mail")
COPIES = counter("appliance_copies_total", "Copies of messages by where they went.", ["to"])


class NotAllTookIt(Exception):
    """Accounts that cannot take the message; the transaction that met them is undone."""

    def __init__(self, refused: dict[int, QuotaExceeded | NotFound]) -> None:
        super().__init__(f"{len(refused)} accounts cannot take the message")
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Prints:
    """The bytes of every edition, durable: for accounts here, and for other servers; how those travel."""

    here: Mapping[Edition, Arrival]
    elsewhere: Mapping[Edition, BlobRef]
    wishes: Wishes
    blind_to: Collection[int] = ()
    priority: Priority = Priority.MAIL
    needs_smtputf8: bool = False


def prints(
    copies: Copies,
    raw: bytes,
    as_it_came: Arrival,
    *,
    front: bytes = b"",
    blind_to: Collection[int] = (),
    wishes: Wishes | None = None,
    is_internationalised: bool = False,
) -> Prints:
    """Make the bytes that copies need. Call it outside any transaction. Raises TemporaryFailure, TooLarge.

    as_it_came: `front` and `raw`, prepared. front: what only copies here have before them (Return-Path).
    blind_to: accounts that get it as a blind copy. wishes: what the sender asked for.
    is_internationalised: UTF-8 in the header was announced (SMTPUTF8).
    """
    here = {AS_IT_CAME: as_it_came}
    for copy in copies.local:
        if copy.edition not in here:
            here[copy.edition] = arrival.prepare(front + editions.bytes_of(copy.edition, raw))
    elsewhere: dict[Edition, BlobRef] = {}
    for going in copies.remote:
        if going.edition not in elsewhere:
            is_same = going.edition == AS_IT_CAME and not front
            elsewhere[going.edition] = (
                as_it_came.blob if is_same else blobs.put(editions.bytes_of(going.edition, raw))
            )
    return Prints(
        here,
        elsewhere,
        wishes or Wishes(),
        blind_to,
        precedence.of(raw, len(copies.remote)) if elsewhere else Priority.MAIL,
        is_internationalised and not _header(raw).isascii(),
    )


def place(
    copies: Copies,
    made: Prints,
    received_at: datetime,
    told: Sequence[Report],
    *,
    account_id: int | None = None,
) -> None:
    """Write every copy and send the reports. Needs a transaction that ends with it.

    account_id: who submitted the message. Raises NotAllTookIt.
    """
    ids = [copy.account.id for copy in copies.local]
    if told or len(ids) > 1:
        modseq.hold([*ids, *(account for report in told for account in report.account_ids)])
    refused: dict[int, QuotaExceeded | NotFound] = {}
    for edition, arrived in made.here.items():
        blind = made.blind_to if edition == AS_IT_CAME else ()  # what was passed on names who did it
        refused |= _file(_of(copies.local, edition), arrived, received_at, blind)
    if refused:
        raise NotAllTookIt(refused)
    for edition, arrived in made.here.items():
        answering = [copy.account for copy in _of(copies.local, edition) if copy.filing.answers]
        oof.answer(answering, arrived, received_at)
    _queue(copies.remote, made, received_at, account_id)
    for report in told:
        reports.send(report)


def without(copies: Copies, error: NotAllTookIt) -> list[ReportedRecipient]:
    """Take the accounts that cannot take it out of the copies; return who of them is to be reported."""
    lost = [copy for copy in copies.local if copy.account.id in error.refused]
    copies.local = [copy for copy in copies.local if copy.account.id not in error.refused]
    for copy in lost:
        if not copy.is_reported and not copy.named:
            reason = type(error.refused[copy.account.id]).__name__
            event = "copy_not_taken"
            logs.event(log, event, level=logging.WARNING, account=copy.account.id, reason=reason)
    return [refusal for copy in lost for refusal in _refusals(copy, error.refused[copy.account.id])]


def _refusals(copy: LocalCopy, reason: QuotaExceeded | NotFound) -> list[ReportedRecipient]:
    """Return what is reported of a copy that was not taken: under the names it answers for, or its own."""
    why = reports.refusal_of_account(copy.account, reason)
    if copy.named:
        return [replace(why, address=name, named=name) for name in copy.named]
    return [replace(why, named=copy.behind)] if copy.is_reported else []


def _of(copies: Iterable[LocalCopy], edition: Edition) -> list[LocalCopy]:
    return [copy for copy in copies if copy.edition == edition]


def _file(
    copies: Sequence[LocalCopy], arrived: Arrival, received_at: datetime, blind: Collection[int]
) -> dict[int, QuotaExceeded | NotFound]:
    """File one edition; return who did not take it, and why."""
    plain = [copy.account.id for copy in copies if _goes_to_inbox_as_new(copy.filing)]
    refused = messages.file_for_all(plain, FolderType.INBOX, arrived, received_at=received_at, blind=blind)
    in_inbox = list(plain)
    for copy in copies:
        if _goes_to_inbox_as_new(copy.filing):
            continue
        try:
            if _file_as_wished(copy, arrived, received_at, copy.account.id in blind):
                in_inbox.append(copy.account.id)
        except (QuotaExceeded, NotFound) as error:
            refused[copy.account.id] = error
    COPIES.labels("inbox").inc(len(in_inbox))
    conversations.sort_arrivals(in_inbox, arrived.columns.conversation_id)
    return refused


def _goes_to_inbox_as_new(filing: Filing) -> bool:
    changes_it = filing.is_junk or filing.move or filing.is_read or filing.is_flagged or filing.categories
    return filing.is_kept and not changes_it


@db.transaction
def _file_as_wished(copy: LocalCopy, arrived: Arrival, received_at: datetime, is_blind: bool) -> bool:
    """Do what an account's rules want; return whether the message is in its Inbox."""
    account_id, filing = copy.account.id, copy.filing
    if not filing.is_kept:
        _log_after_commit("discarded" if not filing.sends else "redirected", copy)
        COPIES.labels("nowhere").inc()
        return False
    modseq.hold([account_id])
    inbox = folders.special(account_id, FolderType.INBOX).id
    folder_id = _folder(account_id, filing) or inbox
    item_id = messages.file(
        account_id,
        folder_id,
        arrived,
        received_at=received_at,
        is_read=filing.is_read,
        received_as_bcc=is_blind,
    )
    if filing.is_flagged:
        messages.set_flag(account_id, item_id, ACTIVE_FLAG)
    if filing.categories:
        messages.set_categories(account_id, item_id, filing.categories)
    COPIES.labels("junk" if filing.is_junk else "folder").inc()
    _log_after_commit("junk" if filing.is_junk else "sorted", copy)
    return folder_id == inbox


def _folder(account_id: int, filing: Filing) -> int | None:
    """Return the folder that is wanted, None for the Inbox or when it is gone."""
    if filing.is_junk:
        return folders.junk(account_id).id
    if filing.move is None:
        return None
    try:
        folder_id = folders.get(account_id, filing.move.folder_id).id
    except NotFound:
        rules.set_trouble(filing.move.rule_id, "its folder is gone; the Inbox is used")
        event = "rule_without_folder"
        db.after_commit(logs.event, log, event, account=account_id, rule=filing.move.rule_id)
        return None
    return folder_id


def _queue(copies: Sequence[RemoteCopy], made: Prints, now: datetime, account_id: int | None) -> None:
    together: dict[tuple[Edition, str, str], list[RemoteCopy]] = {}
    for copy in copies:
        together.setdefault((copy.edition, copy.reverse_path, copy.sent_on_from), []).append(copy)
    for (edition, came_from, sent_on_from), group in together.items():
        reverse_path = return_paths.rewritten(came_from, sent_on_from, now) if sent_on_from else came_from
        recipients = [(copy.route.address, copy.route.domain) for copy in group]
        entries.add(
            made.elsewhere[edition],
            account_id=account_id,
            reverse_path=reverse_path,
            recipients=recipients,
            now=now,
            wishes=_wishes(made.wishes, group),
            priority=Priority.BULK if edition.is_of_list else made.priority,
            needs_smtputf8=made.needs_smtputf8 or not _is_ascii(reverse_path, recipients),
        )
        COPIES.labels("sent_on" if sent_on_from else "elsewhere").inc(len(recipients))


def _wishes(wishes: Wishes, copies: Sequence[RemoteCopy]) -> Wishes:
    """Return what the next server is asked for, of copies that go there under one reverse-path.

    Nothing when answers go to a group: whoever sends it on answers for reports. What is forwarded fails as
    the sender asked; that it has come was told when it was here, or any stranger could ask where somebody's
    mail goes. Source: RFC 3461 5.2.7.1, 5.2.7.3 (b), 5.2.7.4; RFC 8689 5 (REQUIRETLS stays).
    """
    if not any(copy.named or copy.behind for copy in copies):
        return Wishes(requires_tls=wishes.requires_tls)
    return replace(wishes, recipients={copy.route.address: _wish(wishes, copy) for copy in copies})


def _wish(wishes: Wishes, copy: RemoteCopy) -> RecipientWishes:
    if copy.named:
        return wishes.of(copy.named[0])
    wish = wishes.of(copy.behind)
    words = [word for word in wish.notify.split(",") if word != "SUCCESS"]
    return replace(wish, notify=",".join(words) or "NEVER" if wish.notify else "")


def _header(raw: bytes) -> bytes:
    """Return the header of a message.

    What is in it needs SMTPUTF8 only when the client announced that (RFC 6531 3.1, 3.4): servers have
    always passed a header in raw 8 bits, and SMTPUTF8 would only fail it.
    """
    return raw[: header_block(raw, 0, len(raw)).body_start]


def _is_ascii(reverse_path: str, recipients: Iterable[tuple[str, str]]) -> bool:
    return reverse_path.isascii() and all(address.isascii() for address, _ in recipients)


def _log_after_commit(event: str, copy: LocalCopy) -> None:
    numbers = ",".join(map(str, copy.filing.rules))
    db.after_commit(logs.event, log, event, account=copy.account.id, rules=numbers or None)
