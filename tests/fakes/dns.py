"""A DNS server on loopback that knows a few zones; every other name does not exist, so nothing leaks out.

    zones = {"example.net": {"MX": ["10 mx.example.net."]}, "mx.example.net": {"A": ["127.0.0.1"]}}
    with FakeDns(zones) as dns:
        resolver = DnsResolver("127.0.0.1", dns.port)

A name whose records are `SERVFAIL` or `SILENCE` answers that way. UDP and TCP on the same port.
"""

import socket
import struct
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

SERVFAIL: Final = "SERVFAIL"
SILENCE: Final = "SILENCE"
TTL_S: Final = 60
TRIES: Final = 20
Zones = Mapping[str, Mapping[str, Sequence[str]] | str]


class FakeDns:
    """Answers inside the `with` block; `questions` are those it was asked, as `name TYPE`."""

    def __init__(self, zones: Zones, *, is_authentic: bool = False) -> None:
        """is_authentic: answers as a validating resolver does for zones that are signed."""
        self.zones = {name.lower(): records for name, records in zones.items()}
        self.questions: list[str] = []
        self._is_authentic = is_authentic
        self._udp, self._tcp = _pair()
        self.port: int = self._udp.getsockname()[1]

    def __enter__(self) -> Self:
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sock in (self._udp, self._tcp):
            sock.close()

    def _serve_udp(self) -> None:
        with suppress(OSError):
            while True:
                query, client = self._udp.recvfrom(4096)
                response = self.answer(query)
                if response is not None:
                    self._udp.sendto(response.to_wire(max_size=512, prefer_truncation=True), client)

    def _serve_tcp(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._tcp.accept()
                threading.Thread(target=self._serve_client, args=(client,), daemon=True).start()

    def _serve_client(self, client: socket.socket) -> None:
        with client, suppress(OSError), client.makefile("rb") as stream:
            while len(head := stream.read(2)) == 2:
                response = self.answer(stream.read(struct.unpack("!H", head)[0]))
                if response is not None:
                    wire = response.to_wire(max_size=65_535)  # what the client can take is about UDP
                    client.sendall(struct.pack("!H", len(wire)) + wire)

    def answer(self, query: bytes) -> dns.message.Message | None:
        """Return the response to one query; None keeps silent."""
        message = dns.message.from_wire(query)
        question = message.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.questions.append(f"{name} {kind}")
        response = dns.message.make_response(message)
        response.flags |= dns.flags.RA | (dns.flags.AD if self._is_authentic else 0)
        records = self.zones.get(name)
        if records == SILENCE:
            return None
        if records is None:
            response.set_rcode(dns.rcode.NXDOMAIN)
        elif isinstance(records, str):
            response.set_rcode(dns.rcode.SERVFAIL)
        elif kind in records:
            response.answer.append(dns.rrset.from_text_list(question.name, TTL_S, "IN", kind, records[kind]))
        return response


def _pair() -> tuple[socket.socket, socket.socket]:
    """Return a UDP and a TCP socket on the same free port of loopback."""
    for _ in range(TRIES):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        udp.bind(("127.0.0.1", 0))
        try:
            tcp.bind(udp.getsockname())
        except OSError:
            udp.close()
            tcp.close()
            continue
        tcp.listen(16)
        return udp, tcp
    raise OSError("no port is free for UDP and TCP at once")
