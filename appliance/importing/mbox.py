"""Messages out of an mbox file, one in memory at a time.

Source: RFC 4155 (mbox) with the quoting of mboxrd, undone one level; Status and X-Status as mbox programs
write them; X-Gmail-Labels as in the archives that Google gives.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from appliance.errors import InvalidInput
from appliance.items.imported import Imported, Marks, Unread
from appliance.mime.dates import parse_date
from appliance.mime.headers import Headers, parse_headers

MESSAGE_BYTES_MAX: Final = 256 * 1024 * 1024
LINE_BYTES_MAX: Final = 1024 * 1024
_LONE_LF: Final = re.compile(rb"(?<!\r)\n")
_QUOTED_FROM: Final = re.compile(rb">+From ")
_SEPARATOR: Final = re.compile(rb"From \S.* \d\d:\d\d(?::\d\d)?.* \d{4}")
_LOOKS_LIKE_A_FIELD: Final = re.compile(rb"[!-9;-~]{1,200}[ \t]*:")
_MOZILLA_READ, _MOZILLA_ANSWERED, _MOZILLA_FLAGGED, _MOZILLA_GONE, _MOZILLA_FORWARDED = 1, 2, 4, 8, 0x1000

_LABEL_FOLDERS: Final = ("Sent", "Drafts", "Spam", "Trash", "Inbox")
"""Labels that say where a message lies, the strongest first."""
_LABELS_OF_STATE: Final = frozenset({"unread", "opened", "starred", "important", "archived", "chat"})


@dataclass(frozen=True, slots=True)
class _Labels:
    folder: tuple[str, ...] | None
    is_read: bool
    is_flagged: bool


def messages(path: Path, now: datetime, folder: tuple[str, ...]) -> Iterator[Imported | Unread]:
    """Yield every message of an mbox. Raises OSError, InvalidInput (no mbox)."""
    modified_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    for number, (separator, data) in enumerate(_split(path), 1):
        source = f"{path} message {number}"
        if data is None:
            yield Unread(source, f"larger than {MESSAGE_BYTES_MAX} bytes")
            continue
        raw = with_crlf(data)
        try:
            check(raw)
        except InvalidInput as error:
            yield Unread(source, str(error))
            continue
        sent_on = parse_date(separator[5:].decode("latin-1").partition(" ")[2])
        headers = parse_headers(raw)
        labels = _labels(headers)
        yield Imported(
            source,
            folder if labels is None or labels.folder is None else (*folder, *labels.folder),
            raw,
            received_at(raw, sent_on or modified_at, now),
            _marks(headers, labels),
        )


def is_separator(line: bytes) -> bool:
    """Tell whether a line begins a message in an mbox."""
    return _SEPARATOR.match(line) is not None


def received_at(raw: bytes, otherwise: datetime, now: datetime) -> datetime:
    """Return when a message arrived: its newest Received field, else its Date, else `otherwise`.

    A moment in the future is nobody's arrival and is passed over.
    """
    headers = parse_headers(raw)
    for moment in (_last_received(headers), parse_date(headers.get("Date")), otherwise):
        if moment is not None and moment <= now:
            return moment
    return now


def with_crlf(data: bytes) -> bytes:
    """Return data with CRLF line ends: Unix tools store bare LF, RFC 5322 2.1 knows CRLF only."""
    return _LONE_LF.sub(b"\r\n", data)


def check(raw: bytes) -> None:
    """Raise InvalidInput unless this begins like a message; a picture given by mistake does not."""
    begin = raw.removeprefix(b"\xef\xbb\xbf")
    if begin.startswith((b"From ", b">From ")):
        begin = begin.partition(b"\n")[2]
    if not _LOOKS_LIKE_A_FIELD.match(begin):
        raise InvalidInput("not a message: it does not begin with a header field")


def _split(path: Path) -> Iterator[tuple[bytes, bytes | None]]:
    """Yield (separator line, message) of an mbox; None for a message that is too large."""
    separator, lines, size = b"", list[bytes](), 0
    after_blank = True
    with path.open("rb") as stream:
        while line := stream.readline(LINE_BYTES_MAX):
            if after_blank and is_separator(line):
                if separator:
                    yield separator, _joined(lines, size)
                separator, lines, size = line, [], 0
            else:
                size += len(line)
                if size <= MESSAGE_BYTES_MAX:
                    lines.append(line[1:] if _QUOTED_FROM.match(line) else line)
                else:
                    lines.clear()
            after_blank = line in (b"\n", b"\r\n")
    if separator:
        yield separator, _joined(lines, size)
    else:
        raise InvalidInput("begins like an mbox but has no separator line")


def _joined(lines: list[bytes], size: int) -> bytes | None:
    """Return the lines of a message without the blank line that belongs to the next separator."""
    if size > MESSAGE_BYTES_MAX:
        return None
    if lines and lines[-1] in (b"\n", b"\r\n"):
        lines.pop()
    return b"".join(lines)


def _marks(headers: Headers, labels: _Labels | None) -> Marks:
    if labels is not None:
        return Marks(is_read=labels.is_read, is_flagged=labels.is_flagged)
    mozilla = headers.raw("X-Mozilla-Status")
    if mozilla is not None and re.fullmatch(r"[0-9A-Fa-f]{4}", mozilla.strip()):
        bits = int(mozilla, 16)
        return Marks(
            is_read=bool(bits & _MOZILLA_READ),
            is_flagged=bool(bits & _MOZILLA_FLAGGED),
            is_answered=bool(bits & _MOZILLA_ANSWERED),
            is_forwarded=bool(bits & _MOZILLA_FORWARDED),
            is_deleted=bool(bits & _MOZILLA_GONE),
        )
    status, more = headers.get("Status"), (headers.get("X-Status") or "").upper()
    return Marks(
        is_read=None if status is None else "R" in status.upper(),
        is_flagged="F" in more,
        is_answered="A" in more,
        is_deleted="D" in more,
    )


def _labels(headers: Headers) -> _Labels | None:
    """Return what a message's labels say; None when it has none."""
    text = headers.get("X-Gmail-Labels")
    if text is None:
        return None
    labels = [label.strip(' "') for label in text.split(",") if label.strip(' "')]
    lowered = {label.casefold() for label in labels}
    standing = next((name for name in _LABEL_FOLDERS if name.casefold() in lowered), None)
    own = [
        label
        for label in labels
        if label.casefold() not in _LABELS_OF_STATE and not label.casefold().startswith("category ")
    ]
    folder = (standing,) if standing else tuple(own[0].split("/")) if own else ("Archive",)
    return _Labels(folder, "unread" not in lowered, "starred" in lowered)


def _last_received(headers: Headers) -> datetime | None:
    newest = headers.raw("Received")
    return parse_date(newest.rpartition(";")[2].strip()) if newest and ";" in newest else None
