"""Which commands are written into the audit list (`setup.audit`), as whose, with which of their arguments.

Every command that opens an appliance is, but for those of READING: a new one is recorded unless somebody says
here that it changes nothing.
"""

import logging
import os
import pwd
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final

import click

from appliance import logs
from appliance.clock import SYSTEM_CLOCK
from appliance.errors import ApplianceError
from appliance.setup import audit

READING_VERBS: Final = frozenset({"deletions", "list", "records", "reports", "show", "status", "test"})
READING: Final = frozenset({"audit", "check", "doctor", "phone", "run", "web", "smtpd", "worker"})
MASKED: Final = ("password", "secret", "token", "text", "key")
"""An option with such a word in its name is recorded without what was said."""

_PLACE: Final = frozenset({"data", "config_file", "as_json", "password_stdin"})
_log = logging.getLogger("appliance.cli")


def who() -> str:
    """Return who is at the keyboard: the one behind sudo, else this process's user."""
    name = os.environ.get("SUDO_USER", "")
    if not name:
        try:
            name = pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            name = str(os.getuid())
    return f"cli:{name}"


@contextmanager
def act(operator: str) -> Iterator[None]:
    """Record the command that is running: before the block that it is begun, after it how it ended.

    Needs an open database. Nothing is done that could not be written down first.
    """
    context = click.get_current_context(silent=True)
    name = "" if context is None else context.command_path.partition(" ")[2]
    if context is None or name in READING or name.rpartition(" ")[2] in READING_VERBS:
        yield
        return
    entry = audit.begin(operator, name, _shown(context.params), SYSTEM_CLOCK.now())
    logs.event(_log, "operator_act", entry=entry, who=operator, act=name)
    try:
        yield
    except BaseException as error:
        with suppress(ApplianceError):
            audit.end(entry, f"{type(error).__name__}: {error}")
        raise
    audit.end(entry, audit.DONE)


def _shown(given: Mapping[str, object]) -> dict[str, object]:
    shown: dict[str, object] = {}
    for name, value in given.items():
        if name in _PLACE or value is None or value is False or value == ():
            continue
        is_masked = isinstance(value, str) and any(word in name for word in MASKED)
        shown[name] = "…" if is_masked else value
    return shown
