"""Sending: what a device wrote is edited, never printed anew; our own mail is well-formed."""

import email
import email.policy
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.mime.addresses import Address
from appliance.mime.body import decode_leaf, html_body, plain_body
from appliance.mime.compose import (
    Attachment,
    ComposeError,
    InvalidAddress,
    MalformedHeader,
    NoRecipients,
    PreparedMessage,
    TooManyRecipients,
    build_message,
    build_report,
    compose_forward,
    compose_reply,
    prepare_submission,
)
from appliance.mime.edit import encode_text, field_line, multipart_body, to_crlf
from appliance.mime.headers import parse_headers
from appliance.mime.message import summarise
from appliance.mime.message_class import message_class
from appliance.mime.scan import scan
from appliance.mime.submission import is_usable_address
from tests.unit.mime import vectors

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
ME = Address("Erika Example", "erika@example.com")
HEAD = b"From: Erika <erika@example.com>\r\nTo: max@example.net\r\nSubject: x\r\n"


def prepare(raw: bytes, **options: object) -> PreparedMessage:
    allowed = options.get("allowed_addresses", ())
    assert isinstance(allowed, tuple)
    return prepare_submission(
        raw, from_address=ME, message_id_domain="example.com", now=NOW, allowed_addresses=allowed
    )


def golden(name: str) -> bytes:
    return next(p for p in vectors.messages() if p.stem.endswith(name)).read_bytes()


def test_bcc_is_a_recipient_and_does_not_leave() -> None:
    prepared = prepare(HEAD + b"Cc: Max@example.net, c@x.test\r\nBcc: b@x.test,\r\n d@x.test\r\n\r\nhi\r\n")
    assert prepared.recipients == ["max@example.net", "c@x.test", "b@x.test", "d@x.test"]
    assert prepared.bcc == ("b@x.test", "d@x.test")
    assert b"b@x.test" not in prepared.raw
    assert b"d@x.test" not in prepared.raw
    assert prepared.raw.startswith(HEAD)


def test_a_blank_before_the_colon_hides_no_field_from_other_readers() -> None:
    prepared = prepare(HEAD + b"X-Mailer \t: phone\r\n  folded\r\nBcc : b@x.test\r\n\r\nhi\r\n")
    assert prepared.bcc == ("b@x.test",)
    assert prepared.raw.startswith(HEAD + b"X-Mailer: phone\r\n  folded\r\n")
    assert email.message_from_bytes(prepared.raw)["Message-ID"] == prepared.message_id


def test_missing_fields_are_added_and_present_ones_kept() -> None:
    added = prepare(HEAD + b"\r\nhi")
    headers = parse_headers(added.raw)
    assert headers.get("Date") == "Sat, 14 Mar 2026 09:30:00 +0000"
    assert headers.get("Message-ID") == added.message_id
    assert added.message_id.endswith("@example.com>")
    kept = HEAD + b"Date: Fri, 13 Mar 2026 09:30:00 +0000\r\nMessage-ID: <a@b.test>\r\n\r\nhi"
    assert prepare(kept).raw == kept
    assert prepare(kept).message_id == "<a@b.test>"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"From: Boss <boss@example.com>", '"Boss" <erika@example.com>'),
        (b"From: =?utf-8?q?J=C3=B6rg?= <x@evil.test>", '"Jörg" <erika@example.com>'),
        (b"From: x@evil.test", '"Erika Example" <erika@example.com>'),
        (b"From: a@evil.test, b@evil.test", '"Erika Example" <erika@example.com>'),
        (b"From: Erika <erika@example.com>\r\nFrom: Boss <boss@example.com>", '"Erika" <erika@example.com>'),
        (b"X-None: 1", '"Erika Example" <erika@example.com>'),
        (b"From: <ERIKA@example.com>", "ERIKA@example.com"),
    ],
)
def test_from_is_forced(sent: bytes, expected: str) -> None:
    prepared = prepare(sent + b"\r\nSender: boss@example.com\r\nTo: a@b.test\r\n\r\nhi")
    summary = summarise(prepared.raw, scan(prepared.raw))
    assert summary.from_ == expected
    assert summary.sender == ""
    assert len(parse_headers(prepared.raw).get_all("From")) == 1


def test_an_alias_may_be_used_as_from() -> None:
    raw = b"From: Shop <shop@example.com>\r\nTo: a@b.test\r\n\r\n"
    assert prepare(raw, allowed_addresses=("shop@example.com",)).from_address == "shop@example.com"
    assert prepare(raw).from_address == "erika@example.com"


def test_the_body_is_not_touched() -> None:
    signed = golden("smime-signed")
    body = signed.partition(b"\r\n\r\n")[2]
    assert prepare(signed).raw.endswith(b"\r\n\r\n" + body)


