"""What the HTTP role needs from the rest of the product, as one value that the composition root fills.

Views reach the domain only through this (`services()`), so tests put a few functions of their own in.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, cast

import flask

from appliance.eas.request import Request
from appliance.eas.response import Held, Response
from appliance.items.account import Account

EXTENSION = "appliance"


class Login(Protocol):
    """`accounts.login.login`, or a stand-in."""

    def __call__(
        self, username: str, password: str, *, protocol: str, device_id: str = "", remote_ip: str = ""
    ) -> Account: ...


class TokenLogin(Protocol):
    """`accounts.login.login_with_token` for ActiveSync, or a stand-in."""

    def __call__(self, text: str, *, protocol: str, device_id: str = "", remote_ip: str = "") -> Account: ...


@dataclass(frozen=True, slots=True)
class Offer:
    """What OPTIONS announces. Source: MS-ASHTTP 2.2.3 HTTP OPTIONS Response."""

    versions: tuple[str, ...]
    commands: tuple[str, ...]
    server: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What the start page tells a person; fingerprint: SHA-256 as browsers show it."""

    version: str
    is_set_up: bool
    hostname: str
    eas_versions: tuple[str, ...]
    fingerprint: str | None
    is_self_signed: bool


@dataclass(frozen=True, slots=True)
class Services:
    """The domain as the views see it. `hostname` is "" until the setup has named the server.

    mta_sts_policy: the policy served at a host name, None where there is none.
    """

    login: Login
    token_login: TokenLogin
    connection: Callable[[], AbstractContextManager[object]]
    eas_handle: Callable[[Request, Account], Response | Held]
    eas_offer: Offer
    hostname: Callable[[], str]
    health: Callable[[], Mapping[str, bool]]
    metrics: Callable[[], bytes]
    facts: Callable[[], Facts]
    mta_sts_policy: Callable[[str], str | None]


def services() -> Services:
    """Return the services of the application that serves the current request."""
    return cast(Services, flask.current_app.extensions[EXTENSION])
