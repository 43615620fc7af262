"""A process that writes notes, for tests.

`python -m tests.integration.db.note_writer URL DIR NAME GREENLETS [COUNT]`: the greenlets write
`NAME.greenlet.number`; each line on standard output is a note whose transaction has returned. Without
COUNT it goes on until it is killed. A line on standard input starts it.
"""

from gevent import monkey

monkey.patch_all()

import os  # noqa: E402 - after the patching
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

import gevent  # noqa: E402

from appliance import db  # noqa: E402
from tests.fixtures.notes import write  # noqa: E402


def write_notes(name: str, count: int | None) -> None:
    """Write notes one after the other and say so."""
    number = 0
    while count is None or number < count:
        text = f"{name}.{number}"
        write(text)
        os.write(1, f"{text}\n".encode())  # one system call: a kill leaves whole lines
        number += 1


def main() -> None:
    """Open the database, wait for the start, write."""
    url, data_dir, name, greenlet_count, *rest = sys.argv[1:]
    db.open(url, Path(data_dir))
    sys.stdin.readline()
    count = int(rest[0]) if rest else None
    greenlets = [gevent.spawn(write_notes, f"{name}.{each}", count) for each in range(int(greenlet_count))]
    gevent.joinall(greenlets, raise_error=True)
    db.close()


if __name__ == "__main__":
    main()
