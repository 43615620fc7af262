"""The table of `appliance phone`, line by line, and the same facts for machines."""

from collections.abc import Iterable, Mapping

from appliance.phone.steps import Outcome, Result

MARKS = {Outcome.OK: "✓", Outcome.FAILED: "✗", Outcome.SKIPPED: "–"}
TITLE_WIDTH = 24


def line(result: Result) -> str:
    """Return one row: mark, title, time, fact."""
    return f"{MARKS[result.outcome]} {result.title:<{TITLE_WIDTH}} {_time(result):>9}  {result.fact}"


def summary(results: Iterable[Result]) -> str:
    """Return the last line: how many steps went well."""
    counts = dict.fromkeys(Outcome, 0)
    for result in results:
        counts[result.outcome] += 1
    text = f"{counts[Outcome.OK]} of {sum(counts.values())} steps succeeded"
    if counts[Outcome.FAILED]:
        text += f", {counts[Outcome.FAILED]} failed"
    if counts[Outcome.SKIPPED]:
        text += f", {counts[Outcome.SKIPPED]} skipped"
    return text


def document(address: str, url: str, runs: Mapping[str, Iterable[Result]]) -> dict[str, object]:
    """Return everything for JSON, the results by protocol version."""
    steps = {version: [as_data(result) for result in results] for version, results in runs.items()}
    failed = any(step["outcome"] == Outcome.FAILED for each in steps.values() for step in each)
    return {"address": address, "url": url, "ok": not failed, "runs": steps}


def as_data(result: Result) -> dict[str, object]:
    """Return a row for JSON; seconds are rounded to tenths of a millisecond."""
    return {
        "name": result.name,
        "title": result.title,
        "outcome": result.outcome.value,
        "seconds": round(result.seconds, 4),
        "fact": result.fact,
        "status": result.status,
    }


def _time(result: Result) -> str:
    if result.outcome is Outcome.SKIPPED:
        return ""
    if result.seconds < 1:
        return f"{result.seconds * 1000:.1f} ms"
    return f"{result.seconds:.2f} s"
