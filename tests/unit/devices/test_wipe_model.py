"""The wipe's table against a phone and an operator who do anything in any order (Hypothesis)."""

import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from hypothesis.strategies import booleans, sampled_from

from appliance.devices.wipe import PENDING, TABLE, Event, Scope, State, following
from appliance.errors import Conflict


class Wipe(RuleBasedStateMachine):
    """Keeps books of its own: what the operator wants, what the phone was told and has done."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State.NONE
        self.scope = Scope.NOTHING
        self.told: list[Scope] = []
        self.wiped = 0
        self.wanted = 0

    def step(self, event: Event) -> bool:
        try:
            self.state = following(self.state, event)
        except Conflict:
            return False
        return True

    @rule(scope=sampled_from([Scope.ACCOUNT, Scope.FULL]))
    def operator_wants(self, scope: Scope) -> None:
        before = self.state
        if self.step(Event.REQUEST):
            assert before in (State.NONE, State.DONE)
            self.scope, self.told, self.wanted = scope, [], self.wanted + 1

    @rule()
    def operator_takes_back(self) -> None:
        before = self.state
        if self.step(Event.CANCEL):
            assert before in (State.REQUESTED, State.FAILED), "never from SENT: it may be happening"
            self.wanted -= 1
            self.told = []

    @rule()
    def phone_comes(self) -> None:
        if self.state in PENDING:
            assert self.step(Event.SEND)
            self.told.append(self.scope)
        elif self.state is State.DONE:
            assert self.step(Event.CLEAR)

    @precondition(lambda self: self.told)
    @rule(succeeds=booleans())
    def phone_acknowledges(self, succeeds: bool) -> None:
        before = self.state
        if self.step(Event.SUCCEED if succeeds else Event.FAIL) and succeeds and before is not State.DONE:
            self.wiped += 1

    @precondition(lambda self: not self.told)
    @rule()
    def stranger_acknowledges(self) -> None:
        if self.state is not State.DONE:
            assert not self.step(Event.SUCCEED), "what was not sent cannot have been done"

    @invariant()
    def nothing_is_told_but_what_is_wanted(self) -> None:
        assert set(self.told) <= {self.scope}

    @invariant()
    def one_wipe_for_one_wish(self) -> None:
        assert self.wiped <= self.wanted
        assert self.state in PENDING or self.wiped == self.wanted


Wipe.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
TestWipe = Wipe.TestCase


@pytest.mark.parametrize("state", State)
def test_from_everywhere_there_is_a_way_back(state: State) -> None:
    seen, frontier = {state}, [state]
    while frontier:
        here = frontier.pop()
        for (before, _), after in TABLE.items():
            if before is here and after not in seen:
                seen.add(after)
                frontier.append(after)
    assert State.NONE in seen


def test_what_cannot_happen_says_why() -> None:
    for state in State:
        for event in Event:
            if (state, event) not in TABLE:
                with pytest.raises(Conflict, match=r"\w+ \w+"):
                    following(state, event)
