"""The `appliance` command: which command is in which module, and how every one of them ends.

Exit status: 0 done, 1 it could not be done (one line says why), 2 it was called wrongly. With `--json`
errors are JSON too, on standard error. Commands are loaded when they are called: `appliance user list`
does not wait for the web server's modules, and the roles can patch the standard library first.
"""

import importlib
import json
import sys
from collections.abc import Sequence
from typing import Final

import click

from appliance.errors import ApplianceError

DONE, FAILED, MISUSED = 0, 1, 2
ROLES: Final = ("run", "web", "smtpd", "worker")
MODULES: Final = {
    **dict.fromkeys(ROLES, "appliance.cli.run"),
    "setup": "appliance.cli.setup",
    "user": "appliance.cli.directory",
    "alias": "appliance.cli.accounts",
    "domain": "appliance.cli.domain_addresses",
    "dkim": "appliance.cli.dkim",
    "group": "appliance.cli.groups",
    "forward": "appliance.cli.senders",
    "rule": "appliance.cli.rules",
    "sender": "appliance.cli.senders",
    "token": "appliance.cli.tokens",
    "message": "appliance.cli.bring",
    "queue": "appliance.cli.queue",
    "route": "appliance.cli.routes",
    "check": "appliance.cli.check",
    "signin": "appliance.cli.signin",
    "jobs": "appliance.cli.jobs",
    "audit": "appliance.cli.audit",
    "phone": "appliance.cli.phone",
    "device": "appliance.cli.device_policies",
}
"""Command → module; the module has the command under its name, or in a list `commands`."""


class Commands(click.Group):
    """Finds commands in MODULES, in the order written there."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in MODULES:
            return None
        module = importlib.import_module(MODULES[cmd_name])
        listed: Sequence[click.Command] = getattr(module, "commands", ())
        found = next((command for command in listed if command.name == cmd_name), None)
        return found or getattr(module, cmd_name)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="365-email-appliance")
def appliance() -> None:
    """365 Email Appliance: mail, contacts and calendar for an office's phones."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(run(given))


def run(arguments: list[str]) -> int:
    """Run one command and return the exit status."""
    as_json = "--json" in arguments
    try:
        result = appliance.main(arguments, "appliance", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else error.format_message(), err=True)
        return MISUSED
    except click.UsageError as error:
        return _say(error.format_message(), MISUSED, as_json, kind="UsageError", usage=error.ctx)
    except click.ClickException as error:
        return _say(error.format_message(), FAILED, as_json, kind=type(error).__name__)
    except (click.Abort, KeyboardInterrupt):
        return _say("aborted", FAILED, as_json, kind="Aborted")
    except ApplianceError as error:
        return _say(str(error), FAILED, as_json, kind=type(error).__name__)
    except BrokenPipeError:
        return _close_output()
    except OSError as error:
        return _say(_of_os(error), FAILED, as_json, kind=type(error).__name__)
    except Exception as error:  # noqa: BLE001 - the top of the command; the traceback is in the log (`place`)
        return _say(f"{type(error).__name__}: {error}", FAILED, as_json, kind=type(error).__name__)
    return result if isinstance(result, int) else DONE


def _say(message: str, status: int, as_json: bool, *, kind: str, usage: click.Context | None = None) -> int:
    """Print one error, as one line or one JSON object, and return the exit status."""
    line = " ".join(message.split())
    if as_json:
        click.echo(json.dumps({"error": line, "kind": kind}, ensure_ascii=False), err=True)
        return status
    click.echo(f"appliance: {line}", err=True)
    if usage is not None:
        click.echo(f"try: {usage.command_path} --help", err=True)
    return status


def _of_os(error: OSError) -> str:
    reason = error.strerror or str(error)
    return f"{error.filename}: {reason}" if error.filename else reason


def _close_output() -> int:
    """End quietly when whoever read our output has gone (`appliance message list … | head`)."""
    sys.stdout = None  # or the interpreter complains while it exits
    return FAILED


if __name__ == "__main__":
    main()
