"""SASL mechanisms of AUTH: how a user name and a secret arrive.

Owns the exchanges PLAIN (RFC 4616), LOGIN (the common, never standardised prompt pair), OAUTHBEARER
(RFC 7628) and XOAUTH2 (its widespread forerunner), and their base64 framing (RFC 4954 4). Leaves the
judgement of credentials to the caller. A mechanism is a generator that yields challenges, is sent responses
and returns what it learned; adding one is one function and one line in MECHANISMS.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from appliance.smtp.reply import Reply


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who the client says it is, and its proof. The password stays out of repr and so out of logs."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class BearerToken:
    """An access token and, if the client said so, whose it is ("" otherwise). The token stays out of repr."""

    username: str
    token: str = field(repr=False)


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
_BEARER = re.compile(rb"[Bb][Ee][Aa][Rr][Ee][Rr] +([A-Za-z0-9._~+/-]+=*)")
NO_PROXY = Reply(535, "5.7.8", "Acting for another user is not supported")

type Proof = Credentials | BearerToken
type Exchange = Generator[bytes, bytes, Proof]


class SaslExchange:
    """One AUTH exchange: start it with the initial response (None if there was none), then step."""

    def __init__(self, mechanism: str) -> None:
        """mechanism: a key of MECHANISMS."""
        self.mechanism = mechanism
        self.refusal: Reply | None = None
        self._exchange = MECHANISMS[mechanism]()

    def start(self, initial: bytes | None) -> Challenge | Proof:
        """Begin; `initial` is the base64 text after the mechanism's name. Raises SaslError."""
        challenge = Challenge(next(self._exchange))
        if initial is None:
            return challenge
        return self._advance(b"" if initial == b"=" else _decoded(initial))

    def step(self, line: bytes) -> Challenge | Proof:
        """Take the client's next line, without CRLF. Raises SaslError, also when it cancels with `*`."""
        if line == b"*":
            raise SaslError(CANCELLED)
        return self._advance(_decoded(line))

    def refuse(self, reply: Reply) -> Challenge | None:
        """Return the challenge that says why a token is not taken, None for mechanisms without one.

        The client answers it with a line of no meaning, and only then hears the reply, which is kept in
        `refusal`. Source: RFC 7628 3.2.2 Server Response to Failed Authentication, 3.2.3.
        """
        if self.mechanism not in REASONS:
            return None
        self.refusal = reply
        return Challenge(json.dumps(REASONS[self.mechanism], separators=(",", ":")).encode("ascii"))

    def _advance(self, response: bytes) -> Challenge | Proof:
        try:
            return Challenge(self._exchange.send(response))
        except StopIteration as stop:
            proof: Proof = stop.value
            return proof


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


def oauthbearer() -> Exchange:
    """OAUTHBEARER: a GS2 header with an optional authorization id, then key=value pairs between 0x01.

    Source: RFC 7628 3.1 Initial Client Response, RFC 5801 4 (the GS2 header).
    """
    response = yield b""
    header, separator, pairs = response.partition(b"\x01")
    flag, _, rest = header.partition(b",")
    authorization_id, comma, nothing = rest.partition(b",")
    if not separator or flag not in (b"n", b"y") or not comma or nothing:
        raise SaslError(MALFORMED)
    if authorization_id and not authorization_id.startswith(b"a="):
        raise SaslError(MALFORMED)
    username = authorization_id[2:].replace(b"=2C", b",").replace(b"=3D", b"=")
    return _bearer(username, pairs)


def xoauth2() -> Exchange:
    """XOAUTH2: `user=…`, 0x01, `auth=Bearer …`, 0x01, 0x01; as clients of large providers speak it."""
    response = yield b""
    user, separator, pairs = response.partition(b"\x01")
    if not separator or not user.startswith(b"user="):
        raise SaslError(MALFORMED)
    return _bearer(user[5:], pairs)


MECHANISMS: dict[str, Callable[[], Exchange]] = {
    "PLAIN": plain,
    "LOGIN": login,
    "OAUTHBEARER": oauthbearer,
    "XOAUTH2": xoauth2,
}
REASONS: dict[str, dict[str, str]] = {
    "OAUTHBEARER": {"status": "invalid_token", "schemes": "bearer", "scope": "smtp"},
    "XOAUTH2": {"status": "401", "schemes": "bearer", "scope": "smtp"},
}
"""What a client hears of a token that is not taken, the same for every reason."""


def _decoded(text: bytes) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise SaslError(MALFORMED) from None


def _bearer(username: bytes, pairs: bytes) -> BearerToken:
    """Return the token in `auth=Bearer …` among pairs that end with an empty one. Source: RFC 6750 2.1."""
    if not pairs.endswith(b"\x01\x01"):
        raise SaslError(MALFORMED)
    found = [pair[5:] for pair in pairs[:-2].split(b"\x01") if pair.startswith(b"auth=")]
    match = _BEARER.fullmatch(found[0]) if len(found) == 1 else None
    try:
        name = username.decode("utf-8")
    except UnicodeDecodeError:
        raise SaslError(MALFORMED) from None
    if match is None or not (name.isprintable() or not name):
        raise SaslError(MALFORMED)
    return BearerToken(name, match[1].decode("ascii"))


def _credentials(username: bytes, password: bytes) -> Credentials:
    """Return both as text; neither may be empty and the name may hold no control characters."""
    try:
        name, secret = username.decode("utf-8"), password.decode("utf-8")
    except UnicodeDecodeError:
        raise SaslError(MALFORMED) from None
    if not name or not secret or not name.isprintable() or "\0" in secret:
        raise SaslError(MALFORMED)
    return Credentials(name, secret)
