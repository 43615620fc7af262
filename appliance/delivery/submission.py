"""Mail written by one of our users: the one way out for SMTP submission, phones and the browser.

Everything a "sent" promises happens in one transaction: the copy in Sent Items, the copies for local
recipients, the queue entries for remote ones, the report about addresses nobody has, and the ClientId
that makes a repeated request do nothing.

Source: RFC 6409 (what a submission server may add), MS-ASCMD 2.2.1.17 SendMail.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from appliance import db, logs
from appliance.accounts import accounts
from appliance.db.tables import SentClientId
from appliance.delivery import arrival, blind, inbound, precedence, reports
from appliance.delivery.reports import Report
from appliance.delivery.routing import Route, RouteKind, route
from appliance.items.account import Account
from appliance.items.envelope import Wishes
from appliance.items.folder import FolderType
from appliance.items.message import Arrival
from appliance.mime.addresses import Address
from appliance.mime.compose import prepare_submission
from appliance.mime.headers import header_block
from appliance.queue import entries
from appliance.store import folders, messages, modseq

log = logging.getLogger("appliance.mail")


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """The request of a phone that carries a ClientId: a repeat of it must not send again."""

    device: int
    client_id: str


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a submission; `is_repeat` says that it had been sent before and nothing was done."""

    message_id: str
    local: int = 0
    remote: int = 0
    refused: int = 0
    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class _Letter:
    """A message on its way out. bcc: for the copy in Sent Items, None when none is kept."""

    account: Account
    message: Arrival
    raw: bytes
    bcc: str | None
    remote: list[Route]
    now: datetime
    request: ClientRequest | None
    also: Callable[[], None] | None = None
    wishes: Wishes = field(default_factory=Wishes)
    is_internationalised: bool = False
    blind_to: frozenset[int] = frozenset()

    @property
    def id_in_logs(self) -> str:
        return self.message.blob.digest.hex()[:16]


def was_sent(request: ClientRequest) -> bool:
    """Return whether a request with this ClientId was carried out before. Needs `db.connection()`."""
    return bool(
        SentClientId.select()
        .where((SentClientId.device == request.device) & (SentClientId.client_id == request.client_id))
        .exists()
    )


def submit(
    account: Account,
    raw: bytes,
    *,
    hostname: str,
    now: datetime,
    save_in_sent: bool,
    recipients: Sequence[str] | None = None,
    request: ClientRequest | None = None,
    also: Callable[[], None] | None = None,
    wishes: Wishes | None = None,
    is_internationalised: bool = False,
) -> Submitted:
    """Send a message for an account; durable when it returns.

    recipients: the envelope's; None takes To, Cc and Bcc from the header. The From header is made one
    of the account's own addresses; Bcc is taken out of what recipients get. also: what else belongs to the
    same transaction, such as removing the draft that is sent; what it raises undoes the submission. wishes:
    what reports the sender asked for, and how the message must travel. is_internationalised: the
    client announced a message with UTF-8 in its header (SMTPUTF8).
    Raises mime.compose.ComposeError (NoRecipients and other faults of the message), QuotaExceeded (no
    room for the copy in Sent Items), NotFound (the account is gone), TooLarge, TemporaryFailure.
    """
    with db.connection():
        own = accounts.aliases(account.id)
    prepared = prepare_submission(
        raw,
        from_address=Address(account.display_name, account.address),
        allowed_addresses=own,
        message_id_domain=account.address.rpartition("@")[2],
        now=now,
        needs_recipients=recipients is None,
    )
    message = arrival.prepare(prepared.raw)
    with db.connection():
        routes = [route(path) for path in prepared.recipients if recipients is None]
        routes += [route(path) for path in recipients or ()]
        paths = prepared.recipients if recipients is None else recipients
        blind_to = blind.receivers(prepared.raw, paths)
    bcc = ", ".join(prepared.bcc) if save_in_sent else None
    remote = _unique_remote(routes)
    letter = _Letter(
        account,
        message,
        prepared.raw,
        bcc,
        remote,
        now,
        request,
        also,
        wishes or Wishes(),
        is_internationalised,
        blind_to,
    )
    outcome = _deliver(letter, routes, hostname)
    logs.event(
        log,
        "repeated" if outcome.is_repeat else "submitted",
        msgid=outcome.message_id,
        account=account.id,
        size=message.blob.size,
        local=outcome.local,
        remote=outcome.remote,
        refused=outcome.refused,
    )
    return outcome


