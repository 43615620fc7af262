"""What the lists of revoked certificates at hand say of one certificate. Pure; nothing is fetched.

Source: RFC 5280 5 CRL and CRL Extensions, 6.3 CRL Validation.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import Enum, auto

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import AuthorityInformationAccessOID

from appliance.accounts.certificates import UNREADABLE, extension


class Status(Enum):
    """What is known of a certificate."""

    GOOD = auto()
    REVOKED = auto()
    UNKNOWN = auto()  # no list of its issuer is at hand and current


def status(
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    lists: Iterable[x509.CertificateRevocationList],
    now: datetime,
) -> Status:
    """Return what the issuer's own current lists say of a certificate it issued."""
    current = [each for each in lists if _speaks_for(each, issuer, now)]
    if not current:
        return Status.UNKNOWN
    serial = certificate.serial_number
    is_listed = any(each.get_revoked_certificate_by_serial_number(serial) is not None for each in current)
    return Status.REVOKED if is_listed else Status.GOOD


def names_a_source(certificate: x509.Certificate) -> bool:
    """Say whether a certificate tells where its status could be asked: a list's place, or a responder."""
    try:
        if extension(certificate, x509.CRLDistributionPoints) is not None:
            return True
        access = extension(certificate, x509.AuthorityInformationAccess)
    except UNREADABLE:
        return False
    return any(each.access_method == AuthorityInformationAccessOID.OCSP for each in access or ())


def _speaks_for(revoked: x509.CertificateRevocationList, issuer: x509.Certificate, now: datetime) -> bool:
    """Say whether a list is the issuer's own, complete and current."""
    try:
        if revoked.issuer != issuer.subject or any(each.critical for each in revoked.extensions):
            return False  # a critical extension makes it a list of less, or of others' certificates
        begins, ends = revoked.last_update_utc, revoked.next_update_utc
        if begins > now or (ends is not None and ends < now):
            return False
        key = issuer.public_key()
        return revoked.is_signature_valid(key)  # type: ignore[arg-type]  # raises TypeError for other keys
    except (*UNREADABLE, InvalidSignature):
        return False
