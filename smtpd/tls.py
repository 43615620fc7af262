"""TLS on both sides of SMTP: what we offer to clients, and no questions asked of other servers.

Owns the rules that are peculiar to SMTP (RFC 8314 for users, RFC 7435 opportunistic security between
servers). Leaves the certificate and the rules of all our listeners to `appliance.net.tls`.
"""

import ssl
from typing import Protocol

from appliance.net.tls import AEAD_CIPHERS

SERVER_CIPHERS = f"{AEAD_CIPHERS}:ECDHE+AES"
"""With CBC at the end: an old server without anything better would otherwise send in the clear."""


class TlsSource(Protocol):
    """Where a connection gets its TLS context from."""

    def context(self) -> ssl.SSLContext:
        """Return the context for a handshake that begins now. Raises OSError when there is no certificate."""
        ...


def opportunistic_context() -> ssl.SSLContext:
    """Return the context for other servers: encrypted is better than not, whoever it is. RFC 7435 3."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def verifying_context() -> ssl.SSLContext:
    """Return the context for servers that must prove their name to an authority the system trusts."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def description(sock: ssl.SSLSocket) -> str:
    """Return protocol and cipher for logs and the Received field: `TLSv1.3 TLS_AES_256_GCM_SHA384`."""
    cipher = sock.cipher()
    return f"{sock.version()} {cipher[0] if cipher else ''}".strip()
