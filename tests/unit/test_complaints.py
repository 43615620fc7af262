"""`tests/complaints.md`: every complaint has tests, and they exist."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "tests" / "complaints.md"
LINES_MIN = 18


def rows() -> list[list[str]]:
    lines = [line for line in TABLE.read_text("utf-8").splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def test_every_complaint_is_answered_by_tests_that_exist():
    found = rows()
    assert len(found) >= LINES_MIN
    for complaint, holds, shown in found:
        assert complaint.endswith(".") and holds.endswith("."), complaint
        named = re.findall(r"`([^`:]+)::([^`]+)`", shown)
        assert named, f"nothing shows: {complaint}"
        for path, test in named:
            assert test in functions_of(ROOT / path), f"{path} has no {test}"


def functions_of(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
