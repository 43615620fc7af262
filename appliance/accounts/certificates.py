"""The S/MIME certificates of accounts, which others need to write to them in secret.

Owns the rows `AccountCertificate` and what a certificate must say to become one: for mail, for this
account, not expired. Whether its issuer can be trusted is for whoever uses it (`certificate_chain`); an
office's own certificate authority is as good here as any.

Source: RFC 8550 3 (addresses in certificates), 4.4 (key usage, extended key usage), RFC 5280 4.2.
"""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from appliance import db
from appliance.accounts import accounts, addresses
from appliance.db.tables import AccountCertificate as Row
from appliance.errors import Conflict, InvalidInput, NotFound, TooLarge

SIZE_BYTES_MAX = 16_384
PER_ACCOUNT_MAX = 20
FINGERPRINT_DIGITS_MIN = 8
_PEM = b"-----BEGIN CERTIFICATE-----"
UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension)
"""What reading a damaged certificate or one of its parts raises."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate of an account. fingerprint: SHA-256 of `der`. Times are aware UTC."""

    fingerprint: bytes
    der: bytes
    valid_from: datetime
    expires_at: datetime

    def is_valid(self, now: datetime) -> bool:
        """Say whether the moment lies in its validity period; both ends belong to it."""
        return self.valid_from <= now <= self.expires_at


def add(account_id: int, data: bytes, *, now: datetime) -> Certificate:
    """Give an account a certificate, DER or PEM, and return it; one it has already is no error.

    Raises InvalidInput (no certificate, or none for this), TooLarge, Conflict (too many), NotFound.
    """
    certificate = parse(data)
    found = described(certificate)
    if now > found.expires_at:
        raise InvalidInput(f"the certificate expired on {found.expires_at:%Y-%m-%d}")
    _check_purpose(certificate)
    with db.connection():
        own = {accounts.get(account_id).address, *accounts.aliases(account_id)}
    named = mail_addresses(certificate)
    if own.isdisjoint(named):
        raise InvalidInput(f"the certificate is for {', '.join(named) or 'nobody'}, not for this account")
    _add(account_id, found)
    return found


@db.transaction
def _add(account_id: int, certificate: Certificate) -> None:
    accounts.get(account_id)
    have = {each.fingerprint for each in list_of(account_id)}
    if certificate.fingerprint in have:
        return
    if len(have) >= PER_ACCOUNT_MAX:
        raise Conflict(f"an account has at most {PER_ACCOUNT_MAX} certificates; remove an old one first")
    Row.insert(
        account=account_id,
        fingerprint=certificate.fingerprint,
        data=certificate.der,
        valid_from=certificate.valid_from,
        expires_at=certificate.expires_at,
    ).on_conflict_ignore().execute()


@db.transaction
def remove(account_id: int, fingerprint: bytes) -> None:
    """Take a certificate away from its account; raises NotFound."""
    mine = (Row.account == account_id) & (Row.fingerprint == fingerprint)
    if not Row.delete().where(mine).execute():
        raise NotFound("the account has no such certificate")


def list_of(account_id: int) -> list[Certificate]:
    """Return an account's certificates, expired ones too, the one that lasts longest first."""
    return of_all([account_id]).get(account_id, [])


def of_all(account_ids: Iterable[int]) -> dict[int, list[Certificate]]:
    """Return `list_of` for many accounts at once; those without any are left out. Needs a connection."""
    query = Row.select(Row.account, Row.fingerprint, Row.data, Row.valid_from, Row.expires_at)
    query = query.where(Row.account.in_(list(account_ids))).order_by(Row.expires_at.desc(), Row.fingerprint)
    found: dict[int, list[Certificate]] = {}
    for account_id, fingerprint, data, valid_from, expires_at in query.tuples():
        certificate = Certificate(bytes(fingerprint), bytes(data), valid_from, expires_at)
        found.setdefault(account_id, []).append(certificate)
    return found


