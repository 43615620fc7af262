"""Metrics: declared once and by rule, in one process or many, whatever is imported first."""

import subprocess
import sys
from itertools import count

import gevent
import pytest
from gevent.monkey import get_original

from appliance import metrics

numbers = count()


def fresh(suffix: str) -> str:
    return f"appliance_test_{next(numbers)}_{suffix}"


def test_counts_gauges_and_histograms_in_one_process():
    counted, held, took = fresh("total"), fresh("held"), fresh("seconds")
    counter = metrics.counter(counted, "Things.", ["kind"])
    counter.labels("a").inc()
    counter.labels("a").inc(2)
    gauge = metrics.gauge(held, "Held.")
    gauge.inc(5)
    gauge.dec()
    histogram = metrics.histogram(took, "Time.")
    with pytest.raises(KeyError), histogram.time():
        raise KeyError
    histogram.observe(99)
    assert metrics.sample(counted, kind="a") == 3
    assert metrics.sample(held) == 4
    assert metrics.sample(f"{took}_count") == 2
    assert metrics.sample(f"{took}_bucket", le="30.0") == 1
    page = metrics.render().decode()
    assert f"# HELP {counted} Things.\n" in page
    assert f'{counted}{{kind="a"}} 3.0\n' in page
    assert "_created" not in page


@pytest.mark.parametrize(
    "name", ["things_total", "appliance_things", "appliance_Things_total", "appliance_ä_total"]
)
def test_a_badly_named_counter_is_refused(name):
    with pytest.raises(ValueError, match="must"):
        metrics.counter(name, "Things.")


def test_a_second_declaration_or_no_help_is_refused():
    name = fresh("total")
    metrics.counter(name, "Things.")
    with pytest.raises(ValueError, match="twice"):
        metrics.counter(name, "Things.")
    with pytest.raises(ValueError, match="no help"):
        metrics.gauge(fresh("held"), "")


def test_declarations_are_listed_for_the_handbook():
    name = fresh("total")
    metrics.counter(name, "Things.", ["kind"])
    assert metrics.Declared(name, "Things.", "counter", ("kind",)) in metrics.declared()


@pytest.mark.parametrize("values", [(), ("a",), ("a", "b", "c")])
def test_wrong_labels_are_refused(values):
    counter = metrics.counter(fresh("total"), "Things.", ["kind", "status"])
    with pytest.raises(ValueError, match="labels"):
        counter.labels(*values)


def test_strangers_cannot_grow_our_memory():
    name = fresh("total")
    counter = metrics.counter(name, "Things.", ["agent"])
    for number in range(metrics.LABEL_SETS_MAX + 50):
        counter.labels(number).inc()
    assert metrics.sample(name, agent="other") == 50
    assert metrics.render().count(f"{name}{{".encode()) == metrics.LABEL_SETS_MAX + 1


def test_greenlets_and_native_threads_count_together():
    name = fresh("total")
    counter = metrics.counter(name, "Things.")
    done = []

    def native() -> None:
        for _ in range(5000):
            counter.inc()
        done.append(1)

    def green() -> None:
        for number in range(5000):
            counter.inc()
            if number % 100 == 0:
                gevent.sleep(0)

    for _ in range(2):
        get_original("_thread", "start_new_thread")(native, ())
    gevent.joinall([gevent.spawn(green) for _ in range(2)])
    with gevent.Timeout(20):
        while len(done) < 2:
            gevent.sleep(0.01)
    assert metrics.sample(name) == 20_000


SHARED = """
import os, sys
waitpid = os.waitpid  # gevent's hangs when the child ends before the parent's loop first runs
{patch}
from pathlib import Path
from appliance import metrics
counter = metrics.counter("appliance_test_total", "Things.", ["kind"])
child = counter.labels("a")
held = metrics.gauge("appliance_test_held", "Held.")
took = metrics.histogram("appliance_test_seconds", "Time.")
child.inc(100)                      # before setup: this process only, forgotten
metrics.setup(Path(sys.argv[1]))
child.inc(); held.inc(); took.observe(0.02)
worker = os.fork()
if not worker:
    child.inc(5); held.inc(); took.observe(0.02)
    os._exit(0)
waitpid(worker, 0)
assert metrics.sample("appliance_test_total", kind="a") == 6
assert metrics.sample("appliance_test_held") == 2
assert metrics.sample("appliance_test_seconds_count") == 2
metrics.mark_dead(worker)
assert metrics.sample("appliance_test_held") == 1
assert metrics.sample("appliance_test_total", kind="a") == 6
assert b'appliance_test_total{{kind="a"}} 6.0' in metrics.render()
"""


@pytest.mark.parametrize(
    "patch", ["", "from gevent import monkey; monkey.patch_all()"], ids=["threads", "gevent"]
)
def test_processes_add_up(tmp_path, patch):
    script = SHARED.format(patch=patch)
    # Twice: what the first run left is of processes that are gone and must not be counted again.
    for _ in range(2):
        subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=30)


def test_a_restarting_role_keeps_the_other_roles_files(tmp_path):
    start = (
        "import sys; from pathlib import Path; from appliance import metrics\n"
        "c = metrics.counter('appliance_test_total', 'Things.'); metrics.setup(Path(sys.argv[1])); c.inc()\n"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", start + "print('ready', flush=True); sys.stdin.read()", str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert running.stdout is not None
        assert running.stdout.readline() == b"ready\n"
        check = start + "assert metrics.sample('appliance_test_total') == 2"
        subprocess.run([sys.executable, "-c", check, str(tmp_path)], check=True, timeout=30)
    finally:
        running.communicate(timeout=30)


def test_a_process_that_ended_but_was_not_reaped_is_gone(tmp_path):
    script = (
        "import os, sys, time; from pathlib import Path; from appliance import metrics\n"
        "child = os.fork()\n"
        "if not child: os._exit(0)\n"
        "left = Path(sys.argv[1]) / f'counter_{child}.db'; left.touch()\n"
        "kept = Path(sys.argv[1]) / f'counter_{os.getpid()}.db'; kept.touch()\n"
        "while 'Z' not in Path(f'/proc/{child}/stat').read_text(): time.sleep(0.01)\n"
        "metrics.setup(Path(sys.argv[1])); assert not left.exists(); assert kept.exists()\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=30)
