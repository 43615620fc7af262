"""One polite visit to a mail server: does it answer, encrypt with a certificate we believe, and let us in?

For an operator who wants to know before mail waits for it; the relay has its own client. Nothing is sent.
"""

import smtplib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from appliance.items.next_hop import HopTls, NextHop

TIMEOUT_S: Final = 15.0
WORDS_CHARS_MAX: Final = 300


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was tried, and what came of it."""

    name: str
    is_good: bool
    words: str = ""


def probe(hop: NextHop, hostname: str, *, trust: ssl.SSLContext | None = None) -> Iterator[Step]:
    """Yield the steps of a visit, up to the first that fails. Blocks, at most TIMEOUT_S for each answer.

    hostname: how we introduce ourselves. trust: whose certificates are believed, by default the system's.
    """
    context = trust or ssl.create_default_context()
    try:
        server = _connected(hop, hostname, context)
    except (OSError, smtplib.SMTPException) as error:
        yield Step("connect", False, _said(error))
        return
    with server:
        yield Step("connect", True, f"{hop.host} port {hop.port}")
        yield from _visit(server, hop, context)


def _visit(server: smtplib.SMTP, hop: NextHop, context: ssl.SSLContext) -> Iterator[Step]:
    name = "hello"
    try:
        server.ehlo_or_helo_if_needed()
        yield Step(name, True)
        if hop.tls is HopTls.STARTTLS:
            name = "tls"
            server.starttls(context=context)
            server.ehlo()
        if hop.tls is not HopTls.OPPORTUNISTIC:
            yield Step("tls", True, "encrypted, and the certificate is the right one")
        if hop.username:
            name = "login"
            server.login(hop.username, hop.secret)
            yield Step(name, True)
    except (OSError, smtplib.SMTPException) as error:
        yield Step(name, False, _said(error))


def _connected(hop: NextHop, hostname: str, context: ssl.SSLContext) -> smtplib.SMTP:
    if hop.tls is HopTls.IMPLICIT:
        return smtplib.SMTP_SSL(hop.host, hop.port, hostname, timeout=TIMEOUT_S, context=context)
    return smtplib.SMTP(hop.host, hop.port, hostname, timeout=TIMEOUT_S)


def _said(error: Exception) -> str:
    """Return a server's words, or the system's, as one line."""
    if isinstance(error, smtplib.SMTPResponseException):
        said = error.smtp_error
        text = f"{error.smtp_code} {said.decode('utf-8', 'replace') if isinstance(said, bytes) else said}"
    else:
        text = str(error) or type(error).__name__
    return " ".join(text.split())[:WORDS_CHARS_MAX]
