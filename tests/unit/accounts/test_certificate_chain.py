"""Every way in which a mail certificate can be right or wrong. Source: RFC 5280 6.1, RFC 8550 4."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import RFC822Name as Mailbox
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from appliance.accounts import certificate_chain
from appliance.accounts.certificate_chain import Anchors, Verdict
from tests.fakes.pki import NOW, TLS, Issued, authority, issue, key_of, person, revoke, usage

DAY = timedelta(days=1)
ANNA = "anna@example.com"
VECTORS = Path(__file__).parents[2] / "vectors" / "certificates"
ROOT = issue(authority("root"))
MIDDLE = issue(authority("middle"), ROOT)
UNKNOWN_CRITICAL = (
    x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55555.1"), b"\x05\x00"),
    True,
)
WHERE = (
    x509.CRLDistributionPoints(
        [
            x509.DistributionPoint(
                [x509.UniformResourceIdentifier("http://crl.example.net/a")], None, None, None
            )
        ]
    ),
    False,
)


def access(method: x509.ObjectIdentifier) -> tuple[x509.ExtensionType, bool]:
    where = x509.UniformResourceIdentifier("http://ca.example.net/")
    return x509.AuthorityInformationAccess([x509.AccessDescription(method, where)]), False


def constraints(
    permitted: Sequence[x509.GeneralName] | None = None, excluded: Sequence[x509.GeneralName] | None = None
) -> tuple[x509.ExtensionType, bool]:
    return x509.NameConstraints(permitted, excluded), True


@dataclass
class Chain:
    """A certificate, what the client sends along, and who is trusted."""

    person: Issued
    offered: Sequence[Issued] = (MIDDLE,)
    trusted: Sequence[Issued] = (ROOT,)
    revoked: Sequence[x509.CertificateRevocationList] = ()

    def judge(self, *, now: datetime = NOW, needs_revocation: bool = False) -> Verdict:
        anchors = Anchors.of([each.certificate for each in self.trusted], self.revoked)
        offered = [each.certificate for each in self.offered]
        return certificate_chain.check(
            self.person.certificate, offered, anchors, now, needs_revocation=needs_revocation
        )


def below(middle: Issued, **plan: object) -> Chain:
    return Chain(issue(person(ANNA, **plan), middle), [middle])


def middle(**plan: object) -> Issued:
    return issue(authority("middle", **plan), ROOT)


def deep(length: int) -> Chain:
    links = [ROOT]
    for number in range(length):
        links.append(issue(authority(f"link {number}"), links[-1]))
    return Chain(issue(person(ANNA), links[-1]), list(reversed(links[1:])))


GOOD: dict[str, Callable[[], Chain]] = {
    "directly below the root": lambda: Chain(issue(person(ANNA), ROOT), ()),
    "below an authority": lambda: below(MIDDLE),
    "the client sends the root too": lambda: Chain(issue(person(ANNA), MIDDLE), [ROOT, MIDDLE]),
    "the authority itself is trusted": lambda: Chain(issue(person(ANNA), MIDDLE), (), (MIDDLE,)),
    "a person who is trusted by name": lambda: Chain(me := issue(person(ANNA)), (), (me,)),
    "no extended key usage": lambda: below(MIDDLE, usages=None),
    "any extended key usage": lambda: below(MIDDLE, usages=[ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]),
    "no key usage": lambda: below(MIDDLE, key_usage=None),
    "only content commitment": lambda: below(MIDDLE, key_usage=usage("content_commitment")),
    "no basic constraints": lambda: below(MIDDLE, ca=None),
    "no key identifiers": lambda: below(middle(key_ids=False), key_ids=False),
    "path length that is kept": lambda: below(middle(path_length=0)),
    "as deep as allowed": lambda: deep(certificate_chain.DEPTH_MAX - 2),
    "an address that is permitted": lambda: below(middle(extra=[constraints([Mailbox("example.com")])])),
    "an address below a domain": lambda: below(
        middle(extra=[constraints([Mailbox(".example.com")])]), mail=("anna@a.example.com",)
    ),
    "an address of its own": lambda: below(middle(extra=[constraints([Mailbox(ANNA)])])),
    "constraints on names it has not": lambda: below(
        middle(extra=[constraints([x509.DNSName("example.net")])])
    ),
    "two of one name, one of them ours": lambda: Chain(
        issue(person(ANNA, key_ids=False), MIDDLE),
        [issue(authority("middle", key="another", key_ids=False), ROOT), MIDDLE],
    ),
    "two paths, one of them expired": lambda: Chain(
        issue(person(ANNA), MIDDLE), [issue(authority("middle", ends=NOW - DAY), ROOT), MIDDLE]
    ),
}  # fmt: skip

BAD: dict[str, tuple[Verdict, Callable[[], Chain]]] = {
    "nobody trusted": (Verdict.UNTRUSTED, lambda: Chain(issue(person(ANNA), MIDDLE), [MIDDLE], ())),
    "the link is missing": (Verdict.UNTRUSTED, lambda: Chain(issue(person(ANNA), MIDDLE), ())),
    "self-signed": (Verdict.UNTRUSTED, lambda: Chain(issue(person(ANNA)))),
    "a root of the client's own": (
        Verdict.UNTRUSTED,
        lambda: Chain(issue(person(ANNA), own := issue(authority("own"))), [own]),
    ),
    "another root of the same name": (
        Verdict.UNTRUSTED,
        lambda: Chain(issue(person(ANNA), issue(authority("root", key="fake"))), ()),
    ),
    "signed by somebody else": (
        Verdict.BAD_SIGNATURE,
        lambda: Chain(issue(person(ANNA), MIDDLE, signed_with=key_of("fake"))),
    ),
    "self-signed, but not by itself": (
        Verdict.BAD_SIGNATURE,
        lambda: Chain(issue(person(ANNA), signed_with=key_of("fake")), ()),
    ),
    "an authority not signed by the root": (
        Verdict.BAD_SIGNATURE,
        lambda: below(issue(authority("middle"), ROOT, signed_with=key_of("fake"))),
    ),
    "path length that is passed": (
        Verdict.BROKEN_CHAIN,
        lambda: Chain(
            issue(person(ANNA), lower := issue(authority("lower"), upper := middle(path_length=0))),
            [lower, upper],
        ),
    ),
    "too deep": (Verdict.BROKEN_CHAIN, lambda: deep(certificate_chain.DEPTH_MAX - 1)),
    "only for servers": (Verdict.NOT_FOR_MAIL, lambda: below(MIDDLE, usages=TLS)),
    "only for encryption": (Verdict.NOT_FOR_MAIL, lambda: below(MIDDLE, key_usage=usage("key_encipherment"))),
    "expired": (Verdict.OUT_OF_DATE, lambda: below(MIDDLE, ends=NOW - DAY)),
    "not valid yet": (Verdict.OUT_OF_DATE, lambda: below(MIDDLE, begins=NOW + DAY)),
    "an expired authority": (Verdict.CHAIN_OUT_OF_DATE, lambda: below(middle(ends=NOW - DAY))),
    "an authority of tomorrow": (Verdict.CHAIN_OUT_OF_DATE, lambda: below(middle(begins=NOW + DAY))),
    "an expired root": (
        Verdict.CHAIN_OUT_OF_DATE,
        lambda: Chain(issue(person(ANNA), old := issue(authority("old", ends=NOW - DAY))), (), (old,)),
    ),
    "an authority that may not sign certificates": (
        Verdict.MISUSED, lambda: below(middle(key_usage=usage("digital_signature"))),
    ),
    "an authority for servers": (Verdict.MISUSED, lambda: below(middle(usages=TLS))),
    "an unknown demand": (Verdict.MISUSED, lambda: below(MIDDLE, extra=[UNKNOWN_CRITICAL])),
    "an authority with an unknown demand": (Verdict.MISUSED, lambda: below(middle(extra=[UNKNOWN_CRITICAL]))),
    "an address that is not permitted": (
        Verdict.MISUSED, lambda: below(middle(extra=[constraints([Mailbox("example.net")])])),
    ),
    "an address that is excluded": (
        Verdict.MISUSED, lambda: below(middle(extra=[constraints(None, [Mailbox("example.com")])])),
    ),
    "a host is not the domains below it": (
        Verdict.MISUSED,
        lambda: below(
            middle(extra=[constraints([Mailbox("example.com")])]), mail=("anna@a.example.com",)
        ),
    ),
    "a name of a kind that is constrained": (
        Verdict.MISUSED,
        lambda: below(middle(extra=[constraints([x509.DNSName("example.com")])]), dns=("a.example.com",)),
    ),
    "an authority as a person": (Verdict.WRONG_ROLE, lambda: Chain(MIDDLE, ())),
    "a person as an authority": (
        Verdict.WRONG_ROLE, lambda: below(issue(person("bob@example.com"), ROOT)),
    ),
    "an authority without the CA flag": (Verdict.WRONG_ROLE, lambda: below(middle(ca=False))),
    "an authority without basic constraints": (Verdict.WRONG_ROLE, lambda: below(middle(ca=None))),
    "a trusted one that is no authority": (
        Verdict.WRONG_ROLE,
        lambda: Chain(issue(person(ANNA), bob := issue(person("bob@example.com"))), (), (bob,)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_good_chains(name: str) -> None:
    assert GOOD[name]().judge() is Verdict.VALID


@pytest.mark.parametrize("name", BAD)
def test_bad_chains(name: str) -> None:
    verdict, chain = BAD[name]
    assert chain().judge() is verdict


def test_the_order_of_what_is_offered_does_not_matter() -> None:
    chain = deep(3)
    assert chain.judge() is Verdict.VALID
    chain.offered = list(reversed(chain.offered))
    assert chain.judge() is Verdict.VALID


def test_both_ends_of_the_validity_period_belong_to_it() -> None:
    chain = below(middle(ends=NOW + 900 * DAY), begins=NOW, ends=NOW + DAY)
    second = timedelta(seconds=1)
    moments = [NOW - second, NOW, NOW + DAY, NOW + DAY + second]
    assert [chain.judge(now=moment) for moment in moments] == [
        Verdict.OUT_OF_DATE, Verdict.VALID, Verdict.VALID, Verdict.OUT_OF_DATE,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "verdict"), [("002-person-sha1", Verdict.BAD_SIGNATURE), ("003-person-sha256", Verdict.VALID)]
)
def test_a_weak_hash_proves_nothing(name: str, verdict: Verdict) -> None:
    root, me = (
        x509.load_pem_x509_certificate((VECTORS / f"{each}.pem").read_bytes()) for each in ("001-root", name)
    )
    moment = me.not_valid_before_utc + DAY
    assert certificate_chain.check(me, [], Anchors.of([root]), moment, needs_revocation=False) is verdict


def test_a_damaged_extension_makes_it_unreadable() -> None:
    san = x509.UnrecognizedExtension(x509.ExtensionOID.BASIC_CONSTRAINTS, b"\x04\x01\x00")
    chain = below(MIDDLE, ca=None, extra=[(san, False)])
    assert chain.judge() is Verdict.UNREADABLE


def test_a_hundred_authorities_of_one_name_cost_a_bounded_effort(monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = [
        issue(authority("middle", key=f"crowd {number % 7}", serial=number + 1, key_ids=False), ROOT)
        for number in range(100)
    ]
    chain = Chain(issue(person(ANNA, key_ids=False), MIDDLE), crowd)
    count = 0
    original = certificate_chain._is_signed_by

    def counting(*arguments: object) -> bool:
        nonlocal count
        count += 1
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(certificate_chain, "_is_signed_by", counting)
    assert chain.judge() is Verdict.BROKEN_CHAIN
    assert count == certificate_chain.SIGNATURES_MAX


def test_authorities_that_vouch_for_each_other_end() -> None:
    first = issue(authority("first", key_ids=False), issue(authority("second", key_ids=False)))
    second = issue(authority("second", key_ids=False), first)
    assert Chain(issue(person(ANNA), first), [first, second]).judge() is Verdict.UNTRUSTED


# --- revocation -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("extra", "verdict"),
    [
        ([], Verdict.REVOCATION_UNKNOWN),
        ([WHERE], Verdict.REVOCATION_UNREACHABLE),
        ([access(AuthorityInformationAccessOID.OCSP)], Verdict.REVOCATION_UNREACHABLE),
        ([access(AuthorityInformationAccessOID.CA_ISSUERS)], Verdict.REVOCATION_UNKNOWN),
    ],
)
def test_an_unknown_status_counts_only_when_asked(
    extra: list[tuple[x509.ExtensionType, bool]], verdict: Verdict
) -> None:
    chain = below(MIDDLE, extra=extra)
    assert chain.judge() is Verdict.VALID
    assert chain.judge(needs_revocation=True) is verdict


def test_a_trusted_person_needs_no_list() -> None:
    me = issue(person(ANNA, extra=[WHERE]))
    assert Chain(me, (), (me,)).judge(needs_revocation=True) is Verdict.VALID


@pytest.mark.parametrize("needs_revocation", [True, False])
def test_lists_at_hand_always_count(needs_revocation: bool) -> None:
    def judge(*lists: x509.CertificateRevocationList) -> Verdict:
        return Chain(me, [MIDDLE], revoked=lists).judge(needs_revocation=needs_revocation)

    me = issue(person(ANNA), MIDDLE)
    assert judge(revoke(MIDDLE), revoke(ROOT)) is Verdict.VALID
    assert judge(revoke(MIDDLE, me), revoke(ROOT)) is Verdict.REVOKED
    assert judge(revoke(MIDDLE), revoke(ROOT, MIDDLE)) is Verdict.CHAIN_REVOKED


@pytest.mark.parametrize("name", ["expired", "of tomorrow", "of another", "forged", "partial"])
def test_a_list_that_does_not_speak_for_the_issuer_says_nothing(name: str) -> None:
    me = issue(person(ANNA), MIDDLE)
    partial = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(MIDDLE.certificate.subject)
        .last_update(NOW - DAY)
        .next_update(NOW + DAY)
        .add_extension(x509.DeltaCRLIndicator(1), critical=True)
        .sign(MIDDLE.key, hashes.SHA256())
    )
    lists = {
        "expired": revoke(MIDDLE, me, begins=NOW - 30 * DAY),
        "of tomorrow": revoke(MIDDLE, me, begins=NOW + DAY),
        "of another": revoke(ROOT, me),
        "forged": revoke(issue(authority("middle", key="fake"), ROOT), me),
        "partial": partial,
    }
    chain = Chain(me, [MIDDLE], revoked=[lists[name], revoke(ROOT)])
    assert chain.judge() is Verdict.VALID
    assert chain.judge(needs_revocation=True) is Verdict.REVOCATION_UNKNOWN
