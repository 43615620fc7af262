"""Steps of the story in which the phone answers, and tidies up behind itself."""

import time

from appliance.phone.changes import Delete
from appliance.phone.errors import ProtocolError, StatusError
from appliance.phone.mailbox import DELETED_ITEMS, INBOX, SENT_ITEMS
from appliance.phone.steps import Skip
from appliance.phone.story import letters
from appliance.phone.story.teller import MAIL, Story, folder_of, with_token

POLL_PAUSE_S = 0.1
MESSAGE_PREVIOUSLY_SENT = 118


def smart_reply(story: Story) -> str:
    story.reply = letters.answer(story.phone.address, story.correspondent, story.token)
    story.reply_client_id = story.phone.smart_reply(story.inbox, story.message_id, story.reply)
    return f"to {story.correspondent}"


def answer_arrives(story: Story) -> str:
    """Sign in as the one who gets the answer and look into the Inbox."""
    reader = story.peer or story.phone
    if story.peer:
        reader.folder_sync()
    inbox = folder_of(reader, INBOX).id
    deadline = time.monotonic() + story.timeout_s
    while not (found := with_token(reader, inbox, story.token, "Re: ")):
        if time.monotonic() > deadline:
            raise ProtocolError(f"Sync: the answer did not reach {reader.address}")
        time.sleep(POLL_PAUSE_S)
    text = reader.fetch(inbox, found[0]).body
    if letters.ANSWER.encode() not in text:
        raise ProtocolError("ItemOperations: the answer is not what was sent")
    return f"at {reader.address}, {len(text)} bytes"


def one_copy_sent(story: Story) -> str:
    """Wait for the copy in Sent Items and count."""
    sent = story.folder(SENT_ITEMS)
    deadline = time.monotonic() + story.timeout_s
    while not (found := with_token(story.phone, sent, story.token, "Re: ")):
        if time.monotonic() > deadline:
            raise ProtocolError("Sync: no copy in Sent Items")
        time.sleep(POLL_PAUSE_S)
    if len(found) != 1:
        raise ProtocolError(f"Sync: {len(found)} copies in Sent Items")
    return "exactly one copy"


def repeat_is_refused(story: Story) -> str:
    """Send the answer again with the same ClientId, as a phone does that heard nothing.

    Up to 12.1 there is no ClientId and no word for it: the server takes the same bytes and sends nothing,
    which the next step sees in Sent Items.
    """
    try:
        story.phone.smart_reply(story.inbox, story.message_id, story.reply, client_id=story.reply_client_id)
    except StatusError as error:
        if error.status != MESSAGE_PREVIOUSLY_SENT:
            raise
        return f"Status {error.status}: sent before, not sent again"
    if not story.phone.session.is_14:
        return "accepted; Sent Items will tell"
    raise ProtocolError("SmartReply: the same ClientId was accepted twice")


def delete(story: Story) -> str:
    """Delete the message and find it in Deleted Items."""
    if story.wait_for_outside:
        raise Skip("a message from outside stays where it is")
    story.phone.sync(story.inbox, options=MAIL)
    story.phone.delete(story.inbox, story.message_id)
    if story.message_id in story.phone.mailbox.collection(story.inbox).items:
        raise ProtocolError("Sync: the message is still in the Inbox")
    found = with_token(story.phone, story.folder(DELETED_ITEMS), story.token, "")
    if story.raw and len(found) != 1:
        raise ProtocolError(f"Sync: {len(found)} copies in Deleted Items")
    return "moved to Deleted Items"


def settings(story: Story) -> str:
    story.phone.set_device_information()
    addresses = story.phone.user_information()
    if story.phone.address.lower() not in [address.lower() for address in addresses]:
        raise ProtocolError(f"Settings: {story.phone.address} is not among {', '.join(addresses)}")
    return f"{addresses[0]}" + (f" and {len(addresses) - 1} more" if len(addresses) > 1 else "")


def tidy_up(story: Story) -> str:
    """Delete for good what carries the story's token; look whether the phone was ever surprised."""
    count = 0
    for reader in filter(None, (story.phone, story.peer)):
        for type_ in (INBOX, SENT_ITEMS, DELETED_ITEMS):
            if folder := reader.mailbox.of_type(type_):
                found = with_token(reader, folder.id, story.token, "")
                if found:
                    reader.sync(
                        folder.id, [Delete(item) for item in found], options=MAIL, deletes_as_moves=False
                    )
                count += len(found)
    surprises = story.phone.mailbox.anomalies + (story.peer.mailbox.anomalies if story.peer else [])
    if surprises:
        raise ProtocolError(f"the answers contradicted each other {len(surprises)} times: {surprises[0]}")
    return f"{count} messages removed, no contradiction in any answer"
