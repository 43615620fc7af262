"""What the client may ask of a server for one message, given what the server announced. Pure.

Owns the parameters of MAIL and RCPT and the refusals that need no server. Source: RFC 1870 (SIZE),
RFC 6152 (8BITMIME), RFC 6531 (SMTPUTF8), RFC 3461 (DSN), RFC 8689 (REQUIRETLS).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from appliance.items.envelope import RecipientWishes
from appliance.smtp.grammar import Address
from appliance.smtp.reply import Reply

_NO_WISHES = RecipientWishes()


@dataclass(frozen=True, slots=True)
class ClientMessage:
    """The envelope of one message to send. `reverse_path` None is the null path.

    size_bytes: of the message as stored; is_8bit: it has octets above 127; smtputf8: it needs RFC 6531.
    ret, envid, wishes (one for each forward path, or none at all), requires_tls: see `items.envelope`.
    """

    reverse_path: Address | None
    forward_paths: Sequence[Address]
    size_bytes: int
    is_8bit: bool = False
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""
    wishes: Sequence[RecipientWishes] = ()
    requires_tls: bool = False

    @property
    def needs_smtputf8(self) -> bool:
        """Say whether only a server with SMTPUTF8 can take it."""
        paths = (self.reverse_path, *self.forward_paths)
        return self.smtputf8 or not all(path is None or path.is_ascii for path in paths)


def refusal(message: ClientMessage, extensions: Mapping[str, str]) -> Reply | None:
    """Return why a server with these extensions cannot be given the message at all, or None."""
    limit = extensions.get("SIZE", "")
    if limit.isascii() and limit.isdigit() and 0 < int(limit[:20]) < message.size_bytes:
        return Reply(552, "5.3.4", f"Message larger than the {int(limit[:20])} octets the server takes")
    if message.needs_smtputf8 and "SMTPUTF8" not in extensions:
        return Reply(550, "5.6.7", "The server does not take internationalised mail (SMTPUTF8)")
    if message.requires_tls and "REQUIRETLS" not in extensions:
        return Reply(550, "5.7.30", "The server does not promise to use TLS all the way (REQUIRETLS)")
    return None


def mail_command(message: ClientMessage, extensions: Mapping[str, str]) -> str:
    """Return MAIL with every parameter the server knows and the message has a value for."""
    command = f"MAIL FROM:<{message.reverse_path or ''}>"
    if "SIZE" in extensions:
        command += f" SIZE={message.size_bytes}"
    if message.is_8bit and "8BITMIME" in extensions:
        command += " BODY=8BITMIME"
    if message.needs_smtputf8:
        command += " SMTPUTF8"
    if message.requires_tls:
        command += " REQUIRETLS"
    if "DSN" in extensions:
        command += f" RET={message.ret}" if message.ret else ""
        command += f" ENVID={message.envid}" if message.envid else ""
    return command


def rcpt_command(message: ClientMessage, index: int, extensions: Mapping[str, str]) -> str:
    """Return RCPT for one of the forward paths."""
    command = f"RCPT TO:<{message.forward_paths[index]}>"
    wishes = message.wishes[index] if message.wishes else _NO_WISHES
    if "DSN" in extensions:
        command += f" NOTIFY={wishes.notify}" if wishes.notify else ""
        command += f" ORCPT={wishes.orcpt}" if wishes.orcpt else ""
    return command
