"""Every error of the domain has its reply; nothing else is ever permanent."""

import pytest

from appliance import errors
from appliance.accounts.login import AccountDisabled, WrongCredentials
from appliance.accounts.throttle import Throttled
from smtpd import replies
from smtpd.services import RecipientVerdict


def test_the_table_knows_the_whole_family() -> None:
    family = [kind for kind in errors.ApplianceError.__subclasses__() if kind.__module__ == errors.__name__]
    assert family
    assert [kind for kind in family if kind not in replies.FOR_ERROR] == []


@pytest.mark.parametrize(
    "error", [KeyError("x"), ValueError("x"), OSError(28, "disk full"), errors.ApplianceError()]
)
def test_the_unknown_has_no_entry(error: Exception) -> None:
    assert replies.reply_for(error) is None
    assert replies.UNKNOWN_ERROR.is_transient


def test_a_full_disk_is_not_a_full_mailbox() -> None:
    reply = replies.reply_for(errors.DiskFull("database or disk is full"))
    assert reply is not None
    assert (reply.code, reply.enhanced) == (452, "4.3.1")


def test_logins() -> None:
    def code(error: Exception) -> int | None:
        reply = replies.reply_for(error, replies.FOR_LOGIN_ERROR)
        return None if reply is None else reply.code

    assert code(WrongCredentials()) == code(AccountDisabled()) == 535
    assert code(Throttled(3)) == 454
    assert code(KeyError("x")) is None


def test_every_verdict_but_local_refuses() -> None:
    assert {*replies.FOR_VERDICT, RecipientVerdict.LOCAL} == set(RecipientVerdict)
    assert not any(reply.is_positive for reply in replies.FOR_VERDICT.values())
