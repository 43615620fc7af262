"""A message a device or program submitted, made fit to send.

Owns the rules of submission that are about the bytes: whose name it carries, who gets it, what must
not leave (Bcc), which fields must exist. Who may submit and where it goes: `delivery`.
Source: RFC 6409 8 Message Modifications, RFC 5322 3.6, RFC 5322 3.6.3 (Bcc).
"""

import hashlib
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime

from appliance.mime.addresses import Address
from appliance.mime.characters import one_line
from appliance.mime.dates import parse_date
from appliance.mime.edit import ComposeError, OpenMessage, open_message
from appliance.mime.encoded_words import encode_phrase
from appliance.mime.headers import Headers, message_ids
from appliance.mime.long_lines import shortened

RECIPIENTS_MAX = 1_000
ADDRESS_CHARS_MAX = 254
"""RFC 5321 4.5.3.1.3: a path of 256 with its angle brackets."""

_LABEL = r"[^\W_](?:[\w-]{0,61}[^\W_])?"
_ADDR_SPEC = re.compile(
    r"(?:[^\s\"(),:;<>@\[\]\\\x00-\x20\x7f-\x9f]{1,64}|\"(?:[^\"\\\x00-\x1f\x7f]|\\[ -~]){1,62}\")"
    rf"@(?:{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.IPvp]{{3,45}}\])\Z"
)
_RECIPIENT_FIELDS = ("To", "Cc", "Bcc")
_SECRET_FIELDS = ("Bcc", "Resent-Bcc", "Return-Path")


class NoRecipients(ComposeError):
    """Neither To nor Cc nor Bcc holds an address."""


class InvalidAddress(ComposeError):
    """An address that cannot be used in an envelope; `address` holds it."""

    def __init__(self, address: str) -> None:
        super().__init__(f"not a usable address: {one_line(address, 100)!r}")
        self.address = address


class TooManyRecipients(ComposeError):
    """More than RECIPIENTS_MAX different recipients."""


@dataclass(frozen=True, slots=True)
class PreparedMessage:
    """A message ready for the queue.

    raw: CRLF line ends, no Bcc. recipients: envelope addresses of To, Cc and Bcc in that order, each
    once (compared without case). bcc: those of them that came from Bcc, for the copy in Sent Items.
    """

    raw: bytes
    recipients: list[str]
    bcc: tuple[str, ...]
    message_id: str
    from_address: str


def prepare_submission(
    raw: bytes,
    *,
    from_address: Address,
    message_id_domain: str,
    now: datetime,
    allowed_addresses: Collection[str] = (),
    needs_recipients: bool = True,
) -> PreparedMessage:
    """Return the message as it may leave; raises ComposeError (NoRecipients, InvalidAddress, …).

    From is forced to `from_address` unless the client used that address or one of
    `allowed_addresses`; the display name the client sent is kept. now: aware. needs_recipients: False
    when an envelope says who gets it, as in SMTP, so that the header need not name anybody.
    """
    message = open_message(raw)
    headers = message.headers()
    recipients, bcc = _recipients(headers)
    if needs_recipients and not recipients:
        raise NoRecipients("the message has no recipient")
    message, sender = _with_from(message, headers, from_address, allowed_addresses)
    message = message.without(*_SECRET_FIELDS, *_empty_fields(headers))
    if parse_date(headers.raw("Date")) is None or len(headers.get_all("Date")) > 1:
        message = message.replacing("Date", format_datetime(now))
    ids = message_ids(headers.raw("Message-ID"))
    if len(ids) != 1 or not ids[0].isascii() or len(headers.get_all("Message-ID")) > 1:
        ids = [new_message_id(message_id_domain, now, raw)]
        message = message.replacing("Message-ID", ids[0])
    return PreparedMessage(shortened(message.to_bytes()), recipients, bcc, ids[0], sender)


def is_usable_address(address: str) -> bool:
    """Tell whether an addr-spec may stand in an envelope and in a header as it is."""
    return len(address) <= ADDRESS_CHARS_MAX and _ADDR_SPEC.match(address) is not None


def new_message_id(domain: str, now: datetime, content: bytes) -> str:
    """Return a Message-ID that differs for every content and moment."""
    if not is_usable_address(f"id@{domain}") or not domain.isascii():
        raise InvalidAddress(domain)
    digest = hashlib.sha256(now.isoformat().encode() + hashlib.sha256(content).digest()).hexdigest()
    return f"<{digest[:40]}@{domain}>"


def mailbox(address: Address) -> str:
    """Return an address as it stands in a header, name encoded; raises InvalidAddress."""
    if not is_usable_address(address.address) or not address.address.isascii():
        raise InvalidAddress(address.address)
    name = one_line(address.name, 256)
    return f"{encode_phrase(name)}\r\n <{address.address}>" if name else address.address


def _recipients(headers: Headers) -> tuple[list[str], tuple[str, ...]]:
    """Return (all recipients, those of Bcc), each once."""
    found: dict[str, str] = {}
    bcc: tuple[str, ...] = ()
    for field in _RECIPIENT_FIELDS:
        addresses = headers.addresses(field, RECIPIENTS_MAX + 1)
        for address in addresses:
            if not is_usable_address(address.address):
                raise InvalidAddress(address.address or address.name)
            found.setdefault(address.address.lower(), address.address)
        if field == "Bcc":
            bcc = tuple(dict.fromkeys(address.address for address in addresses))
        if len(addresses) > RECIPIENTS_MAX or len(found) > RECIPIENTS_MAX:
            raise TooManyRecipients(f"more than {RECIPIENTS_MAX} recipients")
    return list(found.values()), bcc


def _with_from(
    message: OpenMessage, headers: Headers, wanted: Address, allowed: Collection[str]
) -> tuple[OpenMessage, str]:
    """Return the message with one trustworthy From field and without a foreign Sender, and the address."""
    sent = headers.addresses("From", 2)
    own = {address.lower() for address in (wanted.address, *allowed)}
    if any(a.address.lower() not in own for a in headers.addresses("Sender", 2)):
        message = message.without("Sender")
    if len(headers.get_all("From")) == 1 and len(sent) == 1 and sent[0].address.lower() in own:
        return message, sent[0].address
    name = sent[0].name if sent and sent[0].name else wanted.name
    return message.replacing("From", mailbox(Address(name, wanted.address))), wanted.address


def _empty_fields(headers: Headers) -> Iterable[str]:
    """Return the address fields that hold nothing; an empty one is not legal."""
    return [name for name in ("To", "Cc", "Reply-To", "Sender") if name in headers and not headers.get(name)]
