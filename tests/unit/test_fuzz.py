"""The fuzzer finds what it is made to find: a bug behind conditions, a slow input, the short form of both."""

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from tests.fuzz import planted
from tests.fuzz.bounds import LastInput, TooSlow, alarms, deadline
from tests.fuzz.coverage import ROOT, Coverage
from tests.fuzz.engine import Budget, Fuzzer, distilled
from tests.fuzz.mutate import Mutator
from tests.fuzz.shrink import shrink
from tests.fuzz.targets import Target

COVERS = ("tests/fuzz/planted.py",)


def target(run: Callable[[bytes], None], **options: object) -> Target:
    return Target("planted", run, COVERS, **options)  # type: ignore[arg-type]


def test_a_bug_behind_five_conditions_is_found_by_coverage(tmp_path: Path) -> None:
    outcome = Fuzzer(target(planted.staircase, bytes_max=64), findings_to=tmp_path).run(Budget(runs=60_000))
    [(signature, path)] = outcome.found.items()
    assert signature.startswith("ZeroDivisionError")
    assert path is not None
    assert path.read_bytes() == b"FUZZ!"
    assert f"--replay {path}" in path.with_suffix(".txt").read_text()
    assert outcome.lines[0] >= 10


def test_without_feedback_the_same_bug_is_not_found() -> None:
    rng = Random(0)
    mutator = Mutator(rng, [b"\0"], 64)
    data = b""
    for _ in range(60_000):
        data = mutator.mutate(data, ())
        planted.staircase(data)


def test_the_same_seed_gives_the_same_inputs() -> None:
    def inputs(seed: int) -> list[bytes]:
        seen: list[bytes] = []
        Fuzzer(target(seen.append), seed=seed).run(Budget(runs=500), [b"begin", b"with"])
        return seen

    assert inputs(1) == inputs(1)
    assert inputs(1) != inputs(2)


def test_a_state_that_is_no_line_is_kept_when_the_target_notes_it() -> None:
    with alarms():
        assert Fuzzer(target(planted.counter)).run(Budget(runs=3_000)).pool >= 4


def test_an_input_that_takes_too_long_is_a_finding(tmp_path: Path) -> None:
    slow = target(planted.endless, deadline_s=0.05)
    outcome = Fuzzer(slow, findings_to=tmp_path).run(Budget(runs=1), [b"xx loop xx"])
    [(signature, path)] = outcome.found.items()
    assert signature.startswith("TooSlow")
    assert path is not None
    assert path.read_bytes() == b"loop"


def test_what_runs_out_of_time_cannot_be_caught_by_the_code_under_test() -> None:
    with alarms(), pytest.raises(TooSlow), deadline(0.05):
        planted.stubborn()


def test_shrinking_keeps_the_reason_and_little_else() -> None:
    assert shrink(b"x" * 500 + b"needle" + b"y" * 900, lambda data: b"needle" in data) == b"needle"
    assert shrink(b"\x80" * 40, lambda data: len(data) >= 3) == b"aaa"


def test_mutations_stay_below_the_ceiling_and_reach_every_token() -> None:
    mutator = Mutator(Random(3), [b"TOKEN"], 400)
    made = [mutator.mutate(b"length: 12\r\nbody\r\n" * 9, [b"other"]) for _ in range(2_000)]
    assert max(map(len, made)) == 400
    assert any(b"TOKEN" in data for data in made)
    assert any(b"length: 4294967296" in data for data in made)
    assert any(b"other" in data for data in made)


def test_distilling_keeps_what_reaches_something_of_its_own() -> None:
    inputs = [bytes((first, second)) for first in b"FGHIJKLM" for second in b"UVWXYZ"]
    chosen = distilled(target(planted.staircase), [b"", b"FU"], inputs)
    assert sorted(map(len, chosen)) == [1, 2]
    assert all(data[0] != ord("F") for data in chosen if len(data) == 1)
    assert all(data[:1] == b"F" and data[1] != ord("U") for data in chosen if len(data) == 2)


def test_coverage_tells_both_ways_of_a_branch() -> None:
    with Coverage(COVERS) as coverage:
        planted.staircase(b"")
        assert coverage.news() > 0
        planted.staircase(b"")
        assert coverage.news() == 0
        planted.staircase(b"F")
        assert coverage.news() > 0
        assert any(line.startswith("tests/fuzz/planted.py:") for line in coverage.missed())


def test_an_input_that_kills_the_interpreter_is_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "running"
    code = (
        "import os, pathlib\nfrom tests.fuzz.bounds import LastInput\n"
        f"LastInput(pathlib.Path({str(path)!r}), 100).remember(b'killer')\nos.abort()\n"
    )
    limits = (0, resource.getrlimit(resource.RLIMIT_CORE)[1])
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        check=False,
        capture_output=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, limits),
    )
    assert result.returncode < 0
    assert LastInput.left_in(path) == b"killer"


def test_the_command_replays_an_input() -> None:
    path = ROOT / "tests" / "fuzz" / "corpus" / "compose" / "blank-before-colon"
    result = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--replay", str(path)],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stdout.splitlines()[-1]) == (0, "no complaint")
