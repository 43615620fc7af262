"""SASL mechanisms of AUTH: how a user name and a secret arrive.

Owns the exchanges PLAIN (RFC 4616) and LOGIN (the common, never standardised prompt pair) and their
base64 framing (RFC 4954 4). Leaves the judgement of credentials to the caller. A mechanism is a generator
that yields challenges, is sent responses and returns what it learned; adding one is one function and one
line in MECHANISMS.
"""

import base64
import binascii
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from appliance.smtp.reply import Reply


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who the client says it is, and its proof. The password stays out of repr and so out of logs."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Challenge:
    """The server's next line in an exchange, decoded."""

    data: bytes

    def to_reply(self) -> Reply:
        """Return the 334 reply that carries it. Source: RFC 4954 4 The AUTH Command."""
        return Reply(334, None, base64.b64encode(self.data).decode("ascii"))


class SaslError(Exception):
    """The exchange failed before there were credentials; `reply` is the answer to send."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply


MALFORMED = Reply(501, "5.5.2", "Malformed authentication exchange")
CANCELLED = Reply(501, "5.7.0", "Authentication cancelled")
NO_PROXY = Reply(535, "5.7.8", "Acting for another user is not supported")

type Exchange = Generator[bytes, bytes, Credentials]


class SaslExchange:
    """One AUTH exchange: start it with the initial response (None if there was none), then step."""

    def __init__(self, mechanism: str) -> None:
        """mechanism: a key of MECHANISMS."""
        self.mechanism = mechanism
        self._exchange = MECHANISMS[mechanism]()

    def start(self, initial: bytes | None) -> Challenge | Credentials:
        """Begin; `initial` is the base64 text after the mechanism's name. Raises SaslError."""
        challenge = Challenge(next(self._exchange))
        if initial is None:
            return challenge
        return self._advance(b"" if initial == b"=" else _decoded(initial))

    def step(self, line: bytes) -> Challenge | Credentials:
        """Take the client's next line, without CRLF. Raises SaslError, also when it cancels with `*`."""
        if line == b"*":
            raise SaslError(CANCELLED)
        return self._advance(_decoded(line))

    def _advance(self, response: bytes) -> Challenge | Credentials:
        try:
            return Challenge(self._exchange.send(response))
        except StopIteration as stop:
            credentials: Credentials = stop.value
            return credentials


def plain() -> Exchange:
    """PLAIN: [authorization id] NUL user name NUL password. Source: RFC 4616 2 PLAIN SASL Mechanism."""
    response = yield b""
    parts = response.split(b"\0")
    if len(parts) != 3:
        raise SaslError(MALFORMED)
    authorization_id, username, password = parts
    credentials = _credentials(username, password)
    if authorization_id not in (b"", username):
        raise SaslError(NO_PROXY)
    return credentials


def login() -> Exchange:
    """LOGIN: two prompts, two answers; the initial response, when given, is the user name."""
    username = yield b"Username:"
    password = yield b"Password:"
    return _credentials(username, password)


MECHANISMS: dict[str, Callable[[], Exchange]] = {"PLAIN": plain, "LOGIN": login}


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise SaslError(MALFORMED) from None


def _credentials(username: bytes, password: bytes) -> Credentials:
    """Return both as text; neither may be empty and the name may hold no control characters."""
    try:
        name, secret = username.decode("utf-8"), password.decode("utf-8")
    except UnicodeDecodeError:
        raise SaslError(MALFORMED) from None
    if not name or not secret or not name.isprintable() or "\0" in secret:
        raise SaslError(MALFORMED)
    return Credentials(name, secret)
