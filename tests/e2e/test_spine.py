"""The proof of the README: a message comes in by SMTP, wakes a phone, is read and answered.

Real processes, real sockets, two web workers and one SMTP process.
"""

import json
import re
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import pytest

from appliance.phone.errors import PhoneError
from appliance.phone.mailbox import DELETED_ITEMS, SENT_ITEMS
from appliance.phone.steps import Outcome, run
from appliance.phone.story import STEPS, Story
from tests.e2e.conftest import BEN, MIA, PASSWORDS, Office
from tests.e2e.waiting import Waiting

LETTERS = Path(__file__).parent / "letters"
VERSIONS = ("16.1", "14.1")
WAKE_S = 10.0
HELD_S = 0.6


def letter(name: str) -> bytes:
    """Return a message from a file, with the line ends it has on the wire."""
    return (LETTERS / name).read_bytes().replace(b"\n", b"\r\n")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_story_of_a_new_phone(office: Office, version: str) -> None:
    story = Story(
        office.phone(MIA, version=version),
        office.phone(BEN, version=version),
        office.appliance.postman(),
    )
    results = list(run(STEPS, story))
    troubles = [f"{result.title}: {result.fact}" for result in results if result.outcome is not Outcome.OK]
    assert troubles == []


def test_the_command_tells_the_same_story(office: Office) -> None:
    """`appliance phone` finds the local appliance, its SMTP port and its certificate by itself."""
    done = office.appliance.cli(
        *("phone", MIA, "--version", "all", "--peer", BEN, "--json"),
        environment={
            "APPLIANCE_PHONE_PASSWORD": PASSWORDS[MIA],
            "APPLIANCE_PHONE_PEER_PASSWORD": PASSWORDS[BEN],
        },
        check=False,
    )
    document = json.loads(done.stdout)
    not_done = [
        (version, step["name"], step["outcome"])
        for version, steps in document["runs"].items()
        for step in steps
        if step["outcome"] != "ok"
    ]
    assert not_done == []
    assert done.returncode == 0
    assert list(document["runs"]) == ["16.1", "16.0", "14.1", "14.0", "12.1"]


def test_the_command_fails_with_a_wrong_password(office: Office) -> None:
    done = office.appliance.cli("phone", MIA, "--password-stdin", stdin="wrong\n", check=False)
    assert done.returncode == 1
    assert re.search(r"✗ FolderSync .*401", done.stdout)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["plain.eml", "attachment.eml"])
def test_a_message_from_a_file_reaches_the_phone_and_the_answer_its_writer(
    office: Office, name: str, version: str
) -> None:
    phone, inbox = office.ready_phone(MIA, version=version, device_id=f"spine{version.replace('.', '')}")
    waiting = Waiting(phone, inbox)
    assert waiting.is_held()
    raw = letter(name)
    office.deliver(raw, MIA, BEN)
    assert inbox in waiting.ended().folder_ids
    (server_id,) = phone.sync(inbox).added
    item = phone.mailbox.collection(inbox).items[server_id]
    sent = message_from_bytes(raw, policy=default)
    assert item["Subject"] == sent["Subject"]
    body_start = raw.index(b"\r\n\r\n")
    assert phone.fetch(inbox, server_id).body.endswith(raw[body_start:]), "the body is not byte for byte"

    subject = f"Re: {sent['Subject']} {version} {name}"
    reply = f"From: {MIA}\r\nTo: {BEN}\r\nSubject: Re: {version} {name}\r\n\r\nThank you.\r\n".encode()
    phone.smart_reply(inbox, server_id, reply)
    writer, writers_inbox = office.ready_phone(BEN, version=version)
    found = [
        key
        for key, value in writer.mailbox.collection(writers_inbox).items.items()
        if value["Subject"] == f"Re: {version} {name}"
    ]
    assert len(found) == 1, subject
    text = writer.fetch(writers_inbox, found[0]).body
    assert b"Thank you." in text
    assert str(sent["Message-ID"]).encode() in text, "the answer does not refer to the message"
    phone.delete(inbox, server_id)


