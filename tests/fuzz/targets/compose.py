"""What a phone sends: its message, the marker, and the message it answers or forwards.

Refused with ComposeError, or a message that may leave: only CRLF, one From that is ours, no Bcc that any
other reader of mail could see, the same recipients before and after; what a forward carries is unharmed.
The standard library's parser is the other reader.
"""

import email
from datetime import UTC, datetime
from email.message import Message
from random import Random

from appliance.mime.addresses import Address
from appliance.mime.body import decode_leaf
from appliance.mime.compose import (
    ComposeError,
    MalformedHeader,
    compose_forward,
    compose_reply,
    prepare_submission,
)
from appliance.mime.headers import parse_headers
from appliance.mime.scan import scan
from appliance.mime.structure import Structure
from appliance.mime.submission import PreparedMessage, is_usable_address
from tests.fuzz.checks import has_only_crlf
from tests.fuzz.coverage import note
from tests.fuzz.targets import mime

COVERS = tuple(f"appliance/mime/{name}.py" for name in ("compose", "edit", "quoting", "submission", "build"))
MARKER = b"\r\n%%%\r\n"
TOKENS = (
    *mime.TOKENS,
    MARKER,
    b"Bcc: secret@example.net\r\n",
    b"Resent-Bcc: x@y.test\r\n",
    b"Sender: a@b.test\r\n",
    b"Date: x\r\n",
    b"Message-ID: <a@b>\r\n",
)
BYTES_MAX = 32_768
DEADLINE_S = 5.0
WEIGHT = 2
OWN = Address("Ann Example", "ann@example.com")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MESSAGE = (
    b"From: ann@example.com\r\nTo: bob@example.net, c@d.test\r\nBcc: secret@example.net\r\nSubject: hi\r\n"
    b"Message-ID: <1@example.com>\r\nDate: Mon, 02 Jan 2006 15:04:05 +0000\r\n\r\nhello\r\n"
)
SECRET = ("bcc", "resent-bcc", "return-path")


def seeds() -> list[bytes]:
    return [MESSAGE + MARKER + raw for raw in mime.seeds()] + [raw + MARKER + MESSAGE for raw in mime.seeds()]


def make(rng: Random) -> bytes:
    own = (
        MESSAGE if rng.random() < 0.4 else b"From: ann@example.com\r\nTo: b@example.net\r\n" + mime.make(rng)
    )
    return own + MARKER + mime.make(rng)


def target(data: bytes) -> None:
    new, _, original = data.partition(MARKER)
    _submit(new)
    for compose in (compose_reply, compose_forward):
        try:
            raw = compose(new, original)
        except MalformedHeader:
            note("malformed", compose.__name__)
            continue
        if raw == new:
            note("sealed", compose.__name__)
            continue
        _is_whole(raw, new)
        _submit(raw)
        if compose is compose_forward:
            _carries(raw, original)


def _submit(raw: bytes) -> PreparedMessage | None:
    try:
        prepared = prepare_submission(raw, from_address=OWN, message_id_domain="example.com", now=NOW)
    except ComposeError as error:
        note(type(error).__name__)
        return None
    note("prepared", len(prepared.recipients) > 1, bool(prepared.bcc))
    has_only_crlf(prepared.raw, "a submitted message")
    assert prepared.recipients
    assert all(map(is_usable_address, prepared.recipients))
    assert set(map(str.lower, prepared.bcc)) <= set(map(str.lower, prepared.recipients))
    _looks_right_to_others(email.message_from_bytes(prepared.raw), prepared)
    again = prepare_submission(
        prepared.raw, from_address=OWN, message_id_domain="example.com", now=NOW, needs_recipients=False
    )
    assert again.raw == prepared.raw, "prepared twice, it changes"
    assert again.from_address == prepared.from_address
    return prepared


def _looks_right_to_others(message: Message, prepared: PreparedMessage) -> None:
    names = [name.strip().lower() for name in message.keys()]  # noqa: SIM118 - a Message is no dict
    assert not set(names) & set(SECRET), "Bcc leaves"
    for name in ("from", "date", "message-id"):
        assert names.count(name) == 1, f"{names.count(name)} {name} fields"
    assert names.count("sender") <= 1
    assert prepared.from_address.lower() == OWN.address


def _is_whole(raw: bytes, new: bytes) -> None:
    has_only_crlf(raw, "a composed message")
    before, after = parse_headers(new.replace(b"\r\n", b"\n")), parse_headers(raw)
    for name in ("From", "To", "Cc", "Bcc"):
        if not all(value.isascii() for field, value in before.fields if field.lower() == name.lower()):
            continue  # 8-bit octets mean what the charset of the body says, and that becomes UTF-8
        assert after.addresses(name) == before.addresses(name), f"composing changes {name}"
    assert len(after.get_all("References")) <= max(1, len(before.get_all("References")))


def _carries(raw: bytes, original_raw: bytes) -> None:
    """Every attachment in base64 must come through a forward octet for octet."""
    original, forward = scan(original_raw), scan(raw)
    if (
        original.defects
        or forward.defects
        or original.smime
        or original.root.content_type == "multipart/signed"
    ):
        return
    carried = _contents(raw, forward)
    for number in original.attachments:
        part = original.part(number)
        if part.encoding == "base64" and part.parent is not None:
            assert decode_leaf(original_raw, part) in carried, "a forward loses or damages an attachment"


def _contents(raw: bytes, structure: Structure) -> set[bytes]:
    return {decode_leaf(raw, part) for part in structure.parts if not part.is_multipart}
