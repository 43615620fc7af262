"""A certificate authority for tests: persons, authorities below authorities, and all that can be wrong.

Keys are made once per name and curve P-256, so that a chain costs microseconds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MAIL = (ExtendedKeyUsageOID.EMAIL_PROTECTION,)
TLS = (ExtendedKeyUsageOID.SERVER_AUTH,)


@cache
def key_of(name: str) -> ec.EllipticCurvePrivateKey:
    """Return the key of a name, always the same."""
    return ec.generate_private_key(ec.SECP256R1())


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def usage(*allowed: str) -> x509.KeyUsage:
    """Return a key usage with these bits, by their attribute names."""
    every = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    assert set(allowed) <= set(every)
    return x509.KeyUsage(**{bit: bit in allowed for bit in every})


@dataclass(frozen=True)
class Plan:
    """What a certificate shall say; None leaves an extension out."""

    name: str
    key: str = ""  # whose key, when not the name's
    ca: bool | None = False
    path_length: int | None = None
    mail: Sequence[str] = ()
    dns: Sequence[str] = ()
    usages: Sequence[x509.ObjectIdentifier] | None = MAIL
    key_usage: x509.KeyUsage | None = field(
        default_factory=lambda: usage("digital_signature", "key_encipherment")
    )
    begins: datetime = NOW - timedelta(days=30)
    ends: datetime = NOW + timedelta(days=300)
    extra: Sequence[tuple[x509.ExtensionType, bool]] = ()
    serial: int | None = None
    key_ids: bool = True


@dataclass(frozen=True)
class Issued:
    """A certificate and whose key it holds."""

    certificate: x509.Certificate
    plan: Plan

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    @property
    def key(self) -> ec.EllipticCurvePrivateKey:
        return key_of(self.plan.key or self.plan.name)


def authority(name: str, **rest: object) -> Plan:
    """Return the plan of an authority."""
    values: dict[str, object] = {"ca": True, "usages": None, "key_usage": usage("key_cert_sign", "crl_sign")}
    return Plan(name, **(values | rest))  # type: ignore[arg-type]  # names are checked by Plan


def person(address: str, **rest: object) -> Plan:
    """Return the plan of a person's mail certificate."""
    return Plan(address, **({"mail": (address,)} | rest))  # type: ignore[arg-type]


def issue(
    plan: Plan,
    by: Issued | None = None,
    *,
    signed_with: ec.EllipticCurvePrivateKey | None = None,
    algorithm: hashes.HashAlgorithm | None = None,
) -> Issued:
    """Return a certificate signed by another one, or by itself."""
    key = key_of(plan.key or plan.name)
    issuer_key = by.key if by is not None else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(plan.name))
        .issuer_name(named(by.plan.name if by is not None else plan.name))
        .public_key(key.public_key())
        .serial_number(plan.serial or x509.random_serial_number())
        .not_valid_before(plan.begins)
        .not_valid_after(plan.ends)
    )
    for extension, critical in _extensions(plan, key, issuer_key):
        builder = builder.add_extension(extension, critical)
    return Issued(builder.sign(signed_with or issuer_key, algorithm or hashes.SHA256()), plan)


def revoke(
    by: Issued, *revoked: Issued, begins: datetime = NOW - timedelta(days=1), days: int = 7
) -> x509.CertificateRevocationList:
    """Return an authority's list of revoked certificates."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(named(by.plan.name))
        .last_update(begins)
        .next_update(begins + timedelta(days=days))
    )
    for each in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(each.certificate.serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(begins).build())
    return builder.sign(by.key, hashes.SHA256())


def _extensions(
    plan: Plan, key: ec.EllipticCurvePrivateKey, issuer_key: ec.EllipticCurvePrivateKey
) -> list[tuple[x509.ExtensionType, bool]]:
    found: list[tuple[x509.ExtensionType, bool]] = list(plan.extra)
    if plan.ca is not None:
        found.append((x509.BasicConstraints(plan.ca, plan.path_length), True))
    if plan.key_usage is not None:
        found.append((plan.key_usage, True))
    if plan.usages is not None:
        found.append((x509.ExtendedKeyUsage(plan.usages), False))
    names: list[x509.GeneralName] = [x509.RFC822Name(each) for each in plan.mail]
    names += [x509.DNSName(each) for each in plan.dns]
    if names:
        found.append((x509.SubjectAlternativeName(names), False))
    if plan.key_ids:
        found.append((x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False))
        found.append((x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), False))
    return found
