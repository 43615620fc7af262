"""S/MIME certificates of accounts: what may become one, and whose it is."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from appliance import db
from appliance.accounts import accounts, certificates
from appliance.errors import ApplianceError, Conflict, InvalidInput, NotFound, TooLarge
from appliance.items.account import Account
from tests.fakes.pki import NOW, TLS, Issued, authority, issue, person, usage
from tests.unit.accounts.conftest import PASSWORD

DAY = timedelta(days=1)
ROOT = issue(authority("root"))
ANNA = "anna@example.com"


def mine(**plan: object) -> Issued:
    return issue(person(ANNA, **plan), ROOT)


def kept(account: Account) -> list[bytes]:
    with db.connection():
        return [each.der for each in certificates.list_of(account.id)]


@pytest.mark.parametrize("form", ["der", "pem"])
def test_a_certificate_is_kept_as_der(anna: Account, form: str) -> None:
    issued = mine()
    added = certificates.add(anna.id, getattr(issued, form), now=NOW)
    assert kept(anna) == [issued.der]
    assert (added.valid_from, added.expires_at) == (issued.plan.begins, issued.plan.ends)


def test_the_one_that_lasts_longest_comes_first_and_twice_is_once(anna: Account) -> None:
    short, long = mine(ends=NOW + DAY), mine(ends=NOW + 90 * DAY)
    for issued in (short, long, short):
        certificates.add(anna.id, issued.der, now=NOW)
    assert kept(anna) == [long.der, short.der]


REFUSED: dict[str, tuple[str, Callable[[], bytes]]] = {
    "nothing": ("not an X.509", lambda: b""),
    "text": ("not an X.509", lambda: b"hello"),
    "cut off": ("not an X.509", lambda: mine().der[:-1]),
    "broken PEM": ("not an X.509", lambda: b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"),
    "expired": ("expired on 2026-03-01", lambda: mine(ends=NOW - DAY).der),
    "an authority's": ("authority", lambda: issue(authority(ANNA, mail=(ANNA,)), ROOT).der),
    "for servers": ("not for mail", lambda: mine(usages=TLS).der),
    "for signing only": ("only for signing", lambda: mine(key_usage=usage("digital_signature")).der),
    "somebody else's": ("is for bob@example.com", lambda: issue(person("bob@example.com"), ROOT).der),
    "nobody's": ("is for nobody", lambda: issue(person(ANNA, mail=()), ROOT).der),
    "almost hers": ("is for", lambda: issue(person("anna@example.com.example.net"), ROOT).der),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_would_be_of_no_use_is_refused_with_the_reason(anna: Account, name: str) -> None:
    reason, data = REFUSED[name]
    with pytest.raises(InvalidInput, match=reason):
        certificates.add(anna.id, data(), now=NOW)
    assert kept(anna) == []


def test_a_file_that_is_far_too_large_is_not_even_read(anna: Account) -> None:
    with pytest.raises(TooLarge):
        certificates.add(anna.id, bytes(certificates.SIZE_BYTES_MAX + 1), now=NOW)


def test_aliases_count_and_case_does_not(anna: Account) -> None:
    with pytest.raises(InvalidInput):
        certificates.add(anna.id, issue(person("Info@Example.com"), ROOT).der, now=NOW)
    accounts.add_alias(anna.id, "info@example.com")
    certificates.add(anna.id, issue(person("Info@Example.com"), ROOT).der, now=NOW)
    assert len(kept(anna)) == 1


def test_the_old_place_for_an_address_is_read() -> None:
    subject = x509.Name([x509.NameAttribute(NameOID.EMAIL_ADDRESS, "Anna@Example.COM")])
    issued = mine(mail=())
    builder = (
        x509.CertificateBuilder(subject, subject, issued.key.public_key(), 7, NOW, NOW + DAY)
        .sign(issued.key, issued.certificate.signature_hash_algorithm)  # type: ignore[arg-type]  # SHA-256
    )  # fmt: skip
    assert certificates.mail_addresses(builder) == [ANNA]


def test_one_for_tomorrow_is_taken_but_not_valid(anna: Account) -> None:
    added = certificates.add(anna.id, mine(begins=NOW + DAY).der, now=NOW)
    assert [added.is_valid(moment) for moment in (NOW, NOW + DAY)] == [False, True]


def test_there_is_a_limit_for_each_account(anna: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "PER_ACCOUNT_MAX", 2)
    first = mine()
    certificates.add(anna.id, first.der, now=NOW)
    certificates.add(anna.id, mine().der, now=NOW)
    with pytest.raises(Conflict, match="at most 2"):
        certificates.add(anna.id, mine().der, now=NOW)
    certificates.add(anna.id, first.der, now=NOW)  # it has that one


def test_nobody_touches_another_account_s(anna: Account) -> None:
    bob = accounts.create("bob@example.com", PASSWORD)
    added = certificates.add(anna.id, mine().der, now=NOW)
    with pytest.raises(NotFound):
        certificates.remove(bob.id, added.fingerprint)
    with db.connection():
        assert certificates.of_all([anna.id, bob.id]) == {anna.id: [added]}
        with pytest.raises(NotFound):
            certificates.by_fingerprint(bob.id, added.fingerprint.hex())
    certificates.remove(anna.id, added.fingerprint)
    assert kept(anna) == []


def test_a_fingerprint_may_be_shortened_and_have_colons(anna: Account) -> None:
    added = certificates.add(anna.id, mine().der, now=NOW)
    digits = added.fingerprint.hex().upper()
    with db.connection():
        for text in (digits, digits[:8], ":".join(digits[at : at + 2] for at in range(0, 64, 2))):
            assert certificates.by_fingerprint(anna.id, text) == added
        for text, error in ((digits[:7], InvalidInput), ("xyz" * 4, InvalidInput), ("0" * 64, NotFound)):
            with pytest.raises(error) as raised:
                certificates.by_fingerprint(anna.id, text)
            assert isinstance(raised.value, ApplianceError)
