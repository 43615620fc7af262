"""`python -m smtpd` as a process: its sockets, its signals, its end, and a setup that comes while it runs."""

import fcntl
import os
import signal
import socket
import ssl
import time
from contextlib import ExitStack

from cryptography import x509

from appliance.domains import certificates
from appliance.items.folder import FolderType
from appliance.net.listening import bind, shown
from tests.clients.appliance_process import DOMAIN, HOSTNAME, RunningAppliance
from tests.fixtures.certificate import write_pair
from tests.integration.smtpd.role import (
    LOG,
    SmtpRole,
    eventually,
    handed_over,
    letters,
    office,
    wire_to,
)
from tests.integration.smtpd.world import SocketWire

MIA, PASSWORD = f"mia@{DOMAIN}", "correct horse battery"
NOBODY_OUTSIDE = "[relay]\nenabled = false\n"
ENVELOPE = (f"MAIL FROM:<a@client.example>\r\nRCPT TO:<{MIA}>\r\nDATA\r\n").encode()
LIKE_SYSTEMD = """
import os, sys
python, descriptors, *command = sys.argv[1:]
for number, given in enumerate(descriptors.split(","), 3):
    os.dup2(int(given), number)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "2", "LISTEN_FDNAMES": "smtp:submissions"}
os.execv(python, [python, *command])
"""
FAR_FD = 50  # does not meet those that systemd's form begins with


def offers(wire: SocketWire) -> bytes:
    """Read the greeting and return the reply to EHLO."""
    assert wire.read_reply().startswith(b"220 ")
    return wire.ask("EHLO client.example")


def greeted(wire: SocketWire) -> SocketWire:
    assert offers(wire).startswith(b"250")
    return wire


def in_data(wire: SocketWire) -> SocketWire:
    greeted(wire).write(ENVELOPE)
    assert [wire.read_reply()[:3] for _ in range(3)] == [b"250", b"250", b"354"]
    return wire


def certificate_of(wire: SocketWire) -> x509.Certificate:
    """Return the certificate shown under TLS."""
    assert isinstance(wire.sock, ssl.SSLSocket)
    shown_one = wire.sock.getpeercert(binary_form=True)
    assert shown_one
    return x509.load_der_x509_certificate(shown_one)


def names_of(certificate: x509.Certificate) -> list[str]:
    found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return found.get_values_for_type(x509.DNSName)


def test_clients_wait_while_the_role_is_replaced() -> None:
    with office(NOBODY_OUTSIDE) as place, handed_over() as sockets, SmtpRole(place, sockets=sockets) as role:
        for name, tls, offer in [
            ("smtp", False, b"STARTTLS"),
            ("submission", False, b"STARTTLS"),
            ("submissions", True, b"AUTH PLAIN LOGIN"),
        ]:
            assert offer in offers(wire_to(sockets[name], tls=tls)), name
        assert role.stop() == 0
        waiting = wire_to(sockets["smtp"])
        role.start()
        greeted(waiting)


def test_systemd_hands_sockets_down() -> None:
    """Descriptors from 3 on, named, and the process id in the environment."""
    with office(NOBODY_OUTSIDE) as place, handed_over() as sockets, ExitStack() as opened:
        given = {
            name: opened.enter_context(socket.socket(fileno=_far(sockets[name])))
            for name in ("smtp", "submissions")
        }
        descriptors = ",".join(str(sock.fileno()) for sock in given.values())
        with SmtpRole(place, sockets=given, launcher=(LIKE_SYSTEMD, descriptors)) as role:
            greeted(wire_to(sockets["smtp"]))
            greeted(wire_to(sockets["submissions"], tls=True))
            assert sorted(role.listening(2)) == ["reception", "submissions"]


def _far(sock: socket.socket) -> int:
    return fcntl.fcntl(sock.fileno(), fcntl.F_DUPFD_CLOEXEC, FAR_FD)


def test_it_binds_what_is_configured() -> None:
    with office() as place:
        path = place.directory / "smtp.sock"
        place.config.write_text(
            f'[reception]\nlisten = ["127.0.0.1:0", "unix:{path}"]\n'
            '[submission]\nlisten = ["127.0.0.1:0"]\nlisten_tls = ["127.0.0.1:0"]\n' + NOBODY_OUTSIDE
        )
        place.set_up(MIA, PASSWORD)
        with SmtpRole(place) as role:
            where = role.listening(4)
            port, local = sorted(where["reception"])
            assert local == f"unix:{path}"
            greeted(wire_to(port))
            greeted(wire_to(where["submission"][0]))
            greeted(wire_to(where["submissions"][0], tls=True))
            from_here = in_data(wire_to(local))
            assert from_here.ask("Subject: through a file\r\n\r\nx\r\n.").startswith(b"250")
        assert b"([127.0.0.1])" in letters(place, MIA, FolderType.INBOX)[0]


def test_an_address_in_use_is_said_and_the_end() -> None:
    with bind("127.0.0.1:0") as taken, office() as place:
        place.config.write_text(f'[reception]\nlisten = ["{shown(taken)}"]\n')
        with SmtpRole(place) as role:
            assert role.wait() == 1
        assert f"Error: [Errno 98] cannot listen on {shown(taken)}" in place.output.read_text()


