"""Messages in files: single ones, mbox, Maildir, and trees of them; one in memory at a time.

Owns finding them, which folder each belongs to, and when it was received. What is inside an mbox is `mbox`.
Never refuses for what is in a message; a file that is none at all is yielded as `Unread`.

A tree keeps its folders: those of a Maildir (`.Projects.2024`, or real directories), of Thunderbird
(`Projects`, `Projects.sbd/2024`), of Apple Mail (`Projects.mbox/mbox`), or plain directories of .eml files.

Source: Maildir as its author describes it (`cur`, `new`, flags after `:2,`), Maildir++ (dots, names in the
modified UTF-7 of RFC 3501 5.1.3).
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from appliance.errors import InvalidInput, TooLarge
from appliance.importing import mbox
from appliance.importing.mbox import MESSAGE_BYTES_MAX, received_at
from appliance.importing.names import from_modified_utf7
from appliance.items.imported import Imported, Marks, Unread

DEPTH_MAX: Final = 50
_MAILDIR_PARTS: Final = ("cur", "new")
_MBOX_SUFFIXES: Final = (".mbox", ".mbx")
_SUBFOLDERS: Final = ".sbd"
_FLAGS: Final = re.compile(r"[:;!]2,([A-Za-z]*)\Z")  # Windows cannot write the colon

type Names = tuple[str, ...]


def messages(path: Path, now: datetime, folder: Names = ()) -> Iterator[Imported | Unread]:
    """Yield every message in a file or tree; errors are yielded, never raised.

    folder: the names of what the path itself stands for; () is the top.
    """
    try:
        if not path.is_dir():
            yield from _in_file(path, now, folder)
        elif _is_maildir(path):
            yield from _in_maildir(path, now, folder)
        elif (path / "mbox").is_file():
            yield from mbox.messages(path / "mbox", now, folder)
        else:
            yield from _in_folder(path, now, folder)
    except OSError as error:
        yield Unread(str(path), error.strerror or str(error))
    except (InvalidInput, TooLarge) as error:
        yield Unread(str(path), str(error))


def bytes_of(path: Path) -> int:
    """Return how many bytes there are to read, for a progress bar; what cannot be seen counts nothing."""
    try:
        if path.is_dir():
            return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        return path.stat().st_size
    except OSError:
        return 0


def _in_folder(path: Path, now: datetime, folder: Names) -> Iterator[Imported | Unread]:
    inside = sorted(path.iterdir())
    if not inside:
        yield Unread(str(path), "nothing is in this folder")
    if len(folder) >= DEPTH_MAX:
        yield Unread(str(path), f"more than {DEPTH_MAX} folders inside each other")
        return
    for item in inside:
        name = _name(item)
        if item.is_dir():
            if _holds_mail(item):
                yield from messages(item, now, (*folder, name))
        elif item.suffix.lower() == ".eml":
            yield from _single(item, now, folder)
        elif item.suffix.lower() in _MBOX_SUFFIXES or _is_mbox(item):
            yield from messages(item, now, (*folder, name))


def _name(item: Path) -> str:
    """Return what a file or directory is called as a folder."""
    for suffix in (_SUBFOLDERS, *_MBOX_SUFFIXES):
        if item.name.lower().endswith(suffix):
            return item.name[: -len(suffix)]
    return item.name


def _holds_mail(path: Path) -> bool:
    """Tell whether a directory is worth a folder: something is in it, and it is not hidden."""
    return not path.name.startswith(".") and any(path.iterdir())


def _is_mbox(path: Path) -> bool:
    """Tell whether a file without a telling name is an mbox, as Thunderbird and mutt have them."""
    if path.suffix or path.name.startswith("."):
        return False
    with path.open("rb") as stream:
        return mbox.is_separator(stream.readline(1_000))


# --- Maildir --------------------------------------------------------------------------------------


def _is_maildir(path: Path) -> bool:
    return any((path / part).is_dir() for part in _MAILDIR_PARTS)


def _in_maildir(path: Path, now: datetime, folder: Names) -> Iterator[Imported | Unread]:
    for part in _MAILDIR_PARTS:
        for file in sorted((path / part).iterdir()) if (path / part).is_dir() else []:
            if not file.name.startswith("."):
                yield from _single(file, now, folder, _maildir_marks(file.name))
    for item in sorted(path.iterdir()):
        if not item.is_dir() or not _is_maildir(item):
            continue
        dotted = item.name.startswith(".")
        names = item.name[1:].split(".") if dotted else [item.name]
        below = tuple(from_modified_utf7(name) for name in names if name)
        yield from _in_maildir(item, now, (*folder, *below))


def _maildir_marks(name: str) -> Marks:
    found = _FLAGS.search(name)
    flags = found[1] if found else ""
    return Marks(
        is_read="S" in flags,
        is_flagged="F" in flags,
        is_answered="R" in flags,
        is_forwarded="P" in flags,
        is_deleted="T" in flags,
    )


# --- files ----------------------------------------------------------------------------------------


def _in_file(path: Path, now: datetime, folder: Names) -> Iterator[Imported | Unread]:
    with path.open("rb") as stream:
        begin = stream.read(5)
    if begin == b"From " and path.suffix.lower() != ".eml":
        yield from mbox.messages(path, now, folder)
    elif path.suffix.lower() in _MBOX_SUFFIXES and not begin:
        return  # an empty folder
    else:
        yield from _single(path, now, folder)


def _single(
    path: Path, now: datetime, folder: Names, marks: Marks | None = None
) -> Iterator[Imported | Unread]:
    try:
        about = path.stat()
        if about.st_size > MESSAGE_BYTES_MAX:
            raise TooLarge(f"larger than {MESSAGE_BYTES_MAX} bytes")
        raw = mbox.with_crlf(path.read_bytes())
        mbox.check(raw)
    except OSError as error:
        yield Unread(str(path), error.strerror or str(error))
    except (InvalidInput, TooLarge) as error:
        yield Unread(str(path), str(error))
    else:
        modified_at = datetime.fromtimestamp(about.st_mtime, UTC)
        moment = received_at(raw, modified_at, now)
        yield Imported(str(path), folder, raw, moment, marks or Marks())
