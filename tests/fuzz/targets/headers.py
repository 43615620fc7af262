"""Header fields: the first line names somebody, the rest is a header block.

Every reader takes every field without raising and gives text that may be shown. What is written back can be
read again: the display form names the same addresses, an encoded name is the name.
"""

from datetime import UTC, datetime
from email.utils import format_datetime
from random import Random

from appliance.mime.addresses import (
    ADDRESSES_MAX,
    DISPLAY_CHARS_MAX,
    Address,
    format_addresses_for_display,
    format_names,
    parse_addresses,
)
from appliance.mime.characters import one_line
from appliance.mime.conversation import conversation_id, conversation_index
from appliance.mime.dates import parse_date
from appliance.mime.edit import filename_parameter
from appliance.mime.encoded_words import decode_words, encode_words
from appliance.mime.headers import (
    MESSAGE_IDS_MAX,
    PARAMETERS_MAX,
    Headers,
    header_block,
    message_ids,
    parse_headers,
    parse_parameters,
)
from appliance.mime.message import thread_topic
from appliance.mime.submission import InvalidAddress, is_usable_address, mailbox
from tests.fuzz.checks import is_one_line, is_xml
from tests.fuzz.coverage import note

COVERS = tuple(
    f"appliance/mime/{name}.py"
    for name in ("headers", "addresses", "dates", "encoded_words", "charsets", "characters", "conversation")
)
PIECES = (
    b"a@example.com", b'"A, B" <a@example.com>', b"<a@b.test>", b"Joe Doe joe@c.test", b"(a (b) c)",
    b'"\\""', b"group: a@b.test, c@d.test;", b"<@x:y@z.test>", b"a@[192.0.2.1]", b"=?utf-8?q?J=C3=B6?=",
    b"=?x?b?////?=", b"=?utf-7?q?+2AA-?=", b"=?iso-2022-jp?b?GyRC?=", b"=?utf-16?b?2AA=?=",
    b"=?utf-8?b?w6Q?= =?utf-8?b?pA==?=", b"Mon, 02 Jan 2006 15:04:05 +0000", b"2 Jan 06 3:04 PM EST",
    b"2006-01-02T15:04:05Z", b"31 Feb 0001 00:00 +9999", b"<id@example.com>", b"<\x01@b>",
    b"a/b; c=d; e*0=\"f\"; e*1*=%41; g*=utf-8'en'%C3%A4", b"text/plain charset=x", b"\xe4\xf6\xfc",
    b"\xed\xa0\x80", b"\0", b"\r\n ", b"\r\n\t", b"\x1b[31m", b"\xe2\x80\xa8", b"\xe2\x80\xae", b",", b";",
    b":",
)  # fmt: skip
FIELDS = (
    b"From: ", b"To: ", b"Cc: ", b"Subject: ", b"Date: ", b"Message-ID: ", b"References: ",
    b"In-Reply-To: ", b"Content-Type: ", b"Content-Disposition: attachment; filename=", b"List-Id: ",
    b"Importance: ",
)  # fmt: skip
TOKENS = PIECES + FIELDS + (b"From x\r\n", b"\r\n\r\n", b"\n")
BYTES_MAX = 32_768
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def seeds() -> list[bytes]:
    return [b"Name\r\n" + field + piece + b"\r\n\r\n" for field, piece in zip(FIELDS, PIECES, strict=False)]


def make(rng: Random) -> bytes:
    """Build a block of fields out of the pieces."""
    lines = [b"".join(rng.choices(PIECES, k=rng.randrange(3)))]
    for _ in range(rng.randrange(1, 7)):
        values = rng.choices(PIECES, k=rng.randrange(1, 5))
        lines.append(rng.choice(FIELDS) + rng.choice((b", ", b" ", b"")).join(values))
    return b"\r\n".join(lines) + rng.choice((b"\r\n\r\n", b"\r\n", b""))


def target(data: bytes) -> None:
    name, _, block = data.partition(b"\n")
    _block(block)
    headers = parse_headers(block)
    for field in {field for field, _ in headers.fields} | {"Content-Type"}:
        _field(headers, field)
    # A byte order mark in front does not survive decoding, and nobody would miss it.
    _written(one_line(name.decode("utf-8", "replace"), 200).lstrip("\ufeff"))


def _block(block: bytes) -> None:
    found = header_block(block, 0, len(block))
    assert 0 <= found.body_start <= len(block)
    note(found.defects[-3:])
    small = header_block(block, 3, max(3, len(block) - 3), 50, 20)
    assert 3 <= small.body_start <= max(3, len(block))
    assert all(len(value) <= 20 for _, value in small.fields)


def _field(headers: Headers, field: str) -> None:
    raw = headers.raw(field) or ""
    for text in (headers.get(field) or "", *headers.get_all(field)):
        is_one_line(text, field)
        assert len(thread_topic(text)) <= len(text)
    _addresses(headers.addresses(field), raw)
    main, parameters = headers.parameters(field)
    assert len(parameters) <= PARAMETERS_MAX
    assert main == main.lower()
    parse_parameters(raw)
    date = parse_date(raw)
    if date is not None:
        note("date")
        assert date.utcoffset() is not None
        assert parse_date(format_datetime(date)) == date.replace(microsecond=0)
        conversation_index(date, ())
    ids = message_ids(raw)
    assert len(ids) <= MESSAGE_IDS_MAX
    assert all(text[0] == "<" and text[-1] == ">" for text in ids)
    assert len(conversation_id(next(iter(ids), None), ids[1:], None, raw)) == 16
    assert len(conversation_index(NOW, ids)) <= 5 + 5 * 50


def _addresses(addresses: list[Address], raw: str) -> None:
    assert len(addresses) <= ADDRESSES_MAX
    for address in addresses:
        is_one_line(address.name, "a display name")
        is_one_line(address.address, "an address")
    note("addresses", len(addresses).bit_length(), any(a.name for a in addresses))
    shown = format_addresses_for_display(addresses)
    assert len(shown) <= DISPLAY_CHARS_MAX
    assert "\n" not in format_names(addresses)
    usable = [address for address in addresses if is_usable_address(address.address)]
    read = parse_addresses(format_addresses_for_display(usable))
    assert [a.address for a in read] == [a.address for a in usable], "the display form names others"
    assert parse_addresses(raw, 1)[:1] == parse_addresses(raw, 2)[:1]


def _written(name: str) -> None:
    """A name that goes into a header comes back as it was."""
    assert decode_words(encode_words(name)) == name
    try:
        written = mailbox(Address(name, "a@example.com"))
    except InvalidAddress:
        raise AssertionError("the address is usable") from None
    assert written.isascii()
    read = parse_addresses(written.replace("\r\n", ""))
    expected = "" if one_line(name, 256) == "a@example.com" else one_line(name, 256)
    assert read == [Address(expected, "a@example.com")], "a display name does not survive"
    _, parameters = parse_parameters("attachment; " + filename_parameter(name))
    assert parameters["filename"] == name, "a file name does not survive"
    is_xml(name, "the name")
