"""HTTP credentials → an account. Extracts what arrived; `accounts.login` decides.

Owns the Authorization header. Leaves throttling, caching and the decision to the one door.
"""

import base64
import binascii
from dataclasses import dataclass, field

import flask

from appliance.accounts.login import WrongCredentials
from appliance.items.account import Account
from web.edge import RECORD_KEY
from web.services import services

HEADER_CHARS_MAX = 2048


@dataclass(frozen=True, slots=True)
class BearerToken:
    """An access token as it came in. It stays out of repr and so out of logs."""

    token: str = field(repr=False)


type Presented = tuple[str, str] | BearerToken


def presented() -> Presented:
    """Return the access token or the user name and password of the current request.

    Raises WrongCredentials when there are none or they cannot be read. Source: RFC 6750 2.1.
    """
    scheme, _, token = flask.request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return basic_credentials()
    if not token.strip() or len(token) > HEADER_CHARS_MAX:
        raise WrongCredentials
    return BearerToken(token.strip())


def basic_credentials() -> tuple[str, str]:
    """Return user name and password of the current request.

    Raises WrongCredentials when there are none or they cannot be read. Source: RFC 7617 2.
    """
    scheme, _, encoded = flask.request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic" or len(encoded) > HEADER_CHARS_MAX:
        raise WrongCredentials
    try:
        decoded = base64.b64decode(encoded.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise WrongCredentials from None
    username, colon, password = _text(decoded).partition(":")
    if not colon or not username:
        raise WrongCredentials
    return username, password


def sign_in(credentials: Presented, protocol: str, device_id: str = "") -> Account:
    """Return the account these credentials open. May wait; call it without a database connection.

    Raises what `accounts.login.login` raises.
    """
    remote_ip = flask.request.remote_addr or ""
    if isinstance(credentials, BearerToken):
        account = services().token_login(
            credentials.token, protocol=protocol, device_id=device_id, remote_ip=remote_ip
        )
    else:
        username, password = credentials
        account = services().login(
            username, password, protocol=protocol, device_id=device_id, remote_ip=remote_ip
        )
    flask.request.environ[RECORD_KEY].account = account.id
    return account


def _text(decoded: bytes) -> str:
    """Decode as we announce (UTF-8), or as clients that do not care about announcements do."""
    try:
        return decoded.decode("utf-8")
    except UnicodeDecodeError:
        return decoded.decode("latin-1")
