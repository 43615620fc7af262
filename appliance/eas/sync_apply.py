"""Changes that come from a device: applied once, all in one transaction, together with the state row.

What was applied under a key is remembered with its responses, so that a repeated request finds it done;
the latest Adds are remembered by their ClientIds. A deletion that has happened already is a success.

Source: MS-ASCMD 2.2.3.2 Add (Sync), 2.2.3.24 Change, 2.2.3.42.2 Delete (Sync), 2.2.3.36 Conflict.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from appliance import db
from appliance.devices import sync_states
from appliance.devices.sync_states import State
from appliance.eas.content import email
from appliance.eas.status import ProtocolError
from appliance.eas.status import Sync as Status
from appliance.eas.sync_delta import Part, parts_for
from appliance.eas.sync_options import Options
from appliance.eas.sync_request import CollectionRequest
from appliance.errors import NotFound
from appliance.items.message import Message
from appliance.store import messages
from appliance.wbxml.codepages import AirSync, Email
from appliance.wbxml.element import Element, ElementError, Fragment

CLIENT_IDS_MAX = 512  # remembered per collection; a device repeats what it has just sent, not last year's
_ITEM_ID = re.compile(r"[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one command of a device is answered. Success of Change and Delete is silent."""

    kind: str  # Add | Change | Delete | Fetch
    status: int
    server_id: str = ""
    client_id: str = ""


@db.transaction
def apply(
    state: State,
    request: CollectionRequest,
    options: Options,
    *,
    modseq: int,
    account_id: int,
    now: datetime,
) -> tuple[State, list[Outcome]]:
    """Carry out a collection's commands and return the state as stored, and what to answer.

    modseq: up to where the device knew the folder when it made the changes. Commands that were applied under
    this key before are not applied again. Raises Conflict when another request of the device was faster.
    """
    if state.applied_digest == request.commands_digest:
        return state, _outcomes_of(state.applied_responses)
    job = _Job(account_id, state, request, options, modseq)
    outcomes = [outcome for command in request.commands if (outcome := job.run(command)) is not None]
    latest = list(job.client_ids.items())[-CLIENT_IDS_MAX:]
    stored = sync_states.store(
        replace(
            state,
            applied_digest=request.commands_digest,
            applied_responses=json.dumps([_row(outcome) for outcome in outcomes]),
            client_ids=json.dumps(dict(latest)) if latest else "",
        ),
        now,
    )
    return stored, outcomes


class _Job:
    """One collection's commands, carried out one after another."""

    def __init__(
        self, account_id: int, state: State, request: CollectionRequest, options: Options, modseq: int
    ) -> None:
        self.account_id = account_id
        self.device = state.device
        self.folder_id = state.folder
        self.modseq = modseq
        self.request = request
        self.client_wins = options.client_wins
        self.client_ids: dict[str, str] = json.loads(state.client_ids) if state.client_ids else {}

    def run(self, command: Element) -> Outcome | None:
        """Carry out one command; None when success needs no answer."""
        kind = command.tag.name
        server_id = command.text_of(AirSync.ServerId, "")
        client_id = command.text_of(AirSync.ClientId, "")
        try:
            if command.tag is AirSync.Add:
                return self._add(client_id)
            if command.tag is AirSync.Fetch:
                return Outcome(kind, Status.SUCCESS, server_id)
            if command.tag is AirSync.Change:
                status = self._change(self._item(server_id), command.find(AirSync.ApplicationData))
            else:
                status = self._delete(server_id)
        except NotFound:
            status = Status.OBJECT_NOT_FOUND
        except (ProtocolError, ElementError):
            status = Status.CONVERSION_ERROR
        return None if status is Status.SUCCESS else Outcome(kind, status, server_id)

    def _add(self, client_id: str) -> Outcome:
        """Refuse a new item: mail is written by SendMail, not by Sync."""
        known = self.client_ids.get(client_id)
        if known is not None:
            return Outcome("Add", Status.SUCCESS, known, client_id)
        return Outcome("Add", Status.CONVERSION_ERROR, client_id=client_id)

    def _item(self, server_id: str) -> Message:
        return messages.in_folder(self.account_id, self.folder_id, item_id_of(server_id))

    def _change(self, message: Message, data: Element | None) -> Status:
        """Change all the parts, or none of them when one cannot be read."""
        if data is None:
            raise ProtocolError(Status.CONVERSION_ERROR, "a Change has ApplicationData")
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


def item_id_of(server_id: str) -> int:
    """Return the item or folder id of a ServerId; raises NotFound for anything that is none of ours.

    One id has one spelling, so that a device never holds the same thing under two names.
    """
    if _ITEM_ID.fullmatch(server_id) is None:
        raise NotFound("no such item")
    return int(server_id)


def response(outcome: Outcome, data: Fragment | None = None) -> Element:
    """Return a child of Responses. data: the ApplicationData of a Fetch.

    Source: MS-ASCMD 2.2.3.154 Responses (element order within each).
    """
    return _TAGS[outcome.kind](
        AirSync.ClientId(outcome.client_id) if outcome.client_id else None,
        AirSync.ServerId(outcome.server_id) if outcome.server_id else None,
        AirSync.Status(outcome.status),
        data,
    )


_TAGS = {tag.name: tag for tag in (AirSync.Add, AirSync.Change, AirSync.Delete, AirSync.Fetch)}


def _row(outcome: Outcome) -> list[str | int]:
    return [outcome.kind, int(outcome.status), outcome.server_id, outcome.client_id]


def _outcomes_of(text: str) -> list[Outcome]:
    return [Outcome(*row) for row in json.loads(text)] if text else []
