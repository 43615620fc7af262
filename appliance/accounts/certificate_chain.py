"""Whether a mail certificate can be trusted: a path from it to an anchor, and what is wrong if there is none.

Pure: certificates, anchors and the moment come in, a `Verdict` goes out; nothing is fetched or read.
Where anchors come from is `trust_anchors`; what a certificate of ours must say is `certificates`; what a
list of revoked ones says is `certificate_revocation`.

Theory of operation. The certificate itself is judged first (readable, a person's, for mail, in time). Then
the search climbs: candidates for an issuer are the anchors and the certificates the client sent whose
subject is the issuer's name; each has to have signed what is below it and to be fit to sign it. The first
path that ends at an anchor wins; when none does, the gravest reason met on the way is the verdict.
A client may send a hundred certificates of one name, so the climb has a ceiling on depth and on
signatures.

Deviation: policies are not evaluated, as no policy is required (RFC 5280 6.1.1 with the any-policy set).
An authority that demands one in a critical extension is therefore not accepted, nor is any other
critical extension that is not in KNOWN_EXTENSIONS. Constraints on names: `certificate_names`.

Source: RFC 5280 6.1 Basic Path Validation, RFC 8550 4 (S/MIME).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID

from appliance.accounts import certificate_names
from appliance.accounts import certificate_revocation as revocation
from appliance.accounts.certificate_revocation import Status
from appliance.accounts.certificates import UNREADABLE, extension, is_for_mail

DEPTH_MAX = 8
"""Certificates of one path, both ends included."""
SIGNATURES_MAX = 40
"""Signatures verified for one certificate."""

WEAK_HASHES = (hashes.MD5, hashes.SHA1)
KNOWN_EXTENSIONS = frozenset({
    ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE, ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME, ExtensionOID.ISSUER_ALTERNATIVE_NAME,
    ExtensionOID.NAME_CONSTRAINTS, ExtensionOID.CERTIFICATE_POLICIES,
    ExtensionOID.CRL_DISTRIBUTION_POINTS, ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    ExtensionOID.SUBJECT_KEY_IDENTIFIER,
})  # fmt: skip


class Verdict(Enum):
    """What is to be said of a certificate; the order is that of gravity within a search."""

    VALID = auto()
    UNTRUSTED = auto()  # no path to an anchor
    BAD_SIGNATURE = auto()
    BROKEN_CHAIN = auto()  # too long, or longer than an authority allows
    CHAIN_OUT_OF_DATE = auto()  # an authority of it expired, or is not valid yet
    MISUSED = auto()  # an authority that may not sign this
    WRONG_ROLE = auto()  # an authority as a person, or the other way round
    NOT_FOR_MAIL = auto()
    OUT_OF_DATE = auto()
    UNREADABLE = auto()
    REVOKED = auto()
    CHAIN_REVOKED = auto()
    REVOCATION_UNREACHABLE = auto()  # its issuer says where to ask, and nobody is asked
    REVOCATION_UNKNOWN = auto()  # its issuer does not even say where to ask


@dataclass(frozen=True, slots=True)
class Anchors:
    """What is trusted: certificates of authorities (or of single persons), and lists of revoked ones."""

    by_subject: dict[bytes, tuple[x509.Certificate, ...]]
    der: frozenset[bytes]
    revocations: tuple[x509.CertificateRevocationList, ...] = ()

    @classmethod
    def of(
        cls,
        certificates: Iterable[x509.Certificate],
        revocations: Iterable[x509.CertificateRevocationList] = (),
    ) -> "Anchors":
        """Return the anchors made of these certificates."""
        every = list(certificates)
        grouped = _by_subject(every)
        der = frozenset(each.public_bytes(Encoding.DER) for each in every)
        return cls(grouped, der, tuple(revocations))

    def __contains__(self, certificate: x509.Certificate) -> bool:
        return certificate.public_bytes(Encoding.DER) in self.der


@dataclass(slots=True)
class _Search:
    """One climb: what it may use, and how much it has used."""

    anchors: Anchors
    offered: dict[bytes, tuple[x509.Certificate, ...]]
    now: datetime
    signatures: int = 0
    worst: Verdict = Verdict.UNTRUSTED

    def note(self, verdict: Verdict) -> None:
        if verdict.value > self.worst.value:
            self.worst = verdict


def check(
    certificate: x509.Certificate,
    offered: Sequence[x509.Certificate],
    anchors: Anchors,
    now: datetime,
    *,
    needs_revocation: bool,
) -> Verdict:
    """Return whether mail signed with this certificate can be believed, and if not why.

    offered: certificates that may lie between it and an anchor, in any order. needs_revocation: an
    unknown revocation status is a fault; a known one always counts.
    """
    try:
        verdict = _own_fault(certificate, now)
        if verdict is not Verdict.VALID:
            return verdict
    except UNREADABLE:
        return Verdict.UNREADABLE
    search = _Search(anchors, _by_subject(offered), now)
    path = _climb(search, [certificate])
    if path is None:
        return search.worst
    return _revocation(path, anchors, now, needs_revocation)


def _own_fault(certificate: x509.Certificate, now: datetime) -> Verdict:
    """Judge a certificate by itself; raises one of UNREADABLE."""
    basic = extension(certificate, x509.BasicConstraints)
    usage = extension(certificate, x509.KeyUsage)
    extended = extension(certificate, x509.ExtendedKeyUsage)
    certificate.public_key()
    if basic is not None and basic.ca:
        return Verdict.WRONG_ROLE
    if not is_for_mail(None if extended is None else list(extended)):
        return Verdict.NOT_FOR_MAIL
    if usage is not None and not (usage.digital_signature or usage.content_commitment):
        return Verdict.NOT_FOR_MAIL
    if _has_unknown_demand(certificate):
        return Verdict.MISUSED
    return Verdict.VALID if _is_in_time(certificate, now) else Verdict.OUT_OF_DATE


# --- climbing -------------------------------------------------------------------------------------


def _climb(search: _Search, path: list[x509.Certificate]) -> list[x509.Certificate] | None:
    """Return a path from the first certificate of `path` to an anchor, None when there is none."""
    lowest = path[-1]
    if lowest in search.anchors:
        return path
    if len(path) == 1 and lowest.issuer == lowest.subject and not _is_signed_by(search, lowest, lowest):
        search.note(Verdict.BAD_SIGNATURE)
    for issuer in _candidates(search, lowest, path):
        if len(path) >= DEPTH_MAX or search.signatures >= SIGNATURES_MAX:
            search.note(Verdict.BROKEN_CHAIN)
            return None
        verdict = _fitness(search, issuer, path)
        if verdict is not Verdict.VALID:
            search.note(verdict)
            continue
        found = _climb(search, [*path, issuer])
        if found is not None:
            return found
    return None


def _candidates(
    search: _Search, lowest: x509.Certificate, path: list[x509.Certificate]
) -> Iterator[x509.Certificate]:
    """Yield who may have issued a certificate: anchors first, none twice on a path."""
    name = lowest.issuer.public_bytes()
    for issuer in (*search.anchors.by_subject.get(name, ()), *search.offered.get(name, ())):
        if issuer not in path and not _is_other_key(lowest, issuer):
            yield issuer


def _is_other_key(lowest: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Say whether the key identifiers tell that it was another key of the same name."""
    try:
        wanted = extension(lowest, x509.AuthorityKeyIdentifier)
        has = extension(issuer, x509.SubjectKeyIdentifier)
    except UNREADABLE:
        return False
    if wanted is None or has is None or wanted.key_identifier is None:
        return False
    return wanted.key_identifier != has.digest


