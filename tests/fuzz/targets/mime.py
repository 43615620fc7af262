"""A received message: all is done to it that happens on arrival and when a phone fetches it.

Never an exception; bounded work; offsets inside the message and parts inside their parents; only characters
that a phone's XML parser takes.
"""

from dataclasses import fields
from random import Random

from appliance.mime import charsets
from appliance.mime.body import decode_leaf, html_body, leaf_text, part_headers, plain_body
from appliance.mime.conversation import conversation_id, conversation_index
from appliance.mime.message import TEXT_CHARS_MAX, Summary, summarise
from appliance.mime.scan import DEFAULT_LIMITS, Limits, run
from appliance.mime.structure import Part, Structure, attachment_name
from appliance.mime.truncate import truncate_html
from tests.fuzz.checks import has_only_crlf, is_one_line, is_xml
from tests.fuzz.coverage import ROOT, note
from tests.fuzz.targets import headers

READ = (
    "scan", "layout", "structure", "message", "message_class", "body", "headers", "addresses", "transfer",
    "charsets", "flowed", "html", "preview", "dates", "encoded_words", "characters", "truncate",
)  # fmt: skip
COVERS = tuple(f"appliance/mime/{name}.py" for name in READ)
TYPES = (
    b"text/plain", b"text/html", b"text/plain; format=flowed; delsp=yes", b"text/plain; charset=utf-16",
    b"text/html; charset=iso-2022-jp", b"text/plain; charset=utf-7", b"text/plain; charset=x-unknown",
    b"image/png; name=a.png", b"multipart/mixed; boundary=b", b"multipart/alternative; boundary=bb",
    b"multipart/related; boundary=\"b c\"",
    b"multipart/signed; protocol=\"application/pkcs7-signature\"; boundary=b",
    b"multipart/digest; boundary=b", b"multipart/report; report-type=delivery-status; boundary=b",
    b"message/rfc822", b"message/delivery-status", b"message/disposition-notification",
    b"text/calendar; method=REQUEST", b"text/calendar; method=\x01", b"nonsense",
    b"application/pkcs7-mime; smime-type=signed-data; name=smime.p7m", b"application/pkcs7-signature",
)  # fmt: skip
PARTS = (
    *(b"Content-Type: " + value + b"\r\n" for value in TYPES),
    b"Content-Transfer-Encoding: base64\r\n", b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"Content-Transfer-Encoding: x-uuencode\r\n", b"Content-Transfer-Encoding: nonsense\r\n",
    b"Content-Disposition: attachment; filename=\"a.txt\"\r\n", b"Content-Disposition: inline\r\n",
    b"Content-ID: <a@b>\r\n", b"Content-Location: http://a.test/\x01\r\n", b"\r\n", b"\r\n\r\n",
    b"\r\n--b\r\n", b"\r\n--b--\r\n", b"\r\n--bb\r\n", b"\r\n--bb--\r\n", b"\r\n--b c\r\n", b"--b\n",
    b"--b", b"aGVsbG8gd29ybGQ=\r\n", b"a=C3=A4=\r\n b=\r\n", b"<p>a<br>b</p>\r\n",
    b"begin 644 a\r\n#0V%T\r\n`\r\nend\r\n", b"Action: failed\r\n",
    b"METHOD:REPLY\r\nATTENDEE;PARTSTAT=ACCEPTED:x\r\n", b"Disposition: a; displayed\r\n",
    b"\x1b$B$\"\x1b(B", b"+2AA-", b"\xff\xfea\0", b"\xef\xbb\xbf", b"> quoted \r\n", b"-- \r\n",
    b"word word ", b"<meta charset=utf-8>",
)  # fmt: skip
TOKENS = PARTS + headers.PIECES + headers.FIELDS
BYTES_MAX = 49_152
DEADLINE_S = 5.0
WEIGHT = 3
SMALL = Limits(parts_max=4, depth_max=2, header_block_bytes_max=300, header_field_bytes_max=60, steps_max=6)
OTHERS_TEXT = frozenset({"text", "preview"})


def seeds() -> list[bytes]:
    return [path.read_bytes() for path in sorted((ROOT / "tests/vectors/mime").glob("*.eml"))]


def make(rng: Random) -> bytes:
    """Build a message of nested parts, mostly with the boundaries it declares."""
    return headers.make(rng).partition(b"\n")[2].rstrip(b"\r\n") + b"\r\n" + _part(rng, 0)


