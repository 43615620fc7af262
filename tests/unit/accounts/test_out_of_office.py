"""Out-of-office settings and known correspondents, on both databases."""

from collections.abc import Mapping
from datetime import timedelta

import pytest

from appliance import db
from appliance.accounts import accounts, correspondents, out_of_office
from appliance.accounts.out_of_office import TEXT_BYTES_MAX, Audience, OutOfOffice, Reply, State
from appliance.db.tables import Correspondent, CorrespondentCursor, OutOfOfficeReply
from appliance.delivery import arrival
from appliance.errors import InvalidInput, NotFound
from appliance.items.account import Account
from appliance.items.folder import FolderType
from appliance.settings import Config
from appliance.store import blobs, folders, messages
from tests.unit.accounts.conftest import PASSWORD, StoppedClock

SECOND = timedelta(seconds=1)
REPLIES = {
    Audience.INTERNAL: Reply(True, "Bin im Urlaub."),
    Audience.KNOWN: Reply(True, "<p>Out of <b>office</b></p>", is_html=True),
    Audience.UNKNOWN: Reply(),
}


@pytest.fixture(autouse=True)
def with_blobs(configured: Config) -> None:
    blobs.configure(configured.data_dir)


def settings(account: Account) -> OutOfOffice:
    with db.connection():
        return out_of_office.get(account.id)


def test_nobody_is_away_who_never_said_so(anna: Account, clock: StoppedClock) -> None:
    assert settings(anna) == OutOfOffice()
    assert not settings(anna).is_active(clock.now())
    assert settings(anna).replies == {audience: Reply() for audience in Audience}


def test_settings_come_back_as_they_were_saved(anna: Account, clock: StoppedClock) -> None:
    window = OutOfOffice(State.TIMED, clock.now(), clock.now() + timedelta(days=9, microseconds=7), REPLIES)
    for wanted in (OutOfOffice(State.ON, replies=REPLIES), window, OutOfOffice(State.OFF, replies=REPLIES)):
        out_of_office.save(anna.id, wanted)
        assert settings(anna) == wanted


