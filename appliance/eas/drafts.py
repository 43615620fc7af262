"""Drafts written by a device: made ready outside the transaction, kept or sent so that nothing happens twice.

Theory of operation. Putting a message together, scanning it and making its bytes durable takes time and
has no place in a transaction; so each command that writes a draft is prepared first, from the draft as it
is then, and `sync_apply` files the result in its one transaction, provided that the draft is still the
same (else Conflict: the device repeats and everything is prepared anew).

`Send` is different: a submission is a transaction of its own, and the draft goes in it. It remembers the
command, so a device that repeats it after a crash finds it done, whichever of the two transactions had
been reached; a second device that sends the same draft finds no draft.

Source: MS-ASCMD 2.2.1.21 Sync, MS-ASEMAIL 2.2.2.69 Send, 3.1.5.5 (drafts).
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from appliance import db, offload
from appliance.delivery import arrival, submission
from appliance.delivery.submission import ClientRequest
from appliance.eas.content import draft as content
from appliance.eas.ids import item_id_of
from appliance.eas.status import Common, ProtocolError
from appliance.eas.status import Sync as Status
from appliance.eas.sync_delta import Part, parts_for
from appliance.eas.versions import at_least
from appliance.errors import Conflict, NotFound, QuotaExceeded, TooLarge
from appliance.items.account import Account
from appliance.items.message import Arrival, Message
from appliance.mime import draft as mime
from appliance.mime.addresses import Address
from appliance.mime.draft import Draft, Edit
from appliance.mime.edit import ComposeError
from appliance.store import messages
from appliance.wbxml.codec import encode
from appliance.wbxml.codepages import AirSync, Email2
from appliance.wbxml.element import Element, ElementError

FIRST_VERSION = "16.0"
MESSAGE_BYTES_MAX = 36_700_160  # what submission takes by default; a larger draft could never be sent
OFFLOAD_BYTES_MIN = 262_144


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes: the account, the device, and the moment."""

    account: Account
    device: int
    version: str
    hostname: str
    now: datetime

    @property
    def has_drafts(self) -> bool:
        """Whether the device's version knows drafts at all."""
        return at_least(self.version, FIRST_VERSION)


@dataclass(frozen=True, slots=True)
class Prepared:
    """One command made ready. status: other than SUCCESS when nothing is to be filed.

    arrival: what is filed; None when the draft was sent. before: the digest of the bytes it was made from,
    None for a new draft. uploaded: part number by ClientId. is_renumbered: files it had are called otherwise.
    """

    status: int
    arrival: Arrival | None = None
    before: bytes | None = None
    uploaded: dict[str, str] = field(default_factory=dict)
    is_renumbered: bool = False


