"""SMTP sessions that send as fast as the server says 250: a process of its own.

    python -m tests.bench.smtp_load --port 2525 --sessions 10 --seconds 3 --recipient mia@example.com

Uses PIPELINING where the server offers it, as sending servers do. Prints JSON: messages acknowledged,
seconds, refusals, and the client's own CPU seconds, because it shares the machine with the server.
"""

import argparse
import json
import socket
import threading
import time
from dataclasses import dataclass

from tests.bench.made_mail import message

MESSAGES_PER_CONNECTION = 100
TIMEOUT_S = 60.0


class Refused(Exception):
    """The server said something else than expected."""


@dataclass
class Count:
    """What one session did."""

    acknowledged: int = 0
    refused: int = 0
    first_refusal: str = ""


class Session:
    """One SMTP connection."""

    def __init__(self, port: int) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = self._sock.makefile("rb")
        self._expect("220")
        self.pipelining = "PIPELINING" in self._ask("EHLO bench.example.net", "250")

    def send(self, sender: str, recipient: str, body: bytes) -> None:
        """Deliver one message; body is dot-stuffed and ends with the final dot."""
        commands = (f"MAIL FROM:<{sender}>", f"RCPT TO:<{recipient}>", "DATA")
        if self.pipelining:
            self._sock.sendall("".join(f"{command}\r\n" for command in commands).encode())
            for code in ("250", "250", "354"):
                self._expect(code)
        else:
            for command, code in zip(commands, ("250", "250", "354"), strict=True):
                self._ask(command, code)
        self._sock.sendall(body)
        self._expect("250")

    def close(self) -> None:
        self._sock.close()

    def _ask(self, command: str, code: str) -> str:
        self._sock.sendall(f"{command}\r\n".encode())
        return self._expect(code)

    def _expect(self, code: str) -> str:
        lines = []
        while True:
            line = self._reader.readline().decode("utf-8", "replace")
            lines.append(line)
            if line[3:4] != "-":
                break
        if not line.startswith(code):
            raise Refused(line.strip() or "the connection was closed")
        return "".join(lines)


def bodies(recipient: str, count: int = 50) -> list[bytes]:
    """Return messages as DATA sends them."""
    return [message(number, recipient).replace(b"\r\n.", b"\r\n..") + b".\r\n" for number in range(count)]


def run(port: int, recipient: str, deadline: float, ready: list[bytes], count: Count) -> None:
    """Send until the deadline, with a new connection now and then."""
    while time.monotonic() < deadline:
        try:
            session = Session(port)
            for number in range(MESSAGES_PER_CONNECTION):
                if time.monotonic() >= deadline:
                    break
                session.send("writer@example.net", recipient, ready[number % len(ready)])
                count.acknowledged += 1
            session.close()
        except (Refused, OSError) as error:
            count.refused += 1
            count.first_refusal = count.first_refusal or str(error)
            time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--sessions", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--recipient", required=True)
    chosen = parser.parse_args()
    ready = bodies(chosen.recipient)
    counts = [Count() for _ in range(chosen.sessions)]
    started = time.monotonic()
    deadline = started + chosen.seconds
    threads = [
        threading.Thread(target=run, args=(chosen.port, chosen.recipient, deadline, ready, count))
        for count in counts
    ]
    cpu_before = time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(
        json.dumps(
            {
                "acknowledged": sum(count.acknowledged for count in counts),
                "refused": sum(count.refused for count in counts),
                "first_refusal": next((count.first_refusal for count in counts if count.first_refusal), ""),
                "seconds": time.monotonic() - started,
                "client_cpu_s": time.process_time() - cpu_before,
                "bytes_each": sum(map(len, ready)) / len(ready),
            }
        )
    )


if __name__ == "__main__":
    main()
