"""The server's certificate as this process uses it: settings and reloading.

Owns the TLS rules of our HTTPS listener and noticing a renewed certificate. Leaves to
`appliance.domains` where certificates come from and what is in them, to `worker.py` the handshake.

Source: RFC 9325 (TLS 1.2 with forward secrecy and AEAD only, and TLS 1.3).
"""

import logging
import ssl
import time
from pathlib import Path
from typing import Final

from appliance import logs

TLS12_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
LOOK_EVERY_S: Final = 1.0

logger = logging.getLogger("appliance.web")


class Certificate:
    """A certificate chain and its key in files that somebody else renews.

    The files are looked at no more than once a second, by whoever needs the context. A pair that cannot
    be loaded (half of it is written, or it does not match) leaves the one in use in force.
    """

    def __init__(self, chain: Path, key: Path) -> None:
        self.chain = chain
        self.key = key
        self._context: ssl.SSLContext | None = None
        self._stamp: tuple[tuple[int, int, int], ...] = ()
        self._looked = 0.0

    def context(self) -> ssl.SSLContext:
        """Return the context for new connections.

        Raises OSError (SSLError is one) while there never was a good pair.
        """
        now = time.monotonic()
        if self._context is None or now - self._looked >= LOOK_EVERY_S:
            self._looked = now
            self._refresh()
        if self._context is None:
            self._context = _load(self.chain, self.key)
        return self._context

    def reload(self) -> None:
        """Look at the files at the next connection, however lately they were looked at."""
        self._looked = 0.0
        self._stamp = ()

    def _refresh(self) -> None:
        try:
            stamp = _stamp(self.chain), _stamp(self.key)
            if stamp == self._stamp:
                return
            context = _load(self.chain, self.key)
        except (OSError, ValueError) as error:
            if self._context is not None:
                logs.event(logger, "certificate_not_loaded", level=logging.ERROR, error=error)
            return
        if self._context is not None:
            logs.event(logger, "certificate_loaded", file=self.chain)
        self._context, self._stamp = context, stamp


def _load(chain: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(TLS12_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(chain, key)
    return context


def _stamp(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_mtime_ns, found.st_size
