"""Steps of the story in which a message arrives: the held Ping, the delivery, the wake-up, the content."""

import time
from email import message_from_bytes
from email.policy import default

from appliance.phone.changes import BodyPreference, flag, read
from appliance.phone.errors import ProtocolError, StatusError
from appliance.phone.mailbox import Value
from appliance.phone.operations import PING_CHANGES
from appliance.phone.steps import Skip
from appliance.phone.story import letters
from appliance.phone.story.teller import HEARTBEAT_S, MAIL, HeldPing, Story

HELD_PROOF_S = 0.5
"""A Ping that has not been answered after this long counts as held."""
POLL_PAUSE_S = 0.1
TEXT, HTML = 1, 2
FLAGGED = "2"


def hold_ping(story: Story) -> str:
    story.held = HeldPing(story.phone, story.inbox, story.timeout_s + HELD_PROOF_S + 5)
    story.held.start()
    if story.held.is_over(HELD_PROOF_S):
        if story.held.error:
            raise story.held.error
        raise StatusError("Ping", story.held.answer.status if story.held.answer else 0, "at once")
    return f"waits, heartbeat {HEARTBEAT_S} s"


def send_question(story: Story) -> str:
    """Deliver the story's message: from outside, by SMTP, or by the phone to itself."""
    if story.wait_for_outside:
        story.announce(f"  waiting {story.timeout_s:.0f} s for a message to {story.phone.address} …")
        return "left to the outside"
    story.raw = letters.question(story.correspondent, story.phone.address, story.token)
    if story.postman is None:
        story.raw = letters.question(story.phone.address, story.phone.address, story.token)
        story.phone.send_mail(story.raw, save=False)
        story.is_sent = True
        return "no SMTP port known (--smtp HOST:PORT): sent by SendMail to itself instead"
    story.accepted_at = story.postman.deliver(story.correspondent, story.phone.address, story.raw)
    story.is_sent = True
    return f"{len(story.raw)} bytes accepted on port {story.postman.port}"


def wake(story: Story) -> str:
    held = story.held
    if held is None or not held.is_over(story.timeout_s):
        raise ProtocolError(f"Ping: still silent {story.timeout_s:.0f} s after the message")
    if held.error:
        raise held.error
    if held.answer is None or held.answer.status != PING_CHANGES or story.inbox not in held.answer.folder_ids:
        raise StatusError("Ping", held.answer.status if held.answer else 0)
    if story.accepted_at:
        return f"{max(0.0, held.finished_at - story.accepted_at) * 1000:.1f} ms after the 250"
    return "Status 2, Inbox"


def deliver(story: Story) -> str:
    if not story.is_sent and not story.wait_for_outside:
        raise Skip("no message was sent")
    deadline = time.monotonic() + story.timeout_s
    while time.monotonic() < deadline:
        delta = story.phone.sync(story.inbox, options=MAIL)
        items = story.phone.mailbox.collection(story.inbox).items
        for server_id in delta.added if story.wait_for_outside else items:
            if story.wait_for_outside or story.token in str(items[server_id].get("Subject", "")):
                story.message_id = server_id
                return _describe(story, items[server_id])
        time.sleep(POLL_PAUSE_S)
    raise ProtocolError(f"Sync: the message did not appear within {story.timeout_s:.0f} s")


def _describe(story: Story, item: dict[str, Value]) -> str:
    attachments = item.get("Attachments")
    if isinstance(attachments, list) and attachments and isinstance(attachments[0], dict):
        story.attachment = str(attachments[0].get("FileReference", ""))
    if item.get("Read") != "0":
        raise ProtocolError("Sync: the new message is not unread")
    sender = item.get("From", "")
    return f"unread, from {sender if isinstance(sender, str) else '?'}"


def read_body(story: Story) -> str:
    """Fetch the whole message as MIME and as text, and compare with what was sent."""
    fetched = story.phone.fetch(story.inbox, story.message_id)
    text = story.phone.fetch(story.inbox, story.message_id, body=BodyPreference(TEXT))
    if not story.raw:
        return f"{len(fetched.body)} bytes as MIME, {len(text.body)} as text"
    if letters.BODY not in text.body.decode():
        raise ProtocolError("ItemOperations: the text is not what was sent")
    found = message_from_bytes(fetched.body, policy=default)
    sent = message_from_bytes(story.raw, policy=default)
    if found["Message-ID"] != sent["Message-ID"] or found["Subject"] != sent["Subject"]:
        raise ProtocolError("ItemOperations: the MIME message is not the one that was sent")
    body_start = story.raw.index(b"\r\n\r\n")
    is_exact = fetched.body.endswith(story.raw[body_start:])
    if not is_exact:
        raise ProtocolError("ItemOperations: the MIME body differs from the bytes that were sent")
    return f"{len(fetched.body)} bytes as MIME, byte for byte; {len(text.body)} as text"


def read_attachment(story: Story) -> str:
    """Fetch the attachment inline and as a part, and compare the two with what was sent."""
    if not story.attachment:
        if story.raw:
            raise ProtocolError("Sync: the message came without its attachment")
        raise Skip("the message has no attachment")
    inline = story.phone.fetch_attachment(story.attachment, multipart=False)
    part = story.phone.fetch_attachment(story.attachment, multipart=True)
    if inline.data != part.data or (story.raw and part.data != letters.ATTACHMENT):
        raise ProtocolError("ItemOperations: the attachment is not what was sent")
    return f"{len(part.data)} bytes, {part.content_type}; inline and multipart agree"


def mark_read(story: Story) -> str:
    """Mark the message read and flagged, and ask the server whether it is."""
    for change in (read(story.message_id), flag(story.message_id)):
        delta = story.phone.sync(story.inbox, [change], options=MAIL)
        if delta.statuses.get(story.message_id, 1) != 1:
            raise StatusError("Sync", delta.statuses[story.message_id])
        if story.message_id in delta.changed:
            raise ProtocolError("Sync: the phone's own change came back to it")
    found = story.phone.fetch(story.inbox, story.message_id, body=BodyPreference(TEXT, 0)).properties
    mark = found.get("Flag")
    if found.get("Read") != "1" or not isinstance(mark, dict) or mark.get("Status") != FLAGGED:
        raise ProtocolError("ItemOperations: the message is not read and flagged")
    if story.wait_for_outside:  # somebody's real message: leave it as it came
        story.phone.sync(story.inbox, [read(story.message_id, False)], options=MAIL)
        story.phone.sync(story.inbox, [flag(story.message_id, False)], options=MAIL)
    return "read and flagged, as a second look confirms"
