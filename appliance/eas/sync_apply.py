"""Changes that come from a device: applied once, all in one transaction, together with the state row.

What was applied under a key is remembered with its responses, so that a repeated request finds it done;
the latest Adds are remembered by their ClientIds. A deletion that has happened already is a success. What
a draft takes to be written or sent is done by `drafts` before the transaction begins.

Source: MS-ASCMD 2.2.3.2 Add (Sync), 2.2.3.24 Change, 2.2.3.42.2 Delete (Sync), 2.2.3.36 Conflict.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial

from appliance import db
from appliance.devices import mass_deletions, sync_states
from appliance.devices.mass_deletions import Guarded
from appliance.devices.sync_states import State
from appliance.eas.content import draft, email
from appliance.eas.drafts import Desk, Prepared, Writer
from appliance.eas.ids import item_id_of as item_id_of
from appliance.eas.status import ProtocolError
from appliance.eas.status import Sync as Status
from appliance.eas.sync_delta import Part, parts_for
from appliance.eas.sync_options import Options
from appliance.eas.sync_request import CollectionRequest
from appliance.errors import Conflict, NotFound, QuotaExceeded
from appliance.items.message import Message
from appliance.store import messages
from appliance.wbxml.codepages import AirSync, Email, Email2
from appliance.wbxml.element import Element, ElementError, Fragment

CLIENT_IDS_MAX = 512  # remembered per collection; a device repeats what it has just sent, not last year's
_READ_ONLY = (
    *(Email2.ConversationId, Email2.ConversationIndex, Email2.Sender, Email2.ReceivedAsBcc),
    *(Email2.UmCallerID, Email2.UmUserNotes),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one command of a device is answered. Success of Delete and of most Changes is silent.

    uploaded: what a draft was written with, part number by ClientId; None when it was no draft.
    """

    kind: str  # Add | Change | Delete | Fetch
    status: int
    server_id: str = ""
    client_id: str = ""
    uploaded: dict[str, str] | None = None


def apply(
    state: State,
    request: CollectionRequest,
    options: Options,
    *,
    modseq: int,
    writer: Writer,
    is_drafts_folder: bool = False,
) -> tuple[State, list[Outcome]]:
    """Carry out a collection's commands and return the state as stored, and what to answer.

    modseq: up to where the device knew the folder when it made the changes. Commands that were applied under
    this key before are not applied again. Raises Conflict when another request of the device was faster, or
    somebody else at the same draft.
    """
    if state.applied_digest == request.commands_digest:
        return state, _outcomes_of(state.applied_responses)
    desk = Desk(writer, is_drafts_folder, state.folder, modseq, options.client_wins, _known_ids(state))
    made = [desk.prepare(command) for command in request.commands]
    prepared = [desk.after_sending(*each) for each in zip(request.commands, made, strict=True)]
    guarded = mass_deletions.guard(
        writer.account.id, state.device, state.folder, _deleted(request), writer.now
    )
    return _apply(state, request, options, modseq, writer, prepared, guarded)


@db.transaction
def _apply(
    state: State,
    request: CollectionRequest,
    options: Options,
    modseq: int,
    writer: Writer,
    prepared: list[Prepared | None],
    guarded: Guarded | None,
) -> tuple[State, list[Outcome]]:
    if guarded is not None:
        mass_deletions.keep(guarded)
    job = _Job(writer, state, request, options, modseq)
    job.drafts = {
        id(command): made
        for command, made in zip(request.commands, prepared, strict=True)
        if made is not None
    }
    outcomes = [outcome for command in request.commands if (outcome := job.run(command)) is not None]
    latest = list(job.client_ids.items())[-CLIENT_IDS_MAX:]
    stored = sync_states.store(
        replace(
            state,
            applied_digest=request.commands_digest,
            applied_responses=json.dumps([_row(outcome) for outcome in outcomes]),
            client_ids=json.dumps(dict(latest)) if latest else "",
        ),
        writer.now,
    )
    return stored, outcomes


