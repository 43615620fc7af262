"""Where the parts are: structure, offsets, tolerance, properties."""

import email
from email.message import EmailMessage, Message
from email.policy import SMTP

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.mime.body import decode_leaf
from appliance.mime.scan import DEFAULT_LIMITS, Limits, run, scan
from appliance.mime.structure import Part, Structure, StructureError, attachment_name


def shape(raw: bytes) -> list[tuple[str, str, bytes]]:
    return [(p.number, p.content_type, raw[p.start : p.end]) for p in scan(raw).parts if not p.is_multipart]


def multipart(body: bytes, boundary: str = "b", subtype: str = "mixed") -> bytes:
    return b'Content-Type: multipart/%s; boundary="%s"\n\n' % (subtype.encode(), boundary.encode()) + body


def test_a_plain_message_is_part_1() -> None:
    structure = scan(b"Subject: x\r\n\r\nhello\r\n")
    (part,) = structure.parts
    assert (part.number, part.parent, part.content_type, part.size) == ("1", None, "text/plain", 7)
    assert structure.text_part == "1"
    assert structure.html_part is None


def test_children_of_the_root_multipart_are_numbered_from_1() -> None:
    raw = multipart(
        b"--b\n\none\n--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\ntwo\n--c--\n--b--\n"
    )
    structure = scan(raw)
    assert [(p.number, p.parent) for p in structure.parts] == [("", None), ("1", ""), ("2", ""), ("2.1", "2")]
    assert shape(raw) == [("1", "text/plain", b"one"), ("2.1", "text/plain", b"two")]


@pytest.mark.parametrize(
    ("body", "leaves"),
    [
        pytest.param(b"--b\n\none\n--b--\n", [b"one"], id="plain"),
        pytest.param(b"--b\r\n\r\none\r\n--b--\r\n", [b"one"], id="crlf"),
        pytest.param(b"--b  \t\n\none\n--b--  \n", [b"one"], id="blanks behind the delimiter"),
        pytest.param(b"--b\n\none", [b"one"], id="no close delimiter"),
        pytest.param(b"--b\n\none\n--b", [b"one", b""], id="cut off in the delimiter"),
        pytest.param(b"--b\n--b\n--b--", [b"", b""], id="nothing between the delimiters"),
        pytest.param(b"intro\n--b\n\none\n--b--\nbye\n--b\n\ntwo\n", [b"one"], id="preamble and epilogue"),
        pytest.param(b"--b\n\none\n--bb\ntwo --b\n--b--\n", [b"one\n--bb\ntwo --b"], id="look-alikes"),
        pytest.param(b"--b\none line\n--b--\n", [b"one line"], id="part without blank line"),
        pytest.param(b"--b\n\n\n\n--b--\n", [b"\n"], id="blank lines only"),
    ],
)
def test_delimiters(body: bytes, leaves: list[bytes]) -> None:
    assert [content for _, _, content in shape(multipart(body))] == leaves


def test_an_outer_boundary_ends_inner_parts() -> None:
    inner = b"--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\ninner\n--b\n\nouter\n--b--\n"
    assert [content for _, _, content in shape(multipart(inner))] == [b"inner", b"outer"]


def test_boundaries_may_be_prefixes_of_one_another() -> None:
    raw = multipart(
        b"--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\nx\n--bb--\n--b\n\ny\n--b--\n"
    )
    assert [content for _, _, content in shape(raw)] == [b"x", b"y"]


def test_a_multipart_that_cannot_be_split_is_text() -> None:
    for raw in (
        b"Content-Type: multipart/mixed\n\n--x\n\none\n--x--\n",
        b"Content-Type: multipart/mixed; boundary=y\n\none\n",
        b"Content-Type: multipart/mixed; boundary=\n\none\n",
    ):
        structure = scan(raw)
        assert structure.parts[0].content_type == "text/plain"
        assert structure.defects == ("no-boundary",)
        assert structure.text_part == "1"


def test_a_forgotten_semicolon_still_gives_the_boundary() -> None:
    raw = b'Content-Type: multipart/mixed\n\tboundary="b"\n\n--b\n\none\n--b--\n'
    assert [content for _, _, content in shape(raw)] == [b"one"]


def test_parts_of_a_digest_are_messages() -> None:
    raw = multipart(b"--b\n\nSubject: x\n\ny\n--b--\n", subtype="digest")
    assert shape(raw) == [("1", "message/rfc822", b"Subject: x\n\ny")]


def test_an_embedded_message_is_one_leaf() -> None:
    raw = multipart(b"--b\nContent-Type: message/rfc822\n\nContent-Type: text/html\n\n<p>\n--b--\n")
    structure = scan(raw)
    assert [p.content_type for p in structure.parts] == ["multipart/mixed", "message/rfc822"]
    assert structure.attachments == ("1",)
    assert structure.html_part is None


def test_an_mbox_line_in_front_is_no_header() -> None:
    structure = scan(b"From erika@example.com Sat Mar 14 09:30:00 2026\nContent-Type: text/html\n\n<p>\n")
    assert structure.parts[0].content_type == "text/html"


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ('attachment; filename="a.txt"', "a.txt"),
        ("attachment; filename=my file (1).pdf", "my file (1).pdf"),
        ("attachment; filename*=utf-8''%C3%A4%20b.txt", "ä b.txt"),
        ("attachment; filename*0=long; filename*1=er.txt", "longer.txt"),
        ("attachment; filename*1*=%62; filename*0*=utf-8'en'%61", "ab"),
        ('attachment; filename="=?utf-8?Q?=C3=A4.txt?="', "ä.txt"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="C:\\\\temp\\\\x.doc"', "x.doc"),
        ('attachment; filename="a\u202egpj.exe"', "agpj.exe"),
        ('attachment; filename="\x00\x01"', None),
        ('attachment; filename=".."', None),
        (f'attachment; filename="{"x" * 400}.pdf"', "x" * 251 + ".pdf"),
    ],
)
def test_file_names(field: str, expected: str | None) -> None:
    part = scan(b"Content-Disposition: " + field.encode() + b"\r\n\r\n").parts[0]
    assert part.filename == expected
    assert part.disposition == "attachment"


