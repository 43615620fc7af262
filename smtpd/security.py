"""How a connection to one server must be protected, and why: DANE, MTA-STS, RFC 8689, or as well as it goes.

Owns the order of precedence. DANE is a fact of the server, MTA-STS one of the domain, and DANE beats
MTA-STS (RFC 8461 2). Leaves the asking to `dane` and `sts`, the doing to `calling`.
"""

from dataclasses import dataclass
from enum import Enum, auto

from appliance.domains.mta_sts import Mode
from appliance.domains.sts_policies import Policy
from appliance.net.resolver import AuthenticResolver, LookupUnavailable
from appliance.smtp.reply import Reply
from smtpd import dane
from smtpd.dane import Tlsa
from smtpd.sts import StsPolicies

NOT_NAMED = "certificate-host-mismatch"
"""RFC 8460 4.3 has no closer word for a server that the policy does not name."""


class Level(Enum):
    """The least that is good enough."""

    OPTIONAL = auto()  # TLS when offered, whoever it is; plain when that fails (RFC 7435)
    ENCRYPTED = auto()  # TLS, whoever it is
    VERIFIED = auto()  # a certificate for the server's name by an authority the system trusts
    DANE = auto()  # what the TLSA records demand


@dataclass(frozen=True, slots=True)
class PolicyFacts:
    """The policy a connection was under, as reports name it (RFC 8460 4.4)."""

    domain: str
    type: str  # "tlsa", "sts" or "no-policy-found"
    lines: tuple[str, ...] = ()
    mx: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Security:
    """What a connection needs. is_trial: the level is tried and its failure reported, and OPTIONAL will do.

    names: whom an authority's certificate may be for (DANE usage 2). facts: None when nobody is reported to.
    violation: RFC 8460's word for what is known to be wrong before anything is tried, and is only reported.
    """

    level: Level = Level.OPTIONAL
    tlsa: tuple[Tlsa, ...] = ()
    names: tuple[str, ...] = ()
    is_trial: bool = False
    facts: PolicyFacts | None = None
    violation: str = ""


class NotAllowed(Exception):
    """This server must not be given the message; `reply` says why, `result` is RFC 8460's word for it."""

    def __init__(self, reply: Reply, result: str, facts: PolicyFacts | None = None) -> None:
        super().__init__(str(reply))
        self.reply = reply
        self.result = result
        self.facts = facts


@dataclass(frozen=True, slots=True)
class Demand:
    """What the message itself says. RFC 8689: REQUIRETLS, and `TLS-Required: No` in its header."""

    requires_tls: bool = False
    ignores_policies: bool = False


class Securities:
    """Answers for every server of a domain. One object serves all greenlets."""

    def __init__(self, resolver: AuthenticResolver, sts: StsPolicies | None) -> None:
        self._resolver = resolver
        self._sts = sts

    def policy(self, domain: str) -> Policy | None:
        """Return the domain's MTA-STS policy. Blocks."""
        return self._sts.policy(domain) if self._sts is not None else None

    def of(
        self, domain: str, host: str, port: int, policy: Policy | None, demand: Demand, *, is_mx_secure: bool
    ) -> Security:
        """Return what a connection to one of the domain's servers needs. Blocks. Raises NotAllowed."""
        plain = Security(facts=PolicyFacts(domain, "no-policy-found"))
        if demand.ignores_policies and not demand.requires_tls:
            return plain
        records = self._tlsa(domain, host, port) if is_mx_secure else None
        if records:
            facts = PolicyFacts(domain, "tlsa", tuple(map(str, records)), (host,))
            return Security(Level.DANE, records, (host, domain), facts=facts)
        if policy is not None and policy.mode is not Mode.NONE:
            return _under(policy, host, demand)
        if demand.requires_tls:
            if not is_mx_secure:
                text = f"Nothing vouches for the servers of {domain} (REQUIRETLS)"
                raise NotAllowed(Reply(550, "5.7.30", text), "")
            return Security(Level.VERIFIED, facts=plain.facts)
        return plain if records is None else Security(Level.ENCRYPTED, facts=plain.facts)

    def _tlsa(self, domain: str, host: str, port: int) -> tuple[Tlsa, ...] | None:
        try:
            return dane.records(self._resolver, host, port)
        except LookupUnavailable as error:
            reply = Reply(451, "4.7.5", f"TLSA records of {host} could not be had: {error}")
            raise NotAllowed(reply, "dnssec-invalid", PolicyFacts(domain, "tlsa", (), (host,))) from error


def _under(policy: Policy, host: str, demand: Demand) -> Security:
    """Return what a policy demands of a server; in testing it is only tried. Raises NotAllowed."""
    facts = PolicyFacts(policy.domain, "sts", tuple(policy.lines()), policy.mx)
    is_enforced = policy.mode is Mode.ENFORCE or demand.requires_tls
    if not policy.allows(host):
        if is_enforced:
            reply = Reply(451, "4.7.5", f"The policy of {policy.domain} does not name {host} (MTA-STS)")
            raise NotAllowed(reply, NOT_NAMED, facts)
        return Security(facts=facts, violation=NOT_NAMED)
    return Security(Level.VERIFIED, is_trial=not is_enforced, facts=facts)
