"""DKIM: signatures made by another hand, every way they can be wrong, and what one costs."""

import random
import time
from collections.abc import Iterator

import pytest

from appliance.mailauth import dkim
from appliance.mailauth.letter import Letter
from tests.fixtures.signer import Signer, relaxed_body, simple_body

RAW = (
    b"From: Ada <ada@example.net>\r\nTo: mia@example.com\r\nSubject: plans\r\n  for May\r\n"
    b"\r\nHello  Mia,\t \r\n\r\n   two   lines\t\r\n\r\n\r\n"
)
SIGNER = Signer("example.net")


def verified(raw: bytes, **records: list[str] | None) -> list[dkim.DkimResult]:
    """Verify with the keys of SIGNER; records: by selector, instead of what SIGNER publishes."""
    letter = Letter(raw)
    known = {
        name: records.get(name.partition(".")[0], [SIGNER.record] if name == SIGNER.name else [])
        for name in dkim.key_names(letter)
    }
    return dkim.verify(letter, known)


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
@pytest.mark.parametrize("simple", [False, True])
def test_a_good_signature_passes(kind: str, simple: bool) -> None:
    signer = Signer("example.net", "s2", kind)
    (found,) = verified(signer.sign(RAW, simple=simple), s2=[signer.record])
    assert found == dkim.DkimResult("pass", "example.net", "s2")


@pytest.mark.parametrize(
    ("old", "new", "result"),
    [
        (b"two   lines", b"two lines", "pass"),  # what the relaxed form does not see
        (b"Subject: plans\r\n  for", b"Subject:   plans for", "pass"),
        (b"two   lines", b"three lines", "fail"),
        (b"for May", b"for June", "fail"),
        (b"To: mia", b"To: eve", "fail"),
        (b"a=rsa-sha256", b"a=rsa-sha1", "permerror"),
        (b"v=1", b"v=2", "permerror"),
        (b"d=example.net", b"d=example.org", "permerror"),
        (b"s=s1", b"s=../etc", "permerror"),
        (b"c=relaxed/relaxed", b"c=loose", "permerror"),
        (b"h=from:", b"h=", "fail"),
        (b"bh=", b"xx=", "permerror"),
        (b"; b=", b"; b=!", "permerror"),
        (b"v=1", b"v=1; x=1000000", "permerror"),
        (b"v=1", b"v=1; v=1", "permerror"),
    ],
)
def test_what_was_changed(old: bytes, new: bytes, result: str) -> None:
    signed = SIGNER.sign(RAW)
    assert old in signed
    (found,) = verified(signed.replace(old, new, 1))
    assert found.result == result
    assert found.result == "pass" or found.reason


def test_a_second_from_breaks_the_signature() -> None:
    signed = SIGNER.sign(RAW).replace(b"From:", b"From: boss@example.com\r\nFrom:", 1)
    assert [found.result for found in verified(signed)] == ["fail"]


@pytest.mark.parametrize(
    ("record", "result"),
    [
        (None, "temperror"),
        ([], "permerror"),
        (["v=DKIM1; p="], "permerror"),
        (["v=DKIM1; k=rsa; p=AAAA"], "permerror"),
        (["v=DKIM1; k=rsa; p=%%%"], "permerror"),
        (["v=DKIM2; " + SIGNER.record.partition(" ")[2]], "permerror"),
        (["not a key", SIGNER.record], "pass"),
        ([SIGNER.record.replace("k=rsa", "k=dsa")], "permerror"),
        ([SIGNER.record + "; h=sha1"], "permerror"),
        ([SIGNER.record + "; h=sha1:sha256"], "pass"),
        ([SIGNER.record + "; s=tlsrpt"], "permerror"),
        ([SIGNER.record + "; s=*; t=y"], "pass"),
        ([Signer("example.net", kind="ed25519").record], "permerror"),
        ([Signer("example.net", bits=3072).record], "fail"),
    ],
)
def test_what_the_dns_says(record: list[str] | None, result: str) -> None:
    (found,) = verified(SIGNER.sign(RAW), s1=record)
    assert found.result == result


def test_a_key_may_forbid_identities_below_it() -> None:
    signed = SIGNER.sign(RAW, extra=" i=ada@mail.example.net;")
    assert verified(signed)[0].result == "pass"
    assert verified(signed, s1=[SIGNER.record + "; t=s"])[0].result == "permerror"


def test_small_keys_do_not_count() -> None:
    small = Signer("example.net", "s2", bits=1024)
    assert verified(small.sign(RAW), s2=[small.record])[0].result == "pass"


def test_what_is_added_behind_a_part_that_was_signed_is_not_vouched_for() -> None:
    whole = len(relaxed_body(RAW.partition(b"\r\n\r\n")[2]))
    assert verified(SIGNER.sign(RAW, length=whole))[0].result == "pass"
    longer = SIGNER.sign(RAW, length=whole) + b"Buy now!\r\n"
    assert verified(longer)[0].result == "policy"
    assert verified(SIGNER.sign(RAW, length=0))[0].result == "policy"


