"""Lines that mail does not allow: shorter afterwards, and saying the same."""

from email import message_from_bytes
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.mime.long_lines import shortened

LONG = "words and ümlauts = " * 100


def longest(raw: bytes) -> int:
    return max(map(len, raw.split(b"\r\n")))


def message(body: bytes, *fields: str) -> bytes:
    return "\r\n".join(["From: a@b.example", *fields, "", ""]).encode() + body


def test_short_messages_are_the_same_bytes() -> None:
    raw = message(b"x" * 998 + b"\r\ny\r\n")
    assert shortened(raw) is raw


@pytest.mark.parametrize("kind", ["text/plain", "text/html"])
@pytest.mark.parametrize("encoding", [(), ("Content-Transfer-Encoding: 8bit",)])
def test_a_long_text(kind: str, encoding: tuple[str, ...]) -> None:
    raw = message(f"{LONG}\r\n.\r\n{LONG}\r\n".encode(), f"Content-Type: {kind}; charset=utf-8", *encoding)
    short = shortened(raw)
    assert longest(short) <= 76
    assert short.lower().count(b"content-transfer-encoding") == 1
    found = message_from_bytes(short, policy=default)
    assert found.get_payload(decode=True) == f"{LONG}\r\n.\r\n{LONG}\r\n".encode()
    assert found.get_content_type() == kind


def test_only_the_part_that_needs_it_changes() -> None:
    parts = [
        b"Content-Type: text/plain\r\n\r\nshort\r\n",
        b"Content-Type: text/html; charset=utf-8\r\n\r\n<p>" + LONG.encode() + b"\r\n",
        b'Content-Type: application/x-thing; name="a"\r\n\r\n' + bytes(range(32, 255)) * 9 + b"\r\n",
    ]
    body = b"--q\r\n" + b"--q\r\n".join(parts) + b"--q--\r\n"
    raw = message(body, "MIME-Version: 1.0", "Content-Type: multipart/mixed; boundary=q")
    short = shortened(raw)
    assert longest(short) <= 998
    before, after = (message_from_bytes(each, policy=default) for each in (raw, short))
    assert [part.get_payload(decode=True) for part in before.iter_parts()] == [  # type: ignore[attr-defined]
        part.get_payload(decode=True)
        for part in after.iter_parts()  # type: ignore[attr-defined]
    ]
    assert parts[0] in short


def test_what_is_signed_stays() -> None:
    body = b"--q\r\nContent-Type: text/plain\r\n\r\n" + b"x" * 1500 + b"\r\n--q\r\n\r\nsignature\r\n--q--\r\n"
    raw = message(body, "Content-Type: multipart/signed; boundary=q; protocol=application/pgp-signature")
    assert shortened(raw) == raw


def test_a_long_header_is_folded_and_says_the_same() -> None:
    people = ", ".join(f"Person Number {number} <p{number}@example.net>" for number in range(80))
    raw = message(b"hi\r\n", f"To: {people}", f"Subject: {'word ' * 400}end")
    short = shortened(raw)
    assert longest(short) <= 998
    before, after = (message_from_bytes(each, policy=default) for each in (raw, short))
    assert str(before["To"]) == str(after["To"]) and str(before["Subject"]) == str(after["Subject"])
    assert [name for name, _ in before.items()] == [name for name, _ in after.items()]


def test_one_word_that_long_is_left() -> None:
    raw = message(b"hi\r\n", "X-Key: " + "x" * 2000)
    assert message_from_bytes(shortened(raw))["X-Key"].strip() == "x" * 2000


@given(st.lists(st.sampled_from(["a" * 999, "b ", "\r\n", "\r\n\r\n", "To: ", "--q", "é", " "]), max_size=12))
def test_any_bytes_survive(pieces: list[str]) -> None:
    raw = "".join(pieces).encode()
    assert shortened(shortened(raw)) == shortened(raw)
