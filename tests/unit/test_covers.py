"""The marks of `tests.covers`, and the page that is made of them."""

import ast
from pathlib import Path

import pytest

from tests.covers import covers, covers_each, ids_of
from tests.requirements import catalogue, deviations, marks, reasons
from tests.requirements.page import PLACE, page

TABLE = marks.ROOT.parent / "shared" / "eas" / "requirements.csv"


class Rule:
    """A row of a table."""

    def __init__(self, *requirements: str) -> None:
        self.requirements = requirements


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


def test_a_table_is_marked_by_what_is_run_over_it():
    @covers_each("rule", [Rule("MS-ASCMD_R1"), Rule(), Rule("MS-ASCMD_R2", "MS-ASCMD_R3")])
    def test(rule):
        """Nothing."""

    assert ids_of(test) == ("MS-ASCMD_R1", "MS-ASCMD_R2", "MS-ASCMD_R3")
    (mark,) = test.pytestmark
    assert [len(row.requirements) for row in mark.args[1]] == [1, 0, 2]
    with pytest.raises(ValueError, match="not requirement ids"):
        covers_each("rule", [Rule()])(test)


def test_only_what_pytest_runs_is_marked(tmp_path):
    module = tmp_path / "test_module.py"
    module.write_text(
        "@covers('MS-ASCMD_R1')\ndef test_one():\n    @covers('MS-ASCMD_R2')\n    def test(): pass\n"
        "@covers('MS-ASCMD_R3')\ndef helper(): pass\n"
        "class TestMany:\n    @covers('MS-ASCMD_R4', 'MS-ASCMD_R5')\n    def test_two(self): pass\n"
    )
    assert marks.marks(module) == {"MS-ASCMD_R1", "MS-ASCMD_R4", "MS-ASCMD_R5"}


def test_no_mark_stands_where_nothing_collects_it():
    for path in sorted(marks.TESTS.rglob("test_*.py")):
        if path == Path(__file__):
            continue
        tree = ast.parse(path.read_text("utf-8"))
        written = {
            one.value
            for call in ast.walk(tree)
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "covers"
            for one in call.args
            if isinstance(one, ast.Constant)
        }
        assert written <= marks.marks(path), path


def test_every_mark_names_a_requirement_that_exists():
    assert len(marks.marked()) > 100
    assert marks.marked() - set(catalogue.requirements()) == set()


def test_every_requirement_has_at_most_one_fate():
    assert list(reasons.faults(reasons.groups(), marks.marked())) == []


def test_what_is_wrong_with_a_reason_is_said():
    group = reasons.Group("MS-ASCMD", "Adapter", "client", "why", ("MS-ASCMD_R7",))
    other = reasons.Group("MS-ASCMD", "Test Case", "client", "so", ("MS-ASCMD_R7", "MS-ASCMD_R0"))
    assert list(reasons.faults((group,), frozenset())) == []
    assert list(reasons.faults((group,), frozenset({"MS-ASCMD_R7"}))) == [
        "MS-ASCMD_R7 (why): a test is marked with it"
    ]
    assert list(reasons.faults((group, group), frozenset())) == [
        "MS-ASCMD_R7: named under 'why' and under 'why'"
    ]
    assert list(reasons.faults((other,), frozenset())) == [
        "MS-ASCMD_R7 (so): is not verified by Test Case",
        "MS-ASCMD_R0 (so): no such requirement in the catalogue",
    ]


@pytest.mark.parametrize(
    "text",
    [
        'status = "client"\nreason = "why"',
        'status = "client"\nreason = ""\nids = ["R7"]',
        'status = "somehow"\nreason = "why"\nids = ["R7"]',
        'status = "client"\nreason = "why"\nids = ["R7"]\nsection = ["2.1"]',
        'status = "client"\nreason = "why"\nsections = ["99.9"]',
    ],
)
def test_what_is_no_reason(tmp_path, text):
    file = tmp_path / "MS-ASCMD.adapter.toml"
    file.write_text(f"[[group]]\n{text}\n")
    with pytest.raises(reasons.ReasonError):
        reasons.read(file)


def test_reasons_name_ids_and_sections(tmp_path):
    file = tmp_path / "MS-ASCMD.adapter.toml"
    file.write_text(
        '[[group]]\nstatus = "client"\nreason = "why"\nids = ["R41"]\nsections = ["2.1", "2.2.1.8"]\n'
    )
    (group,) = reasons.read(file)
    numbers = (41, 7, 8, 6046, 6047)
    assert group == reasons.Group(
        "MS-ASCMD", "Adapter", "client", "why", tuple(f"MS-ASCMD_R{number}" for number in numbers)
    )
    with pytest.raises(reasons.ReasonError, match="the name is no document"):
        reasons.read(file.rename(tmp_path / "MS-ASCMD.toml"))


def test_numbers_are_written_as_ranges():
    assert catalogue.compact([9, 4, 6, 5, 1]) == "1 4-6 9"
    assert catalogue.expanded("1 4-6 9") == [1, 4, 5, 6, 9]
    assert catalogue.compact([]) == ""


def test_a_deviation_is_read_to_the_end_of_its_paragraph():
    source = '"""One.\n\nDeviation: a\nb.\n\nMore.\n"""\n# Deviation: c,\n# d.\ncall()\n"""Deviation: e."""\n'
    assert deviations.marked(source) == ["a b.", "c, d.", "e."]
    assert len(deviations.deviations()) >= 2


@pytest.mark.skipif(not TABLE.exists(), reason="the table of requirements is not beside the repository")
def test_the_catalogue_is_that_of_the_table():
    taken = catalogue.taken_from(TABLE)
    assert catalogue.requirements() == taken
    assert catalogue.PLACE.read_text("utf-8") == catalogue.written(taken.values()), (
        "run: python -m tests.requirements.catalogue ../shared/eas/requirements.csv"
    )


def test_the_page_is_the_generated_one():
    assert PLACE.read_text("utf-8") == page(), "run: make docs"
