"""`appliance signin`: the administrator sees who waits, and ends it."""

import pytest

from appliance import db
from appliance.accounts import login
from appliance.accounts.login import Throttled, WrongCredentials
from appliance.config import load
from tests.unit.cli.conftest import Cli

ANNA = "anna@example.com"


def guess(cli: Cli, times: int) -> None:
    db.open("sqlite", cli.data)
    try:
        login.configure(load(cli.config, cli.data))
        for number in range(times):
            with pytest.raises((WrongCredentials, Throttled)):
                login.login(ANNA, f"guess {number}", protocol="eas", device_id="abc", remote_ip="192.0.2.1")
    finally:
        db.close()


def test_who_waits_is_shown_and_let_in(ready: Cli) -> None:
    assert ready.ok("signin", "list", "--json").json == []
    ready.config.write_text(ready.config.read_text() + "[throttle]\naccount_free = 1\n")
    guess(ready, 8)
    (about,) = [each for each in ready.ok("signin", "list", "--json").json if ":device:" in each["scope"]]
    assert (about["address"], about["failures"] >= 1) == (ANNA, True)
    assert ANNA in ready.ok("signin", "list").out
    ready.ok("signin", "clear", about["scope"])
    assert ready("signin", "clear", about["scope"]).status == 1
    assert ready.ok("audit", "--json", "--limit", "2").json[1]["act"] == "signin clear"
