"""What speaks against a message, as a sum: no single sign decides, except what a domain itself asked for.

Owns the weights. Each sign is a word that is fit for a log line, a metric and the field readers see; the
sum is compared with `[filter] junk_score`.
"""

import ipaddress
from collections.abc import Iterable, Mapping

from appliance.mailauth.spf import SpfResult

WEIGHTS: Mapping[str, float] = {
    "spf_fail": 2.5,
    "spf_softfail": 1.0,
    "spf_permerror": 0.5,
    "dmarc_fail": 1.5,
    "dmarc_unclear": 1.0,  # a policy that could not be looked up or read
    "no_reverse_name": 1.5,
    "helo_not_a_name": 1.0,
    "helo_is_us": 3.0,
    "author_unclear": 5.0,  # no From, several, or one that names nobody who could be asked
    "claims_to_be_us": 5.0,  # From or envelope in a domain of ours, and nothing shows that it is
    "listed": 3.0,  # for each block list
    "no_message_id": 0.5,
    "no_date": 0.5,
    "filter_doubts": 1.0,  # it would have the sender come back; whether strangers have to is our setting
    "filter_junk": 0.0,  # the filter has weighed all of it by itself: decides alone
}


def score(signs: Iterable[str]) -> float:
    """Return the sum of the signs' weights."""
    return sum((WEIGHTS[sign] for sign in signs), 0.0)


def of_helo(helo: str, client_ip: str, our_names: Iterable[str]) -> list[str]:
    """Return what the HELO name says: a server has a full name, or its own address in brackets, not ours.

    Source: RFC 5321 4.1.4 (a wrong name alone is no reason to refuse).
    """
    name = helo.lower().removesuffix(".")
    if name in our_names:
        return ["helo_is_us"]
    if name.startswith("["):
        return [] if _literal_is(name, client_ip) else ["helo_not_a_name"]
    return ["helo_not_a_name"] if "." not in name or _is_address(name) else []


def of_spf(spf: SpfResult) -> list[str]:
    """Return what an SPF result says against the message."""
    sign = f"spf_{spf.result}"
    return [sign] if sign in WEIGHTS else []


def _literal_is(name: str, client_ip: str) -> bool:
    inner = name.strip("[]").removeprefix("ipv6:")
    return _is_address(inner) and ipaddress.ip_address(inner) == ipaddress.ip_address(client_ip)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
