"""The story `appliance phone` tells: a new iPhone is set up, gets a message, answers it, tidies up.

Each step is a function of a `Story` that returns one line of fact. What a step finds out, later steps
read from the Story. The steps talk to the server only through `Phone`, and to SMTP through `Postman`.
"""

from appliance.phone.steps import Step
from appliance.phone.story import answer, arrival, meeting, setup
from appliance.phone.story.letters import Postman
from appliance.phone.story.teller import Story

__all__ = ["STEPS", "Postman", "Story"]

STEPS: tuple[Step[Story], ...] = (
    Step("autodiscover", "Autodiscover", setup.autodiscover),
    Step("options", "OPTIONS", setup.options),
    Step("provision", "Provision", setup.provision),
    Step("folder-sync", "FolderSync", setup.folder_sync),
    Step("folders", "A folder comes and goes", setup.folders, ("folder-sync",)),
    Step("sync", "Sync of the Inbox", setup.sync_inbox, ("folder-sync",)),
    Step("estimate", "GetItemEstimate", setup.estimate, ("sync",)),
    Step("ping", "Ping is held", arrival.hold_ping, ("sync",)),
    Step("message", "A message is sent", arrival.send_question, ("folder-sync",)),
    Step("wake", "It wakes the Ping", arrival.wake, ("ping", "message")),
    Step("deliver", "Sync delivers it", arrival.deliver, ("sync", "message")),
    Step("body", "The body is read", arrival.read_body, ("deliver",)),
    Step("attachment", "The attachment is read", arrival.read_attachment, ("deliver",)),
    Step("mark-read", "It is marked read", arrival.mark_read, ("deliver",)),
    Step("reply", "SmartReply", answer.smart_reply, ("deliver",)),
    Step("answer", "The answer arrives", answer.answer_arrives, ("reply",)),
    Step("repeat", "A repeat is not sent", answer.repeat_is_refused, ("reply",)),
    Step("sent", "Sent Items", answer.one_copy_sent, ("reply",)),
    Step("delete", "Deleted Items", answer.delete, ("deliver",)),
    Step("invitation", "An invitation arrives", meeting.invitation_arrives, ("sync",)),
    Step("accept", "MeetingResponse", meeting.accept, ("invitation",)),
    Step("organizer", "The organizer hears it", meeting.organizer_hears, ("accept",)),
    Step("settings", "Settings", answer.settings),
    Step("tidy-up", "The traces are removed", answer.tidy_up, ("folder-sync",)),
)
