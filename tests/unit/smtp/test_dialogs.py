"""Every dialog file against the pure session; the same files run against live ports in integration."""

from pathlib import Path

import pytest

from tests.clients import dialog
from tests.unit.smtp.policy import SessionWire, session_for

FOLDER = Path(__file__).parents[2] / "vectors" / "smtp"


@pytest.mark.parametrize("case", dialog.load(FOLDER), ids=str)
def test_dialog(case: dialog.Dialog) -> None:
    dialog.run(case, SessionWire(session_for(case)))


def test_a_wrong_expectation_fails() -> None:
    wrong = dialog.parse("< 220 *\n> NOOP\n< 550 *\n", "wrong")
    with pytest.raises(AssertionError, match=r"wrong\.dialog:3"):
        dialog.run(wrong, SessionWire(session_for(wrong)))


def test_a_missing_reply_fails() -> None:
    short = dialog.parse("< 220 *\n< 250 *\n", "short")
    with pytest.raises(AssertionError, match="no more replies"):
        dialog.run(short, SessionWire(session_for(short)))
