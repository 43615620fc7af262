"""Inputs that a target complained about: told apart, made short, written down with the way to run them again.

A finding is named after its signature: the kind of exception and the places in our code it came through.
Two inputs with one signature are one bug.
"""

import hashlib
import traceback
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.bounds import TooSlow, deadline
from tests.fuzz.coverage import ROOT
from tests.fuzz.shrink import shrink
from tests.fuzz.targets import Target

PLACES = 4
"""Innermost frames of our own that make a signature."""


@dataclass(frozen=True)
class Complaint:
    """What went wrong with one input."""

    signature: str
    error: str
    trace: str


def complaint_of(target: Target, data: bytes) -> Complaint | None:
    """Run an input and return what its target says about it, None when it is content."""
    try:
        with deadline(target.deadline_s):
            target.run(data)
    except (Exception, TooSlow) as error:  # noqa: BLE001 - whatever a target lets out is what we look for
        return _complaint(error)
    return None


def _complaint(error: BaseException) -> Complaint:
    frames = [
        (Path(frame.filename).relative_to(ROOT).as_posix(), frame.name, frame.lineno)
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.startswith(str(ROOT)) and ".venv" not in frame.filename
    ]
    own = [frame for frame in frames if not frame[0].startswith("tests/fuzz/") or "/targets/" in frame[0]]
    # Time can run out anywhere: of that only where it was called counts.
    is_slow = isinstance(error, TooSlow)
    places = [(file, name, 0) for file, name, _ in own[:2]] if is_slow else own[-PLACES:]
    digest = hashlib.sha256(repr((type(error).__name__, places)).encode()).hexdigest()[:8]
    trace = "".join(traceback.format_exception(error, limit=-12))
    return Complaint(f"{type(error).__name__}-{digest}", f"{type(error).__name__}: {error}", trace)


def shortened(target: Target, data: bytes, complaint: Complaint) -> bytes:
    """Return a short input with the same signature."""
    questions = 40 if complaint.signature.startswith("TooSlow") else 2_000

    def still(candidate: bytes) -> bool:
        again = complaint_of(target, candidate)
        return again is not None and again.signature == complaint.signature

    return shrink(data, still, questions)


def write(folder: Path, target: Target, data: bytes, complaint: Complaint) -> Path:
    """Write the input, and beside it the traceback and how to run it again; return the input's path."""
    place = folder / target.name
    place.mkdir(parents=True, exist_ok=True)
    path = place / f"{complaint.signature}.bin"
    path.write_bytes(data)
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    path.with_suffix(".txt").write_text(
        f"python -m tests.fuzz --replay {shown}\n\n{data[:400]!r}\n\n{complaint.trace}", "utf-8"
    )
    return path