def by_fingerprint(account_id: int, digits: str) -> Certificate:
    """Return the one certificate whose fingerprint begins with these hexadecimal digits.

    Colons do not count. Raises InvalidInput (too few, or not digits), NotFound, Conflict (several).
    """
    wanted = digits.replace(":", "").lower()
    if len(wanted) < FINGERPRINT_DIGITS_MIN or not set(wanted) <= set("0123456789abcdef"):
        raise InvalidInput(f"a fingerprint is at least {FINGERPRINT_DIGITS_MIN} hexadecimal digits")
    found = [each for each in list_of(account_id) if each.fingerprint.hex().startswith(wanted)]
    if not found:
        raise NotFound("the account has no such certificate")
    if len(found) > 1:
        raise Conflict("several certificates begin like this; give more digits")
    return found[0]


# --- reading certificates -------------------------------------------------------------------------


def parse(data: bytes) -> x509.Certificate:
    """Return the certificate in a file, DER or PEM (the first one); raises TooLarge, InvalidInput."""
    if len(data) > SIZE_BYTES_MAX:
        raise TooLarge(f"a certificate is at most {SIZE_BYTES_MAX} bytes")
    try:
        return x509.load_pem_x509_certificate(data) if _PEM in data else x509.load_der_x509_certificate(data)
    except UNREADABLE as error:
        raise InvalidInput("this is not an X.509 certificate") from error


def described(certificate: x509.Certificate) -> Certificate:
    """Return a parsed certificate as it is kept."""
    der = certificate.public_bytes(Encoding.DER)
    return Certificate(
        hashlib.sha256(der).digest(),
        der,
        certificate.not_valid_before_utc.astimezone(UTC),
        certificate.not_valid_after_utc.astimezone(UTC),
    )


def mail_addresses(certificate: x509.Certificate) -> list[str]:
    """Return the addresses a certificate is for, normalised; what is no address is left out.

    Those of the subject's name count too: RFC 8550 3 asks readers to know the old place.
    Raises InvalidInput when the certificate cannot be read.
    """
    try:
        subject = certificate.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS)
        named = [str(attribute.value) for attribute in subject]
        names = extension(certificate, x509.SubjectAlternativeName)
        named += [] if names is None else names.get_values_for_type(x509.RFC822Name)
    except UNREADABLE as error:
        raise InvalidInput("the certificate's names cannot be read") from error
    return list(_normalised(named))


def extension[T: x509.ExtensionType](certificate: x509.Certificate, kind: type[T]) -> T | None:
    """Return an extension's value, None when the certificate has none; raises one of UNREADABLE."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def is_for_mail(usages: Collection[x509.ObjectIdentifier] | None) -> bool:
    """Say whether an extended key usage (None: there is none) lets a certificate protect mail."""
    allowed = {ExtendedKeyUsageOID.EMAIL_PROTECTION, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    return usages is None or not allowed.isdisjoint(usages)


def can_encrypt(certificate: x509.Certificate) -> bool:
    """Say whether its key may be used to write to its owner in secret; raises one of UNREADABLE."""
    usage = extension(certificate, x509.KeyUsage)
    return usage is None or usage.key_encipherment or usage.key_agreement


def _check_purpose(certificate: x509.Certificate) -> None:
    try:
        basic = extension(certificate, x509.BasicConstraints)
        extended = extension(certificate, x509.ExtendedKeyUsage)
        is_for_secrets = can_encrypt(certificate)
        certificate.public_key()
    except UNREADABLE as error:
        raise InvalidInput("the certificate's key or extensions cannot be read") from error
    if basic is not None and basic.ca:
        raise InvalidInput("this is the certificate of an authority, not of a person")
    if not is_for_mail(None if extended is None else list(extended)):
        raise InvalidInput("the certificate is not for mail (extended key usage emailProtection)")
    if not is_for_secrets:
        raise InvalidInput("the certificate is only for signing; nobody could write to its owner with it")


def _normalised(named: Iterable[str]) -> dict[str, None]:
    found: dict[str, None] = {}
    for name in named:
        try:
            found[addresses.normalise(name)] = None
        except InvalidInput:
            continue
    return found