def test_signatures_are_counted_from_the_top_and_limited() -> None:
    signed = RAW
    for _ in range(dkim.SIGNATURES_MAX + 5):
        signed = SIGNER.sign(signed)
    assert [found.result for found in verified(signed)] == ["pass"] * dkim.SIGNATURES_MAX
    other = Signer("example.org", "s2")
    both = other.sign(SIGNER.sign(RAW))
    assert [(r.domain, r.result) for r in verified(both)] == [
        ("example.org", "permerror"),
        ("example.net", "pass"),
    ]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\r\n",
        b"\r\nDKIM-Signature: v=1; d=example.net; s=s1\r\n",
        b"DKIM-Signature:\r\n\r\n",
        b"DKIM-Signature: \xff\xfe=1;;;\r\n\r\n",
        b" folded first\r\nDKIM-Signature: v=1\r\n\r\n",
        b"no colon here\r\nDKIM-Signature: v=1; d=example.net; s=s1\r\n\r\n",
        b"DKIM-Signature: v=1; a=rsa-sha256; d=; s=; h=; bh=; b=\r\n\r\n",
        b"DKIM-Signature: v=1" + b"; x=y" * 10_000 + b"\r\n\r\n",
    ],
)
def test_nonsense_is_never_a_pass_and_never_raises(raw: bytes) -> None:
    assert all(found.result == "permerror" for found in verified(raw))


def test_any_damage_is_never_a_pass_and_never_raises() -> None:
    signed, dice = SIGNER.sign(RAW), random.Random(7)
    end = signed.index(b"\r\n\r\n")
    for _ in range(300):
        place = dice.randrange(end)
        damaged = signed[:place] + bytes([dice.randrange(256)]) + signed[place + 1 :]
        for found in verified(damaged):
            assert found.result != "pass" or is_same_to_the_signer(damaged, signed)


@pytest.mark.parametrize(
    "body",
    [
        b"x" * 4_000_000,
        b" " * 900_000 + b"x\r\n",
        b"\r\n" * 1_000_000,
        b" \t" * 400_000 + b"\r\n",
        (b"a" + b" " * 70 + b"\r\n") * 40_000,
    ],
)
@pytest.mark.parametrize("simple", [False, True])
def test_no_body_takes_long(body: bytes, simple: bool) -> None:
    # The library alone takes minutes for a run of blanks; the bound is a hundred times what is needed.
    raw = b"From: a@example.net\r\n\r\n" + body
    signed = SIGNER.sign(raw, simple=simple)
    began = time.process_time()
    assert verified(signed)[0].result == "pass"
    assert time.process_time() - began < 20


@pytest.mark.parametrize("value", [b"; b=" + b" " * 60_000 + b"!", b"v=1; b=" + b"\r\n " * 1_500 + b"!"])
def test_no_field_takes_long(value: bytes) -> None:
    raw = b"DKIM-Signature: v=1; a=rsa-sha256; d=example.net; s=s1; h=from; bh=AA=" + value + b"\r\n" + RAW
    began = time.process_time()
    assert verified(raw)[0].result == "permerror"
    assert time.process_time() - began < 20


@pytest.mark.parametrize(
    "body", [b"", b"\r\n", b"\r\n\r\n", b"a", b"a\r\n", b" \r\n", b"a \r\n\r\n \t\r\n", b"a\tb  c"]
)
def test_bodies_have_the_canonical_forms_of_the_rfc(body: bytes) -> None:
    letter = Letter(b"A: b\r\n\r\n" + body)
    relaxed = b"".join(letter._canonical(is_relaxed=True))
    assert (b"".join(letter._canonical(is_relaxed=False)), relaxed) == (simple_body(body), relaxed_body(body))


def test_pieces_do_not_show() -> None:
    body = b"".join(b"line %d  \t\r\n" % n for n in range(60_000)) + b"\r\n \r\n"
    letter = Letter(b"A: b\r\n\r\n" + body)
    assert b"".join(letter._canonical(is_relaxed=True)) == relaxed_body(body)
    assert b"".join(letter._canonical(is_relaxed=False)) == simple_body(body)


def is_same_to_the_signer(one: bytes, other: bytes) -> bool:
    """Say whether the relaxed form hides the difference: blanks, letter case of names, what is not signed."""

    def form(raw: bytes) -> list[bytes]:
        header = raw.partition(b"\r\n\r\n")[0].lower().replace(b"\r\n", b"")
        return header.split()

    return form(one) == form(other)


def test_however_many_parts_are_signed_the_body_is_read_once_for_each_form() -> None:
    signed = RAW
    for length in range(4):
        signed = SIGNER.sign(SIGNER.sign(signed, length=length), simple=True, length=length)
    letter = Letter(signed)
    passes = []
    canonical = letter._canonical

    def counted(*, is_relaxed: bool) -> Iterator[bytes]:
        passes.append(is_relaxed)
        return canonical(is_relaxed=is_relaxed)

    letter._canonical = counted  # type: ignore[method-assign]
    found = dkim.verify(letter, {SIGNER.name: [SIGNER.record]})
    assert [one.result for one in found] == ["policy"] * 8
    assert sorted(passes) == [False, True]


def test_a_length_beyond_the_body_fails() -> None:
    assert verified(SIGNER.sign(RAW, length=10_000))[0].result == "fail"
