"""Many phones that wait: a process that holds thousands of Pings with one loop and no threads.

    python -m tests.bench.held_pings PORT

Reads orders from standard input, one per line, and answers each with one line of JSON:

    {"add": [{"authorization", "user", "device", "folder"}, …]}
                more phones; each primes its folder (Sync with key 0) and sends a Ping on the same
                connection. Answered when all of them wait.
    {}          how are they?
    {"end": s}  wait up to s seconds until all have been answered or cut off

The answer is {"held", "answered", "polite", "lost", "seconds"}: how many wait, how many were answered,
how many of these with HTTP 200, how many connections just ended, and the time from the first to the last
of those ends.

A process of its own, so that its sockets and memory are not the server's.
"""

import json
import selectors
import socket
import sys
import time
from dataclasses import dataclass, field
from enum import Enum, auto

from appliance.phone.identity import Identity
from appliance.phone.query import plain
from appliance.wbxml.codec import encode
from appliance.wbxml.codepages import AirSync, Ping
from tests.bench.measure import raise_file_limit

HEARTBEAT_S = 3000
AT_ONCE = 40
"""Phones that are between connecting and waiting at the same time."""
READ_BYTES = 65_536
WBXML = "application/vnd.ms-sync.wbxml"


class Stage(Enum):
    """What a phone is waiting for."""

    PRIMED = auto()
    CHANGE = auto()
    OVER = auto()


@dataclass
class WaitingPhone:
    """One connection."""

    sock: socket.socket
    ping: bytes
    stage: Stage = Stage.PRIMED
    received: bytearray = field(default_factory=bytearray)


@dataclass
class Crowd:
    """All phones and the loop that serves them."""

    port: int
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    sent: int = 0
    started: int = 0
    answered: int = 0
    polite: int = 0
    lost: int = 0
    ends: list[float] = field(default_factory=list)

    def add(self, wishes: list[dict[str, str]]) -> None:
        """Bring more phones to the point where their Pings are on their way."""
        waiting = iter(wishes)
        goal = self.sent + len(wishes)
        while self.sent < goal:
            while self.started < goal and self.started - self.sent < AT_ONCE:
                self._connect(next(waiting))
                self.started += 1
            self.turn(1.0)

    def end(self, timeout_s: float) -> None:
        """Serve the connections until all are answered or gone."""
        deadline = time.monotonic() + timeout_s
        while self.answered + self.lost < self.sent and time.monotonic() < deadline:
            self.turn(0.1)

    def turn(self, seconds: float) -> bool:
        """Handle what has happened; True when standard input has something to say."""
        spoken = False
        for key, _ in self.selector.select(seconds):
            if key.data is None:
                spoken = True
            else:
                self._readable(key.data)
        return spoken

    def report(self) -> str:
        """Return what is known, as JSON."""
        held = self.sent - self.answered - self.lost
        seconds = max(self.ends) - min(self.ends) if self.ends else 0.0
        found = {"held": held, "answered": self.answered, "polite": self.polite, "lost": self.lost}
        return json.dumps(found | {"seconds": round(seconds, 3)})

    def _connect(self, wish: dict[str, str]) -> None:
        sock = socket.create_connection(("127.0.0.1", self.port))
        phone = WaitingPhone(sock, request("Ping", wish, ping(wish["folder"])))
        sock.sendall(request("Sync", wish, prime(wish["folder"])))
        self.selector.register(sock, selectors.EVENT_READ, phone)

    def _readable(self, phone: WaitingPhone) -> None:
        try:
            piece = phone.sock.recv(READ_BYTES)
        except ConnectionError:
            piece = b""
        phone.received += piece
        if phone.stage is Stage.PRIMED and is_whole(phone.received):
            if not phone.received.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"priming failed: {bytes(phone.received[:200])!r}")
            phone.received.clear()
            phone.stage = Stage.CHANGE
            phone.sock.sendall(phone.ping)
            self.sent += 1
        elif phone.stage is Stage.CHANGE and is_whole(phone.received):
            self.answered += 1
            self.polite += phone.received.startswith(b"HTTP/1.1 200")
            self._end(phone)
        elif not piece:
            if phone.stage is Stage.PRIMED:
                raise SystemExit("a phone lost its connection while it was set up")
            self.lost += 1
            self._end(phone)

    def _end(self, phone: WaitingPhone) -> None:
        self.ends.append(time.monotonic())
        phone.stage = Stage.OVER
        self.selector.unregister(phone.sock)
        phone.sock.close()


def request(command: str, wish: dict[str, str], body: bytes) -> bytes:
    """Return one ActiveSync request of a phone."""
    query = plain(command, wish["user"], Identity(wish["device"]), {})
    lines = (
        f"POST /Microsoft-Server-ActiveSync?{query} HTTP/1.1",
        "Host: mail.example.com",
        f"Authorization: {wish['authorization']}",
        "MS-ASProtocolVersion: 16.1",
        "User-Agent: Apple-iPhone15C4/2204.72",
        f"Content-Type: {WBXML}",
        f"Content-Length: {len(body)}",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def prime(folder: str) -> bytes:
    """Return a Sync with key 0."""
    collection = AirSync.Collection(AirSync.SyncKey("0"), AirSync.CollectionId(folder))
    return encode(AirSync.Sync(AirSync.Collections(collection)))


def ping(folder: str) -> bytes:
    """Return a Ping of one folder."""
    watched = Ping.Folder(Ping.Id(folder), Ping.Class("Email"))
    return encode(Ping.Ping(Ping.HeartbeatInterval(HEARTBEAT_S), Ping.Folders(watched)))


def is_whole(received: bytearray) -> bool:
    """Tell whether an answer with a Content-Length is there to its end."""
    head, separator, body = received.partition(b"\r\n\r\n")
    if not separator:
        return False
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return len(body) >= int(value)
    return False


def main() -> None:
    """Follow the orders on standard input until it ends."""
    raise_file_limit()
    crowd = Crowd(int(sys.argv[1]))
    crowd.selector.register(sys.stdin, selectors.EVENT_READ, None)
    while True:
        while not crowd.turn(1.0):
            pass
        line = sys.stdin.readline()
        if not line:
            return
        order = json.loads(line)
        crowd.add(order.get("add", []))
        crowd.end(order.get("end", 0))
        crowd.turn(0)
        print(crowd.report(), flush=True)


if __name__ == "__main__":
    main()
