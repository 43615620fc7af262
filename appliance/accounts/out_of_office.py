"""What an account answers by itself while its owner is away: the settings, and whether they hold now.

Owns the row `OutOfOffice` and who was answered since it was changed last. Sending the answers, and the
restraint that takes, is `delivery.oof`.

Source: MS-ASCMD 2.2.3.122 Oof, 2.2.3.123 OofMessage, 2.2.3.124 OofState.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Final

from appliance import db, logs
from appliance.accounts import accounts, correspondents
from appliance.db.tables import OutOfOffice as Row
from appliance.db.tables import OutOfOfficeReply, from_microseconds
from appliance.errors import InvalidInput
from appliance.mime.characters import xml_safe
from appliance.store.statement import Statement

TEXT_BYTES_MAX: Final = 32_768
"""UTF-8. Rendered twice, as text and HTML in base64, the answer still lies in the database as it is."""

_log = logging.getLogger(__name__)
_ACTIVE = Statement("SELECT state, starts_at, ends_at, replies FROM out_of_office WHERE account_id = ?")


class State(IntEnum):
    """MS-ASCMD 2.2.3.124 OofState."""

    OFF = 0
    ON = 1
    TIMED = 2


class Audience(StrEnum):
    """Who writes: somebody here, somebody the account has written to, or a stranger."""

    INTERNAL = "internal"
    KNOWN = "known"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reply:
    """What one audience hears; an enabled one without a text hears nothing."""

    is_enabled: bool = False
    text: str = ""
    is_html: bool = False


def _silence() -> dict[Audience, Reply]:
    return {audience: Reply() for audience in Audience}


@dataclass(frozen=True, slots=True)
class OutOfOffice:
    """An account's settings; `starts_at` and `ends_at` are set exactly when the state is TIMED."""

    state: State = State.OFF
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    replies: Mapping[Audience, Reply] = field(default_factory=_silence)

    def is_active(self, now: datetime) -> bool:
        """Say whether the owner is away; of a time window the start belongs to it, the end does not."""
        if self.state is not State.TIMED:
            return self.state is State.ON
        return (
            self.starts_at is not None and self.ends_at is not None and self.starts_at <= now < self.ends_at
        )


def get(account_id: int) -> OutOfOffice:
    """Return an account's settings; those of an account that never had any are OFF. Needs a connection."""
    rows = _ACTIVE.rows(account_id)
    return _settings_of(rows[0]) if rows else OutOfOffice()


def save(account_id: int, wanted: OutOfOffice) -> None:
    """Replace an account's settings; whoever was answered before a change may be answered again.

    Reads Sent Items when there is something to say, so that strangers are told from others at once.
    Raises InvalidInput (a text that is too long, a window that ends before it starts), NotFound.
    """
    checked = _checked(wanted)
    if checked.state is not State.OFF:
        correspondents.catch_up(account_id)
    _save(account_id, checked)
    logs.event(_log, "out_of_office_changed", account=account_id, state=checked.state.name.lower())


@db.transaction
def _save(account_id: int, wanted: OutOfOffice) -> None:
    accounts.get(account_id)
    if get(account_id) == wanted:
        return
    replies = {name: (reply.is_enabled, reply.text, reply.is_html) for name, reply in wanted.replies.items()}
    Row.insert(
        account=account_id,
        state=int(wanted.state),
        starts_at=wanted.starts_at,
        ends_at=wanted.ends_at,
        replies=json.dumps(replies, ensure_ascii=False),
    ).on_conflict(
        conflict_target=[Row.account], preserve=[Row.state, Row.starts_at, Row.ends_at, Row.replies]
    ).execute()
    OutOfOfficeReply.delete().where(OutOfOfficeReply.account == account_id).execute()


def _checked(wanted: OutOfOffice) -> OutOfOffice:
    """Return the settings as they are stored: every audience, no times but for a window."""
    replies = {name: _checked_reply(wanted.replies.get(name, Reply())) for name in Audience}
    if wanted.state is not State.TIMED:
        return OutOfOffice(wanted.state, replies=replies)
    if wanted.starts_at is None or wanted.ends_at is None:
        raise InvalidInput("a time window has a start and an end")
    if wanted.ends_at <= wanted.starts_at:
        raise InvalidInput("the time window ends before it starts")
    return OutOfOffice(wanted.state, wanted.starts_at, wanted.ends_at, replies)


def _checked_reply(reply: Reply) -> Reply:
    text = xml_safe(reply.text)
    if len(text.encode("utf-8", "replace")) > TEXT_BYTES_MAX:
        raise InvalidInput(f"an out-of-office text is at most {TEXT_BYTES_MAX} bytes")
    return Reply(reply.is_enabled, text, reply.is_html and bool(text))


def _settings_of(row: tuple[int, int | None, int | None, str]) -> OutOfOffice:
    state, starts_at, ends_at, replies = row
    return OutOfOffice(
        State(state),
        None if starts_at is None else from_microseconds(starts_at),
        None if ends_at is None else from_microseconds(ends_at),
        {Audience(name): Reply(*values) for name, values in json.loads(replies).items()},
    )
