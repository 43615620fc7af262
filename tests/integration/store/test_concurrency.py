"""Several at once in one account and with one blob: nothing is lost, counted twice or seen too early.

On SQLite transactions follow one another; the tests are there for both, and for PostgreSQL, where they
overlap. `Pause` stops a transaction in the middle on PostgreSQL, so that the interleaving that hurts is
made to happen.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import gevent
import pytest
from gevent.event import Event

from appliance import db
from appliance.delivery import inbound
from appliance.errors import ApplianceError, Conflict, InvalidInput, NotFound
from appliance.items.account import Account
from appliance.items.folder import FolderType
from appliance.store import blobs, changes, folders, messages, modseq
from tests.fixtures.database import Place
from tests.unit.store.mailbox import (
    HOSTNAME,
    account,
    blob_count,
    envelope,
    file,
    listing,
    mail,
    message,
    prepared,
    raw_of,
    special,
    subjects,
)

pytestmark = pytest.mark.timeout(180)
WAIT_S = 20.0


class Pause:
    """Stops the transaction that calls it, once, until it is told to go on."""

    def __init__(self) -> None:
        self.reached, self.may_go_on = Event(), Event()

    def __call__(self, *_: object) -> None:
        if not self.reached.is_set():
            self.reached.set()
            assert self.may_go_on.wait(WAIT_S)


@contextmanager
def paused_after(monkeypatch: pytest.MonkeyPatch, owner: object, name: str) -> Iterator[Pause]:
    """Stop the first transaction that has done `owner.name`, in the middle."""
    real: Callable[..., Any] = getattr(owner, name)
    pause = Pause()

    def then_stop(*args: Any, **kwargs: Any) -> Any:
        value = real(*args, **kwargs)
        pause()
        return value

    with monkeypatch.context() as patched:
        patched.setattr(owner, name, then_stop)
        yield pause


def together(*steps: Callable[[], object]) -> list[object]:
    """Do everything at once; returns values, and errors of the domain, in order."""

    def attempt(step: Callable[[], object]) -> object:
        try:
            return step()
        except ApplianceError as error:
            return error

    greenlets = [gevent.spawn(attempt, step) for step in steps]
    gevent.joinall(greenlets, timeout=120, raise_error=True)
    return [greenlet.value for greenlet in greenlets]


# --- one account ----------------------------------------------------------------------------------


def test_whoever_sees_a_number_sees_all_smaller_ones(anna: Account) -> None:
    """The promise behind every Sync and Ping: "everything after N" is complete when N is seen."""
    inbox = special(anna.id)
    seen: list[int] = []
    is_over = Event()

    def watch() -> None:
        """Follow the feed as a phone does: each walk begins where the last one ended."""
        last = 0
        while not (was_over := is_over.is_set()) or last < changes_latest(inbox):
            with db.snapshot():
                latest = changes.latest(inbox)
                seen.extend(found.created_modseq for found in changes.created(inbox, after=last))
                last = latest
            gevent.sleep(0)
            if was_over and last >= changes_latest(inbox):
                return

    def write(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(15):
            file(anna.id, raw=mail())
            gevent.sleep(dice.random() / 500)

    watcher = gevent.spawn(watch)
    together(*[lambda seed=seed: write(seed) for seed in range(8)])  # type: ignore[misc]
    is_over.set()
    watcher.get(timeout=WAIT_S)
    assert sorted(found.created_modseq for found in listing(anna.id)) == seen
    assert len(seen) == 120


def changes_latest(folder_id: int) -> int:
    with db.connection():
        return changes.latest(folder_id)


def test_changes_of_one_message_at_once_count_once(anna: Account) -> None:
    item_id = file(anna.id)
    together(*[lambda: messages.set_read(anna.id, item_id, True)] * 10)
    with db.connection():
        assert folders.special(anna.id, FolderType.INBOX).unread == 0
    together(
        *[lambda: messages.set_read(anna.id, item_id, True)] * 5,
        *[lambda: messages.set_read(anna.id, item_id, False)] * 5,
    )
    with db.connection():
        assert folders.special(anna.id, FolderType.INBOX).unread == int(not message(anna.id, item_id).is_read)


def test_deleted_by_many_at_once_it_is_deleted_once(anna: Account) -> None:
    item_id = file(anna.id)
    outcomes = together(*[lambda: messages.delete(anna.id, item_id)] * 8)
    assert outcomes.count(None) == 1
    assert all(isinstance(outcome, NotFound) for outcome in outcomes if outcome is not None)


def test_moved_by_many_at_once_it_is_in_one_place(anna: Account) -> None:
    targets = [folders.create(anna.id, 0, f"Folder {n}", FolderType.USER_MAIL).id for n in range(4)]
    item_id = file(anna.id)
    outcomes = together(
        *[lambda target=target: messages.move(anna.id, item_id, target) for target in targets * 2]  # type: ignore[misc]
    )
    places = [found.id for target in targets for found in listing(anna.id, target)]
    assert len(places) == 1
    assert outcomes.count(places[0]) == 2  # the first one and its repetition
    assert sum(isinstance(outcome, NotFound) for outcome in outcomes) == 6


def test_everything_at_once_in_one_account(anna: Account, ben: Account) -> None:
    """Random work by eight at a time, with bytes shared between accounts; the invariants judge it."""
    other = folders.create(anna.id, 0, "Other", FolderType.USER_MAIL).id
    mails = [mail(size=size) for size in (0, 0, 3_000, 200_000)]

    def work(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(25):
            owner = dice.choice((anna, anna, ben))
            where = dice.choice((special(owner.id), other)) if owner is anna else special(owner.id)
            with suppress(NotFound, Conflict):
                _something(dice, owner.id, where, dice.choice(mails))
            gevent.sleep(0)

    together(*[lambda seed=seed: work(seed) for seed in range(8)])  # type: ignore[misc]
    for owner in (anna, ben):
        for found in listing(owner.id):
            assert raw_of(owner.id, found.id) in mails


def _something(dice: random.Random, account_id: int, folder_id: int, raw: bytes) -> None:
    inside = listing(account_id, folder_id)
    what = dice.randrange(8)
    if what < 3 or not inside:
        file(account_id, folder_id, raw)
        return
    item_id = dice.choice(inside).id
    if what == 3:
        messages.set_read(account_id, item_id, dice.random() < 0.5)
    elif what == 4:
        messages.discard(account_id, item_id)
    elif what == 5:
        messages.move(account_id, item_id, special(account_id, FolderType.SENT))
    elif what == 6:
        messages.delete(account_id, item_id)
    else:
        messages.empty_folder(account_id, special(account_id, FolderType.DELETED))


# --- folders --------------------------------------------------------------------------------------


def test_the_same_name_at_once_is_one_folder(anna: Account) -> None:
    outcomes = together(*[lambda: folders.create(anna.id, 0, "Projects", FolderType.USER_MAIL)] * 6)
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 5


def test_two_moves_make_no_circle(anna: Account) -> None:
    for number in range(5):
        first, second = (
            folders.create(anna.id, 0, f"{name} {number}", FolderType.USER_MAIL) for name in "AB"
        )
        outcomes = together(
            lambda a=first, b=second: folders.update(anna.id, a.id, b.id, a.name),  # type: ignore[misc]
            lambda a=first, b=second: folders.update(anna.id, b.id, a.id, b.name),  # type: ignore[misc]
        )
        assert sum(isinstance(outcome, InvalidInput) for outcome in outcomes) == 1


def test_nothing_is_filed_into_a_folder_that_goes(anna: Account) -> None:
    for number in range(5):
        target = folders.create(anna.id, 0, f"Folder {number}", FolderType.USER_MAIL).id
        ready = [prepared() for _ in range(4)]
        outcomes = together(
            *[lambda r=r, t=target: messages.file(anna.id, t, r) for r in ready[:2]],  # type: ignore[misc]
            lambda t=target: messages.delete_folder(anna.id, t),  # type: ignore[misc]
            *[lambda r=r, t=target: messages.file(anna.id, t, r) for r in ready[2:]],  # type: ignore[misc]
        )
        assert all(isinstance(outcome, int | NotFound) or outcome is None for outcome in outcomes)


# --- blobs ----------------------------------------------------------------------------------------


def test_bytes_filed_while_their_last_message_is_deleted(anna: Account, ben: Account) -> None:
    for size in (0, 200_000):
        for _ in range(10):
            raw = mail(size=size)
            first = file(anna.id, raw=raw)
            outcomes = together(
                lambda i=first: messages.delete(anna.id, i),  # type: ignore[misc]
                lambda r=raw: file(ben.id, raw=r),  # type: ignore[misc]
            )
            assert raw_of(ben.id, int(str(outcomes[1]))) == raw
            assert outcomes[0] is None


def test_a_deletion_waits_for_who_links_the_bytes(
    postgresql_database: Place, store_on_postgresql: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, ben = account("anna"), account("ben")
    raw = mail()
    first = file(anna.id, raw=raw)
    ready = prepared(raw)
    inbox = special(ben.id)
    with paused_after(monkeypatch, blobs, "link") as pause:
        filing = gevent.spawn(messages.file, ben.id, inbox, ready)  # found the row, refers to it later
        assert pause.reached.wait(WAIT_S)
        deleting = gevent.spawn(messages.delete, anna.id, first)
        gevent.sleep(0.3)
        assert not deleting.ready()
        pause.may_go_on.set()
        item_id = filing.get(timeout=WAIT_S)
        deleting.get(timeout=WAIT_S)
    assert raw_of(ben.id, item_id) == raw


def test_who_links_waits_for_a_deletion(
    postgresql_database: Place, store_on_postgresql: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna, ben = account("anna"), account("ben")
    raw = mail()
    first = file(anna.id, raw=raw)
    ready = prepared(raw)
    inbox = special(ben.id)
    with paused_after(monkeypatch, blobs, "unlink_unused") as pause:
        deleting = gevent.spawn(messages.delete, anna.id, first)
        assert pause.reached.wait(WAIT_S)
        filing = gevent.spawn(messages.file, ben.id, inbox, ready)
        gevent.sleep(0.3)
        assert not filing.ready()
        pause.may_go_on.set()
        deleting.get(timeout=WAIT_S)
        item_id = filing.get(timeout=WAIT_S)
    assert raw_of(ben.id, item_id) == raw
    with db.connection():
        assert messages.content(ready.blob.digest) == ready.content


def test_two_who_delete_the_last_two_leave_no_blob(anna: Account, ben: Account) -> None:
    for _ in range(10):
        raw = mail()
        first, second = file(anna.id, raw=raw), file(ben.id, raw=raw)
        together(
            lambda i=first: messages.delete(anna.id, i),  # type: ignore[misc]
            lambda i=second: messages.delete(ben.id, i),  # type: ignore[misc]
        )
    assert blob_count() == 0


# --- several accounts -----------------------------------------------------------------------------


def test_deliveries_to_the_same_people_in_any_order_do_not_deadlock(store: Place) -> None:
    names = [f"user{number}" for number in range(5)]
    people = [account(name) for name in names]

    def deliver(seed: int) -> None:
        dice = random.Random(seed)
        for number in range(6):
            inbound.deliver(envelope(*dice.sample(names, 3)), mail(f"{seed}-{number}"), hostname=HOSTNAME)

    deadlocks = _deadlocks()
    together(*[lambda seed=seed: deliver(seed) for seed in range(8)])  # type: ignore[misc]
    assert sum(len(subjects(person.id)) for person in people) == 8 * 6 * 3
    assert _deadlocks() == deadlocks


def _deadlocks() -> int:
    if db.is_sqlite():
        return 0
    with db.connection():
        rows = db.proxy.execute_sql(
            "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        ).fetchall()
    return int(rows[0][0])


def test_holding_an_account_keeps_others_out(postgresql_database: Place, store_on_postgresql: None) -> None:
    anna, ben = account("anna"), account("ben")
    pause = Pause()

    @db.transaction
    def hold() -> None:
        modseq.hold([anna.id, 999_999])
        pause()

    holding = gevent.spawn(hold)
    assert pause.reached.wait(WAIT_S)
    file(ben.id)  # others are not concerned
    waiting = gevent.spawn(file, anna.id)
    gevent.sleep(0.2)
    assert not waiting.ready()
    pause.may_go_on.set()
    holding.get(timeout=WAIT_S)
    assert waiting.get(timeout=WAIT_S)
