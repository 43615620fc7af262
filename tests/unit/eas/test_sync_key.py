"""What a presented SyncKey means."""

from dataclasses import dataclass

import hypothesis.strategies as st
import pytest
from hypothesis import given

from appliance.eas.sync_key import KEY_LENGTH_MAX, Verdict, judge, wire_key
from tests.covers import covers


@dataclass(frozen=True)
class Keys:
    generation: str = "a1b2c3d4"
    current: int = 7
    previous: int | None = 6


@covers("MS-ASCMD_R4425")
@pytest.mark.parametrize(
    ("presented", "verdict"),
    [
        ("0", Verdict.PRIME),
        ("a1b2c3d4.7", Verdict.ADVANCE),
        ("a1b2c3d4.6", Verdict.REPLAY),
        ("a1b2c3d4.5", Verdict.RESET),
        ("a1b2c3d4.8", Verdict.RESET),
        ("00000000.7", Verdict.RESET),
        ("7", Verdict.RESET),
        ("", Verdict.RESET),
        ("00", Verdict.RESET),
    ],
)
def test_table(presented, verdict):
    assert judge(Keys(), presented) is verdict


def test_a_collection_that_was_never_primed_knows_only_key_0():
    assert judge(None, "0") is Verdict.PRIME
    assert judge(None, "a1b2c3d4.1") is Verdict.RESET


def test_without_a_previous_key_there_is_nothing_to_replay():
    keys = Keys(current=1, previous=None)
    assert judge(keys, "a1b2c3d4.1") is Verdict.ADVANCE
    assert judge(keys, "a1b2c3d4.0") is Verdict.RESET
    assert judge(keys, "a1b2c3d4.None") is Verdict.RESET


@given(st.text())
def test_no_text_is_mistaken_for_a_key(presented):
    known = {"0", "a1b2c3d4.7", "a1b2c3d4.6"}
    assert (judge(Keys(), presented) is Verdict.RESET) == (presented not in known)


def test_a_key_fits_its_limit_for_ever():
    assert len(wire_key("ffffffff", 2**31)) <= KEY_LENGTH_MAX
