"""The marks of `tests.covers`: they name requirements that exist, and are found again."""

import ast
import csv
from pathlib import Path

import pytest

from tests.covers import covers, ids_of

TESTS = Path(__file__).parents[1]
REQUIREMENTS = TESTS.parents[1] / "shared" / "eas" / "requirements.csv"


def test_a_test_may_have_several_marks():
    @covers("MS-ASCMD_R1")
    @covers("MS-ASCMD_R2", "MS-ASAIRS_R3")
    def test():
        """Nothing."""

    assert ids_of(test) == ("MS-ASCMD_R2", "MS-ASAIRS_R3", "MS-ASCMD_R1")
    assert ids_of(test_a_test_may_have_several_marks) == ()


@pytest.mark.parametrize("ids", [(), ("R4240",), ("MS-ASCMD_4240",), ("MS-ASCMD_R",), ("RFC5321_R1",)])
def test_what_is_no_id(ids):
    with pytest.raises(ValueError, match="not requirement ids"):
        covers(*ids)


@pytest.mark.skipif(
    not REQUIREMENTS.exists(), reason="the table of requirements is not beside the repository"
)
def test_every_mark_names_a_requirement_that_exists():
    with REQUIREMENTS.open(encoding="utf-8") as table:
        known = {row["id"] for row in csv.DictReader(table)}
    marked = {name for path in TESTS.rglob("test_*.py") for name in marks(path)}
    assert len(marked) > 100
    assert marked - known - {"MS-ASCMD_R1", "MS-ASCMD_R2", "MS-ASAIRS_R3"} == set()


def marks(path: Path) -> set[str]:
    """Return the ids in the marks of a test module, read without importing it."""
    calls = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    return {
        argument.value
        for call in calls
        if isinstance(call.func, ast.Name) and call.func.id == "covers"
        for argument in call.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
        if argument.value.startswith("MS-") and "_R" in argument.value and argument.value[-1].isdigit()
    }
