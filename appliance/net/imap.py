"""Another server's mail over IMAP, read and never changed.

Owns the connection: TLS, sign-in, folders, messages by their UIDs in portions that fit into memory. Folders
are only examined and bodies only peeked at, so that nothing there is marked as read. What becomes of the
messages is `importing.imap`.

Source: RFC 9051 and RFC 3501 (IMAP), RFC 6154 (special-use folders), RFC 8314 3.2 (port 993).
"""

import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import TracebackType
from typing import Any, Final, Self

from imapclient import IMAPClient, SocketTimeout
from imapclient.exceptions import IMAPClientError, LoginError

from appliance.errors import Denied, InvalidInput, TemporaryFailure
from appliance.items.imported import RemoteFolder, RemoteMessage

CONNECT_TIMEOUT_S: Final = 30.0
READ_TIMEOUT_S: Final = 300.0  # some servers think long about a large folder
PORTION_MESSAGES: Final = 50
PORTION_BYTES: Final = 8 * 1024 * 1024
SIZES_ASKED_AT_ONCE: Final = 500
MESSAGE_BYTES_MAX: Final = 256 * 1024 * 1024
_NOT_A_MAILBOX: Final = {"\\noselect", "\\nonexistent"}


class Security(StrEnum):
    """How the connection is protected."""

    TLS = "tls"  # from the first octet
    STARTTLS = "starttls"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Server:
    """Where to go and as whom. verifies: whether the certificate has to be good for the host."""

    host: str
    port: int
    user: str
    password: str
    security: Security = Security.TLS
    verifies: bool = True

    @property
    def name(self) -> str:
        """The mailbox without its secret."""
        return f"imap://{self.user}@{self.host}:{self.port}"


class Mailbox:
    """A signed-in connection; a context manager. Everything raises TemporaryFailure when it breaks."""

    def __init__(self, server: Server) -> None:
        """Connect and sign in. Raises Denied, InvalidInput (host, certificate), TemporaryFailure."""
        with _translated(server):
            self._client = _connected(server)
            try:
                self._client.login(server.user, server.password)
            except BaseException:
                self._client.shutdown()
                raise
        self._server = server

    def folders(self) -> list[RemoteFolder]:
        """Return the folders that hold messages, as the server lists them."""
        with _translated(self._server):
            listed = self._client.list_folders()
        found = [
            RemoteFolder(str(name), _path(str(name), delimiter), tuple(_text(flag) for flag in flags))
            for flags, delimiter, name in listed
        ]
        return [each for each in found if not _NOT_A_MAILBOX & {flag.lower() for flag in each.attributes}]

    def examine(self, folder: RemoteFolder) -> tuple[int, int]:
        """Turn to a folder, to read only; return its UIDVALIDITY and how many messages it has."""
        with _translated(self._server):
            about = self._client.select_folder(folder.name, readonly=True)
        return int(about[b"UIDVALIDITY"]), int(about[b"EXISTS"])

    def uids_after(self, uid: int) -> list[int]:
        """Return the UIDs in the examined folder above one, in their order."""
        with _translated(self._server):
            found = self._client.search(["UID", f"{uid + 1}:*"])
        return sorted(each for each in found if each > uid)  # `n:*` always names the last one

    def messages(self, uids: Sequence[int]) -> Iterator[list[RemoteMessage]]:
        """Yield the messages of these UIDs in their order, in portions. One that has gone is left out."""
        for start in range(0, len(uids), SIZES_ASKED_AT_ONCE):
            for portion in self._portions(uids[start : start + SIZES_ASKED_AT_ONCE]):
                yield self._fetched(portion)

    def _portions(self, uids: Sequence[int]) -> Iterator[list[tuple[int, bool]]]:
        """Yield (UID, is it too large) in portions to be fetched at once."""
        with _translated(self._server):
            about = self._client.fetch(uids, ["RFC822.SIZE"])
        portion: list[tuple[int, bool]] = []
        gathered = 0
        for uid in uids:
            if uid not in about:
                continue
            size = int(about[uid].get(b"RFC822.SIZE", 0))
            if portion and (gathered + size > PORTION_BYTES or len(portion) == PORTION_MESSAGES):
                yield portion
                portion, gathered = [], 0
            portion.append((uid, size > MESSAGE_BYTES_MAX))
            gathered += 0 if size > MESSAGE_BYTES_MAX else size
        if portion:
            yield portion

    def _fetched(self, portion: Sequence[tuple[int, bool]]) -> list[RemoteMessage]:
        wanted = [uid for uid, is_too_large in portion if not is_too_large]
        with _translated(self._server):
            about = self._client.fetch(wanted, ["FLAGS", "INTERNALDATE", "BODY.PEEK[]"]) if wanted else {}
        found = []
        for uid, is_too_large in portion:
            if is_too_large:
                found.append(RemoteMessage(uid, None, datetime.now(UTC), frozenset()))
            elif b"BODY[]" in about.get(uid, {}):
                found.append(_message(uid, about[uid]))
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(IMAPClientError, OSError):
            if kind is None:
                self._client.logout()
            else:
                self._client.shutdown()


def _connected(server: Server) -> IMAPClient:
    context = ssl.create_default_context()
    if not server.verifies:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    timeout: Any = SocketTimeout(CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
    is_tls = server.security is Security.TLS
    client = IMAPClient(
        server.host, server.port, ssl=is_tls, ssl_context=context if is_tls else None, timeout=timeout
    )
    client.normalise_times = False  # INTERNALDATE with its own offset
    if server.security is Security.STARTTLS:
        client.starttls(context)
    return client


class _translated:  # noqa: N801 - reads as a block
    """Say what went wrong in the words of `errors`."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        where = f"{self._server.host}:{self._server.port}"
        match error:
            case LoginError():
                raise Denied(f"{where} does not let {self._server.user} in: {_plain(error)}") from error
            case ssl.SSLCertVerificationError():
                raise InvalidInput(
                    f"the certificate of {where} is not good: {error.verify_message}"
                ) from error
            case socket.gaierror():
                raise InvalidInput(f"there is no host {self._server.host}") from error
            case IMAPClientError() | OSError() | EOFError():
                raise TemporaryFailure(f"{where}: {_plain(error)}") from error


def _message(uid: int, about: dict[bytes, Any]) -> RemoteMessage:
    received_at = about.get(b"INTERNALDATE")
    if not isinstance(received_at, datetime):
        received_at = datetime.now(UTC)
    elif received_at.tzinfo is None:
        received_at = received_at.replace(tzinfo=UTC)
    flags = frozenset(_text(flag).lower() for flag in about.get(b"FLAGS", ()))
    return RemoteMessage(uid, bytes(about[b"BODY[]"]), received_at.astimezone(UTC), flags)


def _path(name: str, delimiter: bytes | str | None) -> tuple[str, ...]:
    separator = _text(delimiter) if delimiter else ""
    parts = name.split(separator) if separator else [name]
    return tuple(part for part in parts if part)


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _plain(error: BaseException) -> str:
    """Return an error's words without what a server could do to a terminal."""
    text = re.sub(r"^b(['\"])(.*)\1$", r"\2", str(error) or type(error).__name__)
    return "".join(c for c in text if c.isprintable())[:300]
