"""Steps: timing, dependence, outcomes; and how they are shown."""

import json
import re
from dataclasses import dataclass, field

from appliance.phone.errors import HttpError, StatusError, TransportError
from appliance.phone.steps import Outcome, Result, Skip, Step, run
from appliance.phone.story import STEPS, report


@dataclass
class Log:
    names: list[str] = field(default_factory=list)


def succeed(log: Log) -> str:
    log.names.append("succeed")
    return "a fact"


def fail(log: Log) -> str:
    log.names.append("fail")
    raise StatusError("Sync", 3)


def skip(log: Log) -> str:
    raise Skip("not today")


def outcomes(*steps: Step[Log]) -> list[Outcome]:
    return [result.outcome for result in run(steps, Log())]


def test_a_failure_stops_what_needs_it_and_nothing_else() -> None:
    steps = (
        Step("a", "A", fail),
        Step("b", "B", succeed, ("a",)),
        Step("c", "C", succeed, ("b",)),
        Step("d", "D", succeed),
        Step("e", "E", succeed, ("d",)),
    )
    assert outcomes(*steps) == ["failed", "skipped", "skipped", "ok", "ok"]


def test_what_was_skipped_is_no_ground_to_build_on() -> None:
    assert outcomes(Step("a", "A", skip), Step("b", "B", succeed, ("a",))) == ["skipped", "skipped"]


def test_results_carry_the_status_and_its_words() -> None:
    (result,) = run([Step("a", "A", fail)], Log())
    assert (result.status, result.fact) == (3, "Sync: Status 3, unknown SyncKey, start again from 0")


def test_http_and_transport_errors_are_failures_too() -> None:
    def denied(log: Log) -> str:
        raise HttpError("Sync", 403, "Forbidden", {})

    def silent(log: Log) -> str:
        raise TransportError("cannot connect")

    results = list(run([Step("a", "A", denied), Step("b", "B", silent)], Log()))
    assert [(result.outcome, result.status) for result in results] == [("failed", 403), ("failed", None)]


def test_results_come_one_by_one() -> None:
    log = Log()
    results = run([Step("a", "A", succeed), Step("b", "B", succeed)], log)
    next(results)
    assert log.names == ["succeed"]


def test_every_step_needs_only_steps_before_it() -> None:
    seen: set[str] = set()
    for step in STEPS:
        assert set(step.needs) <= seen, step.name
        assert step.name not in seen
        seen.add(step.name)


def test_the_table_shows_mark_title_time_and_fact() -> None:
    good = report.line(Result("a", "OPTIONS", Outcome.OK, 0.01234, "16.1"))
    assert re.fullmatch(r"✓ OPTIONS +12\.3 ms  16\.1", good)
    assert report.line(Result("a", "Ping", Outcome.FAILED, 2.5, "no")).startswith("✗ Ping")
    assert "2.50 s" in report.line(Result("a", "Ping", Outcome.FAILED, 2.5, "no"))
    assert "ms" not in report.line(Result("a", "Ping", Outcome.SKIPPED, 0.0, "needs sync"))


def test_the_summary_counts() -> None:
    results = [Result("a", "A", outcome, 0, "") for outcome in (Outcome.OK, Outcome.FAILED, Outcome.SKIPPED)]
    assert report.summary(results) == "1 of 3 steps succeeded, 1 failed, 1 skipped"


def test_the_json_form_says_whether_all_is_well() -> None:
    good, bad = Result("a", "A", Outcome.OK, 0.1, "x"), Result("b", "B", Outcome.FAILED, 0.1, "x", 142)
    document = json.loads(json.dumps(report.document("m@example.com", "https://x", {"16.1": [good, bad]})))
    assert document["ok"] is False
    assert document["runs"]["16.1"][1]["status"] == 142
    assert report.document("m@example.com", "https://x", {"16.1": [good]})["ok"] is True
