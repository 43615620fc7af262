"""What operators did is written down, whoever writes the next command."""

from collections.abc import Iterator

import click
import pytest

from appliance.cli.__main__ import appliance
from appliance.cli.recorded import READING, READING_VERBS
from appliance.setup import audit
from tests.unit.cli.conftest import Cli

ANNA = "anna@example.com"


def acts(cli: Cli) -> list[tuple[str, str]]:
    return [(about["act"], about["outcome"]) for about in cli.ok("audit", "--json").json]


def test_what_changes_something_is_recorded_and_what_looks_is_not(
    ready: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "olga")
    ready.ok("user", "add", "bob@example.com", "--name", "Bob", "--password-stdin", stdin="a good password\n")
    ready.ok("user", "list")
    assert ready("user", "disable", "nobody@example.com").status == 1
    ready.ok("alias", "add", "info@example.com", ANNA)
    assert acts(ready) == [
        ("alias add", "done"),
        ("user disable", "NotFound: there is no account nobody@example.com"),
        ("user add", "done"),
        ("setup", "done"),
    ]
    newest = ready.ok("audit", "--json", "--limit", "1").json[0]
    assert newest["who"] == "cli:olga"
    assert newest["arguments"] == {"alias_address": "info@example.com", "address": ANNA}
    assert "alias add alias_address=info@example.com" in ready.ok("audit").out


def test_secrets_and_texts_are_not_in_it(ready: Cli) -> None:
    ready.ok("user", "passwd", ANNA, "--password-stdin", stdin="hunter2 hunter2\n")
    ready.ok("user", "oof", ANNA, "on", "--text", "My knee is being operated")
    everything = ready.ok("audit", "--json").out
    assert "user passwd" in everything and "user oof" in everything
    assert "hunter2" not in everything and "knee" not in everything


def test_what_cannot_be_written_down_is_not_done(ready: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(audit, "begin", full)
        assert ready("alias", "add", "info@example.com", ANNA).status == 1
    assert ready.ok("alias", "list", "--json").json == []


def leaves(group: click.Group, path: str = "") -> Iterator[str]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from leaves(command, f"{path}{name} ")
        else:
            yield f"{path}{name}"


def test_what_is_not_recorded_is_a_short_and_known_list() -> None:
    found = set(leaves(appliance))
    silent = {path for path in found if path in READING or path.rpartition(" ")[2] in READING_VERBS}
    assert {"user add", "device wipe", "message import", "jobs run"} <= found - silent
    looking = ("deletions", "list", "records", "reports", "show", "status", "test")
    assert all(path.rpartition(" ")[2] in looking for path in silent - READING)