def test_a_delivery_wakes_phones_on_every_worker(office: Office) -> None:
    """Hold Pings of several devices until both workers hold one; the access log says which did."""
    devices = {f"everyworker{number}" for number in range(6)}
    phones = [office.ready_phone(MIA, device_id=device) for device in sorted(devices)]
    workers: set[str] = set()
    for _ in range(5):
        held = [Waiting(phone, inbox) for phone, inbox in phones]
        assert all(waiting.is_held(0.2) for waiting in held)
        accepted_at = office.deliver(letter("plain.eml"), MIA)
        for waiting, (_, inbox) in zip(held, phones, strict=True):
            assert inbox in waiting.ended().folder_ids
            assert waiting.finished_at - accepted_at < 5
        for phone, inbox in phones:
            assert phone.sync(inbox).count >= 1, "the Ping said changed, the Sync has nothing"
        workers = workers_of_pings(office, devices)
        if len(workers) == 2:
            break
        for phone, _ in phones:  # new connections may land on the other worker
            phone.transport.close()
    assert len(workers) == 2, f"only {workers} held a Ping"


def workers_of_pings(office: Office, devices: set[str]) -> set[str]:
    """Return the pids that held a Ping of these devices, from the access log."""
    return {
        pid[1]
        for line in office.appliance.log_lines("web/access.log")
        if "command=Ping" in line and "held_s=" in line
        if (device := re.search(r"\bdevice=(\S+)", line)) and device[1].lower() in devices
        if (pid := re.search(r"\bpid=(\d+)", line))
    }


def test_a_restart_ends_a_held_ping_politely_and_nothing_is_lost(office: Office) -> None:
    phone, inbox = office.ready_phone(MIA, device_id="overrestart")
    before = dict(phone.mailbox.collection(inbox).items)
    waiting = Waiting(phone, inbox)
    assert waiting.is_held()
    seconds = office.appliance.restart()
    assert waiting.ended(1).status in (1, 2, 7, 8)
    assert seconds < 15
    phone.transport.close()
    delta = phone.sync(inbox)
    assert (delta.resets, delta.count) == (0, 0)
    assert phone.mailbox.collection(inbox).items == before
    waiting = Waiting(phone, inbox)
    assert waiting.is_held()
    office.deliver(letter("plain.eml"), MIA)
    assert inbox in waiting.ended().folder_ids


def test_a_forward_carries_the_attachment(office: Office) -> None:
    phone, inbox = office.ready_phone(MIA, device_id="forwarder")
    office.deliver(letter("attachment.eml"), MIA)
    server_id = phone.sync(inbox).added[-1]
    mime = f"From: {MIA}\r\nTo: {BEN}\r\nSubject: Fwd: the plan\r\n\r\nSee below.\r\n".encode()
    phone.smart_forward(inbox, server_id, mime)
    reader, readers_inbox = office.ready_phone(BEN)
    items = reader.mailbox.collection(readers_inbox).items
    (found,) = [item for item in items.values() if item["Subject"] == "Fwd: the plan"]
    attachments = found["Attachments"]
    assert isinstance(attachments, list) and isinstance(attachments[0], dict)
    data = reader.fetch_attachment(str(attachments[0]["FileReference"]))
    assert (attachments[0]["DisplayName"], data.data[:5]) == ("plan.pdf", b"%PDF-")


def test_move_and_delete_are_seen_by_the_other_device(office: Office) -> None:
    first, inbox = office.ready_phone(BEN, device_id="mover1")
    second, _ = office.ready_phone(BEN, device_id="mover2")
    office.deliver(letter("plain.eml"), BEN)
    (server_id,) = first.sync(inbox).added
    assert second.sync(inbox).added == [server_id]
    trash = first.mailbox.of_type(DELETED_ITEMS)
    assert trash is not None
    (new_id,) = first.move([server_id], inbox, trash.id).values()
    assert second.sync(inbox).deleted == [server_id]
    assert new_id in second.sync(trash.id).added
    first.sync(trash.id)
    first.delete(trash.id, str(new_id), for_good=True)
    assert second.sync(trash.id).deleted == [new_id]
    assert first.mailbox.anomalies == second.mailbox.anomalies == []


def test_a_message_sent_twice_with_one_client_id_arrives_once(office: Office) -> None:
    phone, _ = office.ready_phone(MIA, device_id="repeater")
    mime = f"From: {MIA}\r\nTo: {BEN}\r\nSubject: only once\r\n\r\nonce\r\n".encode()
    phone.send_mail(mime, client_id="once-1")
    with pytest.raises(PhoneError, match="118"):
        phone.send_mail(mime, client_id="once-1")
    reader, inbox = office.ready_phone(BEN)
    copies = [
        item for item in reader.mailbox.collection(inbox).items.values() if item["Subject"] == "only once"
    ]
    sent = phone.mailbox.of_type(SENT_ITEMS)
    assert sent is not None
    phone.sync(sent.id)
    kept = [
        item for item in phone.mailbox.collection(sent.id).items.values() if item["Subject"] == "only once"
    ]
    assert (len(copies), len(kept)) == (1, 1)
