"""What other servers report of our domains: kept for a year, each report once, the newest thousands.

Reading them is `mailauth.dmarc_report` and `mailauth.tls_report`; how they come in is `delivery.report_mail`.
A report about a domain that is not ours is not kept.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from appliance import db
from appliance.accounts import addresses
from appliance.db.tables import DmarcReport as DmarcRow
from appliance.db.tables import Domain
from appliance.db.tables import TlsReport as TlsRow
from appliance.errors import InvalidInput, NotFound
from appliance.mailauth.dmarc_report import DmarcReport
from appliance.mailauth.tls_report import TlsReport

KEPT_FOR: Final = timedelta(days=366)
KEPT_MAX: Final = 5_000  # of a kind and domain, the newest: anybody may send reports
SURPLUS_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class DmarcSummary:
    """A stored report; `sources` as in `mailauth.dmarc_report.Source`, those with the most messages."""

    organisation: str
    report_id: str
    begins_at: datetime
    ends_at: datetime
    passed: int
    failed: int
    sources: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class TlsSummary:
    """A stored report; `failures` as in `mailauth.tls_report.Failure`."""

    organisation: str
    report_id: str
    begins_at: datetime
    ends_at: datetime
    passed: int
    failed: int
    failures: list[dict[str, Any]]


@db.transaction
def keep_dmarc(report: DmarcReport, now: datetime) -> bool:
    """Store a report; return False when it is about no domain of ours or was stored before."""
    return _keep(DmarcRow, report, now, sources=_json(report.sources))


@db.transaction
def keep_tls(report: TlsReport, now: datetime) -> bool:
    """Store a report; return False when it is about no domain of ours or was stored before."""
    return _keep(TlsRow, report, now, failures=_json(report.failures))


def dmarc(domain: str, *, limit: int) -> list[DmarcSummary]:
    """Return the newest reports of a domain. Needs `db.connection()`. Raises NotFound (not our domain)."""
    return _newest(DmarcRow, DmarcRow.sources, domain, limit, DmarcSummary)


def tls(domain: str, *, limit: int) -> list[TlsSummary]:
    """Return the newest reports of a domain. Needs `db.connection()`. Raises NotFound (not our domain)."""
    return _newest(TlsRow, TlsRow.failures, domain, limit, TlsSummary)


@db.transaction
def forget_old(now: datetime) -> int:
    """Remove what was received too long ago and return how much."""
    tables = (DmarcRow, TlsRow)
    return sum(int(t.delete().where(t.received_at <= now - KEPT_FOR).execute()) for t in tables)


def _keep(table: Any, report: DmarcReport | TlsReport, now: datetime, **details: str) -> bool:
    domain_id = _domain_id(report.domain)
    if domain_id is None:
        return False
    kept = table.select(table.id).where(table.domain == domain_id).order_by(table.id.desc())
    surplus = kept.offset(KEPT_MAX - 1).limit(SURPLUS_AT_ONCE)
    table.delete().where(table.id.in_([row[0] for row in surplus.tuples()])).execute()
    row = table.insert(
        domain=domain_id,
        organisation=report.organisation,
        report_id=report.report_id,
        begins_at=report.begins_at,
        ends_at=report.ends_at,
        passed=report.passed,
        failed=report.failed,
        received_at=now,
        **details,
    )
    return bool(list(row.on_conflict_ignore().returning(table.id).tuples().execute()))


def _newest[S](table: Any, details: Any, domain: str, limit: int, summary: Callable[..., S]) -> list[S]:
    domain_id = _domain_id(domain)
    if domain_id is None:
        raise NotFound(f"{domain} is not one of our domains")
    of_domain = table.select(
        table.organisation,
        table.report_id,
        table.begins_at,
        table.ends_at,
        table.passed,
        table.failed,
        details,
    ).where(table.domain == domain_id)
    newest = of_domain.order_by(table.ends_at.desc(), table.id.desc()).limit(limit)
    return [summary(*row[:-1], json.loads(row[-1])) for row in newest.tuples()]


def _domain_id(domain: str) -> int | None:
    try:
        name = addresses.normalise_host(domain)
    except InvalidInput:
        return None
    row = Domain.select(Domain.id).where(Domain.name == name).tuples().first()
    return None if row is None else int(row[0])


def _json(values: Sequence[Any]) -> str:
    return json.dumps([asdict(value) for value in values], ensure_ascii=False)
