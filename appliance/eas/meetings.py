"""What phones say about meetings in more than one command: occurrences, times, words. Pure.

Source: MS-ASCMD 2.2.3.92 InstanceId, 2.2.3.158 SendResponse; MS-ASAIRS 2.2.2.9 Body.
"""

import re
from datetime import UTC, datetime

from appliance.eas.status import Common, ProtocolError
from appliance.mime.html import text_from_html
from appliance.wbxml.codepages import AirSyncBase
from appliance.wbxml.element import Element

_INSTANCE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_COMPACT = re.compile(r"\d{8}T\d{6}Z")
_TEXT, _HTML = 1, 2


def is_instance_id(text: str) -> bool:
    """Tell whether a text has the form of an InstanceId."""
    return _INSTANCE.fullmatch(text) is not None


def parse_instance(text: str) -> datetime:
    """Return the original start an InstanceId names; raises ProtocolError 104 for any other form."""
    if not is_instance_id(text):
        raise ProtocolError(Common.INVALID_DATE_TIME, "an InstanceId is like 2026-04-14T07:00:00.000Z")
    return _moment(text)


def parse_compact(text: str) -> datetime:
    """Return the moment of a compact dateTime; raises ProtocolError 104 for any other form."""
    if _COMPACT.fullmatch(text) is None:
        raise ProtocolError(Common.INVALID_DATE_TIME, "the time is like 20260414T070000Z")
    return _moment(text)


def parse_body(body: Element | None) -> tuple[str, str | None]:
    """Return the text of a Body, and its HTML when it was written so; raises ProtocolError, ElementError."""
    if body is None:
        return "", None
    data = body.text_of(AirSyncBase.Data, "")
    kind = body.int_of(AirSyncBase.Type, _TEXT)
    if kind not in (_TEXT, _HTML):
        raise ProtocolError(Common.INVALID_XML, "a Body here is text or HTML")
    if kind == _TEXT or not data:
        return data, None
    return text_from_html(data).strip(), data


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ProtocolError(Common.INVALID_DATE_TIME, "no such moment") from error
