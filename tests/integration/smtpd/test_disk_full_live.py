"""The disk of the role is full: every port says "later", nothing is half filed, and room makes it go on."""

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance.store.blobs import INLINE_BYTES_MAX
from smtpd.spool import MEMORY_BYTES_MAX
from tests.fakes.dns import FakeDns
from tests.fixtures.small_disk import small_disk
from tests.integration.smtpd.role import office
from tests.integration.smtpd.three_ports import NAMES, SENDERS, ThreePorts, config, sent, three_ports

DISK_BYTES = 48 * 1_048_576
SIZES = {"row": 20_000, "file": 2 * INLINE_BYTES_MAX, "spool": 2 * MEMORY_BYTES_MAX}
TRIES = 200


@pytest.fixture(scope="module")
def running() -> Iterator[ThreePorts]:
    with FakeDns({}) as dns, office(config(dns)) as place:
        place.data.mkdir()
        with small_disk(place.data, DISK_BYTES), three_ports(place) as ports:
            yield ports


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Leave no octet free inside the block."""
    ballast = disk / "ballast"
    try:
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError as error:
                assert error.errno == errno.ENOSPC
        yield
    finally:
        ballast.unlink()


def letter(port: str, subject: str, size: int) -> bytes:
    line = b"x" * 70 + b"\r\n"
    head = f"From: {SENDERS[port]}\r\nSubject: {subject}\r\n\r\n".encode()
    return head + line * (size // len(line))


@pytest.mark.parametrize("where", sorted(SIZES))
@pytest.mark.parametrize("port", NAMES)
def test_a_full_disk_is_for_later_and_over_when_there_is_room(
    running: ThreePorts, port: str, where: str
) -> None:
    """A few small ones may fit into what the database's log has already; a promise made is kept."""
    promised, replies = [], []
    with full(running.place.data):
        wire = running.ready(port)
        for n in range(TRIES):
            subject = f"{port} {where} {n}"
            replies.append(sent(wire, port, letter(port, subject, SIZES[where])))
            if replies[-1].startswith(b"250"):
                promised.append(subject)
            elif len(replies) - len(promised) == 3:
                break
    refusals = [reply for reply in replies if not reply.startswith(b"250")]
    assert [reply[:9] for reply in refusals] == [b"452 4.3.1"] * 3, refusals
    promised.append(f"{port} {where} after")
    assert sent(wire, port, letter(port, promised[-1], SIZES[where])).startswith(b"250"), "without a restart"
    filed = [re.search(rb"^Subject: (.*)\r$", raw, re.M) for raw in running.filed()]
    subjects = [found[1].decode() for found in filed if found]
    assert [each for each in subjects if each.startswith(f"{port} {where} ")] == promised
    assert sorted((running.place.data / "blobs" / "new").iterdir()) == []
    wire.close()
