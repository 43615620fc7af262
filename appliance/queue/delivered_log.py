"""What other servers have taken, in files outside the database, from the moment they said so.

The database's own record is the entry that is gone. It is written a little later than the server's answer:
a process killed in between, or a database put back to an earlier state, would send the message again. So
each delivery is noted here first, by the entry's uid; whatever is in the queue and was noted is taken out
before a runner begins, and before it attempts what somebody's lease ran out on. One file a day, appended to
with a single write; a line cut off by a crash is skipped.

Not flushed: it survives the death of the process, not always that of the machine, after which the promise
is what it was, at least once. Each machine has its own.
"""

import json
import os
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

KEPT_FOR = timedelta(days=60)
"""Longer than any lifetime in the queue (`[relay] lifetime_s` is at most 30 days)."""

_FOLDER = "delivered"
_SUFFIX = ".log"


@dataclass(frozen=True, slots=True)
class Noted:
    """One delivery. reports_itself: see `settle.delivered`."""

    uid: str
    reply: str
    host: str
    reports_itself: bool


class DeliveredLog:
    """The files of one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir / _FOLDER
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def note(self, noted: Noted, now: datetime) -> None:
        """Write a delivery down; there when it returns, whatever becomes of the process. Raises OSError."""
        line = json.dumps(asdict(noted), ensure_ascii=True).encode() + b"\n"
        path = self._folder / _name(now)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)

    def among(self, uids: Collection[str], since: datetime | None = None) -> list[Noted]:
        """Return what was noted of these entries. since: not before that day."""
        first = "" if since is None else _name(since)
        return [noted for noted in self._all(first) if noted.uid in uids] if uids else []

    def forget_old(self, now: datetime) -> int:
        """Remove files that nothing in a queue can refer to any more; returns how many."""
        oldest = _name(now - KEPT_FOR)
        old = [path for path in self._files() if path.name < oldest]
        for path in old:
            path.unlink(missing_ok=True)
        return len(old)

    def _files(self) -> list[Path]:
        return sorted(self._folder.glob(f"????-??-??{_SUFFIX}"))

    def _all(self, first: str) -> Iterator[Noted]:
        for path in self._files():
            if path.name < first:
                continue
            with path.open("rb") as file:
                for line in file:
                    try:
                        yield Noted(**json.loads(line))
                    except (ValueError, TypeError):
                        continue


def _name(day: datetime) -> str:
    return f"{day.astimezone(UTC):%Y-%m-%d}{_SUFFIX}"
