# mypy: disable-error-code="import-untyped"
# gevent ships no annotations; this is the rim.
"""Strangers' mail before it is taken: who are they, may they, and where does it belong?

Owns the order of the checks and what follows from them. The checks themselves are `appliance.mailauth`
(pure), `blocklists` and `signals`. Look-ups begin at MAIL and run beside the message on its way in;
whatever has no answer at the end counts as "not known now", which alone neither refuses nor loses mail.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, ip_address
from random import Random
from typing import Any, Protocol

import gevent

from appliance import logs, offload
from appliance.items.envelope import Envelope
from appliance.mailauth import arc, dkim, dmarc, iprev, results, spf
from appliance.mailauth.arc import ArcResult
from appliance.mailauth.dkim import DkimResult
from appliance.mailauth.dmarc import DmarcResult
from appliance.mailauth.iprev import IprevResult
from appliance.mailauth.letter import Letter
from appliance.mailauth.lookups import LookupFailed
from appliance.mailauth.spf import SpfResult
from appliance.mime.headers import Headers, parse_headers
from appliance.net.rspamd import FilterUnavailable, Opinion
from appliance.smtp.reply import Reply
from smtpd import counters, replies, signals
from smtpd.blocklists import Blocklists
from smtpd.rates import Rates, network_of
from smtpd.sender_dns import SenderDns

CHECKS_S = 20.0  # RFC 7208 4.6.4: at least this for SPF; everything else runs beside it
POLICY_S = 5.0
BLOCKLISTS_S = 5.0
OPINION_S = 60.0  # the filter's own deadline is `[filter] timeout_s`
FILTER_RECIPIENTS_MAX = 100  # told to the filter
JUNK_ACTIONS = frozenset({"add header", "rewrite subject", "quarantine"})
REFUSING_ACTIONS = {"reject": True, "discard": True, "soft reject": False}
"""By whether it is for good. Nothing is thrown away in silence: discard is a refusal."""
OFFLOAD_BYTES_MIN = 65_536  # larger ones are verified on a native thread, so that others do not wait

logger = logging.getLogger("appliance.smtp")


@dataclass(frozen=True)
class ScreeningConfig:
    """What an administrator decides; see [filter] and [reception] of the configuration."""

    enforces_dmarc: bool = True
    arc_sealers: frozenset[str] = frozenset()
    junk_score: float = 5.0
    blocklists_to_refuse: int = 2
    greylists: bool = False
    unchecked: tuple[IPv4Network | IPv6Network, ...] = ()


@dataclass(frozen=True)
class Findings:
    """What the checks of one message said."""

    spf: SpfResult
    signatures: Sequence[DkimResult]
    arc: ArcResult
    dmarc: DmarcResult
    iprev: IprevResult
    is_saved_by_arc: bool = False
    opinion: Opinion | None = None

    def methods(self, client_ip: str) -> list[results.Method]:
        """Return them as they are written down for readers. Source: RFC 8601 2.7, RFC 8617 10.1."""
        identity = {f"smtp.{self.spf.scope}": self.spf.domain}
        signed = [
            results.Method("dkim", s.result, {"header.d": s.domain, "header.s": s.selector}, s.reason)
            for s in self.signatures
        ]
        dmarc_reason = "saved by arc" if self.is_saved_by_arc else ""
        return [
            results.Method("spf", self.spf.result, identity),
            *(signed or [results.Method("dkim", "none")]),
            results.Method("dmarc", self.dmarc.result, {"header.from": self.dmarc.domain}, dmarc_reason),
            results.Method("arc", self.arc.result, {"smtp.remote-ip": client_ip}, self.arc.reason),
            results.Method("iprev", self.iprev.result, {"policy.iprev": client_ip}),
        ]


@dataclass(frozen=True)
class Verdict:
    """What becomes of a message: refused with a reply, or taken with fields in front, perhaps as junk.

    wants_greylist: the filter would have the sender come back once.
    """

    reply: Reply | None
    fields: bytes
    raw: bytes
    is_junk: bool
    wants_greylist: bool = False


class Filter(Protocol):
    """The content filter; `appliance.net.rspamd.Rspamd`."""

    def check(self, raw: bytes, about: Iterable[tuple[str, str]]) -> Opinion:
        """Return its opinion. Raises FilterUnavailable. Blocks."""
        ...


class Screening:
    """What all strangers of the process share."""

    def __init__(
        self,
        config: ScreeningConfig,
        dns: SenderDns,
        rates: Rates,
        blocklists: Blocklists,
        hostname: Callable[[], str],
        filter_: Filter | None = None,
        random: Random | None = None,
    ) -> None:
        self.config = config
        self.dns = dns
        self.rates = rates
        self.blocklists = blocklists
        self.hostname = hostname
        self.filter = filter_
        self.random = random or Random()

    def knows(self, ip: str) -> bool:
        """Say whether this is a client that nobody checks."""
        address = ip_address(ip)
        return any(address in network for network in self.config.unchecked)

    def visitor(self, ip: str) -> "Visitor | None":
        """Return the stranger behind a connection, None for a client nobody checks."""
        return None if self.knows(ip) else Visitor(self, ip)


class Visitor:
    """One client, as long as it stays connected."""

    def __init__(self, screening: Screening, ip: str) -> None:
        self.ip = ip
        self.network = network_of(ip)
        self._screening = screening
        self._iprev: Any = None
        self._listings: Any = None
        self._spf: Any = None

    def mail(self, reverse_path: str, helo: str) -> Reply | None:
        """Begin the checks of a message, in the background; returns a refusal for too many of them."""
        screening = self._screening
        if not screening.rates.take("messages", self.network):
            return replies.TOO_FAST
        if self._iprev is None:
            self._iprev = gevent.spawn(iprev.check, self.ip, screening.dns.lookup)
            self._listings = gevent.spawn(screening.blocklists.listings, self.ip)
        if self._spf is not None:
            self._spf.kill(block=False)
        self._spf = gevent.spawn(spf.check, self.ip, reverse_path, helo, screening.dns.limited())
        return None

    def recipient(self) -> Reply | None:
        """Return a refusal for a recipient, whoever it is: too many, or a client that lists agree about."""
        screening = self._screening
        if screening.rates.is_spent("unknown", self.network):
            return replies.TOO_MANY_UNKNOWN
        if not screening.rates.take("recipients", self.network):
            return replies.TOO_FAST
        needed = screening.config.blocklists_to_refuse
        if not needed or len(screening.blocklists) < needed:
            return None
        listings = _value(self._listings, BLOCKLISTS_S, ())
        return replies.listed(listings[0]) if len(listings) >= needed else None

    def named_nobody(self) -> None:
        """Note that the client asked for an address nobody has."""
        self._screening.rates.take("unknown", self.network)

    def leave(self) -> None:
        """Let go of what still runs."""
        for task in (self._iprev, self._listings, self._spf):
            if task is not None:
                task.kill(block=False)

    def judge(self, envelope: Envelope, raw: bytes) -> Verdict:
        """Return what becomes of the message. Blocks for half a minute at most; no DNS makes it raise."""
        headers = parse_headers(raw)
        letter = Letter(raw)
        opinion = gevent.spawn(self._opinion, envelope, raw)
        findings = replace(
            self._findings(letter, _from_domains(headers)), opinion=_value(opinion, OPINION_S, None)
        )
        signs = [*self._signs(findings, headers), *signals.of_helo(envelope.helo, self.ip, self._our_names())]
        reply, is_junk = self._decision(findings, signs)
        self._report(findings, signs, reply, is_junk)
        kept, forged = results.without_forged(raw, self._screening.hostname())
        if forged:
            logs.event(logger, "forged_results_removed", count=forged)
        wants_greylist = findings.opinion is not None and findings.opinion.action == "greylist"
        return Verdict(reply, self._fields(findings, signs), kept, is_junk, wants_greylist)

    @property
    def greylists(self) -> bool:
        """Say whether every stranger has to come back once."""
        return self._screening.config.greylists

    # The checks:

    def _opinion(self, envelope: Envelope, raw: bytes) -> Opinion | None:
        """Ask the filter, if there is one; without an answer the message goes on unfiltered."""
        if self._screening.filter is None:
            return None
        name = _value(self._iprev, 0, IprevResult("temperror")).name
        about = [
            ("IP", self.ip),
            ("Helo", envelope.helo),
            ("Hostname", name or "unknown"),
            ("From", envelope.reverse_path),
            ("MTA-Name", self._screening.hostname()),
            *(("Rcpt", path) for path in envelope.forward_paths[:FILTER_RECIPIENTS_MAX]),
        ]
        try:
            return self._screening.filter.check(raw, about)
        except FilterUnavailable:
            return None  # logged and counted where it happened

    def _findings(self, letter: Letter, from_domains: Sequence[str]) -> Findings:
        lookup = self._screening.dns.limited()
        names = list(dict.fromkeys((*dkim.key_names(letter), *arc.key_names(letter))))
        keys = {name: gevent.spawn(_records, lookup, name) for name in names}
        policies = [gevent.spawn(_policy, domain, lookup) for domain in from_domains[: dmarc.DOMAINS_MAX]]
        tasks = [self._spf, self._iprev, *keys.values(), *policies]
        gevent.joinall(tasks, timeout=CHECKS_S)
        records = {name: _value(task, 0, None) for name, task in keys.items()}
        gevent.killall([*keys.values(), *policies], block=False)
        signatures, chain = _verified(letter, records)
        found_spf = _value(self._spf, 0, SpfResult("temperror", "", "mailfrom"))
        with gevent.Timeout(POLICY_S, LookupFailed):
            found_dmarc = dmarc.evaluate(
                from_domains, found_spf, signatures, lookup, sample=self._screening.random.randrange(100)
            )
        found_iprev = _value(self._iprev, 0, IprevResult("temperror"))
        is_saved = found_dmarc.result == "fail" and self._is_vouched_for(chain)
        return Findings(found_spf, signatures, chain, found_dmarc, found_iprev, is_saved)

    def _is_vouched_for(self, chain: ArcResult) -> bool:
        """Say whether somebody we believe has seen the message pass. Source: RFC 8617 7.2.1."""
        is_believed = chain.result == "pass" and chain.sealers[0] in self._screening.config.arc_sealers
        return is_believed and results.claims(chain.findings).get("dmarc") == "pass"

    def _signs(self, findings: Findings, headers: Headers) -> list[str]:
        is_theirs = findings.dmarc.result == "pass"  # forwarded mail fails SPF, and its signature says so
        signs = [] if is_theirs else signals.of_spf(findings.spf)
        if findings.dmarc.result == "fail" and not findings.is_saved_by_arc:
            signs.append("dmarc_fail")
        if findings.dmarc.result in ("temperror", "permerror"):
            signs.append("dmarc_unclear")
        if findings.iprev.result == "fail":
            signs.append("no_reverse_name")
        signs += ["listed"] * len(_value(self._listings, 0, ()))
        if findings.opinion is not None and findings.opinion.action in JUNK_ACTIONS:
            signs.append("filter_junk")
        signs += [
            sign
            for name, sign in (("Message-ID", "no_message_id"), ("Date", "no_date"))
            if name not in headers
        ]
        return signs

    def _our_names(self) -> tuple[str, ...]:
        return (self._screening.hostname().lower(),)

    # What follows:

    def _decision(self, findings: Findings, signs: Sequence[str]) -> tuple[Reply | None, bool]:
        config = self._screening.config
        disposition = "none" if findings.is_saved_by_arc else findings.dmarc.disposition
        if config.enforces_dmarc and disposition == "reject":
            return replies.dmarc_refusal(findings.dmarc.domain), False
        opinion = findings.opinion
        if opinion is not None and opinion.action in REFUSING_ACTIONS:
            is_permanent = REFUSING_ACTIONS[opinion.action]
            return replies.of_filter(opinion.text, is_permanent=is_permanent), False
        is_quarantined = config.enforces_dmarc and disposition == "quarantine"
        is_over = bool(config.junk_score) and signals.score(signs) >= config.junk_score
        return None, is_quarantined or is_over or "filter_junk" in signs

    def _fields(self, findings: Findings, signs: Sequence[str]) -> bytes:
        return results.build(self._screening.hostname(), findings.methods(self.ip)) + results.signs(
            signals.score(signs), signs
        )

    def _report(self, findings: Findings, signs: Sequence[str], reply: Reply | None, is_junk: bool) -> None:
        action = "refused" if reply is not None else "junk" if is_junk else "inbox"
        words = {
            "spf": findings.spf.result,
            "dkim": ",".join(s.result for s in findings.signatures) or "none",
            "dmarc": findings.dmarc.result,
            "arc": findings.arc.result,
            "iprev": findings.iprev.result,
        }
        for check, result in words.items():
            counters.CHECKS.labels(check, result.partition(",")[0]).inc()
        counters.SCREENED.labels(action).inc()
        logs.event(
            logger,
            "screened",
            action=action,
            **words,  # type: ignore[arg-type]
            spf_domain=findings.spf.domain or None,
            dkim_domains=",".join(s.domain for s in findings.signatures) or None,
            from_domain=findings.dmarc.domain or None,
            policy=findings.dmarc.policy or None,
            score=round(signals.score(signs), 1),
            signs=",".join(signs) or None,
            filter=None if findings.opinion is None else findings.opinion.action,
            filter_score=None if findings.opinion is None else round(findings.opinion.score, 1),
        )


def _verified(letter: Letter, records: dict[str, Any]) -> tuple[list[DkimResult], ArcResult]:
    if letter.size >= OFFLOAD_BYTES_MIN:
        return offload.run(_verify, letter, records)
    return _verify(letter, records)


def _verify(letter: Letter, records: dict[str, Any]) -> tuple[list[DkimResult], ArcResult]:
    return dkim.verify(letter, records), arc.validate(letter, records)


def _from_domains(headers: Headers) -> list[str]:
    return [a.address.rpartition("@")[2] for a in headers.addresses("From") if "@" in a.address]


def _records(lookup: Callable[[str, str], Sequence[str]], name: str) -> Sequence[str] | None:
    try:
        return lookup(name, "TXT")
    except LookupFailed:
        return None


def _policy(domain: str, lookup: Callable[[str, str], Sequence[str]]) -> None:
    """Ask for what `dmarc.evaluate` will ask for, so that the answer is there by then."""
    try:
        dmarc.policy_of(domain, lookup)
    except LookupFailed:
        return


def _value(task: Any, timeout_s: float, default: Any) -> Any:
    """Return a task's value when it has one in time, else the default; what went wrong is logged."""
    if task is None:
        return default
    task.join(timeout_s)
    if not task.ready():
        return default
    if not task.successful():
        logs.event(logger, "check_error", level=logging.ERROR, exc_info=task.exception)
        return default
    return default if isinstance(task.value, gevent.GreenletExit) else task.value
