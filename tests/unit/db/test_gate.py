import gevent
import pytest
from gevent.monkey import get_original

from appliance.db.gate import FifoGate
from appliance.db.waiting import Signal, start_native_thread

native_sleep = get_original("time", "sleep")


def test_serves_in_order_of_arrival_and_lets_no_newcomer_pass():
    gate = FifoGate(1)
    assert gate.enter(1)
    served: list[int] = []

    def wait_in_line(number: int) -> None:
        assert gate.enter(5)
        served.append(number)
        gate.leave()

    waiting = [gevent.spawn(wait_in_line, number) for number in range(5)]
    gevent.sleep(0.01)
    gate.leave()  # the place now belongs to the first in line, although that one has not run yet
    wait_in_line(99)
    gevent.joinall(waiting, timeout=5, raise_error=True)
    assert served == [0, 1, 2, 3, 4, 99]
    assert gate.enter(0)


def test_gives_up_after_the_deadline_and_stays_usable():
    gate = FifoGate(1)
    assert gate.enter(1)
    assert not gate.enter(0.01)
    gate.leave()
    assert gate.enter(0)


def test_killed_waiter_leaves_the_line():
    gate = FifoGate(1)
    assert gate.enter(1)
    victim = gevent.spawn(gate.enter, 5)
    gevent.sleep(0.01)
    victim.kill()
    gate.leave()
    assert gate.enter(0)


def test_place_handed_to_a_waiter_that_is_killed_at_that_moment_goes_on():
    gate = FifoGate(1)
    assert gate.enter(1)
    victim = gevent.spawn(gate.enter, 5)
    gevent.sleep(0.01)
    victim.kill(block=False)
    gate.leave()  # hands over before the victim has noticed
    victim.join(5)
    assert isinstance(victim.value, gevent.GreenletExit)
    assert gate.enter(0)


def test_native_threads_and_greenlets_share_a_gate():
    gate = FifoGate(2)
    inside = 0
    most = 0
    rounds = 0

    def pass_through(sleep) -> None:
        nonlocal inside, most, rounds
        for _ in range(50):
            assert gate.enter(10)
            inside += 1
            most = max(most, inside)
            sleep(0.0005)
            inside -= 1
            rounds += 1
            gate.leave()

    done = [Signal() for _ in range(3)]

    def thread(number: int) -> None:
        pass_through(native_sleep)
        done[number].set()

    for number in range(3):
        start_native_thread(thread, (number,))
    greenlets = [gevent.spawn(pass_through, gevent.sleep) for _ in range(3)]
    gevent.joinall(greenlets, timeout=20, raise_error=True)
    assert all(signal.wait(20) for signal in done)
    assert rounds == 300
    assert most <= 2


@pytest.mark.parametrize("places", [1, 3])
def test_admits_as_many_as_it_has_places(places: int):
    gate = FifoGate(places)
    assert [gate.enter(0) for _ in range(places + 1)] == [True] * places + [False]
