"""Messages in files: single ones, mbox, Maildir, and folders of them; one in memory at a time.

Owns finding them, taking them out of their container with CRLF line ends, and when each was received.
Never refuses for what is in a message; a file that is none at all is reported by the caller.

Source: RFC 4155 (mbox) with the quoting of mboxrd, undone one level; Maildir as its author describes it
(`cur`, `new`, flags after `:2,`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from appliance.errors import InvalidInput, TooLarge
from appliance.mime.dates import parse_date
from appliance.mime.headers import Headers, parse_headers

MESSAGE_BYTES_MAX = 256 * 1024 * 1024
LINE_BYTES_MAX = 1024 * 1024
_LONE_LF = re.compile(rb"(?<!\r)\n")
_QUOTED_FROM = re.compile(rb">+From ")
_SEPARATOR = re.compile(rb"From \S.* \d\d:\d\d(?::\d\d)?.* \d{4}")
_LOOKS_LIKE_A_FIELD = re.compile(rb"[!-9;-~]{1,200}[ \t]*:")


@dataclass(frozen=True, slots=True)
class Found:
    """One message. source: where it was, for a report. is_read is None when the container does not say."""

    source: str
    raw: bytes
    received_at: datetime
    is_read: bool | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """A file or a part of one that could not be read, and why."""

    source: str
    error: str


def messages(path: Path, now: datetime) -> Iterator[Found | Failed]:
    """Yield every message in a file or folder; errors are yielded, never raised."""
    try:
        if not path.is_dir():
            yield from _in_file(path, now)
        elif (path / "cur").is_dir() or (path / "new").is_dir():
            yield from _in_maildir(path, now)
        else:
            yield from _in_folder(path, now)
    except OSError as error:
        yield Failed(str(path), error.strerror or str(error))
    except (InvalidInput, TooLarge) as error:
        yield Failed(str(path), str(error))


def received_at(raw: bytes, otherwise: datetime, now: datetime) -> datetime:
    """Return when a message arrived: its newest Received field, else its Date, else `otherwise`.

    A moment in the future is nobody's arrival and is passed over.
    """
    headers = parse_headers(raw)
    for moment in (_last_received(headers), parse_date(headers.get("Date")), otherwise):
        if moment is not None and moment <= now:
            return moment
    return now


def _in_folder(path: Path, now: datetime) -> Iterator[Found | Failed]:
    inside = sorted(path.iterdir())
    if not inside:
        yield Failed(str(path), "nothing is in this folder")
    for item in inside:
        if item.is_dir() or item.suffix.lower() in (".eml", ".mbox", ".mbx"):
            yield from messages(item, now)


def _in_maildir(path: Path, now: datetime) -> Iterator[Found | Failed]:
    for part in ("cur", "new"):
        for file in sorted((path / part).iterdir()) if (path / part).is_dir() else []:
            if not file.name.startswith("."):
                flags = file.name.rpartition(":2,")[2] if ":2," in file.name else ""
                yield from _single(file, now, is_read="S" in flags)


def _in_file(path: Path, now: datetime) -> Iterator[Found | Failed]:
    with path.open("rb") as stream:
        begin = stream.read(5)
    if begin == b"From " and path.suffix.lower() != ".eml":
        yield from _in_mbox(path, now)
    else:
        yield from _single(path, now)


def _single(path: Path, now: datetime, *, is_read: bool | None = None) -> Iterator[Found | Failed]:
    try:
        about = path.stat()
        if about.st_size > MESSAGE_BYTES_MAX:
            raise TooLarge(f"larger than {MESSAGE_BYTES_MAX} bytes")
        raw = _with_crlf(path.read_bytes())
        _check(raw)
    except OSError as error:
        yield Failed(str(path), error.strerror or str(error))
    except (InvalidInput, TooLarge) as error:
        yield Failed(str(path), str(error))
    else:
        modified_at = datetime.fromtimestamp(about.st_mtime, UTC)
        yield Found(str(path), raw, received_at(raw, modified_at, now), is_read)


def _in_mbox(path: Path, now: datetime) -> Iterator[Found | Failed]:
    modified_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    for number, (separator, data) in enumerate(_split(path), 1):
        source = f"{path} message {number}"
        if data is None:
            yield Failed(source, f"larger than {MESSAGE_BYTES_MAX} bytes")
            continue
        raw = _with_crlf(data)
        try:
            _check(raw)
        except InvalidInput as error:
            yield Failed(source, str(error))
            continue
        sent_on = parse_date(separator[5:].decode("latin-1").partition(" ")[2])
        yield Found(source, raw, received_at(raw, sent_on or modified_at, now), _read_in_mbox(raw))


def _split(path: Path) -> Iterator[tuple[bytes, bytes | None]]:
    """Yield (separator line, message) of an mbox; None for a message that is too large."""
    separator, lines, size = b"", list[bytes](), 0
    after_blank = True
    with path.open("rb") as stream:
        while line := stream.readline(LINE_BYTES_MAX):
            if after_blank and _SEPARATOR.match(line):
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


def _with_crlf(data: bytes) -> bytes:
    """Return data with CRLF line ends: Unix tools store bare LF, RFC 5322 2.1 knows CRLF only."""
    return _LONE_LF.sub(b"\r\n", data)


def _check(raw: bytes) -> None:
    """Raise InvalidInput unless this begins like a message; a picture given by mistake does not."""
    begin = raw.removeprefix(b"\xef\xbb\xbf")
    if begin.startswith((b"From ", b">From ")):
        begin = begin.partition(b"\n")[2]
    if not _LOOKS_LIKE_A_FIELD.match(begin):
        raise InvalidInput("not a message: it does not begin with a header field")


def _read_in_mbox(raw: bytes) -> bool | None:
    """Return what the Status field of mbox programs says; None when there is none."""
    status = parse_headers(raw).get("Status")
    return None if status is None else "R" in status.upper()


def _last_received(headers: Headers) -> datetime | None:
    newest = headers.raw("Received")
    return parse_date(newest.rpartition(";")[2].strip()) if newest and ";" in newest else None
