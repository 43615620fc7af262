"""The authorities this server trusts to vouch for mail certificates: the system's and the office's own.

Owns reading them: the operating system's bundle, and `tls/trusted/` in the data directory, where an
administrator puts `*.pem` (authorities, or single persons' certificates) and `*.crl` (lists of revoked
ones, DER or PEM). Files are read again when they have changed. Nothing is ever fetched: a server that
asks whoever a stranger's certificate names would tell the stranger when his mail is read.
"""

import logging
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509

from appliance import logs
from appliance.accounts.certificate_chain import Anchors
from appliance.accounts.certificates import UNREADABLE

FILE_BYTES_MAX = 8 * 1024 * 1024
FILES_MAX = 1000
SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)

_log = logging.getLogger(__name__)

type _Seen = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class _Known:
    """Anchors and the state of the files they were read from: path, size, time of change."""

    seen: _Seen
    anchors: Anchors


_directory: Path | None = None
_known: _Known | None = None


def configure(data_dir: Path) -> None:
    """Trust what lies in `tls/trusted` below this directory, besides the system's authorities."""
    global _directory, _known  # one data directory per process
    _directory = data_dir / "tls" / "trusted"
    _known = None


def current() -> Anchors:
    """Return what is trusted now. Reads files: call it off the hub.

    A file that cannot be read is logged and left out. Two threads at once do the work twice, no harm.
    """
    global _known
    paths = list(_paths())
    seen = tuple(_state(path) for path in paths)
    if _known is None or _known.seen != seen:
        _known = _Known(seen, _read(paths))
    return _known.anchors


def _paths() -> Iterator[Path]:
    bundle = _system_bundle()
    if bundle is not None:
        yield bundle
    if _directory is not None and _directory.is_dir():
        found = (path for path in _directory.iterdir() if path.suffix in (".pem", ".crl"))
        yield from sorted(found)[:FILES_MAX]


def _system_bundle() -> Path | None:
    """Return the operating system's file of authorities, None when there is none where they usually are."""
    names = (ssl.get_default_verify_paths().cafile, *SYSTEM_BUNDLES)
    return next((Path(name) for name in names if name is not None and Path(name).is_file()), None)


def _state(path: Path) -> tuple[str, int, int]:
    try:
        about = path.stat()
    except OSError:
        return str(path), -1, -1
    return str(path), about.st_size, about.st_mtime_ns


def _read(paths: list[Path]) -> Anchors:
    certificates: list[x509.Certificate] = []
    revocations: list[x509.CertificateRevocationList] = []
    for path in paths:
        try:
            data = _bytes_of(path)
            if path.suffix == ".crl":
                revocations.append(_revocations(data))
            else:
                certificates += x509.load_pem_x509_certificates(data)
        except (OSError, *UNREADABLE) as error:
            logs.event(_log, "trust_file_unreadable", level=logging.WARNING, file=path.name, error=error)
    return Anchors.of(certificates, revocations)


def _bytes_of(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(FILE_BYTES_MAX + 1)
    if len(data) > FILE_BYTES_MAX:
        raise ValueError(f"larger than {FILE_BYTES_MAX} bytes")
    return data


def _revocations(data: bytes) -> x509.CertificateRevocationList:
    is_pem = data.lstrip().startswith(b"-----BEGIN")
    return x509.load_pem_x509_crl(data) if is_pem else x509.load_der_x509_crl(data)