def test_sockets_of_another_role_are_refused() -> None:
    with office() as place, bind("127.0.0.1:0") as sock, SmtpRole(place, sockets={"https": sock}) as role:
        assert role.wait() == 1
        assert "Error: not a listening socket of this role: https=" in place.output.read_text()


def test_sigterm_is_polite() -> None:
    """The idle client hears 421, the busy one gets its message through, nothing is lost."""
    with office(NOBODY_OUTSIDE) as place, handed_over() as sockets:
        place.set_up(MIA, PASSWORD)
        with SmtpRole(place, sockets=sockets) as role:
            idle, busy = greeted(wire_to(sockets["submission"])), in_data(wire_to(sockets["smtp"]))
            role.signal(signal.SIGTERM)
            assert idle.read_reply().startswith(b"421 4.3.2")
            time.sleep(0.3)
            assert busy.ask("Subject: last\r\n\r\nx\r\n.").startswith(b"250")
            assert busy.read_reply().startswith(b"421 4.3.2")
            for wire in (idle, busy):
                wire.close()
            assert role.wait() == 0
        assert len(letters(place, MIA, FolderType.INBOX)) == 1
        assert not list((place.data / "run" / "bus").iterdir()), "its socket on the bus is left behind"


def test_a_second_signal_while_stopping_changes_nothing() -> None:
    with office(NOBODY_OUTSIDE) as place, handed_over() as sockets:
        place.set_up(MIA, PASSWORD)
        with SmtpRole(place, sockets=sockets) as role:
            busy = in_data(wire_to(sockets["smtp"]))
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                role.signal(number)
                time.sleep(0.1)
            assert busy.ask("Subject: last\r\n\r\nx\r\n.").startswith(b"250")
            busy.close()
            assert role.wait() == 0


def test_sighup_reads_the_certificate_and_disturbs_nobody() -> None:
    with office(NOBODY_OUTSIDE) as place, handed_over() as sockets, SmtpRole(place, sockets=sockets) as role:
        before = certificate_of(wire_to(sockets["submissions"], tls=True))
        client = greeted(wire_to(sockets["smtp"]))
        replace_unnoticed(place)
        time.sleep(1.2)
        assert certificate_of(wire_to(sockets["submissions"], tls=True)) == before
        role.signal(signal.SIGHUP)
        eventually(lambda: certificate_of(wire_to(sockets["submissions"], tls=True)) != before)
        assert client.ask("NOOP").startswith(b"250")
        assert role.is_running


def replace_unnoticed(place: RunningAppliance) -> None:
    """Put another pair in place that looks like the one before: same files, times and sizes."""
    paths = (certificates.cert_path(place.data), certificates.key_path(place.data))
    looks = [path.stat() for path in paths]
    folder = place.directory / "new"
    folder.mkdir()
    for _ in range(200):
        fresh = write_pair(folder, HOSTNAME)
        padded = [_padded(new.read_bytes(), look.st_size) for new, look in zip(fresh, looks, strict=True)]
        if all(padded):
            break
    for path, look, content in zip(paths, looks, padded, strict=True):
        assert content
        with path.open("r+b") as file:
            file.write(content)
        os.utime(path, ns=(look.st_atime_ns, look.st_mtime_ns))
        assert (path.stat().st_ino, path.stat().st_size) == (look.st_ino, look.st_size)


def _padded(content: bytes, size: int) -> bytes | None:
    """Return a PEM file made so long by line ends before it; None when it is too long."""
    return None if len(content) > size else b"\n" * (size - len(content)) + content


def test_a_setup_takes_effect_for_the_next_client() -> None:
    """Before it the role is nameless; the session that was open goes on."""
    with office(NOBODY_OUTSIDE) as place, handed_over() as sockets, SmtpRole(place, sockets=sockets):
        early = wire_to(sockets["smtp"])
        assert early.read_reply().startswith(b"220 localhost ")
        assert names_of(certificate_of(wire_to(sockets["submissions"], tls=True))) == ["localhost"]
        place.set_up(MIA, PASSWORD)
        eventually(lambda: wire_to(sockets["smtp"]).read_reply().startswith(f"220 {HOSTNAME} ".encode()))
        eventually(lambda: HOSTNAME in names_of(certificate_of(wire_to(sockets["submissions"], tls=True))))
        assert early.ask("EHLO client.example").startswith(b"250-localhost")
        starting = greeted(wire_to(sockets["smtp"]))
        assert starting.ask("STARTTLS").startswith(b"220")
        starting.start_tls()
        assert HOSTNAME in names_of(certificate_of(starting))
        assert in_data(wire_to(sockets["smtp"])).ask("Subject: x\r\n\r\nx\r\n.").startswith(b"250")
        assert f"by {HOSTNAME} ".encode() in letters(place, MIA, FolderType.INBOX)[0]
        assert any("renamed" in line for line in place.log_lines(LOG))