def test_line_ends_become_crlf() -> None:
    prepared = prepare(HEAD.replace(b"\r\n", b"\n") + b"\na\nb\r\nc\rd")
    assert prepared.raw.endswith(b"\r\n\r\na\r\nb\r\nc\r\nd")
    assert prepared.raw.count(b"\n") == prepared.raw.count(b"\r\n") == prepared.raw.count(b"\r")


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"Subject: x\r\n\r\nhi", NoRecipients),
        (b"", NoRecipients),
        (b"To: undisclosed-recipients:;\r\n\r\n", NoRecipients),
        (b"To: root\r\n\r\n", InvalidAddress),
        (b"To: a@b@c.test\r\n\r\n", InvalidAddress),
        (b"To: <a b@c.test>\r\n\r\n", InvalidAddress),
        (b"To: a@-b.test\r\n\r\n", InvalidAddress),
        (b"To: a@b..test\r\n\r\n", InvalidAddress),
        (b"To: " + b"a" * 300 + b"@b.test\r\n\r\n", InvalidAddress),
        (b"To: a@b.test\r\nSubject: x\rBcc: c@d.test\r\n\r\n", MalformedHeader),
        (b"To: a@b.test\r\nSubject: x\0y\r\n\r\n", MalformedHeader),
        (b"To: a@b.test\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", MalformedHeader),
        (b"To: a@b.test\r\n" + b"X: y\r\n" * 60_000 + b"\r\n", MalformedHeader),
        (b"To: " + b",".join(b"u%d@b.test" % n for n in range(1_001)) + b"\r\n\r\n", TooManyRecipients),
    ],
)
def test_what_must_not_be_sent(raw: bytes, error: type[ComposeError]) -> None:
    with pytest.raises(error):
        prepare(raw)


def test_a_thousand_recipients_are_fine() -> None:
    raw = b"To: " + b",\r\n ".join(b"u%d@b.test" % n for n in range(1_000)) + b"\r\n\r\n"
    assert len(prepare(raw).recipients) == 1_000


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=100))
def test_submission_raises_only_its_own_errors_and_yields_clean_lines(header: bytes, body: bytes) -> None:
    try:
        prepared = prepare(b"To: a@b.test\r\nSubject: " + header + b"\r\n\r\n" + body)
    except ComposeError:
        return
    assert prepared.recipients
    assert prepared.raw.count(b"\n") == prepared.raw.count(b"\r\n") == prepared.raw.count(b"\r")
    assert "bcc" not in parse_headers(prepared.raw)
    assert [a.address for a in parse_headers(prepared.raw).addresses("From")] == ["erika@example.com"]
    for recipient in prepared.recipients:
        assert is_usable_address(recipient)


@given(st.text(max_size=60))
def test_a_usable_address_is_one_token(address: str) -> None:
    if is_usable_address(address):
        assert not set(address) & set(" \t\r\n\0<>,;")
        assert prepare(f"To: <{address}>\r\n\r\n".encode()).recipients == [address]


@given(st.text(max_size=80))
def test_a_display_name_never_becomes_a_header(name: str) -> None:
    prepared = prepare_submission(
        b"To: a@b.test\r\n\r\n",
        from_address=Address(name, "erika@example.com"),
        message_id_domain="example.com",
        now=NOW,
    )
    names = sorted(name for name, _ in parse_headers(prepared.raw).fields)
    assert names == ["Date", "From", "Message-ID", "To"]


def reply_body(new: bytes, original: bytes) -> tuple[str, str | None]:
    raw = compose_reply(new, original)
    structure = scan(raw)
    assert not structure.defects
    return plain_body(raw, structure), html_body(raw, structure)


def test_a_plain_reply_gets_the_quoted_text() -> None:
    plain, _ = reply_body(HEAD + b"\r\nMy answer\r\n", golden("alternative-with-mixed-html"))
    assert plain == (
        "My answer\r\n\r\nOn Sat, 14 Mar 2026 09:30:00 +0000, "
        '"Erika Example" <erika@example.com> wrote:\r\n> Grüße aus Köln\r\n'
    )


def test_an_html_reply_gets_the_quoted_html_and_its_pictures() -> None:
    new = HEAD + b"Content-Type: text/html; charset=utf-8\r\n\r\n<html><body>Ja</body></html>"
    raw = compose_reply(new, golden("related-cp1252"))
    structure = scan(raw)
    html = html_body(raw, structure) or ""
    assert html.startswith("<html><body>Ja<br>")
    assert "Der Preis beträgt 20 € – netto." in html
    assert html.endswith("</body></html>")
    assert [structure.part(n).content_id for n in structure.attachments] == ["logo@example.com"]


