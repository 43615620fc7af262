"""Every rule of `tests.grammar`: some answer of the product meets it, and no answer may break it."""

from collections import defaultdict
from itertools import islice

import pytest

from appliance import bus, db
from appliance.eas.versions import OFFERED
from tests.covers import covers, covers_each
from tests.grammar import breaks, check, rules
from tests.unit.eas.answers import Answer, full_set

PLACES = 2
"""How many places of a rule are broken: the smallest answers there are."""


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """The full set, made once."""
    data_dir = tmp_path_factory.mktemp("answers")
    before = bus.use(bus.LocalBus())
    db.open("sqlite", data_dir)
    try:
        return full_set(data_dir)
    finally:
        db.close()
        bus.use(before)


@pytest.fixture(scope="module")
def seen(answers):
    """The places of each rule: (answer, node, parent), those in small answers first."""
    found = defaultdict(list)
    for answer in sorted(answers, key=lambda answer: len(answer.body)):
        for rule, node, parent in check.met(answer.root):
            found[rule].append((answer, node, parent))
    return found


def faults(answer: Answer):
    return list(check.faults(answer.root, answer.version or None))


@covers("MS-ASCON_R188", "MS-ASEMAIL_R53")
def test_every_answer_keeps_the_rules(answers):
    assert [(a.command, a.version, list(map(str, faults(a)))) for a in answers if faults(a)] == []


@covers_each("rule", rules.every())
def test_a_rule_is_met_and_cannot_be_broken(seen, rule):
    places = seen[rule]
    labels = {label for answer, _, _ in places for label in (answer.version, answer.command)}
    assert places, "no answer has it"
    assert {where for where, _ in rule.shown if where} <= labels
    chosen = [*places[:PLACES], *islice(filter(lambda place: due(rule, *place), places), 1)]
    if rule.condition:
        assert due(rule, *chosen[-1]), "its condition was never given"
    for answer, node, parent in chosen:
        for what, broken in breaks.broken(answer.root, answer.version, rule, node, parent):
            found = {fault.rule for fault in check.faults(broken, answer.version or None)}
            assert found & {rule, None}, f"{what}: not noticed\n{broken}"
        for version in filter(lambda version: not rule.exists_in(version), OFFERED):
            assert rule in {fault.rule for fault in check.faults(answer.root, version)}, f"not in {version}"
        assert faults(answer) == [], "it was not repaired"


def due(rule, answer, _node, parent):
    return parent is not None and check.least(parent, rule, answer.version or None) > 0


@pytest.mark.parametrize(
    "rule", [r for r in rules.every() if r.type == "seq" and len(r.children) > 1], ids=str
)
def test_the_order_of_children_cannot_be_changed(seen, rule):
    tried = 0
    for answer, node, _ in seen[rule]:
        for what, broken in breaks.swapped(answer.root, rule, node):
            tried += 1
            assert list(check.faults(broken)), f"{what}: not noticed\n{broken}"
        if tried:
            break
    assert tried, "no answer has two different children there"
