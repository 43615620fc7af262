"""One HTTPS document from another machine: small, in time, from exactly where it was asked for.

Owns the connection, the certificate's verification against the name, and the ceilings. Follows no
redirect and keeps no connection. What the document means is its users' (`smtpd.sts`).
"""

import http.client
import socket
import ssl
from dataclasses import dataclass

import gevent

from appliance.net.resolver import LookupFailure, Resolver

DOCUMENT_BYTES_MAX = 65_536
TIMEOUT_S = 30.0
ADDRESSES_MAX = 4
USER_AGENT = "365-email-appliance"


class FetchError(Exception):
    """There is no document; `reason` is one of `dns`, `connect`, `tls`, `http`, `size`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Document:
    """What was served; `content_type` without parameters, lower case."""

    content: bytes
    content_type: str


class Fetcher:
    """Fetches and posts over HTTPS with one set of trusted authorities."""

    def __init__(
        self,
        resolver: Resolver,
        *,
        context: ssl.SSLContext | None = None,
        port: int = 443,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """context: None verifies with the system's authorities. timeout_s: for everything of one request."""
        self._resolver = resolver
        self._context = context or ssl.create_default_context()
        self._port = port
        self._timeout_s = timeout_s

    def get(self, host: str, path: str) -> Document:
        """Return the document at https://host/path. Blocks. Raises FetchError for anything but a 200."""
        return self._request("GET", host, self._port, path, b"", {})

    def post(self, host: str, port: int | None, path: str, body: bytes, content_type: str) -> None:
        """Hand a document in; any 2xx is success. Blocks. Raises FetchError."""
        self._request("POST", host, port or self._port, path, body, {"Content-Type": content_type})

    def _request(
        self, method: str, host: str, port: int, path: str, body: bytes, headers: dict[str, str]
    ) -> Document:
        try:
            with gevent.Timeout(self._timeout_s, TimeoutError):
                return self._exchange(method, host, port, path, body, headers)
        except ssl.SSLError as error:
            raise FetchError("tls", f"{host}: {error.reason or error}") from error
        except (TimeoutError, OSError) as error:
            raise FetchError("connect", f"{host}: {error}") from error
        except (http.client.HTTPException, ValueError) as error:
            raise FetchError("http", f"{host}: {type(error).__name__}") from error

    def _exchange(
        self, method: str, host: str, port: int, path: str, body: bytes, headers: dict[str, str]
    ) -> Document:
        connection = http.client.HTTPSConnection(host, port, context=self._context)
        connection.sock = self._context.wrap_socket(self._connected(host, port), server_hostname=host)
        try:
            connection.request(method, path, body or None, headers | {"User-Agent": USER_AGENT})
            response = connection.getresponse()
            if response.status // 100 != 2 or (method == "GET" and response.status != 200):
                raise FetchError("http", f"{host}: status {response.status}")
            content = response.read(DOCUMENT_BYTES_MAX + 1)
            if len(content) > DOCUMENT_BYTES_MAX:
                raise FetchError("size", f"{host}: more than {DOCUMENT_BYTES_MAX} bytes")
            kind = (response.getheader("Content-Type") or "").partition(";")[0].strip().lower()
            return Document(content, kind)
        finally:
            connection.close()

    def _connected(self, host: str, port: int) -> socket.socket:
        trouble: Exception | None = None
        for address in self._addresses(host):
            try:
                return socket.create_connection((address, port), timeout=self._timeout_s)
            except OSError as error:
                trouble = error
        raise FetchError("connect", f"{host}: {trouble}")

    def _addresses(self, host: str) -> list[str]:
        found: list[str] = []
        for record_type in ("A", "AAAA"):
            try:
                found += self._resolver.resolve(host, record_type)
            except LookupFailure as error:
                if record_type == "AAAA" and not found:
                    raise FetchError("dns", f"{host}: {error}") from error
        return found[:ADDRESSES_MAX]