def _fitness(search: _Search, issuer: x509.Certificate, path: list[x509.Certificate]) -> Verdict:
    """Judge whether a certificate signed the end of the path, and was entitled to."""
    if not _is_signed_by(search, path[-1], issuer):
        return Verdict.BAD_SIGNATURE
    try:
        return _entitlement(search, issuer, path)
    except UNREADABLE:
        return Verdict.BROKEN_CHAIN


def _is_signed_by(search: _Search, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    search.signatures += 1
    try:
        if isinstance(certificate.signature_hash_algorithm, WEAK_HASHES):
            return False
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _entitlement(search: _Search, issuer: x509.Certificate, path: list[x509.Certificate]) -> Verdict:
    """Judge whether an issuer may sign the path below it; raises one of UNREADABLE."""
    is_anchor = issuer in search.anchors
    basic = extension(issuer, x509.BasicConstraints)
    if basic is None:
        if not is_anchor or issuer.version is not x509.Version.v1:  # roots older than extensions are trusted
            return Verdict.WRONG_ROLE
    elif not basic.ca:
        return Verdict.WRONG_ROLE
    elif basic.path_length is not None and _authorities(path[1:]) > basic.path_length:
        return Verdict.BROKEN_CHAIN
    usage = extension(issuer, x509.KeyUsage)
    extended = extension(issuer, x509.ExtendedKeyUsage)
    if usage is not None and not usage.key_cert_sign:
        return Verdict.MISUSED
    if not is_for_mail(None if extended is None else list(extended)) or _has_unknown_demand(issuer):
        return Verdict.MISUSED
    if not certificate_names.are_allowed(extension(issuer, x509.NameConstraints), path):
        return Verdict.MISUSED
    return Verdict.VALID if _is_in_time(issuer, search.now) else Verdict.CHAIN_OUT_OF_DATE


def _authorities(between: Sequence[x509.Certificate]) -> int:
    """Count what a path length counts: authorities that are not self-issued. Source: RFC 5280 4.2.1.9."""
    return sum(1 for each in between if each.subject != each.issuer)


def _has_unknown_demand(certificate: x509.Certificate) -> bool:
    """Say whether a critical extension is not understood; raises one of UNREADABLE."""
    return any(each.critical and each.oid not in KNOWN_EXTENSIONS for each in certificate.extensions)


def _is_in_time(certificate: x509.Certificate, now: datetime) -> bool:
    return certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc


# --- revocation -----------------------------------------------------------------------------------


def _revocation(path: Sequence[x509.Certificate], anchors: Anchors, now: datetime, needed: bool) -> Verdict:
    """Judge a path by the lists at hand; the anchor at its end answers for itself."""
    unknown: list[x509.Certificate] = []
    for certificate, issuer in pairwise(path):
        match revocation.status(certificate, issuer, anchors.revocations, now):
            case Status.REVOKED:
                return Verdict.REVOKED if certificate is path[0] else Verdict.CHAIN_REVOKED
            case Status.UNKNOWN:
                unknown.append(certificate)
    if not unknown or not needed:
        return Verdict.VALID
    says_where = any(map(revocation.names_a_source, unknown))
    return Verdict.REVOCATION_UNREACHABLE if says_where else Verdict.REVOCATION_UNKNOWN


def _by_subject(certificates: Iterable[x509.Certificate]) -> dict[bytes, tuple[x509.Certificate, ...]]:
    grouped: dict[bytes, tuple[x509.Certificate, ...]] = {}
    for certificate in certificates:
        name = certificate.subject.public_bytes()
        grouped[name] = (*grouped.get(name, ()), certificate)
    return grouped
