"""How our connections to other domains' servers were protected, counted for the reports they ask for.

A row is one way a connection went on one day; a domain's rows of a day go when its report is sent. Only
domains that ask for reports have any: whoever counts has looked (`smtpd.tls_reporting`).

Source: RFC 8460 4.1 (a report is about one day, UTC), 4.3 (result types).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance import db
from appliance.db.tables import TlsSession as Row

KEPT_FOR = timedelta(days=3)
"""A report that cannot be sent is given up after so many days. RFC 8460 5.4 asks for no more than one."""


@dataclass(frozen=True, slots=True)
class Session:
    """One way a connection can go. result: "" when it was as the policy demands, or RFC 8460's word.

    domain: the policy's. policy_type, policy_lines, policy_mx: see `smtpd.security.PolicyFacts`. host,
    address: the server, for a failure.
    """

    domain: str
    policy_type: str
    policy_lines: tuple[str, ...] = ()
    policy_mx: tuple[str, ...] = ()
    result: str = ""
    host: str = ""
    address: str = ""

    @property
    def policy_text(self) -> str:
        """The policy as one text, the same for the same policy."""
        return json.dumps([self.policy_type, self.policy_lines, self.policy_mx])


@db.transaction
def count(day: str, sessions: Mapping[Session, int]) -> None:
    """Add to the counts of a day (`2026-11-27`, UTC)."""
    for session, number in sessions.items():
        text = session.policy_text
        row = Row.insert(
            day=day,
            domain=session.domain,
            policy_digest=hashlib.sha256(text.encode()).hexdigest()[:32],
            policy=text,
            result=session.result,
            host=session.host,
            address=session.address,
            number=number,
        )
        key = [Row.day, Row.domain, Row.policy_digest, Row.result, Row.host, Row.address]
        row.on_conflict(conflict_target=key, update={Row.number: Row.number + number}).execute()


def reportable(now: datetime) -> list[tuple[str, str]]:
    """Return (day, domain) of what is counted of days that are over. Needs `db.connection()`."""
    today = day_of(now)
    rows = Row.select(Row.day, Row.domain).where(Row.day < today).distinct()
    return [(row[0], row[1]) for row in rows.order_by(Row.day, Row.domain).tuples()]


def counted(day: str, domain: str) -> dict[Session, int]:
    """Return what was counted of a domain on a day. Needs `db.connection()`."""
    columns = (Row.policy, Row.result, Row.host, Row.address, Row.number)
    rows = Row.select(*columns).where((Row.day == day) & (Row.domain == domain))
    found = {}
    for policy, result, host, address, number in rows.tuples():
        kind, lines, mx = json.loads(policy)
        found[Session(domain, kind, tuple(lines), tuple(mx), result, host, address)] = number
    return found


@db.transaction
def forget(day: str, domain: str) -> bool:
    """Remove what was counted; returns whether there was anything (nobody else has reported it)."""
    return bool(Row.delete().where((Row.day == day) & (Row.domain == domain)).execute())


@db.transaction
def forget_old(now: datetime) -> int:
    """Remove what could not be reported for days; returns how many rows that were."""
    return int(Row.delete().where(Row.day < day_of(now - KEPT_FOR)).execute())


def day_of(moment: datetime) -> str:
    """Return the UTC day of a moment."""
    return f"{moment:%Y-%m-%d}"
