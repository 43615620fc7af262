"""Who signs what leaves: the domain of its author when it is ours, and never for a stranger who says so."""

from datetime import UTC, datetime

import dkim
import pytest

from appliance import db, sealing
from appliance.accounts import accounts
from appliance.db.tables import DkimKey
from appliance.delivery import signing
from appliance.domains import dkim_keys
from appliance.mailauth import signer

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
OURS = ("example.test", "xn--bcher-kva.example")


@pytest.fixture(autouse=True, scope="module")
def quick_keys():
    """RSA keys take long; what is stored of them is not what is tested here."""
    made = {algorithm: signer.generate(algorithm) for algorithm in signer.ALGORITHMS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signer, "generate", made.__getitem__)
        yield


@pytest.fixture(autouse=True)
def domains(database):
    sealing.configure(database.data_dir)
    for name in OURS:
        accounts.add_domain(name)
        dkim_keys.ensure(name, now=NOW)


def letter(author, *, is_passed_on=False):
    head = f"From: {author}\r\n" if author else ""
    head = "Delivered-To: mia@example.test\r\n" + head if is_passed_on else head
    return f"{head}To: ada@example.net\r\nSubject: x\r\n\r\nHello\r\n".encode()


def signed_by(author, reverse_path="mia@example.test", body=b"", *, is_submitted=True, is_passed_on=False):
    """Return the domains of the good signatures, as a receiver sees them."""
    raw = letter(author, is_passed_on=is_passed_on) + body
    whole = signing.signature(raw, reverse_path, NOW, is_submitted=is_submitted) + raw
    found = dkim.DKIM(whole)
    with db.connection():
        records = {key.name: key.record for name in OURS for key in dkim_keys.listed(name)}
    good = []
    for number in range(whole.count(b"DKIM-Signature:")):
        assert found.verify(number, dnsfunc=lambda name, timeout: records[name.decode().rstrip(".")].encode())
        good.append(found.domain.decode())
    return good


@pytest.mark.parametrize(
    ("author", "reverse_path", "domain"),
    [
        ("Mia <mia@example.test>", "mia@example.test", "example.test"),
        ("mia@EXAMPLE.test", "", "example.test"),
        ("mailer-daemon@mail.example.test", "", "example.test"),
        ("a@bücher.example", "a@xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("ada@example.net", "list-bounces@example.test", "example.test"),
        ("", "mia@example.test", "example.test"),
    ],
)
def test_who_answers(author, reverse_path, domain):
    assert signed_by(author, reverse_path) == [domain, domain]


@pytest.mark.parametrize("is_submitted", [True, False])
@pytest.mark.parametrize(
    ("author", "reverse_path"),
    [
        ("ada@example.net", "ada@example.net"),
        ("ada@notexample.test", ""),
        ("mia@[192.0.2.1]", "@"),
        ("mia@test", "mia@" + "a." * 200 + "test"),
    ],
    ids=["a stranger", "another name", "no domains", "odd domains"],
)
def test_who_does_not(author, reverse_path, is_submitted):
    assert signing.signature(letter(author), reverse_path, NOW, is_submitted=is_submitted) == b""


@pytest.mark.parametrize("reverse_path", ["SRS0=abcd=XY=example.net=ada@example.test", "mia@example.test"])
def test_what_is_passed_on_for_others_is_signed_by_whom_it_comes_back_to(reverse_path):
    found = signed_by("ada@example.net", reverse_path, is_submitted=False, is_passed_on=True)
    assert found == ["example.test", "example.test"]


@pytest.mark.parametrize("author", ["ceo@example.test", "mailer-daemon@mail.example.test"])
@pytest.mark.parametrize("reverse_path", ["SRS0=a=b=example.net=x@example.test", "ceo@example.test", ""])
def test_a_stranger_who_says_he_is_one_of_us_is_not_vouched_for(author, reverse_path):
    raw = letter(author, is_passed_on=True)
    assert signing.signature(raw, reverse_path, NOW, is_submitted=False) == b""
    assert signed_by(author, reverse_path, is_submitted=True, is_passed_on=True), "our own list mail is"


def test_a_large_message_is_signed_beside_the_hub():
    body = b"a line of a large message\r\n" * (2 * signing.OFFLOAD_BYTES_MIN // 27)
    assert signed_by("mia@example.test", body=body) == ["example.test", "example.test"]


def test_a_key_that_cannot_be_opened_holds_nothing_up(tmp_path_factory, caplog):
    dkim_keys._opened.cache_clear()
    sealing.configure(tmp_path_factory.mktemp("elsewhere"))
    assert signing.signature(letter("mia@example.test"), "", NOW, is_submitted=True) == b""
    assert "restore keys/secrets.key" in caplog.text


def test_a_domain_without_keys():
    db.transaction(DkimKey.delete().execute)()
    assert signing.signature(letter("mia@example.test"), "", NOW, is_submitted=True) == b""
