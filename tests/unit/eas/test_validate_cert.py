"""ValidateCert: every status, one certificate not disturbing the others, nothing fetched."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from appliance.accounts import certificate_chain, trust_anchors
from appliance.accounts.certificate_chain import Verdict
from appliance.eas.commands.validate_cert import CERTIFICATES_MAX, STATUS_OF, Status
from appliance.wbxml.codepages import ValidateCert as Tags
from appliance.wbxml.element import Element
from tests.covers import covers
from tests.fakes.pki import NOW, TLS, Issued, authority, issue, key_of, person, revoke
from tests.unit.eas.world import Phone

ANNA = "anna@example.com"
DAY = timedelta(days=1)
ROOT = issue(authority("root"))
MIDDLE = issue(authority("middle"), ROOT)
GOOD = issue(person(ANNA), MIDDLE)
WHERE = x509.CRLDistributionPoints(
    [x509.DistributionPoint([x509.UniformResourceIdentifier("http://192.0.2.1/a")], None, None, None)]
)


@pytest.fixture(autouse=True)
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of trusted files with one root in it, and no system."""
    monkeypatch.setattr(trust_anchors, "_system_bundle", lambda: None)
    folder = tmp_path / "tls" / "trusted"
    folder.mkdir(parents=True)
    (folder / "root.pem").write_bytes(ROOT.pem)
    trust_anchors.configure(tmp_path)
    yield folder
    monkeypatch.setattr(trust_anchors, "_directory", None)
    monkeypatch.setattr(trust_anchors, "_known", None)


def text(issued: Issued | str) -> str:
    return issued if isinstance(issued, str) else b64encode(issued.der).decode()


def document(
    *wanted: Issued | str, chain: Sequence[Issued | str] = (MIDDLE,), check: object = None
) -> Element:
    return Tags.ValidateCert(
        Tags.CertificateChain([Tags.Certificate(text(each)) for each in chain]) if chain else None,
        Tags.Certificates([Tags.Certificate(text(each)) for each in wanted]),
        Tags.CheckCRL(check) if check is not None else None,  # type: ignore[arg-type]
    )


def judged(phone: Phone, *wanted: Issued | str, **rest: object) -> list[int]:
    answer = phone.asked("ValidateCert", document(*wanted, **rest))  # type: ignore[arg-type]
    assert answer.int_of(Tags.Status) == Status.SUCCESS
    return [each.int_of(Tags.Status, 0) for each in answer.find_all(Tags.Certificate)]


CASES: dict[str, tuple[Status, Issued | str, Sequence[Issued | str]]] = {
    "good": (Status.SUCCESS, GOOD, [MIDDLE]),
    "forged": (Status.BAD_SIGNATURE, issue(person(ANNA), MIDDLE, signed_with=key_of("fake")), [MIDDLE]),
    "no chain": (Status.UNTRUSTED, GOOD, []),
    "a root of its own": (Status.UNTRUSTED, issue(person(ANNA), own := issue(authority("own"))), [own]),
    "a chain that cannot be read": (Status.BROKEN_CHAIN, GOOD, ["AAAA"]),
    "for servers": (Status.NOT_FOR_SIGNING_MAIL, issue(person(ANNA, usages=TLS), MIDDLE), [MIDDLE]),
    "expired": (Status.OUT_OF_DATE, issue(person(ANNA, ends=NOW - DAY), MIDDLE), [MIDDLE]),
    "below an expired one": (
        Status.CHAIN_OUT_OF_DATE,
        issue(person(ANNA), old := issue(authority("old", ends=NOW - DAY), ROOT)),
        [old],
    ),
    "below one for servers": (
        Status.MISUSED, issue(person(ANNA), web := issue(authority("web", usages=TLS), ROOT)), [web],
    ),
    "not base64": (Status.UNREADABLE, "%%%", [MIDDLE]),
    "base64 of something else": (Status.UNREADABLE, b64encode(b"hello").decode(), [MIDDLE]),
    "cut off": (Status.UNREADABLE, b64encode(GOOD.der[:-7]).decode(), [MIDDLE]),
    "empty": (Status.UNREADABLE, "", [MIDDLE]),
    "far too large": (Status.UNREADABLE, "A" * 70_000, [MIDDLE]),
    "an authority": (Status.WRONG_ROLE, MIDDLE, []),
}  # fmt: skip


