"""The trace we leave in a message: our Received field, and counting those of others.

Source: RFC 5321 4.4 Trace Information, 6.3 Loop Detection.
"""

import re
from email.utils import format_datetime
from ipaddress import ip_address

from appliance.items.envelope import Envelope
from appliance.smtp.grammar import Address, SmtpSyntaxError

HOPS_MAX = 50  # RFC 5321 6.3 suggests 100; real mail has under 15, and a loop is cheaper found early
HEADER_BYTES_MAX = 262_144  # of the message, looked through for Received fields
_RECEIVED = re.compile(rb"^received[ \t]*:", re.IGNORECASE | re.MULTILINE)
_TLS_WORDS = re.compile(r"[A-Za-z0-9._ -]+")


def hop_count(raw: bytes) -> int:
    """Return how many Received fields a message has."""
    end = raw.find(b"\r\n\r\n", 0, HEADER_BYTES_MAX)
    header = raw[: HEADER_BYTES_MAX if end < 0 else end]
    return len(_RECEIVED.findall(header))


def received_field(envelope: Envelope, hostname: str, trace_id: str) -> bytes:
    """Return our Received field with its CRLF, to stand before the message.

    The recipient is named only when there is a single one: others may have been in Bcc. Where one of our
    users was when they sent it is nobody's business: the `from` clause is left out for them, and stands in
    our log.
    """
    lines = [f"by {hostname} with {envelope.protocol}"]
    if envelope.account_id is None:
        lines.insert(0, f"from {_client(envelope)}")
    if envelope.tls and _TLS_WORDS.fullmatch(envelope.tls):
        lines.append(f"({envelope.tls})")
    lines.append(f"id {trace_id}")
    if len(envelope.forward_paths) == 1 and (envelope.smtputf8 or envelope.forward_paths[0].isascii()):
        lines.append(f"for <{envelope.forward_paths[0]}>")
    folded = "\r\n\t".join(lines)
    return f"Received: {folded};\r\n\t{format_datetime(envelope.received_at)}\r\n".encode()


def _client(envelope: Envelope) -> str:
    """Return the client's name and address; a name that is none is replaced by the address."""
    literal = _literal(envelope.client_ip)
    name = envelope.helo
    try:
        Address("x", name)
        is_name = bool(name) and (name.isascii() or envelope.smtputf8)
    except SmtpSyntaxError:
        is_name = False
    return f"{name if is_name else literal} ({literal})"


def _literal(client_ip: str) -> str:
    """Return the address literal, `[192.0.2.1]` or `[IPv6:…]`. Source: RFC 5321 4.1.3."""
    address = ip_address(client_ip)
    return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"
