"""A message on its way in: memory, then a file, under one ceiling for all."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from smtpd.spool import MEMORY_BYTES_MAX, NoSpace, Spool, SpoolBudget


def test_a_small_one_stays_in_memory(tmp_path: Path) -> None:
    spool = Spool(SpoolBudget(10**9), tmp_path / "does not exist")
    spool.write(b"x" * MEMORY_BYTES_MAX)
    assert spool.read() == b"x" * MEMORY_BYTES_MAX


def test_a_large_one_goes_to_a_file_without_a_name(tmp_path: Path) -> None:
    budget = SpoolBudget(10**9)
    spool = Spool(budget, tmp_path)
    for octet in b"abc":
        spool.write(bytes([octet]) * MEMORY_BYTES_MAX)
    assert spool.read() == b"".join(bytes([octet]) * MEMORY_BYTES_MAX for octet in b"abc")
    assert list(tmp_path.iterdir()) == []
    assert budget.bytes_used == 3 * MEMORY_BYTES_MAX
    spool.close()
    spool.close()
    assert budget.bytes_used == 0


def test_the_ceiling_is_shared() -> None:
    budget = SpoolBudget(10)
    first, second = Spool(budget), Spool(budget)
    first.write(b"123456")
    with pytest.raises(NoSpace):
        second.write(b"12345")
    second.close()
    assert budget.bytes_used == 6
    assert budget.has_room(4)
    assert not budget.has_room(5)
    first.close()
    Spool(budget).write(b"1234567890")


def test_no_disk_is_an_error_and_gives_everything_back(tmp_path: Path) -> None:
    budget = SpoolBudget(10**9)
    spool = Spool(budget, tmp_path / "does not exist")
    with pytest.raises(OSError):
        spool.write(b"x" * (MEMORY_BYTES_MAX + 1))
    spool.close()
    assert budget.bytes_used == 0


@contextmanager
def files_up_to(size_bytes: int) -> Iterator[None]:
    """Make the system refuse longer files inside the block, as a full disk does: in the middle of a write."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("piece", [10, 5_000, 65_536])
def test_a_disk_that_fills_up_is_said_while_writing_and_closing_is_quiet(tmp_path: Path, piece: int) -> None:
    budget = SpoolBudget(10**9)
    spool = Spool(budget, tmp_path)
    spool.write(b"x" * MEMORY_BYTES_MAX)
    with files_up_to(MEMORY_BYTES_MAX + 20_001):
        with pytest.raises(OSError, match="too large"):
            for _ in range(20_002 // piece + 1):
                spool.write(b"y" * piece)
        spool.close()
    assert budget.bytes_used == 0
