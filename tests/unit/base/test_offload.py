"""Work on native threads: the hub turns, order and errors are kept, the queue is bounded."""

import subprocess
import sys
import time

import gevent
import pytest
from gevent.monkey import get_original

from appliance import offload

native_ident = get_original("_thread", "get_ident")


def hog(seconds: float) -> int:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass
    return native_ident()


def test_runs_elsewhere_while_the_hub_turns():
    working = gevent.spawn(offload.run, hog, 0.3)
    ticks = 0
    while not working.ready():
        gevent.sleep(0.005)
        ticks += 1
    assert working.get() != native_ident()
    assert ticks >= 2  # a hub that waits turns once, when it is over; on a busy machine not much more


def test_results_and_exceptions_come_through(capfd):
    assert offload.run(divmod, 7, 2) == (3, 1)
    with pytest.raises(ZeroDivisionError):
        offload.run(divmod, 1, 0)
    assert capfd.readouterr().err == "", "the caller handles it; nobody prints it"


def test_inside_a_pool_thread_it_calls_directly():
    def nested() -> bool:
        return offload.run(native_ident, pool="test-nested") == native_ident()

    assert offload.run(nested, pool="test-nested"), "a pool of one thread must not wait for itself"


def test_a_pool_works_in_order_with_its_own_threads():
    order: list[int] = []
    gevent.joinall([gevent.spawn(offload.run, order.append, n, pool="test-order") for n in range(20)])
    assert order == list(range(20))


def test_too_much_waiting_is_refused_at_once(monkeypatch):
    monkeypatch.setattr(offload, "WAITING_MAX", 3)
    waiting = [gevent.spawn(offload.run, hog, 0.05, pool="test-full") for _ in range(3)]
    gevent.sleep(0)
    with pytest.raises(offload.Overloaded):
        offload.run(hog, 0.05, pool="test-full")
    gevent.joinall(waiting, raise_error=True)
    offload.run(hog, 0.0, pool="test-full")


def test_a_killed_caller_leaves_the_pool_usable():
    caller = gevent.spawn(offload.run, hog, 0.1, pool="test-kill")
    gevent.sleep(0.01)
    caller.kill()
    assert offload.run(divmod, 7, 2, pool="test-kill") == (3, 1)


def test_callbacks_reach_the_hub_from_native_threads():
    call = offload.hub_caller()
    seen: list[int] = []
    get_original("_thread", "start_new_thread")(call, (lambda: seen.append(native_ident()),))
    with gevent.Timeout(5):
        while not seen:
            gevent.sleep(0.001)
    assert seen == [native_ident()]


def test_without_patching_it_calls_and_does_not_import_gevent():
    script = (
        "import sys\n"
        "from appliance import bus, logs, metrics, offload\n"
        "assert offload.run(divmod, 7, 2) == (3, 1)\n"
        "assert not offload.is_patched() and not offload.on_hub()\n"
        "seen = []; offload.hub_caller()(lambda: seen.append(1)); assert seen == [1]\n"
        "with bus.watch(['t']) as watcher:\n"
        "    bus.publish('t', '1'); assert watcher.wait(1) == {('t', '1')}\n"
        "assert 'gevent' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)
