"""A client that others wrote: pyactivesync (16.1) against the running appliance, with every answer looked at.

The library lives in an environment of its own and is driven line by line (`pyactivesync_driver.py`), so that
nothing of ours and nothing of it can agree by sharing code. `.ci/run` installs it into `build/pyactivesync`;
APPLIANCE_PYACTIVESYNC names another interpreter that has it.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.clients.appliance_process import ROOT
from tests.e2e.conftest import BEN, MIA, PASSWORDS, Office

PYTHON = Path(os.environ.get("APPLIANCE_PYACTIVESYNC", ROOT / "build" / "pyactivesync" / "bin" / "python"))
DRIVER = Path(__file__).with_name("pyactivesync_driver.py")
ANSWER_S = 60.0
HELD_S = 1.0
INBOX, DRAFTS, DELETED, SENT, USER_FOLDER = 2, 3, 4, 5, 12
TEXT, HTML, MIME = 1, 2, 4
IS_DRAFT = "page22.0x15"  # email2:IsDraft, for which the library has no name
EVERY_BYTE = bytes(range(256)).decode("latin-1")

pytestmark = pytest.mark.skipif(
    not PYTHON.exists(), reason=f"pyactivesync is not installed: no {PYTHON} (see .ci/run)"
)


class Foreign:
    """The library in a process of its own, signed in as one user."""

    def __init__(self, office: Office, address: str, device_id: str) -> None:
        self._process = subprocess.Popen(
            [PYTHON, "-I", DRIVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={},  # a proxy or a bundle of authorities would come between
        )
        self._write(
            {
                "server": office.appliance.https.removeprefix("https://"),
                "username": address,
                "password": PASSWORDS[address],
                "device_id": device_id,
                "verify_ssl": False,
                "timeout": ANSWER_S,
            }
        )

    def close(self) -> None:
        """End the process by ending its input."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def ask(self, method: str, *arguments: object, **options: object) -> None:
        """Call a method and do not wait for what it returns."""
        self._write({"method": method, "arguments": arguments, "options": options})

    def answered(self) -> Any:
        """Return what the method called last returns; fails when it raises."""
        assert self._process.stdout is not None
        answer = json.loads(self._process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["answer"]

    def call(self, method: str, *arguments: object, **options: object) -> Any:
        """Call a method and return its answer."""
        self.ask(method, *arguments, **options)
        return self.answered()

    def error(self, method: str, *arguments: object, **options: object) -> str:
        """Call a method that must fail and return what it raised."""
        self.ask(method, *arguments, **options)
        assert self._process.stdout is not None
        answer = json.loads(self._process.stdout.readline())
        assert "error" in answer, answer
        return str(answer["error"])

    def folder(self, type_: int) -> str:
        """Return the id of the first folder of a type."""
        return str(next(folder["id"] for folder in self.call("list_folders") if folder["type"] == type_))

    def synced(self, folder_id: str) -> tuple[str, dict[str, dict[str, str]]]:
        """Start a collection anew and return its key and the fields of its items by ServerId."""
        key, items, more = self.call("sync_folder", folder_id)["sync_key"], {}, True
        while more:
            page = self.call("sync_folder", folder_id, key)
            key, more = page["sync_key"], page["more_available"]
            items |= {item["server_id"]: item["fields"] for item in page["added"]}
        return key, items

    def await_subject(self, folder_id: str, subject: str) -> tuple[str, str]:
        """Return the collection's key and the ServerId of the message of that subject once it is there."""
        deadline = time.monotonic() + ANSWER_S
        while time.monotonic() < deadline:
            key, items = self.synced(folder_id)
            found = [name for name, fields in items.items() if fields.get("Email.Subject") == subject]
            if found:
                return key, found[0]
            time.sleep(0.1)
        raise AssertionError(f"{subject} did not arrive")

    def _write(self, line: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()


@pytest.fixture
def mia(office: Office) -> Iterator[Foreign]:
    foreign = Foreign(office, MIA, "foreign1")
    yield foreign
    foreign.close()


@pytest.fixture
def ben(office: Office) -> Iterator[Foreign]:
    foreign = Foreign(office, BEN, "foreign2")
    yield foreign
    foreign.close()


def letter(subject: str, text: str = "plain words, ü") -> bytes:
    """Return a message as a stranger sends it."""
    head = f"From: Jo <jo@example.net>\r\nTo: {MIA}\r\nSubject: {subject}\r\nMIME-Version: 1.0\r\n"
    return f"{head}Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n".encode()


def test_it_is_provisioned_and_finds_the_folders(mia: Foreign) -> None:
    assert mia.call("provision").isdecimal()
    folders = mia.call("list_folders")
    assert {INBOX, DRAFTS, DELETED, SENT} <= {folder["type"] for folder in folders}
    assert all(folder["id"] and folder["name"] and folder["parent_id"] == "0" for folder in folders)
    assert len({folder["id"] for folder in folders}) == len(folders)


def test_it_makes_renames_and_deletes_a_folder(mia: Foreign) -> None:
    made = mia.call("create_folder", "Projects ü")
    inside = mia.call("create_folder", "Inside", parent_id=made["id"])
    mia.call("update_folder", made["id"], "Old projects")
    named = {folder["id"]: folder for folder in mia.call("list_folders")}
    assert (named[made["id"]]["name"], named[made["id"]]["type"]) == ("Old projects", USER_FOLDER)
    assert named[inside["id"]]["parent_id"] == made["id"]
    assert "2" in mia.error("create_folder", "Old projects")
    mia.call("delete_folder", made["id"])
    mia_sees = {folder["id"]: folder for folder in mia.call("list_folders")}
    if made["id"] in mia_sees:  # by way of Deleted Items
        assert mia_sees[made["id"]]["parent_id"] == mia.folder(DELETED)
        mia.call("delete_folder", made["id"])
    assert not {made["id"], inside["id"]} & {folder["id"] for folder in mia.call("list_folders")}


def test_what_it_sends_arrives_and_is_kept(mia: Foreign, ben: Foreign) -> None:
    subject = "from a foreign client, ü"
    mia.call("send_mail", {"to": BEN, "subject": subject, "text": "first\nsecond", "attachment": EVERY_BYTE})
    inbox = ben.folder(INBOX)
    _, item = ben.await_subject(inbox, subject)
    fetched = ben.call("fetch_item", inbox, item, body_type=TEXT)
    assert MIA in fetched["fields"]["Email.From"]
    assert fetched["bodies"][0]["data"].splitlines()[:2] == ["first", "second"]
    (attachment,) = fetched["attachments"]
    assert (attachment["display_name"], attachment["estimated_data_size"] >= 256) == ("check.bin", True)
    assert ben.call("fetch_attachment", attachment["file_reference"]) == EVERY_BYTE
    _, sent = mia.await_subject(mia.folder(SENT), subject)
    assert BEN in mia.call("fetch_item", mia.folder(SENT), sent)["fields"]["Email.To"]


def test_it_fetches_every_form_of_a_body(office: Office, mia: Foreign) -> None:
    office.deliver(letter("forms", "one < two"), MIA)
    inbox = mia.folder(INBOX)
    _, item = mia.await_subject(inbox, "forms")
    found = {kind: mia.call("fetch_item", inbox, item, body_type=kind) for kind in (TEXT, HTML, MIME)}
    bodies = {kind: fetched["bodies"][0] for kind, fetched in found.items()}
    assert [body["type"] for body in bodies.values()] == [TEXT, HTML, MIME]
    assert bodies[TEXT]["data"].strip() == "one < two"
    assert "one &lt; two" in bodies[HTML]["data"]
    assert bodies[MIME]["data"].encode("latin-1").endswith(b"\r\n\r\none < two\r\n")
    assert found[TEXT]["native_body_type"] == TEXT
    assert found[TEXT]["fields"]["Email.MessageClass"] == "IPM.Note"


def test_a_held_ping_is_woken_by_a_message(office: Office, mia: Foreign) -> None:
    inbox, deleted = mia.folder(INBOX), mia.folder(DELETED)
    mia.synced(inbox)
    mia.synced(deleted)
    started = time.monotonic()
    mia.ask("ping", [inbox, deleted], heartbeat=60, timeout=ANSWER_S + 10)
    time.sleep(HELD_S)
    accepted_at = office.deliver(letter("wake up"), MIA)
    answer = mia.answered()
    assert (answer["status"], answer["changed_folder_ids"]) == ("2", [inbox])
    assert time.monotonic() - started > HELD_S  # it was held, not answered at once
    assert time.monotonic() - accepted_at < 30
    mia.await_subject(inbox, "wake up")


def test_a_ping_without_news_ends_with_its_heartbeat(mia: Foreign) -> None:
    drafts = mia.folder(DRAFTS)
    mia.synced(drafts)
    started = time.monotonic()
    answer = mia.call("ping", drafts, heartbeat=5)
    assert (answer["status"], answer["changed_folder_ids"]) == ("1", [])
    assert 4.5 < time.monotonic() - started < 30


def test_estimate_and_changes_go_together(office: Office, mia: Foreign) -> None:
    inbox = mia.folder(INBOX)
    key, _ = mia.synced(inbox)
    assert mia.call("get_item_estimate", inbox, key) == 0
    office.deliver(letter("counted"), MIA)
    assert mia.call("get_item_estimate", inbox, key) == 1
    page = mia.call("sync_folder", inbox, key)
    (item,) = page["added"]
    assert (item["fields"]["Email.Subject"], item["fields"]["Email.Read"]) == ("counted", "0")
    change = {"server_id": item["server_id"], "read": True, "flagged": True}
    changed = mia.call("apply_email_changes", inbox, page["sync_key"], [change])
    assert changed["statuses"] == {item["server_id"]: "1"}
    assert mia.call("get_item_estimate", inbox, changed["sync_key"]) == 0  # its own change is no news
    fields = mia.call("fetch_item", inbox, item["server_id"])["fields"]
    assert (fields["Email.Read"], fields["Email.Status"]) == ("1", "2")
    gone = mia.call(
        "apply_email_changes",
        *(inbox, changed["sync_key"], [{"server_id": item["server_id"], "delete": True}]),
    )
    assert gone["statuses"] == {item["server_id"]: "1"}
    mia.await_subject(mia.folder(DELETED), "counted")
    assert "counted" not in {fields.get("Email.Subject") for fields in mia.synced(inbox)[1].values()}


def test_a_message_is_moved(office: Office, mia: Foreign) -> None:
    office.deliver(letter("to be moved"), MIA)
    inbox = mia.folder(INBOX)
    key, item = mia.await_subject(inbox, "to be moved")
    target = mia.call("create_folder", "Moved here")["id"]
    moved = mia.call("move_item", item, inbox, target)
    assert mia.synced(target)[1][moved]["Email.Subject"] == "to be moved"
    page = mia.call("sync_folder", inbox, key)
    assert (page["added"], page["changed"]) == ([], [])
    assert "InvalidSourceId" in mia.error("move_item", "999999", inbox, target)


def test_a_draft_is_kept_with_its_attachment(mia: Foreign) -> None:
    drafts = mia.folder(DRAFTS)
    key, _ = mia.synced(drafts)
    draft = {"to": BEN, "subject": "unfinished", "text": "half a thought", "attachment": EVERY_BYTE}
    made = mia.call("create_email_draft", drafts, key, draft)
    assert made["status"] == "1" and made["server_id"]
    fetched = mia.call("fetch_item", drafts, made["server_id"], body_type=TEXT)
    assert fetched["fields"]["Email.Subject"] == "unfinished"
    assert BEN in fetched["fields"]["Email.To"]
    assert fetched["fields"][IS_DRAFT] == "1"
    assert fetched["bodies"][0]["data"].strip() == "half a thought"
    (attachment,) = fetched["attachments"]
    assert mia.call("fetch_attachment", attachment["file_reference"]) == EVERY_BYTE


def test_the_directory_is_searched(mia: Foreign) -> None:
    assert [entry["email_address"] for entry in mia.call("search_gal", "ben")] == [BEN]
    assert mia.call("search_gal", "nobody-of-that-name") == []
    (found,) = mia.call("find_gal", "ben@example")["items"]
    assert found["fields"]["GAL.EmailAddress"] == BEN
    (recipient,) = mia.call("resolve_recipients", BEN)
    assert (recipient["email_address"], recipient["type"]) == (BEN, "1")
    assert mia.call("resolve_recipients", "nobody-of-that-name@example.com") == []


def test_mail_is_searched_and_found(office: Office, mia: Foreign) -> None:
    office.deliver(letter("searched", "the words zanzibar and marmalade"), MIA)
    inbox = mia.folder(INBOX)
    _, item = mia.await_subject(inbox, "searched")
    result = mia.call("find_mailbox", "zanzibar", folder_id=inbox)
    (found,) = result["items"]
    assert (found["server_id"], found["collection_id"], result["range"]) == (item, inbox, "0-0")
    assert found["fields"]["Email.Subject"] == "searched"
    assert mia.call("find_mailbox", "zanzibar")["total"] == 1
    assert mia.call("find_mailbox", "xylophone")["total"] == 0
    assert mia.call("search_mailbox", inbox, free_text="marmalade")[0]["AirSync.ServerId"] == item
    yesterday, tomorrow = (datetime.now(UTC) + timedelta(days=days) for days in (-1, 1))
    recent = mia.call("search_mailbox", inbox, date_received_after=f"{yesterday:%Y-%m-%dT%H:%M:%S}.000Z")
    assert "searched" in {fields.get("Email.Subject") for fields in recent}
    later = mia.call("search_mailbox", inbox, date_received_after=f"{tomorrow:%Y-%m-%dT%H:%M:%S}.000Z")
    assert not [fields for fields in later if "Email.Subject" in fields]


def test_out_of_office_answers_for_it(office: Office, mia: Foreign, ben: Foreign) -> None:
    assert ben.call("get_oof")["state"] == 0
    ben.call("set_oof", 1, reply_message="I am at the sea.", applies_to=["Internal"])
    settings = ben.call("get_oof")
    said = {message["applies_to"]: message for message in settings["messages"]}
    assert settings["state"] == 1
    assert (said["Internal"]["enabled"], said["Internal"]["reply_message"]) == (True, "I am at the sea.")
    mia.call("send_mail", {"to": BEN, "subject": "are you there", "text": "?"})
    deadline = time.monotonic() + ANSWER_S
    inbox = mia.folder(INBOX)
    answers: list[str] = []
    while not answers and time.monotonic() < deadline:
        items = mia.synced(inbox)[1].items()
        answers = [name for name, fields in items if "are you there" in fields.get("Email.Subject", "")]
        time.sleep(0.1)
    assert (
        "I am at the sea." in mia.call("fetch_item", inbox, answers[0], body_type=TEXT)["bodies"][0]["data"]
    )
    ben.call("set_oof", 0)
    assert ben.call("get_oof")["state"] == 0


def test_a_wrong_password_and_a_foreign_key_are_told(office: Office, mia: Foreign) -> None:
    assert "3" in mia.error("sync_folder", mia.folder(INBOX), "ffffffff.7")
    stranger = Foreign(office, MIA, "foreign3")
    try:
        stranger.call("provision")
        PASSWORDS[MIA] += "x"
        wrong = Foreign(office, MIA, "foreign4")
    finally:
        PASSWORDS[MIA] = PASSWORDS[MIA].removesuffix("x")
        stranger.close()
    assert "401" in wrong.error("list_folders")
    wrong.close()
