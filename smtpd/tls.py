"""TLS on both sides of SMTP: our certificate for clients, and no questions asked of other servers.

Owns the rules for SMTP (RFC 8314 for users, RFC 7435 opportunistic security between servers) and reloading
a renewed certificate. Leaves to `appliance.domains` where certificates come from.
"""

import logging
import ssl
from pathlib import Path
from typing import Protocol

from appliance import logs

SERVER_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE+AES:!aNULL:!eNULL"

logger = logging.getLogger("appliance.smtp")


class TlsSource(Protocol):
    """Where a connection gets its TLS context from."""

    def context(self) -> ssl.SSLContext | None:
        """Return the context for a handshake that begins now; None when there is no certificate."""
        ...


class Certificate:
    """A certificate and key in files; `reload` takes a renewed pair into the same context.

    Sessions under way keep the old one. A pair that cannot be loaded leaves the one in use in force.
    """

    def __init__(self, chain: Path, key: Path) -> None:
        self._chain = chain
        self._key = key
        self._context: ssl.SSLContext | None = None
        self.reload()

    def context(self) -> ssl.SSLContext | None:
        """Return the context, None while there never was a good pair."""
        return self._context

    def reload(self) -> bool:
        """Read the files again; say whether they are in force now."""
        try:
            fresh = server_context(self._chain, self._key)  # a trial, so that half a pair harms nobody
            if self._context is None:
                self._context = fresh
            else:
                self._context.load_cert_chain(self._chain, self._key)
        except (OSError, ValueError) as error:
            logs.event(logger, "certificate_not_loaded", level=logging.ERROR, error=error)
            return False
        logs.event(logger, "certificate_loaded", file=self._chain)
        return True


def server_context(chain: Path, key: Path) -> ssl.SSLContext:
    """Return the context of our listeners: TLS 1.2 and 1.3 with forward secrecy. Raises OSError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(SERVER_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(chain, key)
    return context


def opportunistic_context() -> ssl.SSLContext:
    """Return the context for other servers: encrypted is better than not, whoever it is. RFC 7435 3."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def description(sock: ssl.SSLSocket) -> str:
    """Return protocol and cipher for logs and the Received field: `TLSv1.3 TLS_AES_256_GCM_SHA384`."""
    cipher = sock.cipher()
    return f"{sock.version()} {cipher[0] if cipher else ''}".strip()
