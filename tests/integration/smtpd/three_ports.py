"""The real role on its three ports, over IPv4 and IPv6: what tests ask that hold for every one of them.

    with FakeDns({}) as dns, office(config(dns)) as place, three_ports(place) as ports:
        wire = ports.ready("submission")

Loopback is a stranger here like others: reception screens what it says. Nothing is junk.
"""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from appliance.items.folder import FolderType
from tests.clients.appliance_process import DOMAIN, RunningAppliance
from tests.fakes.dns import FakeDns
from tests.integration.smtpd.role import SmtpRole, letters
from tests.integration.smtpd.world import SocketWire

NAMES = ("reception", "submission", "submissions")
MIA, BEN, PASSWORD = f"mia@{DOMAIN}", f"ben@{DOMAIN}", "correct horse battery"
LOGIN = "AUTH PLAIN " + base64.b64encode(f"\0{MIA}\0{PASSWORD}".encode()).decode()
SENDERS = {"reception": "ada@example.net", "submission": MIA, "submissions": MIA}
CONFIG = """
[filter]
junk_score = 0
[reception]
listen = ["127.0.0.1:0", "[::1]:0"]
unchecked_networks = []
errors_max = 1000
connections_per_minute_max = 100000
messages_per_minute_max = 100000
[submission]
listen = ["127.0.0.1:0", "[::1]:0"]
listen_tls = ["127.0.0.1:0", "[::1]:0"]
errors_max = 1000
"""


@dataclass(frozen=True)
class ThreePorts:
    """A running role; Mia signs in, Ben gets the mail."""

    place: RunningAppliance
    where: dict[str, list[str]]

    def greeted(self, port: str, *, family: int = 4) -> SocketWire:
        """Come as far as anybody can: EHLO, under TLS where the port begins with it."""
        (address,) = [each for each in self.where[port] if ("[" in each) == (family == 6)]
        host, _, number = address.rpartition(":")
        wire = SocketWire(int(number), host=host.strip("[]"), tls=port == "submissions", patience_s=60)
        assert wire.read_reply().startswith(b"220 ")
        assert wire.ask("EHLO client.example").startswith(b"250")
        return wire

    def ready(self, port: str, *, family: int = 4) -> SocketWire:
        """Come as far as those who may send: encrypted and signed in where the port asks for it."""
        wire = self.greeted(port, family=family)
        if port == "submission":
            encrypt(wire)
        if port != "reception":
            assert wire.ask(LOGIN).startswith(b"235")
        return wire

    def filed(self) -> list[bytes]:
        """Return Ben's letters, oldest first."""
        return letters(self.place, BEN, FolderType.INBOX)


def config(dns: FakeDns, *, relay: str = "enabled = false") -> str:
    """Return the configuration file; relay: its lines about delivery to other servers."""
    return f'[dns]\nresolver = "127.0.0.1"\nport = {dns.port}\ntimeout_s = 0.5\n[relay]\n{relay}\n' + CONFIG


@contextmanager
def three_ports(place: RunningAppliance) -> Iterator[ThreePorts]:
    """Set the office up and run its role inside the block."""
    place.set_up(MIA, PASSWORD)
    place.add_user(BEN, PASSWORD)
    with SmtpRole(place) as role:
        yield ThreePorts(place, role.listening(6))
        assert role.stop() == 0


def encrypt(wire: SocketWire) -> None:
    assert wire.ask("STARTTLS").startswith(b"220")
    wire.start_tls()
    assert wire.ask("EHLO client.example").startswith(b"250")


def envelope(port: str, *recipients: str) -> bytes:
    """Return MAIL and RCPT; without recipients to Ben."""
    lines = [f"MAIL FROM:<{SENDERS[port]}>", *(f"RCPT TO:<{each}>" for each in recipients or (BEN,))]
    return "".join(line + "\r\n" for line in lines).encode()


def sent(wire: SocketWire, port: str, raw: bytes, *recipients: str) -> bytes:
    """Send a message in one chunk and return the reply to it, or the first refusal."""
    begin = envelope(port, *recipients)
    wire.write(begin)
    heard = [wire.read_reply() for _ in range(begin.count(b"\n"))]
    for reply in heard:
        if not reply.startswith(b"250"):
            assert wire.ask("RSET").startswith(b"250")
            return reply
    wire.write(f"BDAT {len(raw)} LAST\r\n".encode() + raw)
    return wire.read_reply()