@dataclass(slots=True)
class Desk:
    """The drafts of one request on their way: what earlier commands made of them, what is sent already."""

    writer: Writer
    is_drafts_folder: bool
    folder_id: int
    modseq: int
    client_wins: bool
    known: dict[str, str]  # ServerId by the ClientId of Adds done before
    written: dict[int, bytes] = field(default_factory=dict)
    sent: set[int] = field(default_factory=set)

    def prepare(self, command: Element) -> Prepared | None:
        """Make one command ready, sending at once what is to be sent; None when it writes no draft.

        Raises Conflict, TemporaryFailure: nothing can be answered now.
        """
        try:
            if command.tag is AirSync.Add:
                return self._add(command)
            if command.tag is AirSync.Change:
                return self._change(command)
            return None
        except (ProtocolError, ElementError, ComposeError) as error:
            return Prepared(getattr(error, "status", Status.CONVERSION_ERROR))
        except NotFound:
            return Prepared(Status.OBJECT_NOT_FOUND)
        except TooLarge:
            return Prepared(Common.ATTACHMENT_IS_TOO_LARGE)
        except QuotaExceeded:
            return Prepared(Status.CANNOT_COMPLETE)

    def after_sending(self, command: Element, made: Prepared | None) -> Prepared | None:
        """Return what is left to do for a command once all are prepared: nothing for a draft that is sent."""
        if made is None or made.arrival is None or command.tag is not AirSync.Change:
            return made
        is_sent = item_id_of(command.text_of(AirSync.ServerId, "")) in self.sent
        return Prepared(made.status) if is_sent else made

    def _add(self, command: Element) -> Prepared | None:
        client_id = command.text_of(AirSync.ClientId, "")
        if not self.is_drafts_folder or not self.writer.has_drafts or client_id in self.known:
            return None
        # Named by its content too: ClientIds may start over when a device is set up anew.
        identity = self._identity(f"{client_id}:{hashlib.sha256(encode(command)).hexdigest()[:20]}")
        is_sent = _is_send(command)
        if is_sent and _was_sent(identity):
            return Prepared(Status.SUCCESS)
        made = self._made(None, content.parse(_data(command), None))
        if not is_sent:
            return self._filed(made, None)
        self._send(made.raw, identity, None)
        return Prepared(Status.SUCCESS)

    def _change(self, command: Element) -> Prepared | None:
        data, is_sent = command.find(AirSync.ApplicationData), _is_send(command)
        if not self.writer.has_drafts or not (is_sent or content.is_edited(data)):
            return None
        server_id = command.text_of(AirSync.ServerId, "")
        item_id = item_id_of(server_id)
        identity = self._identity(f"item:{item_id}")
        if _was_sent(identity):
            self.sent.add(item_id)
            return Prepared(Status.SUCCESS)
        with db.connection():
            message = messages.in_folder(self.writer.account.id, self.folder_id, item_id)
            before = self.written.get(item_id) or messages.raw(message)
        if not message.is_draft:
            if is_sent:
                raise ProtocolError(Status.CONVERSION_ERROR, "only a draft can be sent")
            return None
        if not self.client_wins and parts_for(message, self.writer.device, self.modseq) & Part.CONTENT:
            return Prepared(Status.CONFLICT)
        made = self._made(before, Edit() if data is None else content.parse(data, item_id))
        if not is_sent:
            self.written[item_id] = made.raw
            return self._filed(made, hashlib.sha256(before).digest())
        self._send(made.raw, identity, message)
        self.sent.add(item_id)
        return Prepared(Status.SUCCESS)

    def _made(self, before: bytes | None, edit: Edit) -> Draft:
        account = self.writer.account
        size = len(before or b"") + sum(len(new.data) for new in edit.added)
        make = partial(
            mime.edit_draft,
            before,
            edit,
            author=Address(account.display_name, account.address),
            domain=account.address.rpartition("@")[2],
            now=self.writer.now,
        )
        if size > MESSAGE_BYTES_MAX:
            raise TooLarge(f"a draft is at most {MESSAGE_BYTES_MAX} bytes")
        made = make() if size < OFFLOAD_BYTES_MIN else offload.run(make)
        if len(made.raw) > MESSAGE_BYTES_MAX:
            raise TooLarge(f"a draft is at most {MESSAGE_BYTES_MAX} bytes")
        return made

    def _filed(self, made: Draft, before: bytes | None) -> Prepared:
        is_renumbered = any(old != new for old, new in made.kept.items())
        return Prepared(Status.SUCCESS, arrival.prepare(made.raw), before, made.added, is_renumbered)

    def _send(self, raw: bytes, identity: ClientRequest, message: Message | None) -> None:
        """Send a message and take its draft away, both or neither. Raises ProtocolError, QuotaExceeded."""
        account_id = self.writer.account.id
        try:
            submission.submit(
                self.writer.account,
                raw,
                hostname=self.writer.hostname,
                now=self.writer.now,
                save_in_sent=True,
                request=identity,
                also=None if message is None else partial(take_away, account_id, message),
            )
        except ComposeError as error:  # nobody to send it to, or somebody who cannot be written to
            raise ProtocolError(Common.INVALID_RECIPIENTS, str(error)) from error

    def _identity(self, name: str) -> ClientRequest:
        return ClientRequest(self.writer.device, f"draft:{name}")


def take_away(account_id: int, message: Message) -> None:
    """Remove a draft that is being sent; everybody hears of it. Needs a transaction.

    Raises NotFound when somebody else sent or deleted it, Conflict when somebody has changed it.
    """
    now = messages.get(account_id, message.id)
    if now.digest != message.digest or now.folder_id != message.folder_id:
        raise Conflict("the draft has changed meanwhile")
    messages.delete(account_id, message.id)


def _data(command: Element) -> Element:
    data = command.find(AirSync.ApplicationData)
    if data is None:
        raise ProtocolError(Status.CONVERSION_ERROR, "no ApplicationData")
    return data


def _is_send(command: Element) -> bool:
    """Tell whether a command sends its draft; the element stands beside ApplicationData, or in it."""
    data = command.find(AirSync.ApplicationData)
    return command.find(Email2.Send) is not None or (data is not None and data.find(Email2.Send) is not None)


def _was_sent(identity: ClientRequest) -> bool:
    with db.connection():
        return submission.was_sent(identity)
