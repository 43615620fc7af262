"""Steps of the story that set the phone up: from Autodiscover to an Inbox that is in step."""

import time

from appliance.phone.errors import ProtocolError
from appliance.phone.mailbox import DELETED_ITEMS, DRAFTS, INBOX, SENT_ITEMS
from appliance.phone.story.teller import LAST_WEEK, MAIL, Story

RATE_COUNT_MIN = 100
"""Below this many messages a rate says nothing."""
COMMANDS = {
    "FolderCreate",
    "FolderDelete",
    "FolderSync",
    "FolderUpdate",
    "GetItemEstimate",
    "ItemOperations",
    "MeetingResponse",
    "MoveItems",
    "Ping",
    "Provision",
    "SendMail",
    "Settings",
    "SmartForward",
    "SmartReply",
    "Sync",
}


def autodiscover(story: Story) -> str:
    by_json, by_xml = story.phone.autodiscover()
    if by_json != by_xml:
        raise ProtocolError(f"Autodiscover: JSON says {by_json}, XML says {by_xml}")
    return by_json


def options(story: Story) -> str:
    found = story.phone.options()
    version = story.phone.session.version
    if version not in found.versions:
        raise ProtocolError(f"OPTIONS: {version} is not among {', '.join(found.versions)}")
    if missing := COMMANDS - set(found.commands):
        raise ProtocolError(f"OPTIONS: no {', '.join(sorted(missing))}")
    return f"{', '.join(found.versions)}; {len(found.commands)} commands"


def provision(story: Story) -> str:
    policies = story.phone.provision()
    if not policies:
        return "the server has no policies for this phone"
    strict = [name for name, value in policies.items() if value == "1" and name.startswith("Require")]
    password = policies.get("DevicePasswordEnabled") == "1"
    return f"{len(policies)} policies, passcode {'required' if password else 'free'}, {len(strict)} strict"


def folder_sync(story: Story) -> str:
    story.phone.mailbox.hierarchy_key = "0"
    count = story.phone.folder_sync()
    for type_ in (INBOX, DRAFTS, DELETED_ITEMS, SENT_ITEMS):
        story.folder(type_)
    if story.phone.folder_sync():
        raise ProtocolError("FolderSync: a second one, right after the first, has changes again")
    return f"{count} folders"


def folders(story: Story) -> str:
    """Create, rename and delete a folder; the phone's own changes must not come back to it.

    A server may put a deleted folder below Deleted Items: then it is deleted there, too.
    """
    phone = story.phone
    name = f"Phone check {story.token}"
    folder = phone.folder_create(name)
    phone.folder_update(folder, f"{name} renamed")
    echoed = phone.folder_sync()
    phone.folder_delete(folder)
    phone.folder_sync()
    is_kept = folder in phone.mailbox.folders
    if is_kept:
        phone.folder_delete(folder)
        phone.folder_sync()
    if folder in phone.mailbox.folders:
        raise ProtocolError("FolderDelete: the folder is still there")
    if echoed:
        raise ProtocolError("FolderSync: the phone's own changes came back to it")
    return "created, renamed, deleted" + (" by way of Deleted Items" if is_kept else "")


def sync_inbox(story: Story) -> str:
    started = time.monotonic()
    delta = story.phone.sync(story.inbox, options=MAIL)
    seconds = time.monotonic() - started
    rate = f", {len(delta.added) / seconds:.0f}/s" if len(delta.added) >= RATE_COUNT_MIN else ""
    pages = f"{delta.pages} page" + ("s" if delta.pages != 1 else "")
    return f"{len(delta.added)} messages of the last week in {pages}{rate}"


def estimate(story: Story) -> str:
    """Compare the estimate with what Sync then sends; new mail in between gets a second chance."""
    for _attempt in range(2):
        expected = story.phone.estimate(story.inbox, filter_type=LAST_WEEK)
        found = story.phone.sync(story.inbox, options=MAIL).count
        if expected == found:
            return f"{expected} pending, as Sync confirms"
    raise ProtocolError(f"GetItemEstimate says {expected}, Sync sends {found}")
