"""DANE for SMTP: what a server's TLSA records demand of its certificate, and whether it is so.

Pure but for the look-up. Usable are usages 2 (an authority in the chain) and 3 (the server's own
certificate or key); records count only when DNSSEC vouches for them. Source: RFC 7672 2.2, 3.1, 3.2;
RFC 6698 2.1; RFC 7671 5.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from appliance.net.resolver import AuthenticResolver, LookupFailure, LookupUnavailable

DANE_TA, DANE_EE = 2, 3
CHAIN_MAX = 10
RECORDS_MAX = 50
_HASHES = {1: hashlib.sha256, 2: hashlib.sha512}


class DaneMismatch(Exception):
    """The certificate is not what the records demand."""


@dataclass(frozen=True, slots=True)
class Tlsa:
    """One record. RFC 6698 2.1."""

    usage: int
    selector: int
    matching: int
    data: bytes

    @property
    def is_usable(self) -> bool:
        """Say whether SMTP can use it. RFC 7672 3.1: usages 0 and 1 are not for us."""
        sizes = {1: 32, 2: 64}
        is_sized = self.matching == 0 or len(self.data) == sizes.get(self.matching, -1)
        return self.usage in (DANE_TA, DANE_EE) and self.selector in (0, 1) and is_sized

    def matches(self, certificate: x509.Certificate) -> bool:
        """Say whether a certificate, or its key, is the one meant."""
        content = certificate.public_bytes(Encoding.DER) if self.selector == 0 else _key_of(certificate)
        digest = _HASHES[self.matching](content).digest() if self.matching else content
        return hmac.compare_digest(digest, self.data)

    def __str__(self) -> str:
        return f"{self.usage} {self.selector} {self.matching} {self.data.hex()}"


def records(resolver: AuthenticResolver, host: str, port: int) -> tuple[Tlsa, ...] | None:
    """Return a server's records, None when DANE does not apply to it. Blocks. Raises LookupUnavailable.

    The caller has seen that the server's name came from a secure MX record. Not being able to ask is not
    the same as there being none: an attacker who suppresses the answer must not get plain text.
    """
    if not _has_secure_address(resolver, host):
        return None
    try:
        answer = resolver.lookup(f"_{port}._tcp.{host}", "TLSA")
    except LookupUnavailable:
        raise
    except LookupFailure:
        return None
    if not answer.is_authentic:
        return None
    found = tuple(each for each in map(_parsed, answer.records[:RECORDS_MAX]) if each is not None)
    return tuple(each for each in found if each.is_usable)


def check(chain: Sequence[bytes], tlsa: Sequence[Tlsa], names: Sequence[str], now: datetime) -> None:
    """Raise DaneMismatch unless the chain (DER, the server's first) is what one record demands.

    names: what an authority's certificate may be issued for; a record of usage 3 needs no names or dates.
    """
    try:
        certificates = [x509.load_der_x509_certificate(der) for der in chain[:CHAIN_MAX]]
    except ValueError as error:
        raise DaneMismatch("the certificate cannot be read") from error
    if not certificates:
        raise DaneMismatch("the server showed no certificate")
    if any(each.usage == DANE_EE and _matches(each, certificates[0]) for each in tlsa):
        return
    anchors = [each for each in tlsa if each.usage == DANE_TA]
    if not anchors or not _leads_to_anchor(certificates, anchors, now):
        raise DaneMismatch("no TLSA record matches the certificate")
    if not _is_named(certificates[0], names):
        raise DaneMismatch("the certificate is for another name")


def _has_secure_address(resolver: AuthenticResolver, host: str) -> bool:
    """Say whether DNSSEC covers the server's addresses; where it does not, TLSA is not asked for (2.2.2)."""
    trouble: LookupUnavailable | None = None
    for record_type in ("A", "AAAA"):
        try:
            return resolver.lookup(host, record_type).is_authentic
        except LookupUnavailable as error:
            trouble = error
        except LookupFailure:
            continue
    if trouble is not None:
        raise trouble
    return False


def _parsed(text: str) -> Tlsa | None:
    try:
        usage, selector, matching, data = text.split(" ", 3)
        return Tlsa(int(usage), int(selector), int(matching), bytes.fromhex(data))
    except ValueError:
        return None


def _matches(record: Tlsa, certificate: x509.Certificate) -> bool:
    try:
        return record.matches(certificate)
    except (ValueError, UnsupportedAlgorithm):
        return False


def _leads_to_anchor(chain: Sequence[x509.Certificate], anchors: Sequence[Tlsa], now: datetime) -> bool:
    """Climb from the server's certificate, each signed by the next, to one that a record names."""
    current, rest = chain[0], [*chain[1:], *_given(anchors)]
    for _ in range(CHAIN_MAX):
        if not current.not_valid_before_utc <= now <= current.not_valid_after_utc:
            return False
        issuer = next((each for each in rest if _signed(each, current)), None)
        if issuer is None:
            return False
        if any(_matches(anchor, issuer) for anchor in anchors):
            return issuer.not_valid_before_utc <= now <= issuer.not_valid_after_utc
        rest.remove(issuer)
        current = issuer
    return False


def _given(anchors: Sequence[Tlsa]) -> list[x509.Certificate]:
    """Return the authorities that stand in the records themselves: their servers need not send them."""
    found = []
    for anchor in anchors:
        if anchor.selector == 0 and anchor.matching == 0:
            try:
                found.append(x509.load_der_x509_certificate(anchor.data))
            except ValueError:
                continue
    return found


def _signed(issuer: x509.Certificate, subject: x509.Certificate) -> bool:
    try:
        basic = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        subject.verify_directly_issued_by(issuer)
    except (x509.ExtensionNotFound, InvalidSignature, ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return basic.ca


def _is_named(certificate: x509.Certificate, names: Sequence[str]) -> bool:
    try:
        alternative = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        own = alternative.get_values_for_type(x509.DNSName)
    except (x509.ExtensionNotFound, ValueError):
        own = []
    return any(_fits(pattern.lower(), name.lower().rstrip(".")) for pattern in own for name in names)


def _fits(pattern: str, name: str) -> bool:
    if pattern.startswith("*."):
        return name.partition(".")[2] == pattern[2:]
    return pattern == name


def _key_of(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
