"""How commands end: status, one line, JSON when asked, never a traceback."""

import json
import os
import subprocess
import sys

import click
import pytest

from appliance.cli import __main__ as main
from appliance.cli import check as check_command
from tests.unit.cli.conftest import Cli

BUILT_HERE = ("setup", "user", "alias", "domain", "message", "queue", "check")


def commands() -> list[tuple[str, ...]]:
    """Every command and subcommand of this part."""
    context = click.Context(main.appliance)
    found: list[tuple[str, ...]] = []
    for name in BUILT_HERE:
        command = main.appliance.get_command(context, name)
        assert command is not None
        found += below(command, (name,))
    return found


def below(command: click.Command, path: tuple[str, ...]) -> list[tuple[str, ...]]:
    """A command and everything below it."""
    if not isinstance(command, click.Group):
        return [path]
    inner = [below(each, (*path, name)) for name, each in command.commands.items()]
    return [path, *(found for several in inner for found in several)]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_explains_itself_and_takes_the_same_options(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run([*command, "--help"]) == 0
    text = capsys.readouterr().out
    assert "Usage: appliance" in text
    if "COMMAND [ARGS]" not in text:
        assert "--data" in text and "--config" in text
    if command[-1] in ("list", "show", "import", "check", "setup"):
        assert "--json" in text


def test_no_command_takes_a_password_as_an_argument() -> None:
    context = click.Context(main.appliance)
    for name, *inner in commands():
        command = main.appliance.get_command(context, name)
        for step in inner:
            assert isinstance(command, click.Group)
            command = command.commands[step]
        for parameter in command.params if command else ():
            assert "password" not in (parameter.name or "") or parameter.is_flag  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["user", "add"], 2),
        (["user", "nonsense"], 2),
        (["nonsense"], 2),
        (["user", "list", "--nonsense"], 2),
        (["user", "passwd", "anna@example.com"], 2),  # no terminal, no --password-stdin
        (["user", "passwd", "nobody@example.com", "--password-stdin"], 1),
        (["user", "add", "bob@other.example", "--password-stdin"], 1),
        (["user", "add", "not an address", "--password-stdin"], 1),
        (["user", "disable", "nobody@example.com"], 1),
        (["domain", "add", "example.com"], 1),
        (["domain", "add", "x"], 1),
        (["alias", "add", "info@example.com", "nobody@example.com"], 1),
        (["alias", "remove", "anna@example.com"], 1),
        (["message", "list", "anna@example.com", "--folder", "Nowhere"], 1),
        (["queue", "show", "7"], 1),
        (["queue", "retry", "7"], 1),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_ends_with_one_line(ready: Cli, arguments: list[str], status: int) -> None:
    outcome = ready(*arguments, stdin="a good password\n")
    lines = outcome.err.splitlines()
    assert outcome.status == status
    assert outcome.out == ""
    assert lines[0].startswith("appliance: ")
    assert len(lines) == 1 or (status == 2 and len(lines) == 2 and lines[1].startswith("try: "))
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    ("arguments", "status", "kind"),
    [
        (["message", "list", "nobody@example.com", "--json"], 1, "NotFound"),
        (["user", "list", "--json", "--nonsense"], 2, "UsageError"),
        (["queue", "show", "x", "--json"], 2, "UsageError"),
    ],
)
def test_with_json_errors_are_json_too(ready: Cli, arguments: list[str], status: int, kind: str) -> None:
    outcome = ready(*arguments)
    assert outcome.status == status
    error = json.loads(outcome.err)
    assert set(error) == {"error", "kind"}
    assert error["kind"] == kind


def test_a_data_directory_that_is_not_there_is_named_and_not_made(cli: Cli) -> None:
    outcome = cli("user", "list")
    assert outcome.status == 1
    assert str(cli.data) in outcome.err
    assert not cli.data.exists()


def test_a_mistake_in_the_configuration_is_named(cli: Cli) -> None:
    cli.config.write_text("[passwords]\nmemory = 1\n")
    outcome = cli("user", "list")
    assert outcome.status == 1
    assert "memory" in outcome.err


def test_an_unforeseen_error_is_one_line_here_and_a_traceback_in_the_log(
    ready: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError("a bug\nwith two lines")

    monkeypatch.setattr(check_command, "all_checks", broken)
    outcome = ready("check")
    assert (outcome.status, outcome.err) == (1, "appliance: ZeroDivisionError: a bug with two lines\n")
    log = (ready.data / "logs" / "appliance.log").read_text()
    assert "command_failed" in log and "Traceback" in log


def test_a_reader_that_leaves_is_no_error(ready: Cli) -> None:
    command = [sys.executable, "-m", "appliance.cli.__main__", "domain", "list", "--data", str(ready.data)]
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, timeout=60, check=False)
    finally:
        os.close(writing)
    assert b"Traceback" not in done.stderr and b"Exception" not in done.stderr
