"""Rules, hashes, and the same work for everybody."""

import unicodedata
from collections.abc import Iterator

import pytest

from appliance.accounts import passwords
from appliance.errors import InvalidInput, TemporaryFailure
from appliance.settings import Passwords
from tests.unit.accounts.conftest import CHEAP


@pytest.fixture(autouse=True)
def _cheap() -> Iterator[None]:
    passwords.configure(CHEAP)
    yield
    passwords.configure(Passwords())


@pytest.mark.parametrize(
    ("password", "rule"),
    [
        ("short12", "at least 8 characters"),
        ("x" * 1025, "at most 1024 bytes"),
        ("ü" * 513, "at most 1024 bytes"),
        ("tab\tinside", "control"),
        ("null\0inside", "control"),
        (" " * 12, "blanks"),
    ],
)
def test_the_rule_that_is_broken_is_named_and_the_password_is_not(password: str, rule: str) -> None:
    with pytest.raises(InvalidInput, match=rule) as refusal:
        passwords.make_hash(password)
    assert password not in str(refusal.value)


@pytest.mark.parametrize("password", ["12345678", "x" * 1024, "pässwörd und mehr", "mit leer zeichen "])
def test_a_hash_recognises_its_password_only(password: str) -> None:
    made = passwords.make_hash(password)
    assert made.startswith("$argon2id$")
    assert passwords.verify(made, password).is_right
    assert not passwords.verify(made, password + "x").is_right
    assert not passwords.verify(made, "").is_right


def test_composed_and_decomposed_letters_are_the_same_password() -> None:
    made = passwords.make_hash(unicodedata.normalize("NFC", "schlüssel"))
    assert passwords.verify(made, unicodedata.normalize("NFD", "schlüssel")).is_right


def test_a_hash_of_another_cost_is_renewed_by_the_right_password_only() -> None:
    old = passwords.make_hash("correct horse")
    passwords.configure(Passwords(memory_kib=128, passes=2, lanes=1))
    assert passwords.verify(old, "wrong horse").renewed_hash is None
    renewed = passwords.verify(old, "correct horse").renewed_hash
    assert renewed is not None and "m=128,t=2,p=1" in renewed
    assert passwords.verify(renewed, "correct horse") == passwords.Verdict(True)


def test_nobodys_password_costs_one_comparison_like_anybodys(monkeypatch: pytest.MonkeyPatch) -> None:
    made = passwords.make_hash("correct horse")
    passwords.verify(made, "warm up")
    compared: list[str] = []
    hasher = passwords._hasher

    class Counting:
        def verify(self, password_hash: str, password: bytes) -> bool:
            compared.append(password_hash.rpartition("$")[0].rpartition("$")[0])  # algorithm and cost
            return hasher.verify(password_hash, password)

    monkeypatch.setattr(passwords, "_hasher", Counting())
    assert not passwords.verify(made, "wrong horse").is_right
    assert not passwords.verify(None, "wrong horse").is_right
    assert not passwords.verify(None, passwords._DUMMY_PASSWORD).is_right
    assert compared == [compared[0]] * 3


@pytest.mark.parametrize("stored", ["", "not a hash", "$argon2id$v=19$m=64", "$2b$12$abcdefghijklmnopqrstuv"])
def test_a_damaged_hash_opens_nothing(stored: str) -> None:
    try:
        assert not passwords.verify(stored, "correct horse").is_right
    except TemporaryFailure as failure:
        assert stored not in str(failure) or not stored


def test_the_default_cost_is_what_the_measurements_chose() -> None:
    passwords.configure(Passwords())
    assert "m=19456,t=2,p=1" in passwords.make_hash("correct horse")
