"""One phone's conversation with one ActiveSync server: query, headers, WBXML in and out.

Owns the protocol version, the policy key and the cookies, and turns an HTTP answer into a document or
an error. Leaves the meaning of documents to `client` and `syncing`, the socket to `transport`.
Source: MS-ASHTTP 2.2 Message Syntax.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie

from appliance.phone import multipart, query
from appliance.phone.errors import HttpError, ProtocolError
from appliance.phone.identity import Identity
from appliance.phone.transport import Answer, Lose, Transport
from appliance.wbxml.codec import WbxmlError, decode, encode
from appliance.wbxml.element import Element

PATH = "/Microsoft-Server-ActiveSync"
WBXML = "application/vnd.ms-sync.wbxml"
WBXML_TYPES = {WBXML, "application/vnd.ms-sync"}
RFC822 = "message/rfc822"
VERSIONS = ("16.1", "16.0", "14.1", "14.0", "12.1")
"""What this phone speaks, best first."""
HTTP_OK = 200
NO_POLICY_KEY = "0"
WITHOUT_POLICY_KEY = {"Ping"}


@dataclass(frozen=True)
class ServerOptions:
    """What OPTIONS announces."""

    versions: tuple[str, ...]
    commands: tuple[str, ...]
    server: str


@dataclass(frozen=True)
class Reply:
    """A command's answer: the document (None when the body is empty) and the parts behind it."""

    document: Element | None
    parts: tuple[bytes, ...]
    answer: Answer


@dataclass
class Session:
    """The transport and what every request of this phone has in common."""

    transport: Transport
    address: str
    password: str
    identity: Identity
    version: str = VERSIONS[0]
    policy_key: str = NO_POLICY_KEY
    query_form: str = "plain"
    path: str = PATH
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def is_14(self) -> bool:
        """True for 14.0 and later: mail travels as WBXML, errors as Status."""
        return self.version_number >= 140

    @property
    def sends_meeting_mail(self) -> bool:
        """True for 16.0 and later: the server, not the phone, writes to organizers and attendees."""
        return self.version_number >= 160

    @property
    def version_number(self) -> int:
        """The version times ten, as the base64 query writes it."""
        return int(self.version.replace(".", ""))

    def authorization(self) -> str:
        """Return the Basic credentials. Source: RFC 7617 2 The 'Basic' Authentication Scheme."""
        return "Basic " + base64.b64encode(f"{self.address}:{self.password}".encode()).decode("ascii")

    def options(self) -> ServerOptions:
        """Ask what the server speaks. Raises HttpError, ProtocolError."""
        answer = self.transport.request("OPTIONS", self.path, self._common_headers())
        if answer.status != HTTP_OK:
            raise HttpError("OPTIONS", answer.status, answer.reason, answer.headers, answer.body)
        versions = _words(answer.headers.get("ms-asprotocolversions", ""))
        if not versions:
            raise ProtocolError("OPTIONS without MS-ASProtocolVersions: is this an ActiveSync server?")
        commands = _words(answer.headers.get("ms-asprotocolcommands", ""))
        return ServerOptions(versions, commands, answer.headers.get("ms-server-activesync", ""))

    def command(
        self,
        name: str,
        document: Element | None = None,
        *,
        mime: bytes | None = None,
        parameters: Mapping[str, str] | None = None,
        accept_multipart: bool = False,
        timeout_s: float | None = None,
        lose: Lose | None = None,
    ) -> Reply:
        """Send one command and return its answer; raises HttpError for anything but 200.

        document: the request, None for an empty body. mime: a message sent as it is (12.1 and older).
        """
        body = mime if mime is not None else encode(document) if document is not None else b""
        headers = self._headers(
            name, RFC822 if mime is not None else WBXML if body else None, accept_multipart
        )
        target = f"{self.path}?{self._query(name, parameters or {}, accept_multipart)}"
        answer = self.transport.request("POST", target, headers, body, timeout_s=timeout_s, lose=lose)
        self._keep_cookies(answer)
        if answer.status != HTTP_OK:
            raise HttpError(name, answer.status, answer.reason, answer.headers, answer.body)
        return _reply(name, answer)

    def _query(self, name: str, parameters: Mapping[str, str], accept_multipart: bool) -> str:
        if self.query_form == "plain":
            return query.plain(name, self.address, self.identity, parameters)
        return query.base64_form(
            name,
            self.address,
            self.identity,
            parameters,
            version=self.version,
            policy_key=None if name in WITHOUT_POLICY_KEY else int(self.policy_key),
            accept_multipart=accept_multipart,
        )

    def _common_headers(self) -> dict[str, str]:
        headers = {
            "Authorization": self.authorization(),
            "User-Agent": self.identity.user_agent,
            "Accept": "*/*",
            "Accept-Encoding": "gzip",
            "Accept-Language": self.identity.language,
        }
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        return headers

    def _headers(self, name: str, content_type: str | None, accept_multipart: bool) -> dict[str, str]:
        headers = self._common_headers()
        if self.query_form == "plain":
            headers["MS-ASProtocolVersion"] = self.version
            if name not in WITHOUT_POLICY_KEY:
                headers["X-MS-PolicyKey"] = self.policy_key
            if accept_multipart:
                headers["MS-ASAcceptMultiPart"] = "T"
        if content_type:
            headers["Content-Type"] = content_type
        return headers

    def _keep_cookies(self, answer: Answer) -> None:
        for line in answer.cookies:
            try:
                self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(line).items()}
            except CookieError:
                raise ProtocolError("a Set-Cookie header cannot be read") from None


def _reply(name: str, answer: Answer) -> Reply:
    """Return the document and parts of a 200; raises ProtocolError when they break the rules."""
    if not answer.body:
        if answer.headers.get("content-length") != "0":
            raise ProtocolError(f"{name}: an empty answer needs Content-Length: 0")
        return Reply(None, (), answer)
    content_type = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type == multipart.CONTENT_TYPE:
        first, *rest = multipart.split(answer.body)
        return Reply(_document(name, first), tuple(rest), answer)
    if content_type not in WBXML_TYPES:
        raise ProtocolError(f"{name}: an answer of type {content_type or 'nothing'}")
    return Reply(_document(name, answer.body), (), answer)


def _document(name: str, body: bytes) -> Element:
    try:
        document = decode(body)
    except WbxmlError as error:
        raise ProtocolError(f"{name}: the answer cannot be decoded: {error}") from None
    if document.tag.name != name:
        raise ProtocolError(f"{name}: the answer is a {document.tag.name} document")
    return document


def _words(header: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in header.split(",") if word.strip())
