"""The first run's answers made real: safe to repeat, and to continue after it stopped anywhere.

Each step looks whether its result exists and makes it if not; nothing that exists is taken away. The
same function serves the wizard and `appliance setup`.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from appliance import db
from appliance.accounts import accounts, addresses, passwords
from appliance.clock import SYSTEM_CLOCK, Clock
from appliance.domains import certificates, dkim_keys
from appliance.errors import InvalidInput
from appliance.setup import code, instance, settings
from appliance.setup.steps import needs_setup as needs_setup

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")  # how the operator and the console reach it


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was changed, in words, in order; nothing when everything was there already."""

    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Answers:
    """The wizard's fields in normal form."""

    domain: str
    hostname: str
    admin_address: str
    password: str


def apply(
    domain: str,
    hostname: str,
    admin_address: str,
    password: str,
    *,
    data_dir: Path,
    clock: Clock = SYSTEM_CLOCK,
) -> Outcome:
    """Set the appliance up and return what had to be changed for it.

    An administrator's account that exists keeps its password; another domain, host name or administrator
    is added to what there is. Raises InvalidInput before anything is changed, Conflict when the directory
    held another instance (see `instance.check`).
    """
    answers = _checked(domain, hostname, admin_address, password)
    changes: list[str] = []
    instance.begin(data_dir, clock.now())
    for step in (_domain, _hostname, _certificate, _administrator):
        changes += step(data_dir, answers)
    _finish(data_dir, clock.now())
    return Outcome(tuple(changes))


def certificate_names(hostname: str, domains: list[str]) -> list[str]:
    """Return the names the appliance is reached by: what its certificate has to name."""
    services = ("autodiscover", "mta-sts")
    return [hostname, *(f"{name}.{domain}" for domain in domains for name in services), *LOOPBACK_NAMES]


def _checked(domain: str, hostname: str, admin_address: str, password: str) -> _Answers:
    answers = _Answers(
        addresses.normalise_domain(domain),
        addresses.normalise_domain(hostname),
        addresses.for_account(admin_address),
        password,
    )
    with db.connection():
        is_ours = accounts.is_local_domain(addresses.domain_of(answers.admin_address))
    if not is_ours and addresses.domain_of(answers.admin_address) != answers.domain:
        raise InvalidInput(f"{answers.admin_address} is not an address in {answers.domain}")
    passwords.check_rules(password)
    return answers


def _domain(_: Path, answers: _Answers) -> list[str]:
    changes = []
    with db.connection():
        exists = accounts.is_local_domain(answers.domain)
    if not exists:
        accounts.add_domain(answers.domain)
        changes.append(f"mail is accepted for {answers.domain}")
    if dkim_keys.ensure(answers.domain, now=SYSTEM_CLOCK.now()):
        changes.append(f"mail from {answers.domain} is signed (DKIM)")
    return changes


def _hostname(_: Path, answers: _Answers) -> list[str]:
    with db.connection():
        current = settings.get(settings.HOSTNAME)
    if current == answers.hostname:
        return []
    settings.put(settings.HOSTNAME, answers.hostname)
    return [f"the server is called {answers.hostname}"]


def _certificate(data_dir: Path, answers: _Answers) -> list[str]:
    with db.connection():
        domains = accounts.list_domains()
    if certificates.ensure_self_signed(data_dir, certificate_names(answers.hostname, domains)):
        return [f"a self-signed certificate for {answers.hostname} was made"]
    return []


def _administrator(_: Path, answers: _Answers) -> list[str]:
    with db.connection():
        account = accounts.by_address(answers.admin_address)
    if account is None:
        accounts.create(answers.admin_address, answers.password, is_admin=True)
        return [f"{answers.admin_address} is an administrator"]
    changes = []
    if not account.is_admin:
        accounts.set_admin(account.id, True)
        changes.append(f"{account.address} is an administrator")
    if not account.is_enabled:
        accounts.set_enabled(account.id, True)
        changes.append(f"{account.address} is enabled")
    return changes


def _finish(data_dir: Path, now: datetime) -> None:
    code.void()
    instance.finish(data_dir, now)
