"""Runs `*.dialog` files: SMTP conversations as a protocol person writes them, as data.

A file is run against the pure session and again against a live port; what differs is the `Wire`.

    # a comment, also at the end of an expected line after two blanks
    @ profile submission          reception (default), submission (587), submissions (465)
    @ set recipients_max 2        a SessionConfig field
    > EHLO client.example         a line from the client; CRLF is added
    >> a\\r\\n.\\r\\n                 octets with Python escapes; nothing is added
    >>1000 x                      the same, a thousand times
    < 250 2.1.0 *                 one reply line; * stands for any text
    < 250-mx.example.test …       … at the end: this line and all others of the same reply
    ! tls                         shake hands now
    ! eof                         the client closes its side
    ! closed                      the server has closed

The world of every dialog: the server is mx.example.test and has the users alice@ and bob@example.test
(password "correct horse", access token "at_good-token"); nobody else exists there, and it relays for users
only.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

HOSTNAME = "mx.example.test"
DOMAIN = "example.test"
USERS = ("alice@example.test", "bob@example.test")
PASSWORD = "correct horse"
TOKEN = "at_good-token"


class Wire(Protocol):
    """One end of a conversation."""

    def write(self, data: bytes) -> None: ...

    def read_line(self) -> bytes:
        """Return a line with its CRLF, b"" when the server has closed; fail rather than wait forever."""
        ...

    def start_tls(self) -> None: ...

    def half_close(self) -> None: ...


@dataclass(frozen=True)
class Step:
    """One line of a dialog file: its mark (`>`, `>>`, `<`, `!`), its text, where it stands."""

    mark: str
    text: str
    line_number: int
    times: int = 1


@dataclass(frozen=True)
class Dialog:
    """A parsed file."""

    name: str
    steps: tuple[Step, ...]
    profile: str = "reception"
    settings: dict[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


def load(folder: Path) -> list[Dialog]:
    """Return all dialogs of a folder, in order; there must be some."""
    found = [parse(path.read_text("utf-8"), path.stem) for path in sorted(folder.glob("*.dialog"))]
    assert found, f"no dialogs in {folder}"
    return found


def parse(text: str, name: str) -> Dialog:
    """Return the dialog; ValueError names the line that is none of the marks."""
    profile, settings, steps = "reception", {}, []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if match := re.fullmatch(r"@ (profile|set) (\w+) ?(\w*)\s*", line):
            if match[1] == "profile":
                profile = match[2]
            else:
                settings[match[2]] = int(match[3])
        elif match := re.fullmatch(r"(>>|>|<|!)(\d*) (.*)|>", line):
            mark, times, content = match[1] or ">", match[2], match[3] or ""
            if mark in "<!":
                content = re.sub(r"\s\s+#.*", "", content)
            steps.append(Step(mark, content, number, int(times or 1)))
        else:
            raise ValueError(f"{name}.dialog:{number}: what is {line!r}?")
    return Dialog(name, tuple(steps), profile, settings)


def run(dialog: Dialog, wire: Wire) -> None:
    """Play the dialog; AssertionError names file and line of the first difference."""
    for step in dialog.steps:
        where = f"{dialog.name}.dialog:{step.line_number}"
        match step.mark, step.text:
            case ">", text:
                wire.write(text.encode() + b"\r\n")
            case ">>", text:
                octets = text.encode("latin-1", "backslashreplace").decode("unicode_escape").encode("latin-1")
                wire.write(octets * step.times)
            case "<", text:
                for line in _reply_lines(wire, whole=text.endswith("…")):
                    _expect(line, text, where)
            case "!", "tls":
                wire.start_tls()
            case "!", "eof":
                wire.half_close()
            case "!", "closed":
                left = wire.read_line()
                assert left == b"", f"{where}: the server still says {left!r}"
            case _, text:
                raise ValueError(f"{where}: what is {text!r}?")


def _reply_lines(wire: Wire, *, whole: bool) -> Iterator[bytes]:
    """Yield the line to compare; with `whole` read on to the end of the reply without comparing."""
    line = wire.read_line()
    yield line
    while whole and line[3:4] == b"-":
        line = wire.read_line()


def _expect(line: bytes, pattern: str, where: str) -> None:
    pattern = pattern.replace("…", "*").strip()
    regex = ".*".join(re.escape(part) for part in pattern.split("*")).replace(r"\ .*", "(?: .*)?")
    text = line.decode("utf-8", "replace")
    assert text.endswith("\r\n"), f"{where}: expected {pattern!r}, got {text!r}"
    assert re.fullmatch(regex, text[:-2].rstrip()), f"{where}: expected {pattern!r}, got {text!r}"
