"""The server's side of TLS: the rules of our listeners, and a certificate that is renewed while we run.

Owns the context of a listener and noticing that somebody has replaced the files. Leaves to
`appliance.domains` where certificates come from and what is in them, to the edges which ciphers their
clients need and the handshake.

Source: RFC 9325 (TLS 1.2 with forward secrecy and AEAD, and TLS 1.3; no compression, no renegotiation).
"""

import logging
import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from appliance import logs

AEAD_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2; those of TLS 1.3 are all of this kind."""
LOOK_EVERY_S: Final = 1.0

logger = logging.getLogger("appliance.tls")

type _Stamp = tuple[tuple[int, int, int], ...]


class Certificate:
    """A certificate chain and its key in files that somebody else renews.

    The files are looked at no more than once a second, by whoever needs the context: nothing to be called
    while nobody comes. A pair that cannot be loaded (half of it is written, or it does not match) leaves
    the one in use in force. Sessions under way keep theirs. ciphers, alpn: see `server_context`.
    """

    def __init__(
        self, chain: Path, key: Path, *, ciphers: str = AEAD_CIPHERS, alpn: Sequence[str] = ()
    ) -> None:
        self._chain, self._key = chain, key
        self._ciphers, self._alpn = ciphers, alpn
        self._context: ssl.SSLContext | None = None
        self._stamp: _Stamp = ()
        self._look_at = 0.0  # monotonic
        self._trouble = ""

    def context(self) -> ssl.SSLContext:
        """Return the context for a handshake that begins now. Raises OSError while there never was a pair."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY_S
            self._look()
        if self._context is None:
            raise OSError(f"no certificate to use in {self._chain}: {self._trouble}")
        return self._context

    def reload(self) -> None:
        """Read the files at the next handshake, however lately that was and whatever they look like.

        Does so little that a signal handler may call it.
        """
        self._look_at = 0.0
        self._stamp = ()

    def _look(self) -> None:
        """Take the files over if they are others than those in use and a pair."""
        try:
            stamp = _stamp(self._chain), _stamp(self._key)
            if stamp == self._stamp:
                return
            context = server_context(self._chain, self._key, ciphers=self._ciphers, alpn=self._alpn)
        except (OSError, ValueError) as error:
            self._note(error)
            return
        if self._context is not None:
            logs.event(logger, "certificate_loaded", file=self._chain)
        self._context, self._stamp, self._trouble = context, stamp, ""

    def _note(self, error: Exception) -> None:
        """Log what is wrong, once: we look again every second until somebody has put it right."""
        if str(error) != self._trouble:
            self._trouble = str(error)
            logs.event(logger, "certificate_not_loaded", level=logging.ERROR, file=self._chain, error=error)


def server_context(
    chain: Path, key: Path, *, ciphers: str = AEAD_CIPHERS, alpn: Sequence[str] = ()
) -> ssl.SSLContext:
    """Return a listener's context: TLS 1.2 with these ciphers in our order, and TLS 1.3.

    ciphers: as OpenSSL writes them, for TLS 1.2. alpn: the application protocols spoken, best first.
    Raises OSError (SSLError is one) when the files are missing or no pair.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    if alpn:
        context.set_alpn_protocols(list(alpn))
    context.load_cert_chain(chain, key)
    return context


def _stamp(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size