def test_a_time_window_is_active_from_its_start_to_before_its_end(clock: StoppedClock) -> None:
    start, end = clock.now(), clock.now() + timedelta(days=7)
    window = OutOfOffice(State.TIMED, start, end, REPLIES)
    seen = []
    clock.advance(seconds=-1)
    for step in (0, 1, 1, 7 * 86_400 - 2, 1, 1):
        clock.advance(seconds=step)
        seen.append(((clock.now() - start) // SECOND, window.is_active(clock.now())))
    assert seen == [
        (-1, False), (0, True), (1, True), (604_799, True), (604_800, False), (604_801, False),
    ]  # fmt: skip


def test_times_without_a_window_are_not_kept(anna: Account, clock: StoppedClock) -> None:
    out_of_office.save(anna.id, OutOfOffice(State.ON, clock.now(), clock.now() + SECOND, REPLIES))
    assert settings(anna) == OutOfOffice(State.ON, replies=REPLIES)


def test_an_audience_that_is_not_named_hears_nothing(anna: Account) -> None:
    only: Mapping[Audience, Reply] = {Audience.KNOWN: Reply(True, "Away")}
    out_of_office.save(anna.id, OutOfOffice(State.ON, replies=only))
    assert settings(anna).replies == {
        Audience.INTERNAL: Reply(), Audience.KNOWN: Reply(True, "Away"), Audience.UNKNOWN: Reply(),
    }  # fmt: skip


@pytest.mark.parametrize("seconds", [0, -1])
def test_a_window_must_have_an_inside(anna: Account, clock: StoppedClock, seconds: int) -> None:
    with pytest.raises(InvalidInput, match="ends before"):
        end = clock.now() + seconds * SECOND
        out_of_office.save(anna.id, OutOfOffice(State.TIMED, clock.now(), end, REPLIES))
    with pytest.raises(InvalidInput, match="a start and an end"):
        out_of_office.save(anna.id, OutOfOffice(State.TIMED, clock.now(), None, REPLIES))
    assert settings(anna) == OutOfOffice()


def test_a_text_has_a_ceiling_in_bytes_and_only_characters_that_travel(anna: Account) -> None:
    def say(text: str) -> None:
        out_of_office.save(anna.id, OutOfOffice(State.ON, replies={Audience.INTERNAL: Reply(True, text)}))

    say("ü" * (TEXT_BYTES_MAX // 2))
    with pytest.raises(InvalidInput, match=str(TEXT_BYTES_MAX)):
        say("ü" * (TEXT_BYTES_MAX // 2) + "x")
    say("a\0b\x1b\ud800c\r\n")
    assert settings(anna).replies[Audience.INTERNAL].text == "abc\r\n"


def test_a_change_lets_everybody_be_answered_again_and_saving_the_same_does_not(
    anna: Account, clock: StoppedClock
) -> None:
    @db.transaction
    def remember() -> None:
        OutOfOfficeReply.create(account=anna.id, sender="bob@example.net", replied_at=clock.now())

    def answered() -> int:
        with db.connection():
            return int(OutOfOfficeReply.select().count())

    wanted = OutOfOffice(State.ON, replies=REPLIES)
    out_of_office.save(anna.id, wanted)
    remember()
    out_of_office.save(anna.id, wanted)
    assert answered() == 1
    out_of_office.save(anna.id, OutOfOffice(State.OFF, replies=REPLIES))
    assert answered() == 0


def test_an_account_that_does_not_exist_cannot_be_away(anna: Account) -> None:
    with pytest.raises(NotFound):
        out_of_office.save(anna.id + 1, OutOfOffice())


# --- correspondents -------------------------------------------------------------------------------


def sent(account: Account, header: str) -> None:
    with db.connection():
        folder = folders.special(account.id, FolderType.SENT)
    raw = f"From: {account.address}\r\n{header}\r\n\r\nHello".encode()
    messages.file(account.id, folder.id, arrival.prepare(raw))


def is_known(account: Account, address: str) -> bool:
    return correspondents.is_known(account.id, address)


def test_whoever_was_written_to_is_known(anna: Account) -> None:
    sent(anna, 'To: "Bob, B." <Bob@Example.NET>, eve@example.org\r\nCc: c@example.net\r\nBcc: d@example.net')
    known = ["bob@example.net", "eve@example.org", "c@example.net", "d@example.net"]
    strangers = ["ob@example.net", "bob@example.ne", "anna@example.com", "b@example.net"]
    assert [is_known(anna, address) for address in known] == [True] * 4
    assert [is_known(anna, address) for address in strangers] == [False] * 4


def test_only_sent_mail_counts_and_only_one_s_own(anna: Account) -> None:
    bob = accounts.create("bob@example.com", PASSWORD)
    sent(anna, "To: eve@example.net")
    with db.connection():
        inbox = folders.special(bob.id, FolderType.INBOX)
    messages.file(bob.id, inbox.id, arrival.prepare(b"From: eve@example.net\r\nTo: eve@example.net\r\n\r\n"))
    assert not is_known(bob, "eve@example.net")
    assert is_known(anna, "eve@example.net")


def test_sent_mail_is_read_once_in_pages_and_what_comes_later_is_seen(
    anna: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(correspondents, "PAGE", 2)
    for number in range(5):
        sent(anna, f"To: n{number}@example.net")
    assert is_known(anna, "n0@example.net")  # the first page
    assert not is_known(anna, "n4@example.net")  # the second page: no question reads more than one
    correspondents.catch_up(anna.id)
    assert is_known(anna, "n4@example.net")
    sent(anna, "To: late@example.net, nonsense, <>")
    assert is_known(anna, "late@example.net")
    with db.connection():
        assert Correspondent.select().count() == 6
        assert CorrespondentCursor.select().count() == 1


def test_who_is_known_stays_known_when_the_message_goes(anna: Account) -> None:
    sent(anna, "To: bob@example.net")
    assert is_known(anna, "bob@example.net")
    with db.connection():
        (message,) = messages.list_page(anna.id, folders.special(anna.id, FolderType.SENT).id)
    messages.delete(anna.id, message.id)
    assert is_known(anna, "bob@example.net")


def test_switching_on_reads_all_sent_mail(anna: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(correspondents, "PAGE", 1)
    for number in range(3):
        sent(anna, f"To: n{number}@example.net")
    out_of_office.save(anna.id, OutOfOffice(State.ON, replies=REPLIES))
    with db.connection():
        assert Correspondent.select().count() == 3
