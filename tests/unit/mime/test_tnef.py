"""winmail.dat: its files and its text, and what becomes of one that cannot be read."""

import struct
import tracemalloc
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.mime.addresses import Address
from appliance.mime.body import decode_leaf, html_body, plain_body
from appliance.mime.compose import compose_forward
from appliance.mime.draft import Edit, edit_draft
from appliance.mime.message import summarise
from appliance.mime.scan import scan
from appliance.mime.structure import Structure
from appliance.mime.tnef import DEPTH_MAX, unpack
from tests.unit.mime import made_tnef as make

PDF, PICTURE = b"%PDF-1.4 ...", b"\x89PNG\r\n\x1a\n\0\0"
HTML = '<p>Schöne Grüße</p><img src="cid:logo@1">'
RICH = make.tnef(
    make.file("Übersicht.pdf", PDF, mime="application/pdf"),
    make.file("logo.png", PICTURE, mime="image/png", content_id="logo@1"),
    html=HTML,
)


def listed(raw: bytes) -> list[tuple[str | None, str, bytes]]:
    structure = scan(raw)
    return [(p.filename, p.content_type, decode_leaf(raw, p)) for p in structure.attachment_parts()]


def test_files_take_the_place_of_the_file_that_holds_them():
    raw = make.mail(RICH, "See below.")
    assert listed(raw) == [
        ("Übersicht.pdf", "application/pdf", PDF),
        ("logo.png", "image/png", PICTURE),
    ]
    structure = scan(raw)
    assert [structure.is_inline(number) for number in structure.attachments] == [False, True]
    assert [part.size for part in structure.attachment_parts()] == [len(PDF), len(PICTURE)]
    assert plain_body(raw, structure).strip() == "See below.", "the sender's own text is the text"
    assert Structure.from_json(structure.to_json()) == structure


def test_text_is_taken_from_it_when_the_mail_has_none():
    raw = make.mail(RICH)
    structure = scan(raw)
    assert "Schöne Grüße" in plain_body(raw, structure)
    assert html_body(raw, structure) == HTML
    summary = summarise(raw, structure)
    assert (summary.native_body_type, summary.preview) == (2, "Schöne Grüße")


def test_plain_text_without_html():
    raw = make.mail(make.tnef(plain="Grüße aus Köln"))
    assert plain_body(raw, scan(raw)) == "Grüße aus Köln"
    assert listed(raw) == [], "nothing is in it but the text"


def test_a_whole_mail_may_be_one():
    raw = make.mail(RICH).replace(b"multipart/mixed", b"application/x-nothing")
    whole = (
        b"Subject: x\r\nContent-Type: application/ms-tnef\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" + RICH
    )
    assert [name for name, _, _ in listed(whole)] == ["Übersicht.pdf", "logo.png"]
    assert "Schöne" in plain_body(whole, scan(whole))
    assert scan(raw).attachments == ("1",), "what does not say that it is one is none"


def test_a_name_alone_says_it_too():
    raw = make.mail(RICH, "text", "application/octet-stream")
    assert [name for name, _, _ in listed(raw)] == ["Übersicht.pdf", "logo.png"]


