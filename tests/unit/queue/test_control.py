"""What an operator does to waiting mail."""

from datetime import timedelta

import pytest

from appliance import bus, db
from appliance.items.next_hop import HopTls, NextHop
from appliance.queue import control, entries
from appliance.queue.control import Selection, State
from appliance.queue.priority import Priority
from appliance.store import blobs
from tests.fixtures.database import Place
from tests.unit.store.mailbox import NOW, OUTSIDE, mail

HOUR = timedelta(hours=1)


def add(domain: str, sender: str = OUTSIDE, priority: Priority = Priority.MAIL) -> int:
    (entry_id,) = entries.add(
        blobs.put(mail()),
        account_id=None,
        reverse_path=sender,
        recipients=[(f"carl@{domain}", domain)],
        now=NOW,
        priority=priority,
    )
    return entry_id


def found(selection: Selection) -> list[int]:
    with db.connection():
        return [entry.id for entry in control.find(selection, NOW)]


def claimed(**options: object) -> list[int]:
    return [e.id for e in entries.claim(NOW, limit=9, lease_s=60, **options)]  # type: ignore[arg-type]


def test_selections(store: Place) -> None:
    one, two, three = add("example.org"), add("example.test"), add("example.org", "")
    control.hold(Selection([three]), NOW)
    (tried,) = entries.claim(NOW, limit=1, lease_s=60)
    assert tried.id == one
    assert found(Selection()) == [one, two, three]
    assert found(Selection(domain="example.org")) == [one, three]
    assert found(Selection(sender="")) == [three]
    assert found(Selection([two, three], domain="example.org")) == [three]
    assert [found(Selection(state=state)) for state in State] == [[two], [], [one], [three]]
    entries.defer(tried, NOW + HOUR, "421")
    assert found(Selection(state=State.WAITING)) == [one]
    with db.connection():
        assert control.count_by_state(NOW) == dict(zip(State, (1, 1, 0, 1), strict=True))
        states = {entry.id: control.state_of(entry, NOW) for entry in control.find(Selection(), NOW)}
    assert states == {one: State.WAITING, two: State.DUE, three: State.HELD}


def test_held_mail_stays_until_it_is_released(store: Place) -> None:
    one, two = add("example.org"), add("example.org")
    assert control.hold(Selection([one]), NOW) == [one]
    assert claimed() == [two]
    with bus.watch((entries.TOPIC,)) as watcher:
        assert control.release(Selection(domain="example.org"), NOW) == [one]
        assert watcher.wait(1.0)
    assert claimed() == [one]


def test_an_attempt_under_way_counts_although_the_entry_is_held(store: Place) -> None:
    add("example.org")
    (entry,) = entries.claim(NOW, limit=1, lease_s=60)
    control.hold(Selection([entry.id]), NOW)
    assert entries.remove(entry)


def test_rerouted_at_once_and_back(store: Place) -> None:
    one, two = add("example.org"), add("example.net")
    hop = NextHop("relay.example.com", 587, HopTls.STARTTLS, "user", "secret")
    assert control.reroute(Selection(domain="example.org"), hop, NOW) == [one]
    assert {e.id: e.next_hop for e in entries.claim(NOW, limit=9, lease_s=60)} == {
        one: "relay.example.com:587/starttls",  # credentials are not kept here
        two: "",
    }
    control.reroute(Selection(), None, NOW)
    with db.connection():
        assert {entry.next_hop for entry in entries.list_entries()} == {""}


def test_people_first_then_machines_then_bulk(store: Place) -> None:
    bulk = add("example.org", priority=Priority.BULK)
    report = add("example.org", priority=Priority.AUTOMATIC)
    letter = add("example.org")
    assert claimed() == [letter, report, bulk]


def test_busy_domains_are_left_for_later(store: Place) -> None:
    add("example.org")
    other = add("example.net")
    assert claimed(busy={"example.org"}) == [other]


@pytest.mark.parametrize("holder", ["r1", "r1x"])
def test_what_a_dead_runner_held_is_free_at_once(store: Place, holder: str) -> None:
    one = add("example.org")
    assert claimed(holder="r1") == [one]
    assert entries.free(holder) == (holder == "r1")
    assert claimed() == ([one] if holder == "r1" else [])
