"""What may be done with messages, one rule at a time; `check_invariants` follows every test."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from appliance import bus, db
from appliance.errors import Conflict, Denied, NotFound, QuotaExceeded
from appliance.items.account import Account
from appliance.items.folder import FolderType
from appliance.items.message import Flag
from appliance.settings import Limits
from appliance.store import folders, leaving, limits, messages
from tests.fixtures.database import Place
from tests.unit.store.mailbox import (
    MINUTE,
    NOW,
    account,
    blob_count,
    file,
    listing,
    mail,
    message,
    modseq_of,
    prepared,
    raw_of,
    special,
    used_bytes,
)

PHONE, TABLET = 1, 2


def folder(account_id: int, name: str, parent_id: int = 0) -> int:
    return folders.create(account_id, parent_id, name, FolderType.USER_MAIL).id


def tombstone(account_id: int, item_id: int) -> Any:
    with db.connection():
        return messages.tombstone(account_id, item_id)


# --- filing ---------------------------------------------------------------------------------------


def test_a_filed_message_is_what_was_filed(anna: Account) -> None:
    raw = mail("Grüße", text="Text \0 with\r\nlines.") + bytes(range(256))
    item_id = file(anna.id, raw=raw, at=NOW)
    found = message(anna.id, item_id)
    assert raw_of(anna.id, item_id) == raw
    assert (found.subject, found.size, found.received_at) == ("Grüße", len(raw), NOW)
    assert (found.is_read, found.flag, found.categories, found.last_verb) == (False, None, (), 0)
    assert {found.modseq, found.created_modseq, found.read_modseq, found.changed_since} == {
        modseq_of(anna.id)
    }
    with db.connection():
        assert messages.content(found.digest).text.startswith("Text")
        inbox = folders.special(anna.id, FolderType.INBOX)
    assert (inbox.total, inbox.unread, inbox.items_modseq) == (1, 1, found.modseq)
    assert used_bytes(anna.id) == len(raw)


def test_who_added_a_message_is_remembered(anna: Account) -> None:
    item_id = messages.file(anna.id, special(anna.id), prepared(), changed_by=PHONE, is_read=True)
    found = message(anna.id, item_id)
    assert (found.created_by, found.changed_by, found.is_read) == (PHONE, PHONE, True)


def test_a_full_mailbox_refuses_and_nothing_is_stored(store: Place) -> None:
    raw = mail(size=2_000)
    small = account("small", quota_bytes=len(raw) * 2)
    file(small.id, raw=raw)
    file(small.id, raw=raw)  # exactly full is not over
    before = modseq_of(small.id)
    with pytest.raises(QuotaExceeded):
        file(small.id, raw=mail())
    assert (modseq_of(small.id), used_bytes(small.id), blob_count()) == (before, len(raw) * 2, 1)


def test_making_room_lets_the_next_one_in(store: Place) -> None:
    raw = mail()
    small = account("small", quota_bytes=len(raw))
    item_id = file(small.id, raw=raw)
    messages.delete(small.id, item_id)
    file(small.id, raw=raw)


def test_an_account_without_a_quota_of_its_own_has_the_configured_one(store: Place) -> None:
    raw = mail(size=2_000)
    plain, own = account("plain", quota_bytes=limits.AS_CONFIGURED), account("own", quota_bytes=0)
    before = limits.configure(Limits(quota_bytes=len(raw)))
    try:
        for each in (plain, own):
            file(each.id, raw=raw)
        file(own.id, raw=raw)
        with pytest.raises(QuotaExceeded):
            file(plain.id, raw=raw)
        limits.configure(Limits(quota_bytes=0))
        file(plain.id, raw=raw)
    finally:
        limits.configure(before)


def test_filing_for_all_tells_who_did_not_take_it(anna: Account) -> None:
    raw = mail(size=2_000)
    full = account("full", quota_bytes=100)
    ready = prepared(raw)

    @db.transaction
    def deliver() -> dict[int, Any]:
        return messages.file_for_all(
            [full.id, anna.id, 999_999, anna.id], FolderType.INBOX, ready, received_at=NOW
        )

    before = modseq_of(full.id)
    refused = deliver()
    assert {key: type(error) for key, error in refused.items()} == {
        full.id: QuotaExceeded,
        999_999: NotFound,
    }
    assert [found.size for found in listing(anna.id)] == [len(raw)]
    assert (modseq_of(full.id), used_bytes(full.id), listing(full.id)) == (before, 0, [])


def test_filing_for_nobody_leaves_no_blob(store: Place) -> None:
    full = account("full", quota_bytes=1)
    ready = prepared()

    @db.transaction
    def deliver() -> dict[int, Any]:
        return messages.file_for_all([full.id], FolderType.INBOX, ready, received_at=NOW)

    assert list(deliver()) == [full.id]
    assert blob_count() == 0


def test_phones_are_told_after_the_commit_only(anna: Account) -> None:
    inbox = special(anna.id)
    topic = bus.account_topic(anna.id)
    with bus.watch((topic,)) as watcher:
        with pytest.raises(QuotaExceeded):
            db.transaction(_file_and_fail)(anna.id)
        assert watcher.wait(0.0) == set()
        file(anna.id)
        assert watcher.wait(1.0) == {bus.Hint(topic, str(inbox))}


def _file_and_fail(account_id: int) -> None:
    messages.file(account_id, special(account_id), prepared())
    raise QuotaExceeded("undone")


def test_one_message_for_many_is_stored_once(anna: Account, ben: Account) -> None:
    raw = mail()
    first, second = file(anna.id, raw=raw), file(ben.id, raw=raw)
    assert blob_count() == 1
    messages.delete(anna.id, first)
    assert raw_of(ben.id, second) == raw
    messages.delete(ben.id, second)
    assert blob_count() == 0


def test_a_page_goes_on_where_the_last_one_ended(anna: Account) -> None:
    ids = [file(anna.id, at=NOW - MINUTE * (number // 3)) for number in range(10)]
    expected = sorted(ids, key=lambda item_id: (message(anna.id, item_id).received_at, item_id), reverse=True)
    seen: list[int] = []
    before = None
    with db.connection():
        while page := messages.list_page(anna.id, special(anna.id), before=before, limit=4):
            seen += [found.id for found in page]
            before = (page[-1].received_at, page[-1].id)
    assert seen == expected


# --- state ----------------------------------------------------------------------------------------

CHANGES: dict[str, Callable[[int, int], None]] = {
    "read": lambda account_id, item_id: messages.set_read(account_id, item_id, True, changed_by=PHONE),
    "flag": lambda account_id, item_id: messages.set_flag(account_id, item_id, Flag(2), changed_by=PHONE),
    "categories": lambda account_id, item_id: messages.set_categories(
        account_id, item_id, ("Blue", "Grün"), changed_by=PHONE
    ),
}


@pytest.mark.parametrize("part", CHANGES)
def test_a_change_takes_a_number_and_its_repetition_none(anna: Account, part: str) -> None:
    item_id = file(anna.id)
    created = modseq_of(anna.id)
    CHANGES[part](anna.id, item_id)
    CHANGES[part](anna.id, item_id)
    found = message(anna.id, item_id)
    assert found.modseq == modseq_of(anna.id) == created + 1
    parts = {"read": found.read_modseq, "flag": found.flag_modseq, "categories": found.categories_modseq}
    assert parts == dict.fromkeys(CHANGES, created) | {part: created + 1}


def test_state_is_stored_as_given(anna: Account) -> None:
    item_id = file(anna.id)
    flag = Flag(2, subject="Ärger", due_date=NOW, reminder_set=True, reminder_time=NOW + MINUTE)
    messages.set_flag(anna.id, item_id, flag)
    messages.set_categories(anna.id, item_id, ("Größe", 'with "quotes"'))
    messages.set_last_verb(anna.id, item_id, 3, NOW)
    found = message(anna.id, item_id)
    assert (found.flag, found.categories) == (flag, ("Größe", 'with "quotes"'))
    assert (found.last_verb, found.last_verb_at) == (3, NOW)
    messages.set_flag(anna.id, item_id, None)
    messages.set_categories(anna.id, item_id, ())
    found = message(anna.id, item_id)
    assert (found.flag, found.categories) == (None, ())


def test_a_run_of_changes_by_one_device_ends_with_anybody_elses(anna: Account) -> None:
    item_id = file(anna.id)
    messages.set_read(anna.id, item_id, True, changed_by=PHONE)
    first = message(anna.id, item_id).modseq
    messages.set_flag(anna.id, item_id, Flag(2), changed_by=PHONE)
    assert message(anna.id, item_id).changed_since == first
    messages.set_read(anna.id, item_id, False, changed_by=TABLET)
    assert message(anna.id, item_id).changed_since == message(anna.id, item_id).modseq
    messages.set_read(anna.id, item_id, True)
    messages.set_read(anna.id, item_id, False)
    found = message(anna.id, item_id)
    assert (found.changed_by, found.changed_since) == (None, found.modseq)  # nobody's run


def test_a_draft_gets_new_bytes_under_its_id(anna: Account) -> None:
    item_id = file(anna.id, special(anna.id, FolderType.DRAFTS), mail("One"), is_draft=True)
    longer = mail("Two", size=5_000)
    messages.replace(anna.id, item_id, prepared(longer))
    found = message(anna.id, item_id)
    assert (found.subject, found.size, raw_of(anna.id, item_id)) == ("Two", len(longer), longer)
    assert (used_bytes(anna.id), blob_count()) == (len(longer), 1)


def test_a_draft_that_grows_too_large_stays_as_it_was(store: Place) -> None:
    raw = mail("One")
    small = account("small", quota_bytes=1_000)
    item_id = file(small.id, raw=raw, is_draft=True)
    with pytest.raises(QuotaExceeded):
        messages.replace(small.id, item_id, prepared(mail("Two", size=5_000)))
    assert (raw_of(small.id, item_id), blob_count()) == (raw, 1)


# --- moving ---------------------------------------------------------------------------------------


def test_a_move_keeps_everything_but_the_id(anna: Account) -> None:
    item_id = file(anna.id, is_read=True)
    messages.set_flag(anna.id, item_id, Flag(2))
    before = message(anna.id, item_id)
    target = folder(anna.id, "Projects")
    new_id = messages.move(anna.id, item_id, target, changed_by=PHONE)
    after = message(anna.id, new_id)
    assert (after.folder_id, after.flag, after.is_read) == (target, Flag(2), True)
    assert (after.digest, after.received_at, after.subject) == (
        before.digest,
        before.received_at,
        before.subject,
    )
    assert after.created_by is None  # the mover is told of the arrival, too
    gone = tombstone(anna.id, item_id)
    assert (gone.moved_to, gone.changed_by, gone.folder_id) == (new_id, PHONE, before.folder_id)
    assert (gone.modseq, after.modseq) == (modseq_of(anna.id) - 1, modseq_of(anna.id))
    assert used_bytes(anna.id) == before.size


def test_a_repeated_move_gives_the_same_id(anna: Account) -> None:
    item_id, target = file(anna.id), folder(anna.id, "Projects")
    new_id = messages.move(anna.id, item_id, target)
    last = modseq_of(anna.id)
    assert messages.move(anna.id, item_id, target) == new_id
    assert modseq_of(anna.id) == last


def test_round_and_round(anna: Account) -> None:
    a, b, c = special(anna.id), folder(anna.id, "B"), folder(anna.id, "C")
    first = file(anna.id, a)
    second = messages.move(anna.id, first, b)
    third = messages.move(anna.id, second, c)
    fourth = messages.move(anna.id, third, a)
    assert len({first, second, third, fourth}) == 4
    assert [found.id for found in listing(anna.id, a)] == [fourth]
    assert listing(anna.id, b) == listing(anna.id, c) == []
    assert messages.move(anna.id, third, a) == fourth  # the last move may be repeated
    with pytest.raises(NotFound):
        messages.move(anna.id, first, b)  # it has moved on since: no id of ours would be true
    with pytest.raises(NotFound):
        messages.move(anna.id, first, c)  # never asked before, and the message is elsewhere


def test_moving_where_it_is_already_is_a_conflict(anna: Account) -> None:
    item_id = file(anna.id)
    with pytest.raises(Conflict):
        messages.move(anna.id, item_id, special(anna.id))


def test_a_message_cannot_move_into_a_deleted_folder(anna: Account) -> None:
    item_id, target = file(anna.id), folder(anna.id, "Projects")
    messages.delete_folder(anna.id, target)
    with pytest.raises(NotFound):
        messages.move(anna.id, item_id, target)
    assert message(anna.id, item_id)


# --- deleting -------------------------------------------------------------------------------------


def test_deleting_leaves_a_tombstone(anna: Account) -> None:
    item_id = file(anna.id)
    created = modseq_of(anna.id)
    messages.delete(anna.id, item_id, changed_by=PHONE)
    gone = tombstone(anna.id, item_id)
    assert (gone.modseq, gone.created_modseq, gone.changed_by, gone.moved_to) == (
        created + 1,
        created,
        PHONE,
        None,
    )
    for again in (messages.delete, messages.discard, messages.get):
        with db.connection(), pytest.raises(NotFound):
            again(anna.id, item_id)


def test_discarding_goes_to_the_bin_and_then_for_good(anna: Account) -> None:
    in_bin = messages.discard(anna.id, file(anna.id))
    assert in_bin is not None
    assert [found.id for found in listing(anna.id, special(anna.id, FolderType.DELETED))] == [in_bin]
    assert messages.discard(anna.id, in_bin) is None
    assert (used_bytes(anna.id), blob_count()) == (0, 0)


def test_an_id_is_never_used_again(anna: Account, store: Place) -> None:
    item_id = file(anna.id)
    messages.delete(anna.id, item_id)
    store.reopen()
    assert file(anna.id) > item_id


def test_a_folder_is_emptied_in_steps(anna: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "ITEMS_AT_ONCE", 3)
    ids = [file(anna.id, is_read=number % 2 == 0) for number in range(8)]
    created = modseq_of(anna.id)
    assert messages.empty_folder(anna.id, special(anna.id)) == 8
    assert listing(anna.id) == []
    numbers = [tombstone(anna.id, item_id).modseq for item_id in ids]
    assert numbers == list(range(created + 1, created + 9))
    assert messages.empty_folder(anna.id, special(anna.id)) == 0


def test_what_arrives_while_a_folder_is_emptied_stays(anna: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "ITEMS_AT_ONCE", 2)
    for _ in range(4):
        file(anna.id)
    late: list[int] = []
    real = leaving._remove_some

    def with_arrival(*args: int) -> int:
        count = real(*args)
        if not late:
            late.append(file(anna.id))
        return count

    monkeypatch.setattr(leaving, "_remove_some", with_arrival)
    assert messages.empty_folder(anna.id, special(anna.id)) == 4
    assert [found.id for found in listing(anna.id)] == late


def test_emptying_with_folders_deletes_them_and_keeps_the_folder(anna: Account) -> None:
    bin_id = special(anna.id, FolderType.DELETED)
    inner = folder(anna.id, "Old", bin_id)
    below = folder(anna.id, "Older", inner)
    for where in (bin_id, inner, below):
        file(anna.id, where)
    assert messages.empty_folder(anna.id, bin_id) == 1  # not its folders unless asked
    messages.empty_folder(anna.id, bin_id, with_folders=True)
    with db.connection():
        assert {found.id for found in folders.list_folders(anna.id)}.isdisjoint({inner, below})
        assert folders.get(anna.id, bin_id).total == 0
    assert used_bytes(anna.id) == 0


def test_deleting_a_folder_takes_everything_below_it(anna: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "ITEMS_AT_ONCE", 2)
    top = folder(anna.id, "Top")
    inner = folder(anna.id, "Inner", top)
    moved = file(anna.id, inner)
    new_id = messages.move(anna.id, moved, special(anna.id))
    lost = [file(anna.id, where) for where in (top, top, top, inner, inner)]
    kept = file(anna.id)
    messages.delete_folder(anna.id, top, changed_by=PHONE)
    with db.connection():
        changed = folders.changes_since(anna.id, 0)
        assert {found.id for found in changed if found.is_deleted} == {top, inner}
        assert all(found.changed_by == PHONE and not found.total for found in changed if found.is_deleted)
    for item_id in lost:
        with pytest.raises(NotFound):
            message(anna.id, item_id)
    assert {found.id for found in listing(anna.id)} == {kept, new_id}
    assert messages.move(anna.id, moved, special(anna.id)) == new_id  # its way out is still known


def test_special_folders_cannot_be_deleted_and_lose_nothing_by_it(anna: Account) -> None:
    item_id = file(anna.id)
    inner = folder(anna.id, "Inner", special(anna.id))
    with pytest.raises(Denied):
        messages.delete_folder(anna.id, special(anna.id))
    assert message(anna.id, item_id)
    with db.connection():
        assert folders.get(anna.id, inner)


# --- strangers ------------------------------------------------------------------------------------


def test_a_strangers_ids_are_not_there(anna: Account, ben: Account) -> None:
    item_id, inbox = file(anna.id), special(anna.id)
    own = file(ben.id)
    gone = file(anna.id)
    messages.delete(anna.id, gone)
    before = (message(anna.id, item_id), modseq_of(anna.id))
    attempts: list[Callable[[], object]] = [
        lambda: messages.get(ben.id, item_id),
        lambda: messages.in_folder(ben.id, inbox, item_id),
        lambda: messages.list_page(ben.id, inbox),
        lambda: messages.file(ben.id, inbox, prepared()),
        lambda: messages.replace(ben.id, item_id, prepared()),
        lambda: messages.set_read(ben.id, item_id, True),
        lambda: messages.set_flag(ben.id, item_id, Flag(2)),
        lambda: messages.set_categories(ben.id, item_id, ("x",)),
        lambda: messages.set_last_verb(ben.id, item_id, 1, NOW),
        lambda: messages.move(ben.id, item_id, special(ben.id)),
        lambda: messages.move(ben.id, own, inbox),
        lambda: messages.delete(ben.id, item_id),
        lambda: messages.discard(ben.id, item_id),
        lambda: messages.empty_folder(ben.id, inbox),
        lambda: messages.delete_folder(ben.id, inbox),
    ]
    for attempt in attempts:
        with db.connection(), pytest.raises(NotFound):
            attempt()
    assert tombstone(ben.id, gone) is None
    assert (message(anna.id, item_id), modseq_of(anna.id)) == before


def test_in_folder_means_this_folder(anna: Account) -> None:
    item_id = file(anna.id)
    with db.connection():
        assert messages.in_folder(anna.id, special(anna.id), item_id).id == item_id
        with pytest.raises(NotFound):
            messages.in_folder(anna.id, special(anna.id, FolderType.SENT), item_id)


def test_a_clock_that_goes_back_disturbs_no_order(anna: Account) -> None:
    first = file(anna.id, at=NOW)
    second = file(anna.id, at=NOW - timedelta(days=400))
    assert message(anna.id, second).created_modseq > message(anna.id, first).created_modseq
    assert [found.id for found in listing(anna.id)] == [first, second]
