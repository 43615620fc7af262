"""Loads the WBXML vectors: bytes as hex, with what they mean or why they are refused.

`tests/vectors/wbxml/README.md` describes the files.
"""

from dataclasses import dataclass
from pathlib import Path

from appliance.wbxml.element import Element
from tests.unit.wbxml import xmlform

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "tests" / "vectors" / "wbxml"
SHARED = ROOT.parent / "shared" / "eas" / "vectors"
"""More vectors of the same form, where a checkout has them beside it."""


@dataclass(frozen=True)
class Vector:
    """One document, with its tree or with the error it must give."""

    name: str
    data: bytes
    tree: Element | None = None
    offset: int = 0
    message: str = ""

    def __str__(self) -> str:
        return self.name


def unhex(text: str) -> bytes:
    """Return the bytes of a hex text; white space and everything from # to the end of a line is layout."""
    return bytes.fromhex("".join(line.partition("#")[0] for line in text.splitlines()))


def trees(folder: Path) -> list[Vector]:
    """Return the vectors of a folder that stand for a tree."""
    return [
        Vector(path.stem, unhex(path.read_text()), xmlform.parse(path.with_suffix(".xml").read_text("utf-8")))
        for path in sorted(folder.glob("[0-9]*.hex"))
        if path.with_suffix(".xml").exists()
    ]


def errors(folder: Path) -> list[Vector]:
    """Return the vectors of a folder that must be refused."""
    found = []
    for path in sorted(folder.glob("[0-9]*.hex")):
        offset, _, message = path.with_suffix(".error").read_text().strip().partition(" ")
        found.append(Vector(path.stem, unhex(path.read_text()), None, int(offset), message))
    return found
