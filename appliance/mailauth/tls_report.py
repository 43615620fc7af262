"""TLS reports: how well another server reached a domain's mail servers over TLS. Pure.

Source: RFC 8460 4 Reporting Schema.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from appliance.mailauth.unpacking import Unreadable

POLICIES_MAX: Final = 100
FAILURES_MAX: Final = 1_000
TEXT_LENGTH_MAX: Final = 255
SESSIONS_MAX: Final = 10**12


@dataclass(frozen=True, slots=True)
class Failure:
    """Sessions that failed in one way: RFC 8460 4.3 result type, and who met whom as far as it is said."""

    policy_type: str
    result: str
    sessions: int
    sending_ip: str
    receiving_host: str
    reason: str


@dataclass(frozen=True, slots=True)
class TlsReport:
    """What one report says of one domain; times aware UTC."""

    domain: str
    organisation: str
    report_id: str
    begins_at: datetime
    ends_at: datetime
    passed: int
    failed: int
    failures: tuple[Failure, ...]


def read(data: bytes) -> list[TlsReport]:
    """Return what a report says, one value for each domain in it. Raises Unreadable."""
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"no JSON: {error}") from error
    if not isinstance(document, dict):
        raise Unreadable("not a TLS report")
    span = _object(document, "date-range")
    policies = document.get("policies")
    if not isinstance(policies, list) or not 0 < len(policies) <= POLICIES_MAX:
        raise Unreadable("no policies")
    common = (
        _required(document, "organization-name"),
        _required(document, "report-id"),
        _moment(span, "start-datetime"),
        _moment(span, "end-datetime"),
    )
    by_domain: dict[str, list[dict[str, Any]]] = {}
    for policy in policies:
        if isinstance(policy, dict):
            by_domain.setdefault(_text(_object(policy, "policy"), "policy-domain"), []).append(policy)
    by_domain.pop("", None)
    return [_report(domain, found, *common) for domain, found in by_domain.items()]


def _report(
    domain: str,
    policies: list[dict[str, Any]],
    organisation: str,
    report_id: str,
    begins_at: datetime,
    ends_at: datetime,
) -> TlsReport:
    summaries = [_object(policy, "summary") for policy in policies]
    failures = [failure for policy in policies for failure in _failures(policy)]
    return TlsReport(
        domain=domain,
        organisation=organisation,
        report_id=report_id,
        begins_at=begins_at,
        ends_at=ends_at,
        passed=sum(_number(summary, "total-successful-session-count") for summary in summaries),
        failed=sum(_number(summary, "total-failure-session-count") for summary in summaries),
        failures=tuple(failures[:FAILURES_MAX]),
    )


def _failures(policy: dict[str, Any]) -> list[Failure]:
    details = policy.get("failure-details")
    kind = _text(_object(policy, "policy"), "policy-type")
    return [
        Failure(
            policy_type=kind,
            result=_text(detail, "result-type"),
            sessions=_number(detail, "failed-session-count"),
            sending_ip=_text(detail, "sending-mta-ip"),
            receiving_host=_text(detail, "receiving-mx-hostname"),
            reason=_text(detail, "failure-reason-code"),
        )
        for detail in (details if isinstance(details, list) else [])[:FAILURES_MAX]
        if isinstance(detail, dict)
    ]


def _object(parent: dict[str, Any], name: str) -> dict[str, Any]:
    found = parent.get(name)
    return found if isinstance(found, dict) else {}


def _text(parent: dict[str, Any], name: str) -> str:
    found = parent.get(name)
    text = " ".join(found.split()) if isinstance(found, str) else ""
    return "".join(c for c in text if c.isprintable())[:TEXT_LENGTH_MAX]


def _required(parent: dict[str, Any], name: str) -> str:
    text = _text(parent, name)
    if not text:
        raise Unreadable(f"no {name}")
    return text


def _number(parent: dict[str, Any], name: str) -> int:
    found = parent.get(name)
    if not isinstance(found, int) or isinstance(found, bool):
        return 0
    return min(max(found, 0), SESSIONS_MAX)


def _moment(parent: dict[str, Any], name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(_text(parent, name))
    except ValueError as error:
        raise Unreadable(f"{name} is no time") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