def test_both_forms_of_a_new_message_are_extended_and_its_attachments_kept() -> None:
    new = build_message(
        from_=ME, to=[Address("", "a@b.test")], subject="s", text="plain new", html="<p>html new</p>",
        attachments=[Attachment("a.bin", "application/octet-stream", b"\0\1\2")],
        message_id_domain="example.com", now=NOW,
    )  # fmt: skip
    raw = compose_reply(new, golden("alternative-with-mixed-html"))
    structure = scan(raw)
    plain, html = plain_body(raw, structure), html_body(raw, structure) or ""
    assert plain.startswith("plain new")
    assert "> Grüße aus Köln" in plain
    assert "html new" in html
    assert "<p>Grüße aus</p><p>Köln</p>" in html
    (attachment,) = structure.attachment_parts()
    assert decode_leaf(raw, attachment) == b"\0\1\2"


def test_a_plain_original_is_quoted_in_html_and_the_other_way_round() -> None:
    new = HEAD + b"Content-Type: text/html\r\n\r\n<p>Ja</p>"
    _, html = reply_body(new, HEAD + b"\r\na < b\r\nc")
    assert html is not None
    assert "a &lt; b<br>\r\nc" in html
    plain, _ = reply_body(HEAD + b"\r\nJa", HEAD + b"Content-Type: text/html\r\n\r\n<p>x</p><p>y</p>")
    assert plain.endswith("> x\r\n>\r\n> y\r\n")


def test_threading_fields_are_added_where_missing() -> None:
    original = golden("reply-with-quote")
    headers = parse_headers(compose_reply(HEAD + b"\r\nx", original))
    assert headers.get("In-Reply-To") == "<m2@example.net>"
    assert headers.get("References") == "<m0@example.com> <m1@example.com> <m2@example.net>"
    own = HEAD + b"In-Reply-To: <z@z>\r\nReferences: <y@z> <z@z>\r\n\r\nx"
    assert parse_headers(compose_reply(own, original)).get("References") == "<y@z> <z@z>"


@pytest.mark.parametrize("name", ["smime-signed", "smime-encrypted", "pgp-signed"])
def test_a_sealed_new_message_is_returned_as_it_is(name: str) -> None:
    new = golden(name)
    assert compose_reply(new, golden("reply-with-quote")) == new
    assert compose_forward(new, golden("reply-with-quote")) == new


def test_an_unreadable_original_adds_nothing_to_a_reply() -> None:
    raw = compose_reply(HEAD + b"\r\nJa\r\n", golden("smime-encrypted"))
    assert raw.endswith(b"\r\n\r\nJa\r\n")
    assert b"In-Reply-To: <m1@example.com>" in raw


@pytest.mark.parametrize("name", ["smime-signed", "smime-encrypted", "pgp-signed"])
def test_a_sealed_original_is_forwarded_whole(name: str) -> None:
    original = golden(name)
    raw = compose_forward(HEAD + b"\r\nlook\r\n", original)
    structure = scan(raw)
    (attachment,) = structure.attachment_parts()
    assert attachment.content_type == "message/rfc822"
    assert decode_leaf(raw, attachment) == original
    assert plain_body(raw, structure) == "look\r\n"


@pytest.mark.parametrize("path", vectors.messages(), ids=lambda path: path.stem)
def test_forwarding_keeps_every_attachment_byte_for_byte(path: object) -> None:
    original = next(p for p in vectors.messages() if p == path).read_bytes()
    before = scan(original)
    raw = compose_forward(HEAD + b"\r\nlook\r\n", original)
    after = scan(raw)
    assert not after.defects
    if before.smime or before.root.content_type == "multipart/signed":
        return
    old, new = list(before.attachment_parts()), list(after.attachment_parts())
    if message_class(original, before) == "IPM.Schedule.Meeting.Request":
        old.insert(0, before.part(before.calendar_part or ""))
    assert [(p.content_type, p.filename, p.content_id) for p in old] == [
        (p.content_type, p.filename, p.content_id) for p in new
    ]
    for theirs, ours in zip(old, new, strict=True):
        assert to_crlf(decode_leaf(original, theirs)) == to_crlf(decode_leaf(raw, ours))
    assert plain_body(raw, after).startswith("look\r\n\r\n-------- Forwarded message --------\r\n")
    headers = email.message_from_bytes(raw, policy=email.policy.compat32)
    assert not headers.defects


def test_a_bare_cr_in_the_header_of_an_attachment_does_not_break_it_when_forwarded() -> None:
    original = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX-A:\r\r\nContent-Type: a/b\r\n"
        b"Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--b--\r\n"
    )
    raw = compose_forward(HEAD + b"\r\nhi\r\n", original)
    [attachment] = scan(raw).attachment_parts()
    assert (attachment.content_type, decode_leaf(raw, attachment)) == ("a/b", b"hello")


def test_a_message_without_text_gets_a_text_part() -> None:
    new = HEAD + b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA"
    raw = compose_forward(new, HEAD + b"\r\nold text")
    structure = scan(raw)
    assert "old text" in plain_body(raw, structure)
    assert [p.content_type for p in structure.attachment_parts()] == ["image/png"]


