"""The checks on strangers as the configuration has them: what `screening` is made of."""

from collections.abc import Callable
from ipaddress import ip_network

from appliance.net.resolver import Resolver
from appliance.net.rspamd import Rspamd
from appliance.settings import Config, Reception
from smtpd.blocklists import Blocklists
from smtpd.learner import Learner
from smtpd.rates import Allowance, Rates
from smtpd.screening import Screening, ScreeningConfig
from smtpd.sender_dns import SenderDns

MINUTE_S, HOUR_S = 60.0, 3_600.0


def screening(
    config: Config, resolver: Resolver, hostname: Callable[[], str], is_ours: Callable[[str], bool]
) -> Screening:
    """Return the screening of the reception port. is_ours: whether we have mail of a domain."""
    dns = SenderDns(resolver)
    return Screening(
        ScreeningConfig(
            enforces_dmarc=config.filter.dmarc == "enforce",
            arc_sealers=frozenset(config.filter.arc_sealers),
            junk_score=config.filter.junk_score,
            blocklists_to_refuse=config.filter.blocklists_to_refuse,
            greylists=config.reception.greylist,
            unchecked=tuple(ip_network(text) for text in config.reception.unchecked_networks),
        ),
        dns,
        rates(config.reception),
        Blocklists(config.filter.blocklists, dns.lookup),
        hostname,
        filter_of(config),
        is_ours=is_ours,
    )


def filter_of(config: Config) -> Rspamd | None:
    """Return the content filter, None when there is none."""
    url = config.filter.rspamd
    return Rspamd(url, config.filter.timeout_s, config.filter.rspamd_password) if url else None


def learner(config: Config) -> Learner | None:
    """Return who teaches the filter, None when nobody does."""
    url = config.filter.rspamd_controller
    if not url:
        return None
    return Learner(Rspamd(url, config.filter.timeout_s, config.filter.rspamd_password))


def rates(limits: Reception) -> Rates:
    """Return how much one network may do."""
    return Rates(
        {
            "connections": Allowance(limits.connections_per_minute_max, MINUTE_S),
            "messages": Allowance(limits.messages_per_minute_max, MINUTE_S),
            "recipients": Allowance(limits.recipients_per_minute_max, MINUTE_S),
            "unknown": Allowance(limits.unknown_recipients_per_hour_max, HOUR_S),
        }
    )
