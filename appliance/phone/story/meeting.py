"""Steps of the story about a meeting: an invitation arrives, is accepted, and the organizer hears it once."""

import time

from appliance.phone.errors import ProtocolError
from appliance.phone.mailbox import DELETED_ITEMS, INBOX
from appliance.phone.steps import Skip
from appliance.phone.story import letters
from appliance.phone.story.teller import MAIL, Story, folder_of, with_token

POLL_PAUSE_S = 0.1
ACCEPT = 1
REQUEST_CLASS, ACCEPTED_CLASS = "IPM.Schedule.Meeting.Request", "IPM.Schedule.Meeting.Resp.Pos"


def invitation_arrives(story: Story) -> str:
    """Have the peer invite the phone, and see that it comes as something that can be answered."""
    if story.peer is None:
        raise Skip("nobody answers his own invitation: needs a second account (--peer)")
    raw = letters.invitation(story.peer.address, story.phone.address, story.token)
    story.peer.send_mail(raw, save=False)
    deadline = time.monotonic() + story.timeout_s
    while not (found := with_token(story.phone, story.inbox, story.token, letters.MEETING)):
        if time.monotonic() > deadline:
            raise ProtocolError("Sync: the invitation did not arrive")
        time.sleep(POLL_PAUSE_S)
    item = story.phone.mailbox.collection(story.inbox).items[found[0]]
    meeting = item.get("MeetingRequest")
    if item.get("MessageClass") != REQUEST_CLASS or not isinstance(meeting, dict):
        raise ProtocolError("Sync: the invitation came as an ordinary message")
    story.invitation_id = found[0]
    return f"starts {meeting.get('StartTime')!s}"


def accept(story: Story) -> str:
    """Accept, as if the first answer had been lost once more, and find the invitation put away."""
    phone, peer = story.phone, story.peer
    assert peer is not None
    for _attempt in range(2):
        phone.meeting_response(story.inbox, story.invitation_id, ACCEPT)
    if not phone.session.sends_meeting_mail:
        phone.send_mail(letters.acceptance(peer.address, phone.address, story.token), save=False)
    phone.sync(story.inbox, options=MAIL)
    if story.invitation_id in phone.mailbox.collection(story.inbox).items:
        raise ProtocolError("Sync: the answered invitation is still in the Inbox")
    if len(with_token(phone, story.folder(DELETED_ITEMS), story.token, letters.MEETING)) != 1:
        raise ProtocolError("Sync: the answered invitation is not in Deleted Items")
    return "accepted, twice without harm; the invitation is in Deleted Items"


def organizer_hears(story: Story) -> str:
    """Look into the organizer's Inbox for the one answer."""
    reader = story.peer
    assert reader is not None
    inbox = folder_of(reader, INBOX).id
    deadline = time.monotonic() + story.timeout_s
    while not (found := with_token(reader, inbox, story.token, "Accepted: ")):
        if time.monotonic() > deadline:
            raise ProtocolError(f"Sync: the answer did not reach {reader.address}")
        time.sleep(POLL_PAUSE_S)
    if len(found) != 1:
        raise ProtocolError(f"Sync: {len(found)} answers to one invitation")
    kind = reader.mailbox.collection(inbox).items[found[0]].get("MessageClass")
    if kind != ACCEPTED_CLASS:
        raise ProtocolError(f"Sync: the answer came as {kind!s}")
    sender = "the server's" if story.phone.session.sends_meeting_mail else "the phone's"
    return f"one answer at {reader.address}, {sender}"
