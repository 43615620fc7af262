"""The requirements there are: id, section and kind of verification, without their text.

`catalogue.csv` has one line for each document, kind and section; its last column lists the numbers, 7-9 for
7, 8 and 9. It is made from the table of Microsoft's protocol test suites, which is not in this repository:

    python -m tests.requirements.catalogue ../shared/eas/requirements.csv
"""

import csv
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

PLACE = Path(__file__).with_name("catalogue.csv")
HEADER = ("document", "verification", "section", "numbers")
MAIL = (
    "MS-ASCMD",
    "MS-ASHTTP",
    "MS-ASPROV",
    "MS-ASWBXML",
    "MS-ASDTYPE",
    "MS-ASAIRS",
    "MS-ASEMAIL",
    "MS-ASCON",
)
LATER = ("MS-ASCAL", "MS-ASCNTC", "MS-ASTASK", "MS-ASNOTE")
ADAPTER, TEST_CASE = KINDS = ("Adapter", "Test Case")
"""Adapter: the form of every answer. Test Case: what the server does."""
BEYOND = ("Non-testable", "Unverified")
"""What the suites do not verify. A test may show it all the same; nobody expects one."""


@dataclass(frozen=True)
class Requirement:
    """One requirement of one document."""

    document: str
    number: int
    section: str
    verification: str

    @property
    def id(self) -> str:
        """The name the tables use: MS-ASCMD_R4240."""
        return f"{self.document}_R{self.number}"


@cache
def requirements() -> dict[str, Requirement]:
    """Return the requirements by id, those beyond the suites' tests too, in the order of the documents."""
    with PLACE.open(encoding="utf-8", newline="") as file:
        return {
            one.id: one
            for row in csv.DictReader(file)
            for number in expanded(row["numbers"])
            for one in [Requirement(row["document"], number, row["section"], row["verification"])]
        }


def taken_from(table: Path) -> dict[str, Requirement]:
    """Return what the table of the test suites says; of an id that stands there twice, what is verified."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["id"]]
    found = [
        Requirement(document, int(number), row["section"], row["verification"])
        for row in rows
        for document, _, number in [row["id"].partition("_R")]
        if document in MAIL + LATER
    ]
    verified = {one.id: one for one in found} | {one.id: one for one in found if one.verification in KINDS}
    return {one.id: one for one in sorted(verified.values(), key=_order)}


def expected() -> list[Requirement]:
    """Return the requirements that a test should show, or a reason say why none does."""
    return [one for one in requirements().values() if one.verification in KINDS]


def written(found: Iterable[Requirement]) -> str:
    """Return the catalogue's text."""
    numbers: dict[tuple[str, str, str], list[int]] = defaultdict(list)
    for one in found:
        numbers[one.document, one.verification, one.section].append(one.number)
    lines = [(*key, compact(of_key)) for key, of_key in numbers.items()]
    return "".join(",".join(line) + "\n" for line in [HEADER, *lines])


def compact(numbers: Iterable[int]) -> str:
    """Return numbers as `1 4-6 9`; "" for none."""
    ordered = sorted(numbers)
    if not ordered:
        return ""
    starts = [ordered[0], *(b for a, b in pairwise(ordered) if b != a + 1)]
    stops = [*(a for a, b in pairwise(ordered) if b != a + 1), ordered[-1]]
    return " ".join(f"{a}" if a == b else f"{a}-{b}" for a, b in zip(starts, stops, strict=True))


def expanded(text: str) -> list[int]:
    """Return the numbers of what `compact` wrote."""
    ranges = [part.partition("-") for part in text.split()]
    return [number for a, _, b in ranges for number in range(int(a), int(b or a) + 1)]


def by_section(section: str) -> tuple[int, ...]:
    """Return what sorts 2.2.10 behind 2.2.9."""
    return tuple(int(part) for part in section.split("."))


def _order(one: Requirement) -> tuple[object, ...]:
    documents = MAIL + LATER
    return documents.index(one.document), one.verification, by_section(one.section), one.number


if __name__ == "__main__":
    PLACE.write_text(written(taken_from(Path(sys.argv[1])).values()), encoding="utf-8")
