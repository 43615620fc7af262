"""What 10,000 waiting readers cost, in a process of its own."""

import json
import subprocess
import sys

HELD = """
from gevent import monkey; monkey.patch_all()
import gc, json, os, sys, time
import gevent
from appliance import bus

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def processor():
    return time.process_time()

def park(number):
    gevent.get_hub().switch()

def watch(number):
    with bus.watch((bus.account_topic(number), bus.device_topic(number))) as watcher:
        while not watcher.draining:
            watcher.wait(3000)

COUNT = 10_000
gevent.spawn(watch, -1); gevent.sleep(0.01); gc.collect()
before = resident()
held = [gevent.spawn({job}, number) for number in range(COUNT)]
gevent.sleep(0.5); gc.collect()
report = {{"bytes": (resident() - before) / COUNT}}
if {job!r} == "watch":
    assert bus.current().watching() == COUNT + 1
    used = processor(); gevent.sleep(1); report["idle_s"] = processor() - used
    began = time.perf_counter(); bus.publish(bus.account_topic(4711)); gevent.sleep(0)
    report["wake_ms"] = (time.perf_counter() - began) * 1000
    began = time.perf_counter(); bus.current().drain(); gevent.joinall(held)
    report["drain_ms"] = (time.perf_counter() - began) * 1000
    assert bus.current().watching() <= 1
print(json.dumps(report)); sys.stdout.flush(); os._exit(0)
"""


def measure(job: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", HELD.format(job=job)], check=True, capture_output=True, timeout=60
    )
    return json.loads(done.stdout)


def test_ten_thousand_readers_wait_cheaply(record_property):
    bare, watching = measure("park"), measure("watch")
    own = watching["bytes"] - bare["bytes"]
    for name, value in {"watcher_bytes": own, **watching}.items():
        record_property(name, value)
    print(f"\n{own:.0f} bytes a watcher beside {bare['bytes']:.0f} for its greenlet; {watching}")
    assert own < 4000
    assert watching["idle_s"] < 0.1, "ten thousand waits must not tick"
    assert watching["drain_ms"] < 5000
