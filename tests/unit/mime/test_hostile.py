"""Messages made to hurt: each must cost bounded work and still be shown sensibly.

Work is bounded by counters where there are some; the deadline of a few seconds only catches what became
quadratic (those cases took minutes in other parsers).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from appliance.mime.addresses import ADDRESSES_MAX
from appliance.mime.body import html_body, leaf_text, plain_body
from appliance.mime.encoded_words import decode_words
from appliance.mime.headers import parse_addresses, parse_headers, parse_parameters
from appliance.mime.html import strip_tags, text_from_html
from appliance.mime.message import Summary, summarise
from appliance.mime.preview import preview
from appliance.mime.scan import DEFAULT_LIMITS, run, scan
from appliance.mime.structure import Structure
from appliance.mime.truncate import truncate_html

SECONDS = 5.0


@contextmanager
def deadline() -> Iterator[None]:
    began = time.thread_time()
    yield
    assert time.thread_time() - began < SECONDS


def read(raw: bytes) -> tuple[Structure, Summary]:
    """Do all that happens to a message on arrival and when a phone fetches it."""
    with deadline():
        structure, steps = run(raw)
        assert steps <= DEFAULT_LIMITS.steps_max
        assert len(structure.parts) <= DEFAULT_LIMITS.parts_max
        summary = summarise(raw, structure)
        plain_body(raw, structure)
        html_body(raw, structure)
        assert Structure.from_json(structure.to_json()) == structure
    return structure, summary


def test_twenty_thousand_recipients() -> None:
    raw = (
        b"To: "
        + b",\r\n ".join(b"Person %d <p%d@example.com>" % (n, n) for n in range(20_000))
        + b"\r\n\r\nhi"
    )
    structure, summary = read(raw)
    assert "header-too-long" in structure.defects or "headers-too-long" in structure.defects
    assert summary.to.startswith('"Person 0" <p0@example.com>')
    assert len(summary.to) <= 32_768
    assert len(parse_headers(raw).addresses("To")) <= ADDRESSES_MAX
    assert summary.text == "hi"


def test_a_megabyte_of_commas_in_from() -> None:
    _, summary = read(b"From: " + b"," * 1_000_000 + b"\r\n\r\nhi")
    assert summary.from_ == ""
    assert summary.text == "hi"
    with deadline():
        assert parse_addresses("," * 1_000_000) == []


@pytest.mark.parametrize(
    "value",
    [
        "(" * 200_000,
        '"' * 200_000,
        '<"' * 100_000,
        "<" * 200_000,
        ":;" * 100_000,
        '"\\' * 100_000,
        "a@" * 100_000,
        "[" * 200_000,
        "a " * 100_000,
        ")" * 200_000,
    ],
    ids=[
        "comments",
        "quotes",
        "angle quotes",
        "angles",
        "groups",
        "escapes",
        "at signs",
        "brackets",
        "words",
        "ends",
    ],
)
def test_address_grammar_stays_linear(value: str) -> None:
    with deadline():
        assert len(parse_addresses(value)) <= ADDRESSES_MAX


def test_a_hundred_thousand_parts() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 100_000 + b"--b--\r\n"
    structure, summary = read(raw)
    assert len(structure.parts) == DEFAULT_LIMITS.parts_max
    assert "too-many-parts" in structure.defects
    assert summary.preview.startswith("x x")


def test_boundary_of_one_byte_and_a_body_of_look_alikes() -> None:
    raw = b"Content-Type: multipart/mixed; boundary=-\r\n\r\n" + b"---x\r\n" * 500_000
    structure, _ = read(raw)
    assert "too-many-delimiters" in structure.defects


def test_depth_of_fifteen_hundred() -> None:
    levels = (b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(1_500))
    structure, _ = read(b"".join(levels) + b"\r\ndeep\r\n")
    assert "too-deep" in structure.defects
    assert len(structure.parts) == DEFAULT_LIMITS.depth_max + 1


def test_depth_with_one_boundary_for_all_levels() -> None:
    structure, _ = read(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" * 1_500)
    assert len(structure.parts) <= DEFAULT_LIMITS.parts_max


def test_fifty_levels_whose_boundaries_are_prefixes() -> None:
    head = b"".join(
        b"Content-Type: multipart/mixed; boundary=" + b"a" * n + b"\r\n\r\n--" + b"a" * n + b"\r\n"
        for n in range(1, 50)
    )
    read(head + (b"--" + b"a" * 60 + b"\r\n") * 100_000)


def test_a_chain_of_embedded_messages_is_one_leaf() -> None:
    structure, summary = read(b"Content-Type: message/rfc822\r\n\r\n" * 1_500 + b"hi")
    assert len(structure.parts) == 1
    assert summary.has_attachments


def test_five_thousand_content_type_parameters() -> None:
    field = "; ".join(["text/plain", *(f"p{n}=v{n}" for n in range(5_000)), "charset=utf-8"])
    _, summary = read(f"Content-Type: {field}\r\n\r\nhi".encode())
    assert summary.text == "hi"
    with deadline():
        assert len(parse_parameters(field)[1]) == 200


@pytest.mark.parametrize("piece", [";", '="', ';a="', ";a*0", ";a*0*=''", ";a=\\", "; "])
def test_parameter_grammar_stays_linear(piece: str) -> None:
    with deadline():
        assert parse_parameters("a/b" + piece * 100_000)[0]


@pytest.mark.parametrize("piece", ["=?", "=?utf-8?q?", "=?utf-8?q?a?=", "?=", "=?a?b?", "=?utf-8?b?w6Q=?= "])
def test_encoded_word_grammar_stays_linear(piece: str) -> None:
    with deadline():
        decode_words(piece * 50_000)


def test_encoded_word_garbage_in_every_field() -> None:
    garbage = b"=?utf-8?q?=ZZ=?= =?x?b?\xff?= =?utf-16?b?2D8=?= =?utf-8?q?=00=0D=0Aa?="
    _, summary = read(b"".join(n + b": " + garbage + b"\r\n" for n in (b"Subject", b"From", b"To", b"Date")))
    assert "\0" not in summary.subject
    assert "\r" not in summary.subject
    assert "a" in summary.subject


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 20_000 + "deep text" + "</div>" * 20_000,
        "<blockquote>" * 20_000 + "deep text",
        "<span>" * 200 + "<b>" * 20_000 + "deep text",
        "<table><tr><td>" * 7_000 + "deep text",
        "<ul><li>" * 10_000 + "deep text",
    ],
    ids=["divs", "blockquotes", "spans", "tables", "lists"],
)
def test_twenty_thousand_nested_elements(html: str) -> None:
    raw = b"Content-Type: text/html\r\n\r\n" + html.encode()
    began = time.thread_time()
    _, summary = read(raw)
    assert time.thread_time() - began < 4
    assert "deep text" in summary.text
    assert summary.preview.endswith("deep text")


@pytest.mark.parametrize(
    "piece",
    [
        "<",
        "<a",
        "<a ",
        "</",
        "<!--",
        "<!",
        "<script>",
        "<style ",
        "<head><title>",
        "&",
        "&#",
        "&amp",
        "<a href='",
        '<a b="',
        "<body",
        "</body",
        "<!-->",
        "<![CDATA[",
        "<?",
        "\0<",
        "<p>",
        "<font color=x>a",
        "<a><b></a>",
    ],
)
@pytest.mark.parametrize(
    "convert", [text_from_html, strip_tags, lambda html: truncate_html(html, 900_000)[0]]
)
def test_html_grammar_stays_linear(piece: str, convert: Callable[[str], str]) -> None:
    with deadline():
        convert(piece * (1_200_000 // len(piece)))


def test_html_of_ten_megabytes() -> None:
    read(b"Content-Type: text/html\r\n\r\n" + b"<p>paragraph of text</p>\r\n" * 400_000)


def test_nul_bytes_and_controls() -> None:
    _, summary = read(b"Subject: a\0b\x1b[31m\x7f\r\nFrom: x\0 <a\0@b.test>\r\n\r\nte\0xt\x0c\x1b\r\n")
    assert summary.subject == "ab[31m"
    assert summary.from_ == '"x" <a@b.test>'
    assert summary.text == "text\r\n"


def test_controls_in_ids_keywords_and_labels() -> None:
    _, summary = read(
        b"Message-ID: <a\x01@b>\r\nReferences: <c\x7f@d> <e@f>\r\nAuto-Submitted: auto-\x1bx\r\n\r\n"
    )
    assert (summary.message_id, summary.references, summary.auto_submitted) == (None, ("<e@f>",), "auto-x")
    structure, _ = read(b'Content-Type: text/plain; charset="utf-8*\x01"\r\n\r\n')
    assert structure.root.charset == "utf-8*"
    structure, _ = read(
        b'Content-Type: multipart/report; report-type="a\x01b"; boundary=c\r\n\r\n--c\r\n\r\n--c--'
    )
    assert structure.report_type == "ab"


def test_lone_carriage_returns() -> None:
    _, summary = read(b"Subject: a\rBcc: b@c.test\r\n\r\none\rtwo\r\r\nthree")
    assert summary.subject == "aBcc: b@c.test"
    assert summary.bcc == ""
    assert summary.text == "one\r\ntwo\r\n\r\nthree"
    structure, _ = read(b"Subject: x\r" * 10_000)
    assert len(structure.parts) == 1


@pytest.mark.parametrize(
    "charset", ["x-nonsense", "", "\xff", "idna", "zlib", "a" * 10_000, "utf-8\0", "cp99999"]
)
def test_unknown_charsets(charset: str) -> None:
    raw = f'Content-Type: text/plain; charset="{charset}"\r\n\r\nGrüße'.encode()
    _, summary = read(raw)
    assert summary.text == "Grüße"
    assert summary.internet_cpid == 65001


def test_broken_base64() -> None:
    for body in (b"aGVsbG8gd29ybGQ", b"aGVs*bG8g\0d29y bGQ=", b"aGVsbG8gd29ybGQ=\r\n-- \r\nfooter text"):
        _, summary = read(b"Content-Transfer-Encoding: base64\r\n\r\n" + body)
        assert summary.text == "hello world"


def test_broken_quoted_printable() -> None:
    _, summary = read(b"Content-Transfer-Encoding: quoted-printable\r\n\r\na=ZZ=\xff==\r\nb=")
    assert summary.text.startswith("a=ZZ=")


@pytest.mark.parametrize("encoding", ["7bit", "base64", "quoted-printable", "x-uuencode", "nonsense"])
@pytest.mark.parametrize("content_type", ["text/plain", "text/html", "text/plain; format=flowed"])
def test_one_line_of_ten_megabytes(encoding: str, content_type: str) -> None:
    head = f"Content-Type: {content_type}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode()
    structure, summary = read(head + b"QUJD" * 2_500_000)
    assert len(structure.parts) == 1
    assert len(summary.preview) <= 255


def test_a_header_of_ten_megabytes() -> None:
    raw = b"Subject: " + b"x" * 10_000_000 + b"\r\nFrom: a@b.test\r\n\r\nhi"
    structure, summary = read(raw)
    assert "headers-too-long" in structure.defects
    assert summary.subject == "x" * 2_000
    assert summary.text == "hi"


def test_a_hundred_thousand_header_lines() -> None:
    for line in (b"a: b\r\n", b"rubbish\r\nA: b\r\n", b" x\r\n", b"a\r\n", b":\r\n", b"a:\r\n \r\n"):
        read(line * 100_000 + b"\r\nhi")


def test_references_without_end() -> None:
    _, summary = read(b"References: " + b"<a@b> " * 9_000 + b"\r\nMessage-ID: " + b"<" * 9_000 + b"\r\n\r\n")
    assert len(summary.references) == 200
    assert summary.message_id is None


def test_a_calendar_without_end_of_attendees() -> None:
    raw = b"Content-Type: text/calendar; method=REPLY\r\n\r\n" + b"ATTENDEE;PARTSTAT=\r\n" * 300_000
    _, summary = read(raw)
    assert summary.message_class == "IPM.Note"


@pytest.mark.parametrize(
    "text", [">" * 300_000, "On " * 100_000 + ":", "-" * 300_000, "https://" * 50_000, "[image" * 50_000]
)
def test_preview_stays_linear(text: str) -> None:
    with deadline():
        assert len(preview(text)) <= 255


def test_eight_bit_text_without_a_label_is_guessed_from_a_sample() -> None:
    raw = b"\r\n" + "Größe und Übermut tun selten gut. ".encode("latin-1") * 100_000
    with deadline():
        assert leaf_text(raw, scan(raw).parts[0]).startswith("Größe")
