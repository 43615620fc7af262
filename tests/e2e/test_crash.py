"""A short version of the crash loop, and the arithmetic of its ledger."""

import pytest

from tests.e2e.crash_loop import crash
from tests.e2e.ledger import Ledger


def kept(ledger: Ledger, inbox: list[str], arrived: list[str], sent: list[str]) -> int:
    return len(ledger.faults(inbox, arrived, sent, set()))


def test_the_ledger_tolerates_exactly_what_a_lost_answer_explains() -> None:
    ledger = Ledger()
    sure = ledger.open(ledger.received, "sure")
    sure.acknowledged = True
    doubtful = ledger.open(ledger.received, "doubtful")
    doubtful.acknowledged, doubtful.tries_in_doubt = True, 1
    assert kept(ledger, ["sure", "doubtful"], [], []) == 0
    assert kept(ledger, ["sure", "doubtful", "doubtful"], [], []) == 0
    assert kept(ledger, ["sure", "sure", "doubtful"], [], []) == 1
    assert kept(ledger, ["sure", "doubtful", "doubtful", "doubtful"], [], []) == 1
    assert kept(ledger, ["doubtful"], [], []) == 1
    assert kept(ledger, ["sure", "doubtful", "nobodys"], [], []) == 1


def test_the_ledger_wants_submitted_mail_exactly_once_in_both_places() -> None:
    ledger = Ledger()
    promise = ledger.open(ledger.submitted, "mail")
    promise.acknowledged, promise.tries_in_doubt = True, 3
    assert kept(ledger, [], ["mail"], ["mail"]) == 0
    assert kept(ledger, [], ["mail", "mail"], ["mail"]) == 1
    assert kept(ledger, [], ["mail"], []) == 1
    ledger.read.add("mail")
    assert ledger.faults([], ["mail"], ["mail"], {"mail"}) == []
    assert len(ledger.faults([], ["mail"], ["mail"], set())) == 1


@pytest.mark.timeout(400)
def test_nothing_that_was_acknowledged_is_lost_in_a_few_crashes() -> None:
    outcome = crash(rounds=8, seed=365)
    assert outcome.faults == [], outcome.text()
    assert sum(outcome.kills.values()) == 8
    assert len(outcome.ledger.received) > 10 and len(outcome.ledger.submitted) > 5, "hardly any traffic"
