"""What the checks of one message said, as readers, logs and the score see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from appliance.mailauth import results
from appliance.mailauth.arc import ArcResult
from appliance.mailauth.dkim import DkimResult
from appliance.mailauth.dmarc import DmarcResult
from appliance.mailauth.iprev import IprevResult
from appliance.mailauth.spf import SpfResult
from appliance.mime.headers import Headers
from appliance.net.rspamd import Opinion
from smtpd import signals

JUNK_ACTIONS = frozenset({"add header", "rewrite subject", "quarantine"})
"""Of the filter."""


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

    @property
    def is_sender_doubtful(self) -> bool:
        """Say whether the reverse-path may be somebody else's. A signature vouches for From only."""
        is_disowned = self.dmarc.result == "fail" and not self.is_saved_by_arc
        return is_disowned or self.spf.result in ("fail", "softfail")

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

    def words(self) -> Mapping[str, str]:
        """Return the result of each check in a word, of all signatures in theirs."""
        return {
            "spf": self.spf.result,
            "dkim": ",".join(s.result for s in self.signatures) or "none",
            "dmarc": self.dmarc.result,
            "arc": self.arc.result,
            "iprev": self.iprev.result,
        }

    def signs(self, headers: Headers, listings: int) -> list[str]:
        """Return what speaks against the message. listings: block lists that name the client."""
        is_theirs = self.dmarc.result == "pass"  # forwarded mail fails SPF, and its signature says so
        found = [] if is_theirs else signals.of_spf(self.spf)
        if self.dmarc.result == "fail" and not self.is_saved_by_arc:
            found.append("dmarc_fail")
        if self.dmarc.result in ("temperror", "permerror"):
            found.append("dmarc_unclear")
        if self.iprev.result == "fail":
            found.append("no_reverse_name")
        found += ["listed"] * listings
        if self.opinion is not None and self.opinion.action in JUNK_ACTIONS:
            found.append("filter_junk")
        if self.opinion is not None and self.opinion.action == "greylist":
            found.append("filter_doubts")
        for name, sign in (("Message-ID", "no_message_id"), ("Date", "no_date")):
            if name not in headers:
                found.append(sign)
        return found
