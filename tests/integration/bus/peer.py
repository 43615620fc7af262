"""A process on the bus, for tests: watches topics and prints what it hears, one JSON list per wait.

Arguments: bus URL, run directory, "gevent" or "threads", topics ("account:*9" means account:0 to
account:8). Lines "topic TAB payload" on standard input are published; its end ends the process.
"""

import sys

if sys.argv[3] == "gevent":
    from gevent import monkey

    monkey.patch_all()

import json
import threading
from pathlib import Path

from appliance.net.bus_open import open_bus
from appliance.net.bus_redis import RedisBus


def main(url: str, run_dir: str, topics: list[str]) -> None:
    hints = open_bus(url, Path(run_dir), "peer")
    with hints.watch(topics) as watcher:
        if isinstance(hints, RedisBus):  # until then a hint reaches it only as "look at everything"
            assert hints._subscribed.wait(20)
            watcher.wait(0)
        print("ready", flush=True)
        threading.Thread(target=end_with_input, args=(hints,), daemon=True).start()
        while not watcher.draining:
            heard = watcher.wait(60)
            if heard:
                print(json.dumps(sorted(heard)), flush=True)
    hints.close()


def end_with_input(hints) -> None:
    # Commands on standard input; under gevent a native thread reads it, so that the hub keeps turning.
    if sys.argv[3] == "gevent":
        from gevent.threadpool import ThreadPool

        read = ThreadPool(1)
        lines = iter(lambda: read.apply(sys.stdin.readline), "")
    else:
        lines = iter(sys.stdin.readline, "")
    for line in lines:
        topic, payload = line.rstrip("\n").split("\t")
        hints.publish(topic, payload)
    hints.drain()


def expanded(topic: str) -> list[str]:
    prefix, star, count = topic.partition("*")
    return [f"{prefix}{number}" for number in range(int(count))] if star else [topic]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], [topic for given in sys.argv[4:] for topic in expanded(given)])
