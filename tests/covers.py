"""Which requirement of the specification a test shows: `@covers("MS-ASCMD_R4240")`.

Mark a test only when it fails without the required behaviour. The ids are those of the requirement tables
of Microsoft's protocol test suites. `covers_each` is for a table whose rows name their requirements: the test
runs once for each row, so that no row can claim what no test exercises. `tests/requirements` collects the
marks.
"""

import re
from collections.abc import Callable, Iterable
from typing import Protocol

import pytest

_ID = re.compile(r"MS-AS[A-Z]+_R[0-9]+")
_ATTRIBUTE = "covered_requirements"


class Row(Protocol):
    """What stands in a table for `covers_each`; its str() names the test's case."""

    @property
    def requirements(self) -> tuple[str, ...]:
        """The ids of what the row shows; may be empty."""


def covers[F: Callable[..., object]](*ids: str) -> Callable[[F], F]:
    """Mark a test function with the requirements it shows. Raises ValueError for what is no id."""
    wrong = [name for name in ids if _ID.fullmatch(name) is None]
    if wrong or not ids:
        raise ValueError(f"not requirement ids: {wrong}")

    def mark(test: F) -> F:
        setattr(test, _ATTRIBUTE, (*ids_of(test), *ids))
        return test

    return mark


def covers_each[F: Callable[..., object]](argument: str, rows: Iterable[Row]) -> Callable[[F], F]:
    """Run a test function for each row, given as `argument`, and mark it with what all of them show."""
    table = list(rows)
    ids = [name for row in table for name in row.requirements]

    def mark(test: F) -> F:
        return covers(*ids)(pytest.mark.parametrize(argument, table, ids=map(str, table))(test))

    return mark


def ids_of(test: object) -> tuple[str, ...]:
    """Return the requirements a test function is marked with."""
    found: tuple[str, ...] = getattr(test, _ATTRIBUTE, ())
    return found
