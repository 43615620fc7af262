"""TLS reports to other domains: the JSON document, and the message that carries it. Pure.

Reading such reports about our own domains is `tls_report`. Source: RFC 8460 4.4 (JSON), 5.1 (file name),
5.3 (message).
"""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Failure:
    """Connections that failed in one way. sending_ip, host, address: "" where it never came so far."""

    result: str
    number: int
    host: str = ""
    address: str = ""


@dataclass(frozen=True, slots=True)
class PolicyResult:
    """How connections under one policy went. type: "tlsa", "sts" or "no-policy-found"."""

    type: str
    lines: Sequence[str]
    mx: Sequence[str]
    successes: int
    failures: Sequence[Failure]


@dataclass(frozen=True, slots=True)
class ReportHead:
    """What a report is about: one domain, one UTC day (`2026-11-27`)."""

    organization: str
    contact: str
    report_id: str
    domain: str
    day: str


def document(head: ReportHead, results: Sequence[PolicyResult]) -> bytes:
    """Return the report as JSON."""
    return json.dumps(
        {
            "organization-name": head.organization,
            "date-range": {
                "start-datetime": f"{head.day}T00:00:00Z",
                "end-datetime": f"{head.day}T23:59:59Z",
            },
            "contact-info": head.contact,
            "report-id": head.report_id,
            "policies": [_policy(head.domain, result) for result in results],
        },
        indent=1,
    ).encode()


def _policy(domain: str, result: PolicyResult) -> Mapping[str, Any]:
    about: dict[str, Any] = {"policy-type": result.type, "policy-domain": domain}
    if result.lines:
        about["policy-string"] = list(result.lines)
    if result.mx:
        about["mx-host"] = list(result.mx)
    policy: dict[str, Any] = {
        "policy": about,
        "summary": {
            "total-successful-session-count": result.successes,
            "total-failure-session-count": sum(failure.number for failure in result.failures),
        },
    }
    if result.failures:
        policy["failure-details"] = [_failure(failure) for failure in result.failures]
    return policy


def _failure(failure: Failure) -> Mapping[str, Any]:
    details: dict[str, Any] = {"result-type": failure.result}
    if failure.host:
        details["receiving-mx-hostname"] = failure.host
    if failure.address:
        details["receiving-ip"] = failure.address
    return details | {"failed-session-count": failure.number}


def compressed(report: bytes) -> bytes:
    """Return a report as it travels; the same bytes for the same report."""
    return gzip.compress(report, mtime=0)


def filename(head: ReportHead) -> str:
    """Return the name RFC 8460 5.1 gives it."""
    begins = int(datetime.fromisoformat(f"{head.day}T00:00:00+00:00").timestamp())
    unique = head.report_id.partition("@")[0].rpartition(".")[2]
    return f"{head.organization}!{head.domain}!{begins}!{begins + DAY_S - 1}!{unique}.json.gz"
