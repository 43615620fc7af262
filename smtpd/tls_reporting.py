"""Counts how connections were protected, and sends the reports that other domains ask for, each day's once.

Counted in memory and written every minute: what is lost with the process is a minute of statistics. A
domain asks by a TXT record at `_smtp._tls`; of others nothing is kept.

Source: RFC 8460 3 (the record), 5.3 (mail), 5.4 (HTTPS).
"""

import logging
import re
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from appliance import db, logs
from appliance.clock import Clock
from appliance.delivery import tls_report_mail
from appliance.domains import tls_sessions
from appliance.domains.tls_sessions import Session
from appliance.errors import TemporaryFailure
from appliance.jobs.schedule import Job
from appliance.mailauth import tls_report_writer
from appliance.mailauth.tls_report_writer import Failure, PolicyResult, ReportHead
from appliance.net.fetch import Fetcher, FetchError
from appliance.net.resolver import LookupFailure, LookupUnavailable, Resolver
from smtpd import counters
from smtpd.security import PolicyFacts

SESSIONS_MAX = 5_000
ADDRESSES_MAX = 5
CONTENT_TYPE = "application/tlsrpt+gzip"
_RECORD = re.compile(r"v=TLSRPTv1[ \t]*(?:;|$)")

logger = logging.getLogger("appliance.smtp")


class TlsReporting:
    """The counts of this process; `calling.TlsReporter`."""

    def __init__(
        self, resolver: Resolver, fetcher: Fetcher, clock: Clock, hostname: Callable[[], str]
    ) -> None:
        self._resolver = resolver
        self._fetcher = fetcher
        self._clock = clock
        self._hostname = hostname
        self._counts: Counter[Session] = Counter()

    def succeeded(self, facts: PolicyFacts) -> None:
        """Count a connection that was as its policy demands."""
        counters.RELAY_POLICY.labels(facts.type, "ok").inc()
        self._count(Session(facts.domain, facts.type, facts.lines, facts.mx))

    def failed(self, facts: PolicyFacts, result: str, host: str, address: str) -> None:
        """Count one that was not."""
        counters.RELAY_POLICY.labels(facts.type, "failed").inc()
        self._count(Session(facts.domain, facts.type, facts.lines, facts.mx, result, host, address))

    def _count(self, session: Session) -> None:
        if session in self._counts or len(self._counts) < SESSIONS_MAX:
            self._counts[session] += 1

    def flush(self) -> None:
        """Write down what was counted of domains that ask for reports. Blocks. Raises TemporaryFailure."""
        counted, self._counts = self._counts, Counter()
        wanted = {domain: bool(self.addresses(domain)) for domain in {each.domain for each in counted}}
        kept = {session: number for session, number in counted.items() if wanted[session.domain]}
        if not kept:
            return
        try:
            tls_sessions.count(tls_sessions.day_of(self._clock.now()), kept)
        except TemporaryFailure:
            self._counts.update(kept)
            raise

    def addresses(self, domain: str) -> list[str]:
        """Return where a domain wants its reports, none if it wants none. Blocks."""
        try:
            records = self._resolver.resolve(f"_smtp._tls.{domain}", "TXT")
        except LookupUnavailable as error:
            logs.event(logger, "tls_report_record", level=logging.WARNING, domain=domain, error=error)
            return []
        except LookupFailure:
            return []
        ours = [record for record in records if _RECORD.match(record)]
        if len(ours) != 1:
            return []
        for field in ours[0].split(";")[1:]:
            name, _, value = field.partition("=")
            if name.strip() == "rua":
                return [each.strip() for each in value.split(",")][:ADDRESSES_MAX]
        return []

    def job(self) -> Job:
        """Return the job that sends what is due."""
        sentence = "Reports to other domains how well TLS with their servers went."
        return Job("tls_reports", sentence, timedelta(hours=6), self._steps)

    def _steps(self, now: datetime) -> Iterator[int]:
        with db.connection():
            due = tls_sessions.reportable(now)
        for day, domain in due:
            yield self._report(day, domain, now)
        yield tls_sessions.forget_old(now)

    def _report(self, day: str, domain: str, now: datetime) -> int:
        with db.connection():
            counted = tls_sessions.counted(day, domain)
        hostname = self._hostname()
        identity = f"{day}.{secrets.token_hex(6)}@{hostname}"
        head = ReportHead(hostname, f"mailto:{tls_report_mail.sender(hostname)}", identity, domain, day)
        data = tls_report_writer.compressed(tls_report_writer.document(head, _results(counted)))
        for address in self.addresses(domain):
            if address.lower().startswith("mailto:"):
                sent = tls_report_mail.send(head, data, address[len("mailto:") :], hostname, now)
            else:
                sent = self._post(head, data, address)
            if sent:
                logs.event(logger, "tls_report_sent", domain=domain, day=day, to=address, bytes=len(data))
                return len(counted)
        return 0

    def _post(self, head: ReportHead, data: bytes, address: str) -> bool:
        parts = urlsplit(address)
        if parts.scheme != "https" or not parts.hostname:
            return False
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            self._fetcher.post(parts.hostname, parts.port, path, data, CONTENT_TYPE)
        except (FetchError, ValueError) as error:
            logs.event(logger, "tls_report_refused", level=logging.WARNING, to=address, error=error)
            return False
        tls_sessions.forget(head.day, head.domain)
        return True


def _results(counted: Mapping[Session, int]) -> list[PolicyResult]:
    """Return the counts by policy."""
    by_policy: dict[str, list[tuple[Session, int]]] = {}
    for session, number in counted.items():
        by_policy.setdefault(session.policy_text, []).append((session, number))
    return [_result(sessions) for sessions in by_policy.values()]


def _result(sessions: Sequence[tuple[Session, int]]) -> PolicyResult:
    first = sessions[0][0]
    failures = [Failure(s.result, number, s.host, s.address) for s, number in sessions if s.result]
    successes = sum(number for session, number in sessions if not session.result)
    return PolicyResult(first.policy_type, first.policy_lines, first.policy_mx, successes, failures)
