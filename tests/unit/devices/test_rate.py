"""The token bucket of a device."""

import pytest

from appliance.devices import rate
from appliance.devices.rate import Rate


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_is_free_and_then_it_is_one_at_a_time() -> None:
    time = Time()
    buckets = Rate(60, 3, time)
    assert [buckets.wait_s(1) for _ in range(4)] == [0, 0, 0, 1]
    assert buckets.wait_s(2) == 0, "another device has a bucket of its own"
    time.now = 0.5
    assert buckets.wait_s(1) == 1
    time.now = 1.0
    assert [buckets.wait_s(1), buckets.wait_s(1)] == [0, 1]
    time.now = 1_000.0
    assert [buckets.wait_s(1) for _ in range(4)] == [0, 0, 0, 1], "no more than the burst is saved up"


def test_the_wait_is_as_long_as_it_takes() -> None:
    buckets = Rate(1, 1, Time())
    assert [buckets.wait_s(1), buckets.wait_s(1)] == [0, 60]


def test_0_is_no_limit() -> None:
    buckets = Rate(0, 0, Time())
    assert {buckets.wait_s(1) for _ in range(1_000)} == {0}


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate, "DEVICES_MAX", 10)
    buckets = Rate(60, 5, Time())
    for device in range(100):
        buckets.wait_s(device)
    assert len(buckets._buckets) == 10
