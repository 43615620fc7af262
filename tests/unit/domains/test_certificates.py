"""The self-signed certificate: fit for phones, private key private, made anew only when needed."""

import hashlib
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from appliance import files
from appliance.domains import certificates
from appliance.errors import InvalidInput

NAMES = ["mail.example.com", "autodiscover.example.com", "127.0.0.1", "::1"]


class At:
    """A clock that shows one moment."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self) -> datetime:
        return self.moment

    def monotonic(self) -> float:
        return 0.0


def test_it_names_every_host_and_suits_phones(tmp_path: Path) -> None:
    assert certificates.ensure_self_signed(tmp_path, NAMES)
    made = x509.load_pem_x509_certificate(certificates.cert_path(tmp_path).read_bytes())
    alternative = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alternative.get_values_for_type(x509.DNSName) == NAMES[:2]
    assert alternative.get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address(name) for name in NAMES[2:]
    ]
    usage = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    key = made.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name == "secp256r1"
    assert made.not_valid_after_utc - made.not_valid_before_utc <= timedelta(days=398)


def test_the_key_is_private_and_the_directory_too(tmp_path: Path) -> None:
    certificates.ensure_self_signed(tmp_path, NAMES)
    assert certificates.key_path(tmp_path).stat().st_mode & 0o777 == 0o600
    assert certificates.cert_path(tmp_path).parent.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in (tmp_path / "tls").iterdir() if path.name.startswith(".")] == []


def test_a_tls_client_that_trusts_it_accepts_it(tmp_path: Path) -> None:
    certificates.ensure_self_signed(tmp_path, NAMES)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificates.cert_path(tmp_path), certificates.key_path(tmp_path))
    client = ssl.create_default_context(cafile=str(certificates.cert_path(tmp_path)))
    installed = certificates.installed(tmp_path)
    assert installed is not None
    assert _fingerprint_seen(server, client, "mail.example.com") == installed.fingerprint
    with pytest.raises(ssl.SSLCertVerificationError):
        _fingerprint_seen(server, client, "other.example.com")


def _fingerprint_seen(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> str:
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    serving = server.wrap_bio(to_server, to_client, server_side=True)
    asking = client.wrap_bio(to_client, to_server, server_hostname=name)
    for _ in range(4):
        for side in (asking, serving):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    shown = hashlib.sha256(asking.getpeercert(binary_form=True) or b"").hexdigest().upper()
    return ":".join(shown[at : at + 2] for at in range(0, 64, 2))


def test_nothing_happens_while_it_will_do(tmp_path: Path) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    certificates.ensure_self_signed(tmp_path, NAMES, clock=At(now))
    before = certificates.cert_path(tmp_path).read_bytes()
    assert not certificates.ensure_self_signed(tmp_path, list(reversed(NAMES)), clock=At(now))
    assert not certificates.ensure_self_signed(tmp_path, NAMES, clock=At(now + timedelta(days=360)))
    assert certificates.cert_path(tmp_path).read_bytes() == before


@pytest.mark.parametrize(
    ("names", "days"), [(["mail.example.net"], 0), (NAMES, 370), ([*NAMES, "autodiscover.example.net"], 0)]
)
def test_other_names_or_a_near_end_make_a_new_one_with_the_same_key(
    tmp_path: Path, names: list[str], days: int
) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    certificates.ensure_self_signed(tmp_path, NAMES, clock=At(now))
    key = certificates.key_path(tmp_path).read_bytes()
    assert certificates.ensure_self_signed(tmp_path, names, clock=At(now + timedelta(days=days)))
    made = certificates.installed(tmp_path)
    assert made is not None and set(made.names) == set(names) and made.fits_key
    assert certificates.key_path(tmp_path).read_bytes() == key


def test_somebody_else_s_certificate_is_never_replaced(tmp_path: Path) -> None:
    certificates.ensure_self_signed(tmp_path, NAMES)
    key = serialization.load_pem_private_key(certificates.key_path(tmp_path).read_bytes(), None)
    authority = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    issued = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "mail.example.com")]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "An authority")]))
        .public_key(key.public_key())  # type: ignore[arg-type]
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(authority, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    files.replace(certificates.cert_path(tmp_path), issued)
    found = certificates.installed(tmp_path)
    assert found is not None and not found.is_self_signed and found.fits_key
    assert not certificates.ensure_self_signed(tmp_path, ["other.example.com"])
    assert certificates.cert_path(tmp_path).read_bytes() == issued


@pytest.mark.parametrize("broken", ["cert", "key", "both"])
def test_a_broken_pair_is_made_whole(tmp_path: Path, broken: str) -> None:
    certificates.ensure_self_signed(tmp_path, NAMES)
    if broken in ("cert", "both"):
        certificates.cert_path(tmp_path).write_bytes(b"nonsense")
    if broken in ("key", "both"):
        certificates.key_path(tmp_path).write_bytes(b"nonsense")
    with pytest.raises(InvalidInput):
        certificates.installed(tmp_path)
    assert certificates.ensure_self_signed(tmp_path, NAMES)
    made = certificates.installed(tmp_path)
    assert made is not None and made.fits_key
    assert certificates.key_path(tmp_path).stat().st_mode & 0o777 == 0o600


def test_a_reader_never_meets_half_a_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    met: list[certificates.Certificate | None] = []
    replace = files.replace

    def watched(path: Path, data: bytes, *, mode: int = 0o644) -> None:
        met.append(certificates.installed(tmp_path))
        replace(path, data, mode=mode)
        met.append(certificates.installed(tmp_path))

    monkeypatch.setattr(files, "replace", watched)
    for name in ("a.example.com", "b.example.com"):
        certificates.ensure_self_signed(tmp_path, [name])
    names = [None if found is None else (found.names[0], found.fits_key) for found in met]
    a, b = ("a.example.com", True), ("b.example.com", True)
    assert names == [None, None, None, a, a, b]


@pytest.mark.parametrize("names", [[], ["not a name"], ["a\r\nb.example.com"], [""]])
def test_names_that_are_none_are_refused(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(InvalidInput):
        certificates.ensure_self_signed(tmp_path, names)
    assert certificates.installed(tmp_path) is None


def test_a_wildcard_names_the_hosts_right_below_it(tmp_path: Path) -> None:
    shown = certificates.Certificate(
        ("*.example.com", "example.net"), "", datetime.now(UTC), datetime.now(UTC), False, True
    )
    assert certificates.names_host(shown, "mail.example.com")
    assert certificates.names_host(shown, "example.net")
    assert not certificates.names_host(shown, "example.com")
    assert not certificates.names_host(shown, "a.mail.example.com")
