"""Reports that other servers mail to `dmarc-reports@` and `tls-reports@` of our domains: read and kept.

Nobody reads such mail by the dozen; what it says is listed by `appliance domain reports`. What cannot be read
as a report goes on to whoever reads the address, the first administrator unless somebody has it, so that
nothing is lost. An address that somebody has is theirs alone.

Source: RFC 7489 7.2.1.1 (DMARC reports by mail), RFC 8460 5.3 (TLS reports by mail).
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Final

from appliance import db, logs, offload
from appliance.accounts import accounts, addresses
from appliance.domains import reports
from appliance.domains.records import DMARC_REPORTS, TLS_REPORTS
from appliance.errors import InvalidInput
from appliance.items.envelope import Envelope
from appliance.mailauth import dmarc_report, tls_report
from appliance.mailauth.dmarc_report import DmarcReport
from appliance.mailauth.tls_report import TlsReport
from appliance.mailauth.unpacking import PACKED_BYTES_MAX, Unreadable, unpacked
from appliance.metrics import counter
from appliance.mime.body import decode_leaf
from appliance.mime.scan import scan

log = logging.getLogger("appliance.mail")
READ = counter("appliance_reports_read_total", "Reports of other servers, read or not.", ["kind", "outcome"])

PARTS_MAX: Final = 10
RAW_BYTES_MAX: Final = 2 * PACKED_BYTES_MAX  # base64 and a header; larger ones are nobody's report

type Report = DmarcReport | TlsReport

_READERS: Final[dict[str, Callable[[bytes], list[Report]]]] = {
    DMARC_REPORTS: lambda data: [dmarc_report.read(data)],
    TLS_REPORTS: lambda data: list(tls_report.read(data)),
}


def without_reports(envelope: Envelope, raw: bytes) -> Envelope:
    """Keep what a message reports, and return its envelope without the addresses that is done for.

    Durable when it returns; the same report again changes nothing. Opens its own connection.
    """
    with db.connection():
        kinds = {path: kind(path) for path in envelope.forward_paths}
    if envelope.is_junk or not any(kinds.values()) or len(raw) > RAW_BYTES_MAX:
        return envelope
    done = {kind: _keep(kind, raw, envelope.received_at) for kind in set(kinds.values()) if kind}
    left = tuple(path for path in envelope.forward_paths if not done.get(kinds[path], False))
    return replace(envelope, forward_paths=left)


def kind(forward_path: str) -> str:
    """Return which of our report addresses this is, "" for any other and for one that somebody has.

    Needs `db.connection()`.
    """
    try:
        address = addresses.normalise(forward_path)
    except InvalidInput:
        return ""
    local_part, _, domain = address.rpartition("@")
    if local_part not in _READERS or not accounts.is_local_domain(domain):
        return ""
    return "" if accounts.by_address(address) is not None else local_part


def _keep(kind: str, raw: bytes, now: datetime) -> bool:
    """Keep the reports of one kind in a message; return whether there was one."""
    found = offload.run(_read, kind, raw)
    for report in found:
        READ.labels(kind, "kept" if _store(report, now) else "known").inc()
        logs.event(log, "report_read", kind=kind, domain=report.domain, organisation=report.organisation)
    if not found:
        READ.labels(kind, "unreadable").inc()
        logs.event(log, "report_unreadable", level=logging.WARNING, kind=kind)
    return bool(found)


def _store(report: Report, now: datetime) -> bool:
    if isinstance(report, DmarcReport):
        return reports.keep_dmarc(report, now)
    return reports.keep_tls(report, now)


def _read(kind: str, raw: bytes) -> list[Report]:
    """Return the reports in a message's parts, whatever type they claim to be. Pure."""
    found: list[Report] = []
    leaves = [part for part in scan(raw).parts if not part.is_multipart]
    for part in leaves[:PARTS_MAX]:
        try:
            found += _READERS[kind](unpacked(decode_leaf(raw, part, PACKED_BYTES_MAX + 1)))
        except Unreadable:
            continue
    return found
