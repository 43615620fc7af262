"""What does the domain in From want done with mail that is not its own? Source: RFC 7489.

Owns discovery of the policy, alignment, and the disposition the domain asks for. Leaves to the caller
whether it is followed, and which of a message's From fields people see.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from appliance.mailauth.dkim import DkimResult
from appliance.mailauth.domains import normal, organisational
from appliance.mailauth.keys import tag_list
from appliance.mailauth.lookups import Lookup, LookupFailed
from appliance.mailauth.spf import SpfResult

DOMAINS_MAX = 4  # different ones in From; legitimate mail has one
POLICIES = ("none", "quarantine", "reject")  # from mild to strict
_LOWER = {"reject": "quarantine", "quarantine": "none", "none": "none"}


@dataclass(frozen=True, slots=True)
class DmarcResult:
    """The result, the From domain it is about, the policy published for it, and what to do now.

    result: pass, fail, none (no policy), temperror, permerror. disposition: none, quarantine or reject;
    milder than the policy when only a share of the mail is subject to it (pct).
    """

    result: str
    domain: str = ""
    policy: str = ""
    disposition: str = "none"


@dataclass(frozen=True, slots=True)
class Policy:
    """A published record as it applies to one From domain."""

    policy: str
    percent: int = 100
    is_dkim_strict: bool = False
    is_spf_strict: bool = False


def evaluate(
    from_domains: Sequence[str],
    spf: SpfResult,
    signatures: Sequence[DkimResult],
    lookup: Lookup,
    *,
    sample: int = 0,
) -> DmarcResult:
    """Return the result for the domains in From; of several the one that is treated most strictly.

    sample: a number from 0 to 99 that decides whether this message is in a policy's share. Raises
    nothing. Blocks as often as `lookup` does. Source: RFC 7489 6.6.1 (extraction), 6.6.2 (determination).
    """
    domains = list(dict.fromkeys(filter(None, map(normal, from_domains))))
    if not domains or len(domains) > DOMAINS_MAX:
        return DmarcResult("permerror")
    results = [_evaluate_one(domain, spf, signatures, lookup, sample) for domain in domains]
    return max(results, key=lambda result: (POLICIES.index(result.disposition), result.result != "pass"))


def standing(domain: str, spf: SpfResult, signatures: Sequence[DkimResult]) -> str:
    """Return whether SPF or a signature shows that mail is from a domain, whatever policy it publishes.

    pass, temperror (what could have shown it had no answer) or fail.
    """
    related = _related(normal(domain), spf, signatures, Policy("none"))
    return next((result for result in ("pass", "temperror") if result in related), "fail")


def policy_of(domain: str, lookup: Lookup) -> Policy | None:
    """Return the policy for a From domain: its own record, else that of its organisation, else None.

    Raises LookupFailed. Source: RFC 7489 6.6.3.
    """
    own = _record(domain, lookup)
    if own is not None:
        return _policy(own, own.get("p", ""))
    above = organisational(domain)
    tags = _record(above, lookup) if above != domain else None
    return None if tags is None else _policy(tags, tags.get("sp", tags.get("p", "")))


def _evaluate_one(
    domain: str, spf: SpfResult, signatures: Sequence[DkimResult], lookup: Lookup, sample: int
) -> DmarcResult:
    try:
        policy = policy_of(domain, lookup)
    except LookupFailed:
        return DmarcResult("temperror", domain)
    if policy is None:
        return DmarcResult("none", domain)
    related = _related(domain, spf, signatures, policy)
    if "pass" in related:
        return DmarcResult("pass", domain, policy.policy)
    if "temperror" in related:
        return DmarcResult("temperror", domain, policy.policy)
    is_sampled = sample < policy.percent
    disposition = policy.policy if is_sampled else _LOWER[policy.policy]
    return DmarcResult("fail", domain, policy.policy, disposition)


def _related(domain: str, spf: SpfResult, signatures: Sequence[DkimResult], policy: Policy) -> list[str]:
    """Return the results of the checks that speak for a From domain."""
    found = [s.result for s in signatures if _is_aligned(s.domain, domain, policy.is_dkim_strict)]
    if _is_aligned(spf.domain, domain, policy.is_spf_strict):
        found.append(spf.result)
    return found


def _is_aligned(domain: str, from_domain: str, is_strict: bool) -> bool:
    """Source: RFC 7489 3.1 Identifier Alignment."""
    if not domain:
        return False
    return domain == from_domain or (not is_strict and organisational(domain) == organisational(from_domain))


def _record(domain: str, lookup: Lookup) -> dict[str, str] | None:
    """Return the tags of the one record; several are none. Source: RFC 7489 6.6.3 step 5."""
    found = [text for text in lookup(f"_dmarc.{domain}", "TXT") if _is_record(text)]
    return tag_list(found[0]) if len(found) == 1 else None


def _is_record(text: str) -> bool:
    name, equals, version = text.partition(";")[0].partition("=")
    return name.strip() == "v" and bool(equals) and version.strip() == "DMARC1"


def _policy(tags: dict[str, str], wanted: str) -> Policy | None:
    """Source: RFC 7489 6.3, and 6.6.3 step 6 for a policy that is none."""
    policy = wanted.lower()
    if policy not in POLICIES:
        if not tags.get("rua"):
            return None
        policy = "none"
    percent = tags.get("pct", "100")
    return Policy(
        policy,
        min(100, int(percent)) if percent.isdecimal() and len(percent) < 4 else 100,
        tags.get("adkim", "r").lower() == "s",
        tags.get("aspf", "r").lower() == "s",
    )
