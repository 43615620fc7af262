"""The bus between the processes of one machine: Unix datagrams, no server, nothing stored.

Owns the sockets `run/bus/<role>-<pid>-<random>.sock`, one bound by each process, and one sender that
gives every peer its own merged set of hints. Leaves delivery inside the process to `bus.Bus`.

The kernel queues only about ten datagrams for a receiver (`net.unix.max_dgram_qlen`): sending each hint
as it comes lost 60 % of a burst. Here a refused batch stays in the peer's set, merges with what follows
and is tried again until it fits; a silent peer costs a bounded set and a few attempts a second, and never
delays the others. A peer that died refuses its next datagram, and its socket is removed.
"""

import errno
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

from appliance import logs, metrics
from appliance.bus import Bus, Hint
from appliance.net import bus_wire
from appliance.offload import hub_caller

RETRY_MIN_S: Final = 0.001
RETRY_MAX_S: Final = 0.2
CLOSE_S: Final = 1.0
SETTLED_NS: Final = 1_000_000_000
READ_BYTES_MAX: Final = 2 * bus_wire.BATCH_BYTES_MAX
ADDRESS_BYTES_MAX: Final = 107

logger = logging.getLogger("appliance.bus")
DEAD_PEERS = metrics.counter(
    "appliance_bus_dead_peers_total", "Sockets of dead processes removed from run/bus."
)
SENT_HERE = bus_wire.SENT.labels("unix")
RECEIVED_HERE = bus_wire.RECEIVED.labels("unix")


class UnixBus(Bus):
    """Hints between processes that share a run directory. Make it after the last fork.

    run_dir: the data directory's `run`; role: a short word for the socket's name. Raises OSError.
    """

    def __init__(self, run_dir: Path, role: str) -> None:
        super().__init__()
        self._directory = run_dir / "bus"
        self._directory.mkdir(mode=0o770, parents=True, exist_ok=True)
        self.path = self._directory / f"{role}-{os.getpid()}-{secrets.token_hex(4)}.sock"
        self._call_hub = hub_caller()
        self._outbox = bus_wire.Outbox()
        self._wake = threading.Event()
        self._closed = False
        self._peers = _Peers(self._directory, self.path.name)
        self._receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with _Address(self.path) as address:
            self._receiver.bind(address)
        self.path.chmod(0o660)
        self._sender = threading.Thread(target=self._send_loop, name="bus-send", daemon=True)
        self._sender.start()
        threading.Thread(target=self._receive_loop, name="bus-receive", daemon=True).start()

    def close(self) -> None:
        """Send what is waiting, for at most CLOSE_S seconds, then stop and remove the socket."""
        self._closed = True
        self._wake.set()
        self._sender.join(2 * CLOSE_S)
        self.path.unlink(missing_ok=True)
        with suppress(OSError):
            self._receiver.shutdown(socket.SHUT_RDWR)  # ends the wait of the receiving thread, which closes

    def _send_away(self, hints: Iterable[Hint]) -> None:
        self._outbox.put(hints)
        self._wake.set()

    def _send_loop(self) -> None:
        retry_s = RETRY_MIN_S
        deadline = None
        while True:
            self._wake.wait(retry_s if self._peers.waiting() else None)
            self._wake.clear()
            if self._closed and deadline is None:
                deadline = time.monotonic() + CLOSE_S
            progress = self._peers.send(self._outbox.take(None))
            retry_s = RETRY_MIN_S if progress else min(2 * retry_s, RETRY_MAX_S)
            if deadline and (time.monotonic() >= deadline or not (self._peers.waiting() or self._outbox)):
                self._peers.close()
                return

    def _receive_loop(self) -> None:
        with self._receiver:
            while True:
                try:
                    batch = self._receiver.recv(READ_BYTES_MAX)
                except OSError as error:
                    if not self._closed:
                        logs.event(logger, "bus.receive_failed", level=logging.ERROR, exc_info=error)
                    return
                if self._closed:
                    return
                self._receive(bus_wire.decode(batch))
                time.sleep(0)  # under gevent a flood of datagrams must not keep the others from running

    def _receive(self, hints: list[Hint]) -> None:
        RECEIVED_HERE.inc()
        if bus_wire.EVERYTHING in hints:
            self.wake_all()
        else:
            self._deliver(hints)


