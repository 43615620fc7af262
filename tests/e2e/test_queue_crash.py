"""A short run of the queue's crash loop; `make queue-crash-test` is the long one."""

from tests.e2e import queue_crash


def test_nothing_is_lost_and_nothing_goes_twice_without_a_reason() -> None:
    outcome = queue_crash.crash(12, seed=1)
    assert outcome.faults == [], outcome.text()
    assert outcome.accepted > 40
