"""A domain's MTA-STS policy as it is now: from the database, from DNS and from its web server.

A policy in force is used when anything goes wrong with asking again; without one, whatever goes wrong means
that there is none. Source: RFC 8461 3.3 (fetching: verified certificate, no redirects), 5.1, 10.2.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Protocol

from gevent.lock import BoundedSemaphore

from appliance import logs
from appliance.clock import Clock
from appliance.domains import sts_policies
from appliance.domains.sts_policies import Policy, PolicyInvalid
from appliance.net.fetch import Fetcher, FetchError
from appliance.net.resolver import LookupFailure, Resolver

PATH = "/.well-known/mta-sts.txt"
CONTENT_TYPE = "text/plain"
LOOK_EVERY_S = 60.0
"""A domain's record is looked at no more often, whatever its TTL."""
FAILURE_KNOWN_FOR_S = 300.0
REFRESH_AFTER = timedelta(days=1)
DOMAINS_MAX = 2_000

logger = logging.getLogger("appliance.smtp")

type Failure = Callable[[str, str], None]
"""Told of a policy that could not be had: the domain, and RFC 8460's word for why."""


class PolicyStore(Protocol):
    """Where policies outlive us."""

    def kept(self, domain: str) -> Policy | None:
        """Return the policy in force."""
        ...

    def keep(self, policy: Policy) -> None:
        """Remember one."""
        ...


class StsPolicies:
    """One object serves all greenlets; a domain is asked about by one of them at a time."""

    def __init__(
        self, resolver: Resolver, fetcher: Fetcher, store: PolicyStore, clock: Clock, failed: Failure
    ) -> None:
        self._resolver = resolver
        self._fetcher = fetcher
        self._store = store
        self._clock = clock
        self._failed = failed
        self._known: OrderedDict[str, tuple[float, Policy | None]] = OrderedDict()
        self._asking: dict[str, BoundedSemaphore] = {}

    def policy(self, domain: str) -> Policy | None:
        """Return the policy in force for a domain, or None. Blocks; raises TemporaryFailure (database)."""
        lock = self._asking.setdefault(domain, BoundedSemaphore(1))
        with lock:
            try:
                found = self._known.get(domain)
                if found is None or found[0] < time.monotonic() or self._is_over(found[1]):
                    found = self._ask(domain)
                    self._known[domain] = found
                    self._known.move_to_end(domain)
                    while len(self._known) > DOMAINS_MAX:
                        self._known.popitem(last=False)
                return found[1]
            finally:
                self._asking.pop(domain, None)

    def _is_over(self, policy: Policy | None) -> bool:
        return policy is not None and policy.expires_at <= self._clock.now()

    def _ask(self, domain: str) -> tuple[float, Policy | None]:
        """Return the policy, and until when (monotonic) that is not asked again."""
        now = self._clock.now()
        kept = self._store.kept(domain)
        try:
            current = sts_policies.record_id(self._resolver.resolve(f"_mta-sts.{domain}", "TXT"))
        except LookupFailure:
            current = None
        if current is None:
            return time.monotonic() + LOOK_EVERY_S, kept  # no record, or suppressed: what is kept holds
        if kept is not None and kept.id == current and now < kept.fetched_at + _refresh_after(kept):
            return time.monotonic() + LOOK_EVERY_S, kept
        fetched = self._fetch(domain, current, now)
        if fetched is None:
            return time.monotonic() + FAILURE_KNOWN_FOR_S, kept
        self._store.keep(fetched)
        return time.monotonic() + LOOK_EVERY_S, fetched

    def _fetch(self, domain: str, policy_id: str, now: datetime) -> Policy | None:
        try:
            document = self._fetcher.get(f"mta-sts.{domain}", PATH)
            if document.content_type != CONTENT_TYPE:
                raise PolicyInvalid(f"served as {document.content_type or 'nothing'}")
            policy = sts_policies.parse(document.content, domain=domain, policy_id=policy_id, now=now)
        except FetchError as error:
            word = "sts-webpki-invalid" if error.reason == "tls" else "sts-policy-fetch-error"
            logs.event(logger, "sts_not_fetched", level=logging.WARNING, domain=domain, error=error)
            self._failed(domain, word)
            return None
        except PolicyInvalid as error:
            logs.event(logger, "sts_invalid", level=logging.WARNING, domain=domain, error=error)
            self._failed(domain, "sts-policy-invalid")
            return None
        logs.event(logger, "sts_fetched", domain=domain, mode=policy.mode, id=policy_id)
        return policy


def _refresh_after(policy: Policy) -> timedelta:
    return min(REFRESH_AFTER, timedelta(seconds=policy.max_age_s / 2))