class _Peers:
    """The other processes: found by listing the directory, used by the sender thread alone."""

    def __init__(self, directory: Path, own_name: str) -> None:
        self._directory = directory
        self._own_name = own_name
        self._by_name: dict[str, _Peer] = {}
        self._listed_mtime_ns = 0
        self._settled = False

    def send(self, hints: list[Hint]) -> bool:
        """Give hints to every peer and send what their sockets take; tell whether anything went out."""
        if hints:
            self._refresh()
        progress = False
        for name, peer in list(self._by_name.items()):
            peer.outbox.put(hints)
            try:
                progress |= peer.flush()
            except OSError as error:
                peer.close()
                del self._by_name[name]
                self._bury(name, error)
        return progress

    def waiting(self) -> bool:
        """Tell whether some peer's socket was full."""
        return any(peer.outbox for peer in self._by_name.values())

    def close(self) -> None:
        for peer in self._by_name.values():
            peer.close()

    def _refresh(self) -> None:
        """List the directory if it may have changed.

        Its time stamp is coarse (some milliseconds): a listing taken soon after a change proves nothing
        about a change that followed in the same instant, so it is believed only when the stamp is old.
        """
        try:
            mtime_ns = self._directory.stat().st_mtime_ns
        except OSError as error:  # somebody removed it: the peers we know are still connected
            logs.event(logger, "bus.directory_lost", level=logging.ERROR, error=error)
            return
        if self._settled and mtime_ns == self._listed_mtime_ns:
            return
        self._settled = time.time_ns() - mtime_ns > SETTLED_NS
        self._listed_mtime_ns = mtime_ns
        names = {path.name for path in self._directory.glob("*.sock")} - {self._own_name}
        for name in self._by_name.keys() - names:
            self._by_name.pop(name).close()
        for name in names - self._by_name.keys():
            try:
                self._by_name[name] = _Peer(self._directory / name)
            except OSError as error:
                self._bury(name, error)

    def _bury(self, name: str, error: OSError) -> None:
        if error.errno == errno.ECONNREFUSED:  # the file is there, nobody has it bound
            (self._directory / name).unlink(missing_ok=True)
            DEAD_PEERS.inc()
        elif error.errno != errno.ENOENT:  # perhaps our own trouble (descriptors): look for it again
            self._settled = False
            logs.event(logger, "bus.peer_failed", level=logging.WARNING, peer=name, error=error)


class _Peer:
    """One other process. Its own socket: the send buffer is charged until the receiver reads, and a
    shared one would let a silent peer stop the batches of all others."""

    def __init__(self, path: Path) -> None:
        self.outbox = bus_wire.Outbox()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            with _Address(path) as address:
                self._socket.connect(address)
        except OSError:
            self._socket.close()
            raise

    def flush(self) -> bool:
        """Send batches until the outbox is empty or the socket is full; raises OSError for a dead peer."""
        progress = False
        while batch := self.outbox.take():
            try:
                self._socket.send(bus_wire.encode(batch))
            except (BlockingIOError, InterruptedError):
                self.outbox.put(batch)
                return progress
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self.outbox.put(batch)
                return progress
            SENT_HERE.inc()
            progress = True
        return progress

    def close(self) -> None:
        self._socket.close()


class _Address:
    """A socket path as the kernel takes it: one that is too long for `sun_path` goes by way of an open
    descriptor of its directory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1

    def __enter__(self) -> str:
        if len(os.fsencode(self._path)) <= ADDRESS_BYTES_MAX:
            return str(self._path)
        self._fd = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._fd}/{self._path.name}"

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)
