"""Which requirement of the specification a test shows: `@covers("MS-ASCMD_R4240")`.

Mark a test only when it fails without the required behaviour. The ids are those of the requirement tables
of Microsoft's protocol test suites; `ids_of` is for whoever makes a table of them.
"""

import re
from collections.abc import Callable

_ID = re.compile(r"MS-AS[A-Z]+_R[0-9]+")
_ATTRIBUTE = "covered_requirements"


def covers[F: Callable[..., object]](*ids: str) -> Callable[[F], F]:
    """Mark a test function with the requirements it shows. Raises ValueError for what is no id."""
    wrong = [name for name in ids if _ID.fullmatch(name) is None]
    if wrong or not ids:
        raise ValueError(f"not requirement ids: {wrong}")

    def mark(test: F) -> F:
        setattr(test, _ATTRIBUTE, (*ids_of(test), *ids))
        return test

    return mark


def ids_of(test: object) -> tuple[str, ...]:
    """Return the requirements a test function is marked with."""
    found: tuple[str, ...] = getattr(test, _ATTRIBUTE, ())
    return found
