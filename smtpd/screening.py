# mypy: disable-error-code="import-untyped"
# gevent ships no annotations; this is the rim.
"""Strangers' mail before it is taken: who are they, may they, and where does it belong?

Owns the order of the checks and what follows from them. The checks themselves are `appliance.mailauth`
(pure), `evidence`, `blocklists` and `signals`. Look-ups begin at MAIL and run beside the message on its way
in; whatever has no answer at the end counts as "not known now", which alone neither refuses nor loses mail.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from random import Random
from typing import Any, Protocol

import gevent

from appliance import logs
from appliance.delivery import srs
from appliance.items.envelope import Envelope
from appliance.items.group import BOUNCES_SUFFIX
from appliance.mailauth import dmarc, iprev, results, spf
from appliance.mailauth.arc import ArcResult
from appliance.mailauth.domains import normal
from appliance.mailauth.iprev import IprevResult
from appliance.mailauth.letter import Letter
from appliance.mime.headers import Headers, parse_headers
from appliance.net.rspamd import FilterUnavailable, Opinion
from appliance.smtp.reply import Reply
from smtpd import counters, evidence, replies, signals
from smtpd.blocklists import Blocklists
from smtpd.evidence import value_of
from smtpd.findings import Findings
from smtpd.rates import Rates, network_of
from smtpd.sender_dns import SenderDns

IPREV_S = 5.0  # it began with the message
BLOCKLISTS_S = 5.0
OPINION_S = 60.0  # the filter's own deadline is `[filter] timeout_s`
HIDDEN_MIN = 20  # connections from one private address and no other
LABELS_MAX = 10  # of a name that is looked for among our domains
FILTER_RECIPIENTS_MAX = 100  # told to the filter
FORGERY = frozenset({"author_unclear", "claims_to_be_us"})
"""Signs of mail that is not from whom its readers will think."""
REFUSING_ACTIONS = {"reject": True, "discard": True, "soft reject": False}
"""By whether it is for good. Nothing is thrown away in silence: discard is a refusal."""

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
class Verdict:
    """What becomes of a message: refused with a reply, or taken with fields in front, perhaps as junk.

    is_disowned: whoever it says it is from would not have it believed; it is junk for everybody.
    is_sender_doubtful: no report must go to the reverse-path.
    """

    reply: Reply | None
    fields: bytes
    raw: bytes
    is_junk: bool
    is_disowned: bool = False
    is_sender_doubtful: bool = False


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
        *,
        is_ours: Callable[[str], bool] = lambda _: False,
        random: Random | None = None,
    ) -> None:
        self.config = config
        self.dns = dns
        self.rates = rates
        self.blocklists = blocklists
        self.hostname = hostname
        self.filter = filter_
        self.is_ours = is_ours
        self.random = random or Random()
        self._hiding: str | None = ""  # the private address all came from so far; None: not one alone
        self._hidden = 0

    def start(self) -> None:
        """Try the block lists, in the background, so that the log says at once which cannot be used."""
        if len(self.blocklists):
            gevent.spawn(self.blocklists.test)

    def knows(self, ip: str) -> bool:
        """Say whether this is a client that nobody checks."""
        address = ip_address(ip)
        return any(address in network for network in self.config.unchecked)

    def visitor(self, ip: str) -> "Visitor | None":
        """Return the stranger behind a connection, None for a client nobody checks."""
        self._look_for_a_proxy(ip)
        return None if self.knows(ip) else Visitor(self, ip)

    def _look_for_a_proxy(self, ip: str) -> None:
        """Warn once when every client has the same private address: something hides theirs.

        Behind such a proxy or container network SPF fails for everybody, and limits hit all at once.
        """
        if self._hiding is None:
            return
        if not ip_address(ip).is_private or self._hiding not in ("", ip):
            self._hiding = None
            return
        self._hiding, self._hidden = ip, self._hidden + 1
        if self._hidden == HIDDEN_MIN:
            self._hiding = None
            logs.event(logger, "clients_hidden", level=logging.WARNING, ip=ip, connections=HIDDEN_MIN)


class Visitor:
    """One client, as long as it stays connected."""

    def __init__(self, screening: Screening, ip: str) -> None:
        self.ip = ip
        self.network = network_of(ip)
        self._screening = screening
        self._iprev: Any = None
        self._listings: Any = None
        self._spf: Any = None
        self._without_spf = spf.unanswered("", "")

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
        self._without_spf = spf.unanswered(reverse_path, helo)
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
        listings = value_of(self._listings, BLOCKLISTS_S, ())
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
        findings = self._findings(letter, headers, opinion)
        listings = len(value_of(self._listings, 0, ()))
        of_helo = signals.of_helo(envelope.helo, self.ip, (self._screening.hostname().lower(),))
        signs = [*findings.signs(headers, listings), *of_helo]
        if not evidence.names_its_author(headers):
            signs.append("author_unclear")
        if self._claims_to_be_us(findings, headers, envelope):
            signs.append("claims_to_be_us")
        reply, is_junk, is_disowned = self._decision(findings, signs)
        self._report(findings, signs, reply, is_junk)
        kept, forged = results.without_forged(raw, self._screening.hostname())
        if forged:
            logs.event(logger, "forged_results_removed", count=forged)
        is_doubtful = findings.is_sender_doubtful
        return Verdict(reply, self._fields(findings, signs), kept, is_junk, is_disowned, is_doubtful)

    @property
    def greylists(self) -> bool:
        """Say whether every stranger has to come back once."""
        return self._screening.config.greylists

    # The checks:

    def _opinion(self, envelope: Envelope, raw: bytes) -> Opinion | None:
        """Ask the filter, if there is one; without an answer the message goes on unfiltered."""
        if self._screening.filter is None:
            return None
        name = value_of(self._iprev, 0, IprevResult("temperror")).name
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

    def _findings(self, letter: Letter, headers: Headers, opinion: Any) -> Findings:
        found = evidence.gather(
            letter,
            evidence.authors(headers),
            self._screening.dns.limited(),
            lambda timeout_s: value_of(self._spf, timeout_s, self._without_spf),
            sample=self._screening.random.randrange(100),
        )
        return Findings(
            found.spf,
            found.signatures,
            found.arc,
            found.dmarc,
            value_of(self._iprev, IPREV_S, IprevResult("temperror")),
            found.dmarc.result == "fail" and self._is_vouched_for(found.arc),
            value_of(opinion, OPINION_S, None),
        )

    def _is_vouched_for(self, chain: ArcResult) -> bool:
        """Say whether somebody we believe has seen the message pass. Source: RFC 8617 7.2.1."""
        is_believed = chain.result == "pass" and chain.sealers[0] in self._screening.config.arc_sealers
        return is_believed and results.claims(chain.findings).get("dmarc") == "pass"

    def _claims_to_be_us(self, findings: Findings, headers: Headers, envelope: Envelope) -> bool:
        """Say whether a stranger names a domain of ours as sender, and nothing shows that it is.

        Our own users sign in; whoever else may send for us is named by our SPF record or has our key. It
        needs no policy in DNS, which small offices seldom dare to publish.
        """
        if findings.is_saved_by_arc:
            return False
        standings = [
            dmarc.standing(domain, findings.spf, findings.signatures)
            for domain in evidence.authors(headers)
            if self._is_ours(domain)
        ]
        local_part, _, sender = envelope.reverse_path.rpartition("@")
        if self._is_ours(sender) and not _comes_back(local_part):
            standings.append(findings.spf.result)
        return not all(standing in ("pass", "temperror") for standing in standings)

    def _is_ours(self, domain: str) -> bool:
        """Say whether a domain is ours or below one of ours: others take the two for one organisation."""
        labels = normal(domain).split(".")
        above = range(max(len(labels) - LABELS_MAX, 0), len(labels) - 1)
        return any(self._screening.is_ours(".".join(labels[start:])) for start in above)

    # What follows:

    def _decision(self, findings: Findings, signs: Sequence[str]) -> tuple[Reply | None, bool, bool]:
        """Return a refusal, whether it is junk, and whether that is because its sender disowns it."""
        config = self._screening.config
        disposition = "none" if findings.is_saved_by_arc else findings.dmarc.disposition
        if config.enforces_dmarc and disposition == "reject":
            return replies.dmarc_refusal(findings.dmarc.domain), False, True
        opinion = findings.opinion
        if opinion is not None and opinion.action in REFUSING_ACTIONS:
            is_permanent = REFUSING_ACTIONS[opinion.action]
            return replies.of_filter(opinion.text, is_permanent=is_permanent), False, False
        is_forged = disposition == "quarantine" or not FORGERY.isdisjoint(signs)
        is_disowned = config.enforces_dmarc and is_forged
        is_over = bool(config.junk_score) and signals.score(signs) >= config.junk_score
        return None, is_disowned or is_over or "filter_junk" in signs, is_disowned

    def _fields(self, findings: Findings, signs: Sequence[str]) -> bytes:
        return results.build(self._screening.hostname(), findings.methods(self.ip)) + results.signs(
            signals.score(signs), signs
        )

    def _report(self, findings: Findings, signs: Sequence[str], reply: Reply | None, is_junk: bool) -> None:
        action = "junk" if is_junk else "inbox"
        if reply is not None:
            action = "refused" if reply.is_permanent else "later"
        words = findings.words()
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


def _comes_back(local_part: str) -> bool:
    """Say whether an envelope is one under which we sent others' mail on, and somebody sent it back."""
    return srs.is_wrapped(local_part) or local_part.lower().endswith(BOUNCES_SUFFIX)
