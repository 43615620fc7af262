"""The places where ActiveSync's code departs from its specification on purpose, as it says itself."""

from tests.requirements.marks import ROOT

PLACES = ("appliance/eas", "appliance/wbxml", "web/eas")


def deviations() -> list[tuple[str, str]]:
    """Return module and text of each `Deviation:` in docstrings and comments."""
    paths = sorted(path for place in PLACES for path in (ROOT / place).rglob("*.py"))
    return [
        (path.relative_to(ROOT).as_posix(), text)
        for path in paths
        for text in marked(path.read_text("utf-8"))
    ]


def marked(source: str) -> list[str]:
    """Return what follows each marker, up to the end of its paragraph, as one line."""
    return [" ".join(_paragraph(rest)) for rest in _behind("Deviation: ", source)]


def _behind(marker: str, source: str) -> list[str]:
    """Return the rest of the source behind each marker."""
    parts = source.split(marker)
    return [marker.join(parts[number:]) for number in range(1, len(parts))]


def _paragraph(text: str) -> list[str]:
    """Return the words up to an empty line, the docstring's end, a `Source:` or code behind a comment."""
    first, *rest = text.split("\n")
    words = first.partition('"""')[0].split()
    commented = bool(rest) and rest[0].lstrip().startswith("#")
    if '"""' in first:
        return words
    for line in rest:
        bare = line.strip()
        if not bare or bare.startswith("Source:") or (commented and not bare.startswith("#")):
            break
        words += bare.partition('"""')[0].lstrip("# ").split()
        if '"""' in bare:
            break
    return words
