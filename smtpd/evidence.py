# mypy: disable-error-code="import-untyped"
# gevent ships no annotations; this is the rim.
"""What the DNS and the message itself say about who it is from, asked for side by side within a deadline."""

import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gevent

from appliance import logs, offload
from appliance.mailauth import arc, dkim, dmarc
from appliance.mailauth.arc import ArcResult
from appliance.mailauth.dkim import DkimResult
from appliance.mailauth.dmarc import DmarcResult
from appliance.mailauth.domains import normal
from appliance.mailauth.keys import KeyRecords
from appliance.mailauth.letter import Letter
from appliance.mailauth.lookups import Lookup, LookupFailed
from appliance.mailauth.spf import SpfResult
from appliance.mime.headers import Headers

CHECKS_S = 20.0  # RFC 7208 4.6.4: at least this for SPF; everything else runs beside it
POLICY_S = 5.0
_HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)+[a-z0-9-]+")
OFFLOAD_BYTES_MIN = 65_536  # larger ones are verified on a native thread, so that others do not wait

logger = logging.getLogger("appliance.smtp")


@dataclass(frozen=True)
class Evidence:
    """What was found out about the author of a message."""

    spf: SpfResult
    signatures: Sequence[DkimResult]
    arc: ArcResult
    dmarc: DmarcResult


def gather(
    letter: Letter,
    authors: Sequence[str],
    lookup: Lookup,
    spf: Callable[[float], SpfResult],
    *,
    sample: int,
) -> Evidence:
    """Return the evidence. authors: the domains in From. spf: gives the result, at the latest after so many
    seconds. sample: see `dmarc.evaluate`. Blocks for CHECKS_S and POLICY_S at most; no DNS makes it raise."""
    names = list(dict.fromkeys((*dkim.key_names(letter), *arc.key_names(letter))))
    keys = {name: gevent.spawn(_records, lookup, name) for name in names}
    policies = [gevent.spawn(_policy, domain, lookup) for domain in authors[: dmarc.DOMAINS_MAX]]
    waiting = gevent.spawn(gevent.joinall, [*keys.values(), *policies], timeout=CHECKS_S)
    found_spf = spf(CHECKS_S)
    waiting.join()
    records = {name: value_of(task, 0, None) for name, task in keys.items()}
    gevent.killall([*keys.values(), *policies], block=False)
    signatures, chain = verified(letter, records)
    with gevent.Timeout(POLICY_S, LookupFailed):
        policy = dmarc.evaluate(authors, found_spf, signatures, lookup, sample=sample)
    return Evidence(found_spf, signatures, chain, policy)


def authors(headers: Headers) -> list[str]:
    """Return the domains in From, as readers see them."""
    return [a.address.rpartition("@")[2] for a in headers.addresses("From") if "@" in a.address]


def names_its_author(headers: Headers) -> bool:
    """Return whether there is one From, and whoever is in it has a domain that can be asked.

    What is not so is no legal message, and readers may see another author than the one that was checked.
    Source: RFC 5322 3.6, RFC 7489 6.6.1.
    """
    people = headers.addresses("From")
    domains = [normal(person.address.rpartition("@")[2]) for person in people]
    are_hosts = all("@" in p.address and _HOST.fullmatch(d) for p, d in zip(people, domains, strict=True))
    is_one = len(headers.get_all("From")) == 1
    return is_one and are_hosts and 0 < len(set(domains)) <= dmarc.DOMAINS_MAX


def verified(letter: Letter, records: KeyRecords) -> tuple[list[DkimResult], ArcResult]:
    """Return what the signatures say."""
    if letter.size >= OFFLOAD_BYTES_MIN:
        return offload.run(_verify, letter, records)
    return _verify(letter, records)


def _verify(letter: Letter, records: KeyRecords) -> tuple[list[DkimResult], ArcResult]:
    return dkim.verify(letter, records), arc.validate(letter, records)


def _records(lookup: Lookup, name: str) -> Sequence[str] | None:
    try:
        return lookup(name, "TXT")
    except LookupFailed:
        return None


def _policy(domain: str, lookup: Lookup) -> None:
    """Ask for what `dmarc.evaluate` will ask for, so that the answer is there by then."""
    try:
        dmarc.policy_of(domain, lookup)
    except LookupFailed:
        return


def value_of(task: Any, timeout_s: float, default: Any) -> Any:
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
