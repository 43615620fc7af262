"""What a first run still needs: the steps in order, each answered by looking at what is there.

There is no record of progress that could get out of step with the truth: a step is done when its result
exists. Leaves doing them to `apply`, and showing them to the wizard and the command line.
"""

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from appliance import db
from appliance.accounts import accounts
from appliance.db.tables import Account
from appliance.domains import certificates
from appliance.errors import InvalidInput
from appliance.setup import instance, settings


class Step(Enum):
    """A step of the first run, in order; the value is what it is about."""

    INSTANCE = "the data directory has an id"
    DOMAIN = "there is a domain to receive mail for"
    HOSTNAME = "the server knows its public name"
    CERTIFICATE = "there is a certificate"
    ADMINISTRATOR = "somebody can administer the appliance"


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a step is done."""

    step: Step
    is_done: bool


def standings(data_dir: Path) -> list[Standing]:
    """Return every step in order with whether it is done. Raises Conflict, see `instance.check`."""
    instance.check(data_dir)
    done = {
        Step.INSTANCE: instance.read(data_dir) is not None,
        Step.CERTIFICATE: _has_certificate(data_dir),
        Step.ADMINISTRATOR: not needs_setup(),
    }
    with db.connection():
        done[Step.DOMAIN] = bool(accounts.list_domains(limit=1))
        done[Step.HOSTNAME] = bool(settings.get(settings.HOSTNAME))
    return [Standing(step, done[step]) for step in Step]


def next_step(data_dir: Path) -> Step | None:
    """Return the first step that is not done; None when the appliance is set up."""
    return next((standing.step for standing in standings(data_dir) if not standing.is_done), None)


def needs_setup() -> bool:
    """Say whether nobody can administer this appliance yet, which is what "not set up" means."""
    with db.connection():
        return not Account.select().where(Account.is_admin).exists()


def _has_certificate(data_dir: Path) -> bool:
    try:
        return certificates.installed(data_dir) is not None
    except InvalidInput:
        return False
