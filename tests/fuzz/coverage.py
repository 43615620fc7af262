"""Which lines and branches of the code under test have run, for the price of the first time each.

Owns the use of `sys.monitoring`. Every event is switched off where it has told all it can (a line once, a
branch when both its ways are known), so after a few hundred inputs the code runs at nearly full speed, and
an event that still comes is news. Leaves to `engine` what news are worth.

Code coverage sees no states, so a target may also say in words what it saw: `note("phase", phase.name)`
makes an input that reaches a new combination as interesting as one that reaches a new line.
"""

import sys
from collections.abc import Callable, Hashable, Iterator, Sequence
from pathlib import Path
from types import CodeType

ROOT = Path(__file__).parents[2]
NOTES_MAX = 3_000
"""Different notes of one target that count; a note made from an unbounded value must not flood the corpus."""

type Feature = tuple[Hashable, ...]
type Switch = object  # sys.monitoring.DISABLE or None

_monitoring = sys.monitoring
_notes: set[Feature] = set()
_fresh_notes: list[Feature] = []


def note(*words: Hashable) -> None:
    """Remember a state the input has led to. Keep the number of different ones small (under NOTES_MAX)."""
    feature = ("note", *words)
    if feature not in _notes and len(_notes) < NOTES_MAX:
        _notes.add(feature)
        _fresh_notes.append(feature)


class Coverage:
    """Collects what runs in the files below some paths, as a context manager; one at a time.

    covers: paths relative to the repository, of files or folders. `seen` holds everything since the start,
    as far as `news` was asked, notes included.
    """

    def __init__(self, covers: Sequence[str]) -> None:
        self.seen: set[Feature] = set()
        self._fresh: list[Feature] = []  # reported, not yet in `seen`
        self._paths = tuple(str(ROOT / path) for path in covers)
        self._codes: dict[int, CodeType] = {}  # by identity: hashing a code object reads all of it
        self._ways: dict[tuple[int, int], int] = {}  # (code, offset of a branch) to the one way known
        self._tool = -1

    def __enter__(self) -> "Coverage":
        self._tool = next(tool for tool in (4, 3, 1, 0) if _monitoring.get_tool(tool) is None)
        _monitoring.use_tool_id(self._tool, "fuzz")
        for event, callback in self._callbacks().items():
            _monitoring.register_callback(self._tool, event, callback)
        _monitoring.set_events(self._tool, _monitoring.events.PY_START)
        _monitoring.restart_events()
        _notes.clear()
        _fresh_notes.clear()
        return self

    def __exit__(self, *_exception: object) -> None:
        _monitoring.set_events(self._tool, 0)
        for code in self._codes.values():
            _monitoring.set_local_events(self._tool, code, 0)
        for event in self._callbacks():
            _monitoring.register_callback(self._tool, event, None)
        _monitoring.free_tool_id(self._tool)

    def news(self) -> int:
        """Return how many features there are by now that the last call did not know."""
        before = len(self.seen)
        for fresh in (self._fresh, _fresh_notes):
            self.seen.update(fresh)
            fresh.clear()
        return len(self.seen) - before

    def features_of(self, run: Callable[[], None]) -> set[Feature]:
        """Return everything that one call reaches, known or not. Slow: all events are switched on again."""
        kept, ways = self.seen, self._ways
        self.news()
        self.seen, self._ways = set(), {}
        _notes.clear()
        _monitoring.restart_events()
        try:
            run()
            self.news()
            return self.seen
        finally:
            found, self.seen, self._ways = self.seen, kept, ways
            _notes.clear()
            self.seen |= found

    def lines(self) -> tuple[int, int]:
        """Return (lines of functions reached, lines of functions there are) in the files covered."""
        return len({feature for feature in self.seen if feature[0] == "line"}), sum(
            len(_function_lines(path)) for path in self._files()
        )

    def missed(self) -> list[str]:
        """Return `file:line` of every line of a function that did not run."""
        seen = {feature[1:] for feature in self.seen if feature[0] == "line"}
        return [
            f"{path.relative_to(ROOT)}:{line}"
            for path in self._files()
            for line in sorted(_function_lines(path))
            if (str(path), line) not in seen
        ]

    def _files(self) -> Iterator[Path]:
        for path in map(Path, self._paths):
            yield from [path] if path.is_file() else sorted(path.rglob("*.py"))

    def _callbacks(self) -> dict[int, Callable[..., Switch]]:
        events = _monitoring.events
        callbacks = {events.PY_START: self._start, events.LINE: self._line}
        ways = [getattr(events, name) for name in ("BRANCH_LEFT", "BRANCH_RIGHT") if hasattr(events, name)]
        if ways:  # Python 3.14: each way of a branch can be switched off by itself
            return callbacks | dict.fromkeys(ways, self._one_way)
        return callbacks | {events.BRANCH: self._branch}

    def _start(self, code: CodeType, _offset: int) -> Switch:
        if code.co_filename.startswith(self._paths) and code.co_name != "<module>":
            self._codes[id(code)] = code
            wanted = sum(self._callbacks()) - _monitoring.events.PY_START
            _monitoring.set_local_events(self._tool, code, wanted)
        return _monitoring.DISABLE

    def _line(self, code: CodeType, line: int) -> Switch:
        self._fresh.append(("line", code.co_filename, line))
        return _monitoring.DISABLE

    def _one_way(self, code: CodeType, offset: int, destination: int) -> Switch:
        self._fresh.append(("branch", id(code), offset, destination))
        return _monitoring.DISABLE

    def _branch(self, code: CodeType, offset: int, destination: int) -> Switch:
        key = (id(code), offset)
        known = self._ways.get(key)
        if known == destination:
            return None
        self._fresh.append(("branch", *key, destination))
        if known is None:
            self._ways[key] = destination
            return None
        return _monitoring.DISABLE


def _function_lines(path: Path) -> set[int]:
    """Return the numbers of the lines that belong to functions; what runs on import is left out."""
    found: set[int] = set()
    waiting = [compile(path.read_text("utf-8"), str(path), "exec")]
    while waiting:
        code = waiting.pop()
        inner = [const for const in code.co_consts if isinstance(const, CodeType)]
        waiting += inner
        if code.co_flags & 0x02:  # CO_NEWLOCALS: a function, not a module or a class body
            found |= {line for _, _, line in code.co_lines() if line and line != code.co_firstlineno}
    return found


def constants(covers: Sequence[str]) -> list[bytes]:
    """Return the short texts and byte strings that the covered code mentions: words it looks for."""
    found: set[bytes] = set()
    for path in Coverage(covers)._files():
        waiting: list[object] = [compile(path.read_text("utf-8"), str(path), "exec", optimize=2)]
        while waiting:
            value = waiting.pop()
            if isinstance(value, CodeType):
                waiting += value.co_consts
            elif isinstance(value, tuple | frozenset):
                waiting += value
            elif isinstance(value, bytes | str):
                octets = value.encode("utf-8", "replace") if isinstance(value, str) else value
                if 0 < len(octets) <= 40 and octets.count(b" ") < 3:
                    found.add(octets)
    return sorted(found)