@covers("MS-ASCMD_R4474", "MS-ASCMD_R4479", "MS-ASCMD_R4482", "MS-ASCMD_R4485", "MS-ASCMD_R4488")
@covers("MS-ASCMD_R4491", "MS-ASCMD_R4494", "MS-ASCMD_R4497", "MS-ASCMD_R4500", "MS-ASCMD_R4504")
@pytest.mark.parametrize("name", CASES)
def test_each_fault_has_its_status(phone: Phone, name: str) -> None:
    status, wanted, chain = CASES[name]
    assert judged(phone, wanted, chain=chain) == [status]


@covers("MS-ASCMD_R5387")
def test_certificates_are_answered_in_their_order_and_for_themselves(phone: Phone) -> None:
    some = ["for servers", "good", "not base64", "good", "forged"]
    assert judged(phone, *(CASES[name][1] for name in some)) == [CASES[name][0] for name in some]


def test_white_space_in_base64_does_not_count(phone: Phone) -> None:
    lines = GOOD.pem.decode().splitlines()[1:-1]
    assert judged(phone, "\r\n".join(lines)) == [Status.SUCCESS]


@covers("MS-ASCMD_R893", "MS-ASCMD_R895")
@pytest.mark.parametrize(("check", "statuses"), [(None, [1, 1]), (0, [1, 1]), (1, [16, 14]), ("", [16, 14])])
def test_an_unknown_revocation_counts_only_with_check_crl(
    phone: Phone, check: object, statuses: list[int]
) -> None:
    with_source = issue(person(ANNA, extra=[(WHERE, False)]), MIDDLE)
    assert judged(phone, GOOD, with_source, check=check) == statuses


def test_lists_beside_the_trusted_ones_are_believed(phone: Phone, trusted: Path) -> None:
    def put(name: str, revoked: x509.CertificateRevocationList) -> None:
        (trusted / name).write_bytes(revoked.public_bytes(Encoding.DER))

    put("root.crl", revoke(ROOT))
    put("middle.crl", revoke(MIDDLE))
    assert judged(phone, GOOD, check=1) == [Status.SUCCESS]
    put("middle.crl", revoke(MIDDLE, GOOD))
    assert judged(phone, GOOD) == [Status.REVOKED]
    put("middle.crl", revoke(MIDDLE))
    put("root.crl", revoke(ROOT, MIDDLE))
    assert judged(phone, GOOD) == [Status.CHAIN_REVOKED]


def test_trust_is_taken_back_at_once(phone: Phone, trusted: Path) -> None:
    assert judged(phone, GOOD) == [Status.SUCCESS]
    (trusted / "root.pem").unlink()
    assert judged(phone, GOOD) == [Status.UNTRUSTED]


def test_a_surprise_costs_only_its_own_certificate(phone: Phone, monkeypatch: pytest.MonkeyPatch) -> None:
    original = certificate_chain.check

    def surprising(certificate: x509.Certificate, *rest: object, **more: object) -> Verdict:
        if certificate == MIDDLE.certificate:
            raise RuntimeError("nobody thought of this")
        return original(certificate, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(certificate_chain, "check", surprising)
    assert judged(phone, GOOD, MIDDLE, GOOD) == [1, Status.UNKNOWN_ERROR, 1]


def test_every_verdict_has_a_status_of_its_own() -> None:
    assert set(STATUS_OF) == set(Verdict)
    assert len(set(STATUS_OF.values())) == len(Verdict)


@covers("MS-ASCMD_R4476", "MS-ASCMD_R5662")
@pytest.mark.parametrize(
    "asked",
    [
        Tags.ValidateCert(),
        Tags.ValidateCert(Tags.Certificates()),
        Tags.ValidateCert(Tags.CertificateChain(Tags.Certificate(text(GOOD)))),
        document(GOOD, check=2),
        document(GOOD, check="yes"),
        document(*["AAAA"] * (CERTIFICATES_MAX + 1), chain=()),
        document("AAAA", chain=["AAAA"] * CERTIFICATES_MAX),
        Tags.Certificates(Tags.Certificate(text(GOOD))),
    ],
)
def test_a_wrong_request_is_a_protocol_error(phone: Phone, asked: Element | bytes) -> None:
    answer = phone.asked("ValidateCert", asked)
    assert [(child.tag, child.text) for child in answer] == [(Tags.Status, "2")]


def test_as_many_as_allowed_are_answered(phone: Phone) -> None:
    assert judged(phone, *["AAAA"] * CERTIFICATES_MAX, chain=()) == [Status.UNREADABLE] * CERTIFICATES_MAX