def test_names_and_types_that_are_not_said():
    raw = make.mail(
        make.tnef(
            make.file("", b"x", title="Plan für Köln.xlsx".encode("cp1252")),
            make.file("evil", b"y", mime="multipart/mixed"),
            make.file("..\\..\\etc/passwd", b"z"),
        )
    )
    assert [(name, kind) for name, kind, _ in listed(raw)] == [
        ("Plan für Köln.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("evil", "application/octet-stream"),
        ("passwd", "application/octet-stream"),
    ]


@pytest.mark.parametrize("codepage", [None, 1252, 65001, 99_999])
def test_any_codepage(codepage: int | None):
    raw = make.mail(make.tnef(make.file("a.txt", b"x"), codepage=codepage))
    assert [name for name, _, _ in listed(raw)] == ["a.txt"]


def test_a_reference_names_the_bytes_wherever_they_stand():
    one, two = make.file("one.bin", b"one"), make.file("two.bin", b"two")
    here, there = (scan(make.mail(make.tnef(*order))) for order in ((one, two), (two, one)))
    assert {p.filename: p.number for p in here.attachment_parts()} == {
        p.filename: p.number for p in there.attachment_parts()
    }
    twins = scan(make.mail(make.tnef(one, one))).attachments
    assert len(set(twins)) == 2


def test_message_in_the_message():
    inner = make.tnef(make.file("inner.pdf", PDF), plain="the inner text")
    raw = make.mail(make.tnef(make.embedded("Offer", inner), make.file("outer.bin", b"o")))
    assert [(name, data) for name, _, data in listed(raw)] == [
        ("Offer.txt", b"the inner text"),
        ("inner.pdf", PDF),
        ("outer.bin", b"o"),
    ]


def test_messages_in_messages_end():
    packed = make.tnef(make.file("deep.bin", b"x"))
    for _ in range(DEPTH_MAX):
        packed = make.tnef(make.embedded("m", packed))
    assert unpack(packed).files == ()


def test_a_forward_takes_the_files_along_as_files():
    new = b"To: carl@example.net\r\nSubject: Fwd: rich\r\n\r\nfyi\r\n"
    forwarded = compose_forward(new, make.mail(RICH, "See below."))
    assert [name for name, _, _ in listed(forwarded)] == ["Übersicht.pdf", "logo.png"]
    assert b"ms-tnef" not in forwarded


def test_a_draft_keeps_the_files():
    edited = edit_draft(
        make.mail(RICH, "text"),
        Edit(removed=scan(make.mail(RICH, "text")).attachments[1:]),
        author=Address("Anna", "anna@example.test"),
        domain="example.test",
        now=datetime(2026, 3, 2, 12, tzinfo=UTC),
    )
    assert [name for name, _, _ in listed(edited.raw)] == ["Übersicht.pdf"]


# --- hostile ----------------------------------------------------------------------------------------

BILLIONS = struct.pack("<I", 0xFFFFFFF0)


@pytest.mark.parametrize(
    "packed",
    [
        make.tnef()[:6],
        RICH[:4],
        RICH[:100],
        make.tnef(make.attribute(make.MESSAGE, make.PROPERTIES, BILLIONS)),
        make.tnef(make.attribute(make.MESSAGE, make.RECIPIENTS, BILLIONS)),
        make.tnef(
            make.attribute(
                make.MESSAGE,
                make.PROPERTIES,
                struct.pack("<IHH", 1, 0x1003, 0x1000) + BILLIONS,  # a list of so many numbers
            )
        ),
        make.tnef(
            make.attribute(make.MESSAGE, make.PROPERTIES, struct.pack("<IHH", 1, 0x1F, 0x1000) + BILLIONS)
        ),
        make.tnef(b"".join(make.attribute(make.MESSAGE, 0x8004, b"") for _ in range(100_000))),
        make.tnef(make.embedded("m", make.tnef(make.attribute(make.MESSAGE, make.PROPERTIES, BILLIONS)))),
    ],
    ids=["empty", "signature", "cut", "properties", "recipients", "numbers", "strings", "many", "inside"],
)
def test_what_cannot_be_read_stays_the_file_it_is(packed: bytes):
    raw = make.mail(packed, "text")
    tracemalloc.start()
    try:
        structure = scan(raw)
        assert tracemalloc.get_traced_memory()[1] < 32 * len(raw) + 4_000_000
    finally:
        tracemalloc.stop()
    assert [part.filename for part in structure.attachment_parts()] == ["winmail.dat"]
    assert plain_body(raw, structure).strip() == "text"


@given(st.binary(max_size=200), st.integers(0, len(RICH)), st.integers(0, 60))
def test_nothing_raises(junk: bytes, at: int, removed: int):
    for found in unpack(RICH[:at] + junk + RICH[at + removed :]).files:
        assert found.key


def test_one_bad_file_does_not_take_the_others_along():
    bad = make.attribute(make.FILE, make.RENDER_DATA, bytes(14)) + make.attribute(
        make.FILE, make.ATTACHMENT, BILLIONS
    )
    assert [file.name for file in unpack(make.tnef(bad, make.file("good.txt", b"x"))).files] == ["good.txt"]
