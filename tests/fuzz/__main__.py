"""`make fuzz`: look for inputs that break a promise. Exit status 1 when there are some.

python -m tests.fuzz [--seconds 600] [--target NAME]… [--seed N] [--runs N] [--keep]
python -m tests.fuzz --replay FILE
python -m tests.fuzz --distil [--target NAME]…

Findings and new interesting inputs go to build/fuzz/; `--keep` adds the inputs to tests/fuzz/corpus/.
"""

import argparse
import shutil
import time
from pathlib import Path

from tests.fuzz import findings
from tests.fuzz.bounds import MEMORY_BYTES_MAX, LastInput, alarms, limit_memory
from tests.fuzz.coverage import ROOT
from tests.fuzz.engine import Budget, Fuzzer, Outcome, distilled
from tests.fuzz.targets import NAMES, Target, load

CORPUS = Path(__file__).parent / "corpus"
BUILD = ROOT / "build" / "fuzz"


def corpus(name: str) -> list[Path]:
    """Return the committed inputs of a target, in order."""
    return sorted(path for path in (CORPUS / name).glob("*") if path.is_file())


def main() -> int:
    options = _options()
    limit_memory(options.memory_mb * 1024**2)
    if options.replay:
        return replay(options.replay, options.target[0] if options.target else options.replay.parent.name)
    targets = [load(name) for name in options.target or NAMES]
    if options.distil:
        for target in targets:
            distil(target)
        return 0
    _report_the_dead(targets)
    outcomes = []
    for target in targets:
        share = options.seconds * target.weight / sum(other.weight for other in targets)
        outcomes.append(_fuzz(target, Budget(share, options.runs), options))
        print(_row(outcomes[-1]), flush=True)
    _summary(outcomes, options)
    return 1 if any(outcome.found for outcome in outcomes) else 0


def replay(path: Path, name: str) -> int:
    """Run one input again and let its complaint out, with the whole traceback."""
    try:
        target = load(name)
    except KeyError:
        raise SystemExit(f"no target is called {name!r}; say --target NAME") from None
    data = path.read_bytes()
    began = time.process_time()
    with alarms():
        complaint = findings.complaint_of(target, data)
    print(f"{name}: {len(data)} bytes, {time.process_time() - began:.3f} s of processor time")
    print(complaint.trace if complaint else "no complaint")
    return 1 if complaint else 0


def distil(target: Target) -> None:
    """Replace the unnamed inputs of the committed corpus by the fewest that reach as much.

    Inputs with a telling name stay as they are: they are there for a reason. New inputs are taken from
    build/fuzz/corpus.
    """
    folder = CORPUS / target.name
    folder.mkdir(parents=True, exist_ok=True)
    named = [path for path in corpus(target.name) if not _is_unnamed(path)]
    unnamed = [path for path in corpus(target.name) if _is_unnamed(path)]
    fresh = sorted((BUILD / "corpus" / target.name).glob("*"))
    given = [*target.seeds(), *(path.read_bytes() for path in named)]
    chosen = distilled(target, given, [path.read_bytes() for path in (*unnamed, *fresh)])
    for path in unnamed:
        path.unlink()
    for number, data in enumerate(chosen, 1):
        (folder / f"{number:03}").write_bytes(data)
    print(f"{target.name}: {len(named)} named, {len(unnamed) + len(fresh)} others became {len(chosen)}")


def _is_unnamed(path: Path) -> bool:
    return path.name.isdigit() or len(path.name) == 16


def _fuzz(target: Target, budget: Budget, options: argparse.Namespace) -> Outcome:
    earlier = sorted((BUILD / "corpus" / target.name).glob("*")) if not options.fresh else []
    paths = [*corpus(target.name), *earlier]
    for folder in options.inputs:
        paths += sorted(path for path in folder.rglob("*") if path.is_file())
    keep = CORPUS / target.name if options.keep else BUILD / "corpus" / target.name
    fuzzer = Fuzzer(target, seed=options.seed, keep=keep, findings_to=BUILD / "findings", say=_say)
    return fuzzer.run(budget, [*target.seeds(), *(path.read_bytes() for path in paths)])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz the parsers.")
    parser.add_argument("--seconds", type=float, default=600, help="for all targets together (600)")
    parser.add_argument("--runs", type=float, default=float("inf"), help="most inputs for each target")
    parser.add_argument("--target", action="append", choices=NAMES, help="only this one; may be repeated")
    parser.add_argument("--seed", type=int, default=0, help="another number, other inputs (0)")
    parser.add_argument(
        "--inputs", type=Path, action="append", default=[], help="folder of more to begin with"
    )
    parser.add_argument(
        "--fresh", action="store_true", help="do not begin with what earlier runs left in build/"
    )
    parser.add_argument("--keep", action="store_true", help="add new interesting inputs to the corpus")
    parser.add_argument("--memory-mb", type=int, default=MEMORY_BYTES_MAX // 1024**2, help="address space")
    parser.add_argument("--missed", action="store_true", help="list the lines no input has reached")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run one input again")
    parser.add_argument("--distil", action="store_true", help="make the committed corpus small")
    return parser.parse_args()


def _report_the_dead(targets: list[Target]) -> None:
    """Turn an input that killed the interpreter last time into a finding."""
    for target in targets:
        running = BUILD / "findings" / f"{target.name}.running"
        data = LastInput.left_in(running)
        if data:
            place = BUILD / "findings" / target.name
            place.mkdir(parents=True, exist_ok=True)
            path = place / f"unfinished-{int(time.time())}.bin"
            path.write_bytes(data)
            _say(f"{target.name}: an earlier run did not end; its last input is {path}")
        running.unlink(missing_ok=True)


def _say(line: str) -> None:
    print(f"  ! {line}", flush=True)


def _row(outcome: Outcome) -> str:
    reached, there_are = outcome.lines
    share = 100 * reached / there_are if there_are else 0
    rate = outcome.executions / max(outcome.seconds, 0.001)
    return (
        f"{outcome.name:<14}{outcome.executions:>9} runs {rate:>7.0f}/s {outcome.pool:>5} inputs "
        f"{reached:>5}/{there_are} lines ({share:.0f} %) {outcome.features:>6} features "
        f"slowest {outcome.slowest_s * 1000:.0f} ms  {len(outcome.found) or 'no'} findings"
    )


def _summary(outcomes: list[Outcome], options: argparse.Namespace) -> None:
    runs = sum(outcome.executions for outcome in outcomes)
    seconds = sum(outcome.seconds for outcome in outcomes)
    found = sum(len(outcome.found) for outcome in outcomes)
    print(f"{runs} runs in {seconds:.0f} s, seed {options.seed}, {found or 'no'} findings", flush=True)
    if options.missed:
        print("\n".join(line for outcome in outcomes for line in outcome.missed))
    slowest = BUILD / "slowest"
    shutil.rmtree(slowest, ignore_errors=True)
    for outcome in outcomes:
        if outcome.slowest:
            (slowest / outcome.name).mkdir(parents=True, exist_ok=True)
            (slowest / outcome.name / "slowest").write_bytes(outcome.slowest)


if __name__ == "__main__":
    raise SystemExit(main())
