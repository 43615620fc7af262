import subprocess
import sys
import threading

import gevent
from gevent.monkey import get_original

from appliance.db.waiting import Signal, is_patched_too_late, native_lock, start_native_thread

native_sleep = get_original("time", "sleep")


def test_greenlets_run_while_one_waits_for_a_native_thread():
    signal = Signal()
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        while True:
            gevent.sleep(0.002)
            ticks += 1

    ticker = gevent.spawn(tick)
    start_native_thread(lambda: (native_sleep(0.2), signal.set()), ())
    assert signal.wait(5)
    ticker.kill()
    assert ticks > 20


def test_signal_before_the_wait_is_not_lost():
    gevent.sleep(0)  # there is a hub from here on
    signal = Signal()
    ready = native_lock()
    ready.acquire()
    start_native_thread(lambda: (signal.set(), ready.release()), ())
    ready.acquire()
    assert signal.wait(5)


def test_wait_ends_at_its_deadline():
    assert not Signal().wait(0.01)


def test_a_lone_waiter_is_not_taken_for_a_deadlock():
    # The only greenlet, nothing else scheduled: gevent must not raise LoopExit.
    signal = Signal()
    start_native_thread(lambda: (native_sleep(0.05), signal.set()), ())
    assert signal.wait(5)


def test_runs_a_function_beside_in_the_waiters_world():
    gevent.sleep(0)
    signal, ran = Signal(), Signal()
    where: list[int] = []

    def beside() -> None:
        where.append(threading.get_native_id())
        ran.set()

    start_native_thread(lambda: signal.run_beside(beside), ())
    assert ran.wait(5)
    assert where == [threading.get_native_id()]


def test_threads_without_a_hub_wait_natively():
    outcome: list[bool] = []
    done = Signal()

    def thread() -> None:
        inner = Signal()
        start_native_thread(inner.set, ())
        outcome.append(inner.wait(5))
        done.set()

    start_native_thread(thread, ())
    assert done.wait(5)
    assert outcome == [True]


def test_recognises_a_module_imported_before_patching():
    assert not is_patched_too_late(threading.local())
    assert is_patched_too_late(get_original("threading", "local")())


def test_opening_after_a_late_patch_is_refused(tmp_path):
    program = (
        "import sys, pathlib\n"
        "from appliance import db\n"
        "from gevent import monkey\n"
        "monkey.patch_all()\n"
        "db.open('sqlite', pathlib.Path(sys.argv[1]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "gevent must patch before" in done.stderr
