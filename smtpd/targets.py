"""Which server is tried next for a domain, at which address, protected how. Lazily: the first usually does.

Source: RFC 5321 5.1 Locating the Target Host; RFC 8461 5.1, RFC 7672 2.2 (servers that must not be used);
RFC 8689 4.2.1 (REQUIRETLS).
"""

import ipaddress
from collections.abc import Iterator
from random import Random

from appliance.items.next_hop import HopTls, NextHop
from appliance.net.resolver import AuthenticResolver, LookupUnavailable
from appliance.smtp.reply import Reply
from smtpd.calling import TlsReporter
from smtpd.connections import Line
from smtpd.mx import MailHost, NoRoute, host_addresses, mail_route
from smtpd.security import Demand, Level, NotAllowed, Securities, Security

type Target = Line | Reply
"""A server to try, or the reason why one of them is not."""


class Targets:
    """Answers for every domain. One object serves all greenlets."""

    def __init__(
        self,
        resolver: AuthenticResolver,
        securities: Securities,
        random: Random,
        reporter: TlsReporter | None,
    ) -> None:
        self._resolver = resolver
        self._securities = securities
        self._random = random
        self._reporter = reporter

    def of_domain(self, domain: str, port: int, own_name: str, demand: Demand) -> Iterator[Target]:
        """Yield the servers of a domain, best first. Blocks. Raises NoRoute, TemporaryFailure."""
        route = mail_route(self._resolver, domain, own_name, self._random)
        policy = self._securities.policy(domain)
        for host in route.hosts:
            try:
                addresses = host_addresses(self._resolver, host.name)
            except LookupUnavailable as error:
                yield _unknown(error)
                continue
            if not addresses:
                yield Reply(550, "5.4.4", f"{host.name}, a server for {domain}, has no address")
                continue
            try:
                security = self._securities.of(
                    domain, host.name, port, policy, demand, is_mx_secure=route.is_secure
                )
            except NotAllowed as error:
                self._note(error, host)
                yield error.reply
                continue
            for address in addresses:
                yield Line(host.name, address, port, security)

    def of_hop(self, hop: NextHop, demand: Demand) -> Iterator[Target]:
        """Yield the addresses of one server that was named. Blocks. Raises NoRoute.

        Whoever named it vouches for its name, not for who answers: REQUIRETLS holds there too.
        """
        is_relaxed = hop.tls is HopTls.OPPORTUNISTIC and not demand.requires_tls
        level = Level.OPTIONAL if is_relaxed else Level.VERIFIED
        try:
            addresses = _literal(hop.host) or host_addresses(self._resolver, hop.host)
        except LookupUnavailable as error:
            raise NoRoute(_unknown(error)) from error
        for address in addresses:
            yield Line(hop.host, address, hop.port, Security(level), hop.username)

    def _note(self, error: NotAllowed, host: MailHost) -> None:
        if error.facts is not None and self._reporter is not None:
            self._reporter.failed(error.facts, error.result, host.name, "")


def _unknown(error: LookupUnavailable) -> Reply:
    return Reply(451, "4.4.3", f"Name look-up failed: {error}")


def _literal(host: str) -> list[str]:
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        return []
