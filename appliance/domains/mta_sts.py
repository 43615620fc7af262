"""MTA-STS for mail to our domains: the policy that tells others to insist on TLS and on our name.

A domain's policy starts as `testing`: others report what would have failed and deliver all the same.
`enforce` is for when the certificate is one that everybody trusts. The policy's id follows its text, so the
record in DNS changes when the policy does.

Source: RFC 8461 3.1 (record), 3.2 (policy), 5 (modes).
"""

import hashlib
from enum import StrEnum
from typing import Final

from appliance import db
from appliance.accounts import accounts, addresses
from appliance.errors import InvalidInput, NotFound
from appliance.setup import settings

HOST_PREFIX: Final = "mta-sts."
MAX_AGE_S: Final = {"testing": 86_400, "enforce": 604_800}  # short while it may still be wrong
_ID_CHARS: Final = 20


class Mode(StrEnum):
    """What others do when TLS to us fails. NONE: there is no policy, and never more than this one says."""

    NONE = "none"
    TESTING = "testing"
    ENFORCE = "enforce"


def mode(domain: str) -> Mode:
    """Return the mode of a domain. Needs `db.connection()`."""
    return Mode(settings.get(_key(domain), Mode.TESTING))


@db.transaction
def choose(domain: str, wanted: Mode) -> None:
    """Set the mode of one of our domains. Raises NotFound."""
    if not accounts.is_local_domain(domain):
        raise NotFound(f"{domain} is not one of our domains")
    settings.put(_key(domain), wanted)


def policy(domain: str) -> str:
    """Return the policy text of a domain. Needs `db.connection()`."""
    wanted = mode(domain)
    lines = ["version: STSv1", f"mode: {wanted}"]
    if wanted is not Mode.NONE:
        lines.append(f"mx: {settings.get(settings.HOSTNAME)}")
    lines.append(f"max_age: {MAX_AGE_S.get(wanted, 86_400)}")
    return "".join(f"{line}\r\n" for line in lines)


def policy_of_host(host: str) -> str | None:
    """Return the policy that is served at a host name such as `mta-sts.example.com`, None for any other.

    Opens its own connection.
    """
    try:
        name = addresses.normalise_host(host.partition(":")[0])
    except InvalidInput:
        return None
    domain = name.removeprefix(HOST_PREFIX)
    with db.connection():
        if domain == name or not accounts.is_local_domain(domain):
            return None
        return policy(domain)


def record(domain: str) -> str:
    """Return what DNS says at `_mta-sts.<domain>`. Needs `db.connection()`."""
    digest = hashlib.sha256(policy(domain).encode()).hexdigest()
    return f"v=STSv1; id={digest[:_ID_CHARS]}"


def _key(domain: str) -> str:
    return f"mta_sts:{addresses.normalise_host(domain)}"