class _Job:
    """One collection's commands, carried out one after another."""

    def __init__(
        self, writer: Writer, state: State, request: CollectionRequest, options: Options, modseq: int
    ) -> None:
        self.account_id = writer.account.id
        self.now = writer.now
        self.drafts: dict[int, Prepared] = {}  # by the identity of the command
        self.device = state.device
        self.folder_id = state.folder
        self.modseq = modseq
        self.request = request
        self.client_wins = options.client_wins
        self.client_ids = _known_ids(state)

    def run(self, command: Element) -> Outcome | None:
        """Carry out one command; None when success needs no answer."""
        kind = command.tag.name
        server_id = command.text_of(AirSync.ServerId, "")
        client_id = command.text_of(AirSync.ClientId, "")
        made = self.drafts.get(id(command))
        try:
            if made is not None and made.arrival is None:  # sent, or not to be filed
                return Outcome(kind, made.status, server_id, client_id)
            if command.tag is AirSync.Add:
                return self._add(client_id, made, command.find(AirSync.ApplicationData))
            if made is not None:
                return self._write(self._item(server_id), made, command)
            if command.tag is AirSync.Fetch:
                return Outcome(kind, Status.SUCCESS, server_id)
            if command.tag is AirSync.Change:
                status = self._change(self._item(server_id), command.find(AirSync.ApplicationData))
            else:
                status = self._delete(server_id)
        except NotFound:
            status = Status.OBJECT_NOT_FOUND
        except QuotaExceeded:
            status = Status.CANNOT_COMPLETE
        except (ProtocolError, ElementError):
            status = Status.CONVERSION_ERROR
        return None if status is Status.SUCCESS else Outcome(kind, status, server_id, client_id)

    def _add(self, client_id: str, made: Prepared | None, data: Element | None) -> Outcome:
        """File a new draft; refuse every other new item: mail is written by SendMail, not by Sync."""
        known = self.client_ids.get(client_id)
        if known is not None:
            return Outcome("Add", Status.SUCCESS, known, client_id, {})
        if made is None or made.arrival is None or data is None:
            return Outcome("Add", Status.CONVERSION_ERROR, client_id=client_id)
        _check_writable(data)
        item_id = messages.file(
            self.account_id,
            self.folder_id,
            made.arrival,
            received_at=self.now,
            is_read=True,
            is_draft=True,
            changed_by=self.device,
        )
        self._change(messages.get(self.account_id, item_id), data)
        self.client_ids[client_id] = str(item_id)
        return Outcome("Add", Status.SUCCESS, str(item_id), client_id, made.uploaded)

    def _write(self, message: Message, made: Prepared, command: Element) -> Outcome:
        """Give a draft its new bytes; raises Conflict when it is no longer what they were made from.

        The device hears of its own change when its files have got other names by it.
        """
        data = command.find(AirSync.ApplicationData)
        if message.digest != made.before or made.arrival is None:
            raise Conflict("the draft has changed meanwhile")
        status = Status.SUCCESS if data is None else self._change(message, data)
        by = None if made.is_renumbered else self.device
        messages.replace(self.account_id, message.id, made.arrival, changed_by=by, is_draft=True)
        return Outcome("Change", status, str(message.id), uploaded=made.uploaded)

    def _item(self, server_id: str) -> Message:
        return messages.in_folder(self.account_id, self.folder_id, item_id_of(server_id))

    def _change(self, message: Message, data: Element | None) -> Status:
        """Change all the parts, or none of them when one cannot be read."""
        _check_writable(data)
        assert data is not None
        theirs = Part(0) if self.client_wins else parts_for(message, self.device, self.modseq)
        status = Status.SUCCESS
        for part, write in list(self._writes(message, data)):
            if theirs & part:
                status = Status.CONFLICT  # the server's value wins and follows as a Change
            else:
                write()
        return status

    def _writes(self, message: Message, data: Element) -> Iterator[tuple[Part, Callable[[], None]]]:
        """Yield the parts a Change makes different, each with what writes it."""
        place, device = (self.account_id, message.id), self.device
        if data.find(Email.Read) is not None:
            is_read = data.flag_of(Email.Read)
            if is_read != message.is_read:
                yield Part.READ, partial(messages.set_read, *place, is_read, changed_by=device)
        flagged = data.find(Email.Flag)
        if flagged is not None:
            flag = email.parse_flag(flagged, message.flag)
            if flag != message.flag:
                yield Part.FLAG, partial(messages.set_flag, *place, flag, changed_by=device)
        categorised = data.find(Email.Categories)
        if categorised is not None:
            names = email.parse_categories(categorised)
            if names != message.categories:
                yield Part.CATEGORIES, partial(messages.set_categories, *place, names, changed_by=device)

    def _delete(self, server_id: str) -> Status:
        item_id = item_id_of(server_id)
        gone = messages.tombstone(self.account_id, item_id)
        if gone is not None and gone.folder_id == self.folder_id:
            return Status.SUCCESS
        message = self._item(server_id)
        remove = messages.discard if self.request.deletes_as_moves else messages.delete
        remove(self.account_id, message.id, changed_by=self.device)
        return Status.SUCCESS


def _deleted(request: CollectionRequest) -> Iterator[int]:
    """Yield the ids of what a device wants to delete, as far as they are ids."""
    for command in request.commands:
        if command.tag is AirSync.Delete:
            with suppress(NotFound):
                yield item_id_of(command.text_of(AirSync.ServerId, ""))


def _check_writable(data: Element | None) -> None:
    """Raise ProtocolError for what a device may not write."""
    if data is None or any(child.tag in _READ_ONLY for child in data):
        raise ProtocolError(Status.CONVERSION_ERROR, "no ApplicationData, or what a device cannot change")


def draft_data(account_id: int, outcome: Outcome) -> Element | None:
    """Return what a device is told of the draft it wrote; None when there is nothing to tell.

    Needs `db.connection()`.
    """
    is_new = outcome.kind == "Add"
    if outcome.uploaded is None or outcome.status != Status.SUCCESS or not (is_new or outcome.uploaded):
        return None
    try:
        message = messages.get(account_id, item_id_of(outcome.server_id))
    except NotFound:
        return None  # gone since: the device hears of that by itself
    return draft.response_data(message, outcome.uploaded, is_new=is_new)


def response(outcome: Outcome, data: Fragment | Element | None = None) -> Element:
    """Return a child of Responses. data: the ApplicationData of a Fetch or a draft.

    Source: MS-ASCMD 2.2.3.154 Responses (element order within each).
    """
    return _TAGS[outcome.kind](
        AirSync.ClientId(outcome.client_id) if outcome.client_id else None,
        AirSync.ServerId(outcome.server_id) if outcome.server_id else None,
        AirSync.Status(outcome.status),
        data,
    )


_TAGS = {tag.name: tag for tag in (AirSync.Add, AirSync.Change, AirSync.Delete, AirSync.Fetch)}


def _known_ids(state: State) -> dict[str, str]:
    known: dict[str, str] = json.loads(state.client_ids) if state.client_ids else {}
    return known


def _row(outcome: Outcome) -> list[object]:
    return [outcome.kind, int(outcome.status), outcome.server_id, outcome.client_id, outcome.uploaded]


def _outcomes_of(text: str) -> list[Outcome]:
    return [Outcome(*row) for row in json.loads(text)] if text else []