def test_a_hostile_original_cannot_break_out_of_the_quotation() -> None:
    original = b"From: a@b.test\nSubject: =?utf-8?q?x=0D=0ABcc=3A_c=40d.test?=\n\n--b\r\nBcc: x\r\n.\r\n"
    raw = compose_forward(HEAD + b"\r\nlook", original)
    assert "bcc" not in parse_headers(raw)
    assert len(scan(raw).parts) == 1


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.binary(max_size=300))
def test_composing_from_any_bytes(new: bytes, original: bytes) -> None:
    for compose in (compose_reply, compose_forward):
        try:
            raw = compose(new, original)
        except MalformedHeader:
            continue
        assert plain_body(raw, scan(raw)) is not None


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r\n\0"), max_size=300))
def test_text_encodings_round_trip(text: str) -> None:
    encoding, body = encode_text(text)
    raw = b"Content-Transfer-Encoding: " + encoding.encode() + b"\r\n\r\n" + body
    assert decode_leaf(raw, scan(raw).parts[0]).decode() == text
    assert all(len(line) <= 998 for line in body.split(b"\r\n"))


def test_our_own_message_is_what_the_standard_library_reads() -> None:
    raw = build_message(
        from_=Address('Jörg "J" Müller', "j@example.com"),
        to=[Address("Zoë, Dr.", "z@example.net"), Address("", "b@example.net")],
        cc=[Address("C", "c@example.net")],
        subject="Grüße " * 20,
        text="Hallo Welt ü\n",
        html='<img src="cid:p@x"> ü',
        attachments=[
            Attachment("p.png", "image/png", b"\x89PNG", "p@x"),
            Attachment("ü\r\nX: y.pdf", "application/pdf", b"%PDF"),
            Attachment("in.eml", "message/rfc822", b"Subject: inner\r\n\r\n\xe9"),
        ],
        calendar=("REQUEST", "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"),
        headers={"Auto-Submitted": "auto-generated"},
        message_id_domain="example.com",
        now=NOW,
    )
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert message["Subject"] == ("Grüße " * 20).strip()
    assert message["From"].addresses[0].display_name == 'Jörg "J" Müller'
    assert [a.addr_spec for a in message["To"].addresses] == ["z@example.net", "b@example.net"]
    assert message["Auto-Submitted"] == "auto-generated"
    structure = scan(raw)
    assert not structure.defects
    assert [part.filename for part in structure.attachment_parts()] == ["p.png", "ü X: y.pdf", "in.eml"]
    assert len(structure.inline) == 1
    assert summarise(raw, structure).message_class == "IPM.Schedule.Meeting.Request"
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert raw.count(b"\n") == raw.count(b"\r\n")


def test_a_report_carries_the_header_or_the_whole_original() -> None:
    original = b"Subject: lost\nFrom: a@b.test\n\nbody text\n"
    for is_whole in (False, True):
        raw = build_report(
            from_=Address("Mail system", "postmaster@example.com"),
            to=[ME],
            subject="Undelivered",
            text="Sorry.\r\n",
            report_type="delivery-status",
            details="Reporting-MTA: dns; mx\n\nAction: failed\nStatus: 5.1.1\n",
            message_id_domain="example.com",
            now=NOW,
            original=original,
            is_original_whole=is_whole,
            headers={"Auto-Submitted": "auto-replied"},
        )
        structure = scan(raw)
        assert not structure.defects
        assert summarise(raw, structure).message_class == "REPORT.IPM.NOTE.NDR"
        assert (b"body text" in raw) == is_whole
        assert b"Subject: lost\r\n" in raw
        assert email.message_from_bytes(raw).get_content_type() == "multipart/report"


def test_our_own_header_values_cannot_inject() -> None:
    with pytest.raises(MalformedHeader):
        field_line("Subject", "x\r\nBcc: y@z.test")
    with pytest.raises(MalformedHeader):
        field_line("X y", "z")
    with pytest.raises(InvalidAddress):
        build_message(
            from_=ME, to=[Address("", "a@b.test\r\nX: y")], subject="s", text="t",
            message_id_domain="example.com", now=NOW,
        )  # fmt: skip
    raw = build_message(
        from_=Address("A\r\nBcc: x@y.test", "a@b.test"), to=[ME], subject="s\r\nX: y", text="t",
        message_id_domain="example.com", now=NOW,
    )  # fmt: skip
    assert set(parse_headers(raw)._by_name) & {"bcc", "x"} == set()


def test_a_boundary_is_never_part_of_the_content() -> None:
    first, _ = multipart_body([b"a"])
    second, body = multipart_body([b"a", b"--" + first.encode()])
    assert first != second
    assert body.count(b"--" + second.encode()) == 3