def _deliver(letter: _Letter, routes: list[Route], hostname: str) -> Submitted:
    """Carry out the submission, with a report about recipients who turn out not to take it."""
    local = inbound.unique_accounts(routes)
    failed = [
        reports.refusal_of_route(r) for r in routes if r.kind not in (RouteKind.LOCAL, RouteKind.REMOTE)
    ]
    while True:
        report = reports.prepare(
            letter.raw, letter.account.address, failed, hostname=hostname, now=letter.now
        )
        try:
            is_first = _commit(letter, local, report)
        except inbound.NotAllTookIt as error:
            failed += reports.refusals_of_accounts(local, error.refused)
            local = [account for account in local if account.id not in error.refused]
        else:
            if not is_first:
                return Submitted(letter.id_in_logs, is_repeat=True)
            return Submitted(letter.id_in_logs, len(local), len(letter.remote), len(failed))


@db.transaction
def _commit(letter: _Letter, local: list[Account], report: Report | None) -> bool:
    """Do everything at once; returns whether it was the first time. Raises NotAllTookIt."""
    account_id = letter.account.id
    modseq.hold([account_id, *(account.id for account in local)])  # the report goes to the same account
    accounts.get(account_id)
    if letter.request is not None and not _remember(letter.request, letter.now):
        return False
    if letter.also is not None:
        letter.also()
    if letter.bcc is not None:
        _save_in_sent(account_id, letter.message, letter.bcc, letter.now)
    if letter.remote:
        entries.add(
            letter.message.blob,
            account_id=account_id,
            reverse_path=letter.account.address,
            recipients=[(r.address, r.domain) for r in letter.remote],
            now=letter.now,
            needs_smtputf8=_needs_smtputf8(letter),
            priority=precedence.of(letter.raw, len(letter.remote)),
            wishes=letter.wishes,
        )
    inbound.file_in_inboxes(local, letter.message, letter.now, report, letter.blind_to)
    return True


def _needs_smtputf8(letter: _Letter) -> bool:
    """Say whether a message can only travel as internationalised mail. Source: RFC 6531 3.1, 3.4.

    Not because its client may send such mail, only because this is some; and not for a header in raw
    8 bits that nobody announced: servers have always passed that, and SMTPUTF8 would only fail it.
    """
    if not all(r.address.isascii() for r in letter.remote):
        return True
    header = letter.raw[: header_block(letter.raw, 0, len(letter.raw)).body_start]
    return letter.is_internationalised and not header.isascii()


def _remember(request: ClientRequest, now: datetime) -> bool:
    """Write down that a request is carried out; returns False when it has been already."""
    row = SentClientId.insert(device=request.device, client_id=request.client_id, created_at=now)
    return bool(list(row.on_conflict_ignore().returning(SentClientId.device).tuples().execute()))


def _save_in_sent(account_id: int, message: Arrival, bcc: str, now: datetime) -> None:
    """File the copy in Sent Items; it shows the Bcc recipients that the bytes no longer name."""
    sent = folders.special(account_id, FolderType.SENT)
    shown = replace(message, columns=replace(message.columns, bcc=bcc))
    messages.file(account_id, sent.id, shown, received_at=now, is_read=True)


def _unique_remote(routes: Iterable[Route]) -> list[Route]:
    """Return the remote recipients, each once however its domain was spelled."""
    remote = [r for r in routes if r.kind is RouteKind.REMOTE]
    return list({(r.address.rpartition("@")[0], r.domain): r for r in remote}.values())
