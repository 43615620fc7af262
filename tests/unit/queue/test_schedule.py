"""When a deferred message is tried again."""

from datetime import timedelta
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from appliance.queue import schedule
from tests.unit.store.mailbox import NOW


@given(attempts=st.integers(-1, 10_000), seed=st.integers())
def test_every_wait_is_in_bounds(attempts: int, seed: int) -> None:
    wait = schedule.next_attempt(attempts, NOW, Random(seed)) - NOW
    assert timedelta(seconds=48) <= wait <= schedule.RETRY_MAX


def test_waits_grow_and_a_message_gets_days_of_them() -> None:
    waits = [(schedule.next_attempt(n, NOW, Random(n)) - NOW).total_seconds() for n in range(1, 60)]
    assert waits[0] < 90  # greylisting is over within minutes
    assert all(later > 1_440 for later in waits[3:])  # RFC 5321 4.5.4.1: about 30 minutes at least
    assert timedelta(days=4) <= schedule.LIFETIME <= timedelta(days=5)
    assert sum(waits) > schedule.LIFETIME.total_seconds() / 2
