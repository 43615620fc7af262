"""What can go wrong between a phone and its server, as the phone sees it.

Every error is a `PhoneError`. A caller tells apart: no answer (`TransportError`, `LostResponse`), an
answer that says no (`HttpError`, `StatusError`, `Wiped`) and an answer that breaks the protocol
(`ProtocolError`).
"""

from appliance.phone.status import meaning


class PhoneError(Exception):
    """Base of everything the simulated phone raises on purpose; the message is fit for a terminal."""


class TransportError(PhoneError):
    """No connection, or it broke before the whole request was sent: the server did nothing with it."""


class LostResponse(TransportError):
    """The request went out, the answer did not come back: the server may or may not have acted."""


class ProtocolError(PhoneError):
    """The server answered something that ActiveSync does not allow."""


class HttpError(PhoneError):
    """The server answered with an HTTP status other than 200."""

    def __init__(
        self, command: str, status: int, reason: str, headers: dict[str, str], body: bytes = b""
    ) -> None:
        super().__init__(f"{command}: HTTP {status} {reason}".rstrip())
        self.command = command
        self.status = status
        self.headers = headers
        self.body = body


class StatusError(PhoneError):
    """The server answered with a Status that means failure."""

    def __init__(self, command: str, status: int, detail: str = "") -> None:
        words = meaning(command, status)
        super().__init__(f"{command}: Status {status}, {words}" + (f" ({detail})" if detail else ""))
        self.command = command
        self.status = status


class Wiped(PhoneError):
    """The server ordered a wipe; the phone has confirmed it and forgotten what it held."""

    def __init__(self, account_only: bool) -> None:
        super().__init__(
            "the server wiped " + ("the account from this phone" if account_only else "this phone")
        )
        self.account_only = account_only