def test_every_attachment_has_a_name_to_show() -> None:
    raw = multipart(b"--b\nContent-Type: image/png\n\n\n--b\nContent-Type: x/y\n\n\n--b--\n")
    names = [attachment_name(part) for part in scan(raw).attachment_parts()]
    assert names == ["image-1.png", "attachment-2.bin"]


def test_limit_of_parts_keeps_the_first_ones() -> None:
    structure = scan(multipart(b"--b\n\nx\n" * 10), Limits(parts_max=5))
    assert len(structure.parts) == 5
    assert "too-many-parts" in structure.defects


def test_limit_of_depth_leaves_an_opaque_part() -> None:
    raw = b""
    for level in range(6):
        raw += b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (level, level)
    structure = scan(raw + b"\ndeep\n", Limits(depth_max=3))
    assert [p.content_type for p in structure.parts][-1] == "application/octet-stream"
    assert structure.parts[-1].number == "1.1.1"
    assert "too-deep" in structure.defects
    assert structure.attachments == ("1.1.1",)


def test_limit_of_steps_ends_the_search_for_delimiters() -> None:
    structure, steps = run(multipart(b"--b\n\nx\n" + b"--bc\n" * 500 + b"--b--\n"), Limits(steps_max=100))
    assert steps == 100
    assert "too-many-delimiters" in structure.defects


def part_sizes_are_exact(raw: bytes, part: Part) -> bool:
    return part.is_multipart or part.size == len(decode_leaf(raw, part))


PIECES = [
    b"--", b"b", b"bb", b"\n", b"\r\n", b"\r", b"--b\n", b"--b--", b"Content-Type: ", b"multipart/", b"mixed",
    b"text/plain", b"; boundary=b", b'; boundary="bb"', b"message/rfc822",
    b"Content-Transfer-Encoding: base64\n",
    b"\0", b"\xff", b" ", b"\t", b":", b";", b"=?utf-8?q?", b"?=", b"begin 644 x\n", b"=", b"A",
]  # fmt: skip
SOUP = st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join)


@settings(max_examples=300, deadline=None)
@given(st.one_of(SOUP, st.binary(max_size=400), SOUP.map(lambda soup: multipart(soup))))
def test_any_bytes_give_a_structure_inside_the_message(raw: bytes) -> None:
    structure, steps = run(raw)
    assert structure.parts
    assert steps <= DEFAULT_LIMITS.steps_max
    numbers = [part.number for part in structure.parts]
    assert len(set(numbers)) == len(numbers)
    for part in structure.parts:
        assert 0 <= part.header_start <= part.start <= part.end <= len(raw)
        assert part.parent is None or part.parent in numbers
        if part.parent is not None:
            outer = structure.part(part.parent)
            assert outer.start <= part.header_start
            assert part.end <= outer.end
        if not part.is_multipart:
            decode_leaf(raw, part)
    for number in (*structure.text_parts, *structure.html_parts, *structure.attachments):
        assert not structure.part(number).is_multipart
    assert Structure.from_json(structure.to_json()) == structure
    assert scan(raw).to_json() == structure.to_json()


LEAF = st.one_of(
    st.tuples(st.just("text"), st.text(st.characters(exclude_categories=("C",)), max_size=300)),
    st.tuples(st.just("html"), st.text(st.characters(exclude_categories=("C",)), max_size=300)),
    st.tuples(st.just("file"), st.binary(max_size=600)),
)


def build(leaves: list[tuple[str, str | bytes]], kinds: list[str]) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["Subject"] = "generated"
    message.set_content("start\n")
    for (kind, content), container in zip(leaves, kinds, strict=False):
        if isinstance(content, bytes):
            message.add_attachment(content, "application", "octet-stream", filename="x.bin")
        elif container == "alternative" and message.get_content_subtype() in ("plain", "html", "alternative"):
            message.add_alternative(content, subtype="plain" if kind == "text" else "html")
        else:
            message.add_attachment(content, subtype="plain" if kind == "text" else "html")
    return message.as_bytes()


@settings(max_examples=80, deadline=None)
@given(
    st.lists(LEAF, max_size=5),
    st.lists(st.sampled_from(["alternative", "mixed"]), min_size=5, max_size=5),
)
def test_leaves_equal_those_of_the_standard_library(
    leaves: list[tuple[str, str | bytes]], kinds: list[str]
) -> None:
    raw = build(leaves, kinds)
    theirs: list[Message] = list(email.message_from_bytes(raw).walk())
    ours = scan(raw).parts
    assert [part.content_type for part in ours] == [message.get_content_type() for message in theirs]
    for part, message in zip(ours, theirs, strict=True):
        if not part.is_multipart:
            assert decode_leaf(raw, part) == message.get_payload(decode=True)
            assert part_sizes_are_exact(raw, part)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"v":99,"p":[]}', '{"v":1}', '{"v":1,"p":[[1]]}', "null", "x"]
)
def test_foreign_json_is_refused(text: str) -> None:
    with pytest.raises(StructureError):
        Structure.from_json(text)


def test_the_stored_form_is_compact() -> None:
    structure = scan(multipart(b"--b\n\nx\n--b\nContent-Type: text/html\n\n<p>\n--b--\n"))
    assert len(structure.to_json()) < 400
