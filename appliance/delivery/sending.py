"""How much an account may send: what a person never reaches, and a stolen password does at once.

Owns the rows `SendingCount`: what each account sent, in buckets of BUCKET, so that a day costs a few hundred
small rows however much is sent. Counted and judged in the transaction that sends: what is refused counts
nothing.

First contacts are recipients elsewhere that the account has never written to. A person meets few in an hour;
many at once are how a stolen account looks, so administrators are told.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import peewee

from appliance import db, logs
from appliance.accounts import accounts, correspondents
from appliance.db.tables import EPOCH, SendingNotice
from appliance.db.tables import SendingCount as Row
from appliance.devices import notices
from appliance.devices.notices import Notice
from appliance.errors import ApplianceError
from appliance.items.account import Account
from appliance.metrics import counter
from appliance.settings import Sending

BUCKET = timedelta(minutes=5)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOTICE_EVERY = timedelta(hours=12)

log = logging.getLogger("appliance.mail")
LIMITED = counter("appliance_sending_limited_total", "Messages refused for an account's limits.", ["limit"])
_limits = Sending()


class SendingLimit(ApplianceError):
    """The account has sent too much; the message may be sent later. `limit` names which of the limits."""

    def __init__(self, limit: str, words: str) -> None:
        super().__init__(words)
        self.limit = limit

    @property
    def looks_stolen(self) -> bool:
        """Say whether this is how an account looks whose password somebody else has."""
        return self.limit == "first_contacts"


@dataclass(frozen=True, slots=True)
class _Sum:
    messages: int
    recipients: int
    first_contacts: int


def configure(limits: Sending) -> Sending:
    """Use these limits from now on; returns those in use before."""
    global _limits  # one configuration per process
    before, _limits = _limits, limits
    return before


def count(account_id: int, recipients: int, elsewhere: Collection[str], now: datetime) -> None:
    """Count a message, unless it is too much. Needs a transaction that holds the account.

    recipients: how many the sender names. elsewhere: those of them on other servers, normalised.
    Raises SendingLimit.
    """
    first_contacts = correspondents.count_strangers(account_id, elsewhere) if elsewhere else 0
    hour, day, most = _sum(account_id, now - HOUR), _sum(account_id, now - DAY), _limits
    within = (
        ("messages_hour", hour.messages + 1, most.messages_per_hour_max, "messages in an hour"),
        (
            "recipients_hour",
            hour.recipients + recipients,
            most.recipients_per_hour_max,
            "recipients in an hour",
        ),
        ("recipients_day", day.recipients + recipients, most.recipients_per_day_max, "recipients in a day"),
        (
            "first_contacts",
            hour.first_contacts + first_contacts,
            most.first_contacts_per_hour_max,
            "people in an hour to whom you have never written",
        ),
    )  # fmt: skip
    for name, number, limit, words in within:
        if limit and number > limit:
            raise SendingLimit(name, f"Too much mail: at most {limit} {words}; try again later")
    _add(account_id, now, recipients, first_contacts)


def refused(account: Account, error: SendingLimit, now: datetime) -> None:
    """Log a refusal; tell administrators, once in NOTICE_EVERY, when the account looks stolen.

    Call it outside any transaction.
    """
    LIMITED.labels(error.limit).inc()
    logs.event(log, "sending_limited", level=logging.WARNING, account=account.id, limit=error.limit)
    if not error.looks_stolen:
        return
    text = _WORDS.format(address=account.address, limit=_limits.first_contacts_per_hour_max)
    with db.connection():
        administrators = [each.id for each in accounts.list_accounts() if each.is_admin and each.is_enabled]
    subject = f"{account.address} may be in other hands"
    told = [notices.prepare(each, subject, text, now) for each in administrators]
    if _tell(account.id, told, now):
        logs.event(log, "sending_limited_told", account=account.id, administrators=len(told))


_WORDS = (
    "{address} tried to write to more than {limit} people within an hour to whom it had never written before."
    " The mail was refused for now.\r\n\r\nWhen its owner does not know of it, somebody else has the"
    " password: change it (appliance user passwd {address}), which also ends every session and token.\r\n"
)


def _sum(account_id: int, since: datetime) -> _Sum:
    columns = (Row.messages, Row.recipients, Row.first_contacts)
    sums = [peewee.fn.COALESCE(peewee.fn.SUM(column), 0) for column in columns]
    query = Row.select(*sums).where((Row.account == account_id) & (Row.bucket > since))
    return _Sum(*(int(each) for each in query.tuples().first()))


def _add(account_id: int, now: datetime, recipients: int, first_contacts: int) -> None:
    bucket = EPOCH + (now - EPOCH) // BUCKET * BUCKET + BUCKET  # its end: what is in it is never older
    Row.insert(
        account=account_id, bucket=bucket, messages=1, recipients=recipients, first_contacts=first_contacts
    ).on_conflict(
        conflict_target=[Row.account, Row.bucket],
        update={
            Row.messages: Row.messages + 1,
            Row.recipients: Row.recipients + recipients,
            Row.first_contacts: Row.first_contacts + first_contacts,
        },
    ).execute()
    Row.delete().where((Row.account == account_id) & (Row.bucket <= now - DAY)).execute()


@db.transaction
def _tell(account_id: int, told: Collection[Notice], now: datetime) -> bool:
    """File the notices unless administrators were told lately; return whether they were now."""
    rows = SendingNotice
    rows.delete().where((rows.account == account_id) & (rows.told_at <= now - NOTICE_EVERY)).execute()
    row = rows.insert(account=account_id, told_at=now).on_conflict_ignore().returning(rows.account)
    if not list(row.tuples().execute()):
        return False
    for notice in told:
        notices.file(notice)
    return True