def _part(rng: Random, depth: int) -> bytes:
    if depth < 4 and rng.random() < 0.5:
        boundary = rng.choice((b"b", b"bb", b"b%d" % depth))
        kind = rng.choice((b"mixed", b"alternative", b"related", b"report", b"signed", b"digest"))
        head = b"Content-Type: multipart/" + kind + b"; boundary=" + boundary + b"\r\n\r\n"
        inner = [_part(rng, depth + 1) for _ in range(rng.randrange(4))]
        end = b"--" + boundary + b"--\r\n" if rng.random() < 0.8 else b""
        return head + b"".join(b"--" + boundary + b"\r\n" + part + b"\r\n" for part in inner) + end
    pieces = rng.choices(PARTS, k=rng.randrange(6))
    return b"".join(rng.choices(PARTS[: len(TYPES) + 9], k=rng.randrange(4))) + b"\r\n" + b"".join(pieces)


def target(data: bytes) -> None:
    for limits in (SMALL, DEFAULT_LIMITS):
        structure, steps = run(data, limits)
        assert steps <= limits.steps_max
        assert len(structure.parts) <= limits.parts_max
        _structure(data, structure)
    summary = summarise(data, structure)
    _summary(summary)
    _bodies(data, structure)
    note(structure.defects[-3:], summary.message_class)
    note(len(structure.parts).bit_length(), len(structure.attachments).bit_length(), structure.smime)
    note(
        len(structure.text_parts).bit_length(),
        len(structure.html_parts).bit_length(),
        structure.calendar_part is None,
    )
    note("steps", steps.bit_length(), "text", len(summary.text).bit_length())


def _structure(raw: bytes, structure: Structure) -> None:
    stored = structure.to_json()
    stored.encode()
    assert Structure.from_json(stored) == structure, "the stored form is another structure"
    assert len({part.number for part in structure.parts}) == len(structure.parts)
    named = {*structure.text_parts, *structure.html_parts, *structure.attachments}
    assert named <= {part.number for part in structure.parts}
    assert structure.inline <= set(structure.attachments)
    assert not set(structure.attachments) & {*structure.text_parts, *structure.html_parts}
    is_one_line(structure.report_type or "", "the report type")
    for part in structure.parts:
        _part_is_sound(raw, structure, part)


def _part_is_sound(raw: bytes, structure: Structure, part: Part) -> None:
    assert 0 <= part.header_start <= part.start <= part.end <= len(raw), "offsets outside the message"
    if part.parent is not None:
        parent = structure.part(part.parent)
        assert parent.start <= part.header_start
        assert part.end <= parent.end, "a part reaches out of its parent"
    for what in ("content_type", "charset", "filename", "content_id", "content_location"):
        is_one_line(getattr(part, what) or "", what)
    is_one_line(attachment_name(part), "the name of an attachment")
    assert "/" not in attachment_name(part)
    assert part.size >= 0
    whole = decode_leaf(raw, part)
    for bytes_max in (0, 7, 300):
        beginning = decode_leaf(raw, part, bytes_max)
        assert len(beginning) <= bytes_max
        if part.encoding != "uuencode":  # whose first line may lie behind the cut
            assert whole.startswith(beginning), "a part begins differently when less of it is asked for"
    leaf_text(raw, part, 100)
    part_headers(raw, part)
    note(part.encoding, charsets.codec(part.charset), part.size == len(whole), part.disposition)


def _summary(summary: Summary) -> None:
    for about in fields(summary):
        value = getattr(summary, about.name)
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str):
                (is_xml if about.name in OTHERS_TEXT else is_one_line)(text, about.name)
    assert len(summary.text) <= TEXT_CHARS_MAX
    assert len(summary.preview) <= 255
    assert summary.date is None or summary.date.utcoffset() is not None
    assert (
        len(conversation_id(summary.message_id, summary.references, summary.in_reply_to, summary.subject))
        == 16
    )
    if summary.date is not None:
        conversation_index(summary.date, summary.references, summary.in_reply_to)


def _bodies(raw: bytes, structure: Structure) -> None:
    plain, html = plain_body(raw, structure), html_body(raw, structure)
    is_xml(plain, "the plain body")
    has_only_crlf(plain.encode(), "the plain body")
    if html is not None:
        is_xml(html, "the HTML body")
        head, _ = truncate_html(html, 500)
        assert len(head.encode()) <= 500
