"""When a deferred message is tried again."""

from datetime import timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from appliance.queue import schedule
from appliance.settings import Relay
from tests.unit.store.mailbox import NOW


@given(attempts=st.integers(-1, 10_000), seed=st.integers())
def test_every_wait_is_in_bounds(attempts: int, seed: int) -> None:
    wait = schedule.current().next_attempt(attempts, NOW, Random(seed)) - NOW
    assert timedelta(seconds=48) <= wait <= schedule.current().retry_max


def test_waits_grow_and_a_message_gets_days_of_them() -> None:
    waits = [(schedule.current().next_attempt(n, NOW, Random(n)) - NOW).total_seconds() for n in range(1, 60)]
    assert waits[0] < 90  # greylisting is over within minutes
    assert all(later > 1_440 for later in waits[3:])  # RFC 5321 4.5.4.1: about 30 minutes at least
    assert timedelta(days=4) <= schedule.current().lifetime <= timedelta(days=5)
    assert sum(waits) > schedule.current().lifetime.total_seconds() / 2


def test_the_settings_are_followed() -> None:
    schedule.configure(Relay(retry_after_s=(10, 20), lifetime_s=3_600, delay_notice_s=0))
    try:
        current = schedule.current()
        waits = [(current.next_attempt(n, NOW, Random(n)) - NOW).total_seconds() for n in (1, 2, 9)]
        assert 8 <= waits[0] <= 12
        assert all(16 <= wait <= 24 for wait in waits[1:])
        assert (current.lifetime, current.delay_notice) == (timedelta(hours=1), None)
        assert current.retry_max == timedelta(seconds=24)
    finally:
        schedule.configure(Relay())
    assert schedule.current().delay_notice == timedelta(hours=4)
