"""What a move teaches the filter, and that no move ever waits for it."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from appliance import db
from appliance.clock import SYSTEM_CLOCK
from appliance.delivery import inbound
from appliance.items.account import Account
from appliance.items.folder import ARCHIVE_NAME, JUNK_NAME, FolderType
from appliance.net.rspamd import FilterUnavailable
from appliance.store import blobs, folders, leaving, lessons
from appliance.store.lessons import Lesson
from smtpd.learner import Learner
from tests.unit.store.mailbox import HOSTNAME, envelope, listing, mail


@pytest.fixture(autouse=True)
def taught() -> Iterator[None]:
    lessons.configure(True)
    yield
    lessons.configure(False)


def folder_id(account: Account, name: str) -> int:
    with db.connection():
        found = folders.by_name(account.id, name)
    assert found is not None
    return found.id


def letter(account: Account, subject: str = "plans") -> tuple[int, bytes]:
    """File a message and return its id and digest."""
    inbound.deliver(envelope("anna"), mail(subject=subject), hostname=HOSTNAME)
    found = max(listing(account.id), key=lambda message: message.id)
    return found.id, found.digest


def waiting() -> list[Lesson]:
    with db.connection():
        return lessons.waiting(10)


def test_into_junk_and_out_of_it(anna: Account) -> None:
    item, digest = letter(anna)
    item = leaving.move(anna.id, item, folder_id(anna, JUNK_NAME))
    assert waiting() == [Lesson(digest, True)]
    leaving.move(anna.id, item, folder_id(anna, "Inbox"))
    assert waiting() == [Lesson(digest, False)], "the last word counts"


def test_moves_that_say_nothing(anna: Account) -> None:
    item, _ = letter(anna)
    item = leaving.move(anna.id, item, folder_id(anna, ARCHIVE_NAME))
    assert waiting() == []
    lessons.configure(False)
    item = leaving.move(anna.id, item, folder_id(anna, JUNK_NAME))
    assert waiting() == [], "nobody learns"
    lessons.configure(True)
    with db.connection():
        bin_id = folders.special(anna.id, FolderType.DELETED).id
    leaving.move(anna.id, item, bin_id)
    assert waiting() == [], "who empties the junk folder does not call it wanted"


def test_the_queue_has_a_ceiling(anna: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lessons, "LESSONS_MAX", 2)
    for subject in ("one", "two", "three"):
        item, _ = letter(anna, subject)
        leaving.move(anna.id, item, folder_id(anna, JUNK_NAME))
    assert len(waiting()) == 2
    assert lessons.forget(SYSTEM_CLOCK.now()) == 0
    assert lessons.forget(SYSTEM_CLOCK.now() + lessons.KEPT + timedelta(hours=1)) == 2


class Pupil:
    """Learns, unless it is away."""

    def __init__(self) -> None:
        self.learned: list[tuple[bytes, bool]] = []
        self.is_away = False

    def learn(self, raw: bytes, *, is_junk: bool) -> None:
        if self.is_away:
            raise FilterUnavailable("away")
        self.learned.append((raw, is_junk))


def test_lessons_wait_for_a_filter_that_is_away(anna: Account) -> None:
    item, digest = letter(anna)
    leaving.move(anna.id, item, folder_id(anna, JUNK_NAME))
    pupil = Pupil()
    learner = Learner(pupil)
    pupil.is_away = True
    assert learner.teach_some() == 0
    assert len(waiting()) == 1
    pupil.is_away = False
    assert learner.teach_some() == 1
    with db.connection():
        assert pupil.learned == [(blobs.read(digest), True)]
    assert (waiting(), learner.teach_some()) == ([], 0)
