"""The certificate the appliance shows: what is in place, and a self-signed one until there is a better.

Owns `tls/cert.pem` and `tls/key.pem` in the data directory. A certificate somebody else has signed is
never touched. Leaves serving it to the edges, and reading it again when it has changed.

The key is kept when a new self-signed certificate is made: a reader that opens the two files at the
wrong moment still finds a pair, and only a first certificate writes both (the key first).

Source: RFC 5280 4.2 (extensions); Apple's requirements for trusted certificates: a subject alternative
name, ExtendedKeyUsage serverAuth, at most 398 days.
"""

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appliance import files
from appliance.accounts import addresses
from appliance.clock import SYSTEM_CLOCK, Clock
from appliance.errors import InvalidInput

VALID_FOR = timedelta(days=397)
RENEWED_BEFORE_END = timedelta(days=30)
BACKDATED = timedelta(days=1)  # phones' clocks run late
COMMON_NAME_LENGTH_MAX = 64  # RFC 5280 appendix A, ub-common-name


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate in place. fingerprint: SHA-256 as browsers show it, `AB:CD:…`. Times are aware UTC."""

    names: tuple[str, ...]
    fingerprint: str
    valid_from: datetime
    valid_until: datetime
    is_self_signed: bool
    fits_key: bool


def cert_path(data_dir: Path) -> Path:
    """Return where the certificate (with its chain) is."""
    return data_dir / "tls" / "cert.pem"


def key_path(data_dir: Path) -> Path:
    """Return where its private key is; readable by the owner only."""
    return data_dir / "tls" / "key.pem"


def installed(data_dir: Path) -> Certificate | None:
    """Return the certificate in place; None when there is none. Raises InvalidInput when it is unreadable."""
    try:
        chain = cert_path(data_dir).read_bytes()
        key = key_path(data_dir).read_bytes()
    except FileNotFoundError:
        return None
    try:
        certificate = x509.load_pem_x509_certificates(chain)[0]
        return _described(certificate, serialization.load_pem_private_key(key, None).public_key())
    except (ValueError, TypeError) as error:
        raise InvalidInput(f"{cert_path(data_dir).parent}: not a PEM certificate and key: {error}") from error


def ensure_self_signed(data_dir: Path, names: Sequence[str], *, clock: Clock = SYSTEM_CLOCK) -> bool:
    """Put a self-signed certificate for these host names and IP addresses in place where one is needed.

    That is when there is none or no readable one, or the self-signed one names others or ends soon.
    Returns whether a new one was made. Raises InvalidInput (a name), OSError.
    """
    wanted = _normalised(names)
    try:
        current = installed(data_dir)
    except InvalidInput:
        current = None
    if current is not None and _will_do(current, wanted, clock.now()):
        return False
    _make(data_dir, wanted, clock.now())
    return True


def names_host(certificate: Certificate, hostname: str) -> bool:
    """Say whether a certificate is for this host, by name or wildcard. Source: RFC 6125 6.4.3."""
    parent = hostname.partition(".")[2]
    return hostname in certificate.names or bool(parent and f"*.{parent}" in certificate.names)


def _will_do(current: Certificate, wanted: Sequence[str], now: datetime) -> bool:
    if not current.fits_key:
        return False
    if not current.is_self_signed:
        return True
    return sorted(current.names) == sorted(wanted) and current.valid_until - now > RENEWED_BEFORE_END


def _make(data_dir: Path, names: Sequence[str], now: datetime) -> None:
    files.private_directory(data_dir / "tls")
    key = _kept_key(key_path(data_dir)) or _new_key(key_path(data_dir))
    files.replace(cert_path(data_dir), self_signed(key, names, now))


def self_signed(key: ec.EllipticCurvePrivateKey, names: Sequence[str], now: datetime) -> bytes:
    """Return a PEM certificate for these names, the first of which is its common name."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:COMMON_NAME_LENGTH_MAX])])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now - BACKDATED + VALID_FOR)
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _kept_key(path: Path) -> ec.EllipticCurvePrivateKey | None:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else None


def _new_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    files.replace(path, pem, mode=0o600)
    return key


def _described(certificate: x509.Certificate, public_key: object) -> Certificate:
    fingerprint = hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest().upper()
    return Certificate(
        names=_names_of(certificate),
        fingerprint=":".join(fingerprint[at : at + 2] for at in range(0, 64, 2)),
        valid_from=certificate.not_valid_before_utc.astimezone(UTC),
        valid_until=certificate.not_valid_after_utc.astimezone(UTC),
        is_self_signed=_is_self_signed(certificate),
        fits_key=certificate.public_key() == public_key,
    )


def _is_self_signed(certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(certificate)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return (*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress)))


def _normalised(names: Sequence[str]) -> list[str]:
    normal = list(dict.fromkeys(_normal_name(name) for name in names))
    if not normal:
        raise InvalidInput("a certificate needs at least one name")
    return normal


def _normal_name(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        return addresses.normalise_host(name)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
