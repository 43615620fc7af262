"""Counting goes on when the disk is full: the process is not killed, nothing unreadable is left behind."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.mmap_dict import MmapedDict

from appliance.metrics_files import FILE_BYTES, SharedCounts

LIBRARYS: Any = MmapedDict  # carries no annotations
KEYS = [
    f"appliance_test_total{n:0100}" for n in range(FILE_BYTES // 100)
]  # more than fit into the first file


def written(path: Path) -> dict[str, float]:
    """Return what the other processes read in a file."""
    found = LIBRARYS.read_all_values_from_file(str(path))
    return {key.rstrip(): value for key, value, *_ in found}


def count(counts: SharedCounts, keys: list[str]) -> None:
    for number, key in enumerate(keys):
        counts.write_value(key, float(number), 0.0)


def values(counts: SharedCounts) -> list[float]:
    return [counts.read_value(key)[0] for key in KEYS]


def full(*_arguments: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_others_read_what_is_counted_and_the_room_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "counter_1.db"
    counts = SharedCounts(str(path))
    assert path.stat().st_blocks * 512 >= FILE_BYTES
    count(counts, KEYS)
    assert written(path) == {key: float(number) for number, key in enumerate(KEYS)}
    assert path.stat().st_blocks * 512 >= 2 * FILE_BYTES
    counts.close()


def test_no_room_for_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "posix_fallocate", full)
    counts = SharedCounts(str(tmp_path / "counter_1.db"))
    count(counts, KEYS)
    assert values(counts) == [float(number) for number in range(len(KEYS))]
    assert list(tmp_path.iterdir()) == []
    counts.close()


def test_no_room_for_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "counter_1.db"
    counts = SharedCounts(str(path))
    count(counts, KEYS[:10])
    monkeypatch.setattr(os, "posix_fallocate", full)
    count(counts, KEYS)
    assert values(counts) == [float(number) for number in range(len(KEYS))]
    assert path.stat().st_size == FILE_BYTES
    assert written(path).items() >= {(key, float(number)) for number, key in enumerate(KEYS[:10])}
    counts.close()
