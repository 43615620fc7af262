"""`appliance device`: phones, whether they may come in, what they did, and what to do about a lost one.

The policies are in `device_policies`, which adds to the group; whoever wants all of it takes it from there.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from appliance import db
from appliance.accounts import accounts
from appliance.cli import show
from appliance.cli.place import Place, placed
from appliance.clock import SYSTEM_CLOCK
from appliance.devices import access, devices, policies, traces, wiping
from appliance.devices.access import Access
from appliance.devices.health import OK, Trace, overdue
from appliance.devices.wipe import ACCOUNT_ONLY_SINCE, FULL_DELAY, Scope
from appliance.eas.tracing import PING_HELD
from appliance.items.device import Device
from appliance.store import folders

BY = "operator"


@click.group()
def device() -> None:
    """Phones: who may come in, policies, remote wipe."""


@device.command("list")
@click.argument("address")
@show.as_json
@placed
def device_list(place: Place, address: str, as_json: bool) -> None:
    """List the devices of an account, oldest first."""
    with place.opened(), db.connection():
        account = accounts.require(address)
        found = [_described(devices.about(each.id)) for each in devices.list_devices(account.id)]
    if as_json:
        show.document(found)
        return
    heads = ("device_id", "type", "model", "version", "access", "wipe", "last_seen_at")
    show.table(heads, [tuple(about[head] for head in heads) for about in found])


@device.command("show")
@click.argument("address")
@click.argument("device_id")
@show.as_json
@placed
def device_show(place: Place, address: str, device_id: str, as_json: bool) -> None:
    """Show one device: what it is, what was decided, and what it did last."""
    with place.opened(), db.connection():
        found = devices.named(accounts.require(address).id, device_id)
        about = _described(devices.about(found.id))
        about["policy"] = policies.in_force(found.account_id).name
        trace = traces.load(found.id)
        names = {str(folder.id): folder.name for folder in folders.list_folders(found.account_id)}
    late = overdue(trace, found.ping_heartbeat_s, SYSTEM_CLOCK.now())
    if as_json:
        silent_s = None if late is None else int(late.total_seconds())
        show.document(about | {"silent_s": silent_s, "trace": json.loads(trace.to_json())})
        return
    for name, value in about.items():
        click.echo(f"{name}: {show.plain(str(value))}")
    if late is not None:
        click.echo(
            f"It is late: it waits {found.ping_heartbeat_s} s for news as a rule, and has not asked again."
        )
    for line in in_words(trace, names, SYSTEM_CLOCK.now()):
        click.echo(show.plain(line))


def in_words(trace: Trace, names: Mapping[str, str], now: datetime) -> list[str]:
    """Return what a device did last, a line each, the latest first. names: folders by their ids."""
    if not trace.steps:
        return ["It has done nothing yet that was noted."]
    held, answered = trace.steps.get(PING_HELD), trace.steps.get("Ping")
    lines = []
    if held is not None and (answered is None or answered.at < held.at):
        lines.append(f"It waits for news since {_ago(held.at, now)}.")
    done = [(step, name) for name, step in trace.steps.items() if name != PING_HELD]
    done += [(step, f"Sync of {names.get(key, f'folder {key}')}") for key, step in trace.folders.items()]
    for step, name in sorted(done, key=lambda pair: pair[0].at, reverse=True):
        said = "went well" if step.outcome == OK else f"ended with {step.outcome}"
        lines.append(f"{name} {said}, {_ago(step.at, now)} ago.")
    lines += [f"{number} {name}." for name, number in sorted(trace.counters.items())]
    return lines


def _ago(moment: datetime, now: datetime) -> str:
    seconds = max(0, int((now - moment).total_seconds()))
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} seconds"


def _deciding(name: str, decision: Access, text: str) -> None:
    @device.command(name, help=text)
    @click.argument("address")
    @click.argument("device_id")
    @placed
    def command(place: Place, address: str, device_id: str) -> None:
        with place.opened():
            access.decide(_device(address, device_id), decision, by=BY)


_deciding("allow", Access.ALLOW, "Let a device in, whatever the rules say.")
_deciding("block", Access.BLOCK, "Keep a device out; what it has stays on it.")
_deciding("quarantine", Access.QUARANTINE, "Give a device its folders but no mail.")


@device.command("forget")
@click.argument("address")
@click.argument("device_id")
@placed
def device_forget(place: Place, address: str, device_id: str) -> None:
    """Remove what is known of a device; it starts over when it comes back."""
    with place.opened():
        devices.forget(_device(address, device_id).id)


# --- wipe -----------------------------------------------------------------------------------------


@device.command("wipe")
@click.argument("address")
@click.argument("device_id")
@click.option("--full", metavar="DEVICE_ID", help="Reset the whole device; repeat its id here.")
@placed
def device_wipe(place: Place, address: str, device_id: str, full: str | None) -> None:
    """Remove the account from a device (16.1), or with --full everything that is on it.

    A device of an older version does not know the first; it is blocked instead and never reset in its place.
    With --full it works on for ten minutes, in which that can be taken back; `device block` stops it at once.
    """
    if full is not None and full != device_id:
        raise click.UsageError(f"--full wants the device's id once more: --full {device_id}")
    with place.opened():
        found = _device(address, device_id)
        if full is None and not _knows_account_only(found):
            reason = f"account-only wipe needs {ACCOUNT_ONLY_SINCE}"
            access.decide(found, Access.BLOCK, reason=reason, by=BY)
            click.echo(
                f"{device_id} speaks {found.protocol_version}, which has no account-only wipe: it is blocked "
                "instead, and what is on it stays there"
            )
            return
        scope = Scope.ACCOUNT if full is None else Scope.FULL
        now = SYSTEM_CLOCK.now()
        wiping.request(found, scope, now, by=BY)
        when = "at its next request" if full is None else f"after {now + FULL_DELAY:%H:%M} UTC"
        click.echo(f"{device_id} is told {when}; `device unwipe` takes it back until then")


def _knows_account_only(found: Device) -> bool:
    return float(found.protocol_version or 0) >= float(ACCOUNT_ONLY_SINCE)


@device.command("unwipe")
@click.argument("address")
@click.argument("device_id")
@placed
def device_unwipe(place: Place, address: str, device_id: str) -> None:
    """Take a wipe back that the device has not been told of."""
    with place.opened():
        wiping.cancel(_device(address, device_id), SYSTEM_CLOCK.now(), by=BY)


# --- rules ----------------------------------------------------------------------------------------


@device.group("rule")
def rule() -> None:
    """Which devices may come in; the first rule that fits decides."""


@rule.command("list")
@show.as_json
@placed
def rule_list(place: Place, as_json: bool) -> None:
    """List the rules in the order they are asked, the default last."""
    with place.opened(), db.connection():
        rules, default = access.list_rules(), access.default()
    about = [
        {"id": each.id, "access": str(each.access), "field": each.field, "pattern": each.pattern}
        for each in rules
    ]
    if as_json:
        show.document({"rules": about, "default": str(default)})
        return
    rows = [tuple(each.values()) for each in about]
    show.table(("id", "access", "field", "pattern"), [*rows, ("", str(default), "default", "")])


@rule.command("add")
@click.argument("decision", type=click.Choice([str(each) for each in Access]))
@click.argument("field", type=click.Choice(list(access.FIELDS)))
@click.argument("pattern")
@placed
def rule_add(place: Place, decision: str, field: str, pattern: str) -> None:
    """Add a rule after the others: PATTERN has * and ?, case does not matter."""
    with place.opened():
        click.echo(access.add_rule(Access(decision), field, pattern))


@rule.command("remove")
@click.argument("number", type=int)
@placed
def rule_remove(place: Place, number: int) -> None:
    """Remove a rule."""
    with place.opened():
        access.remove_rule(number)


@rule.command("default")
@click.argument("decision", type=click.Choice([str(each) for each in Access]))
@placed
def rule_default(place: Place, decision: str) -> None:
    """Say what holds for devices that no rule fits."""
    with place.opened():
        access.set_default(Access(decision))


# --- means ----------------------------------------------------------------------------------------


def _device(address: str, device_id: str) -> Device:
    with db.connection():
        return devices.named(accounts.require(address).id, device_id)


def _described(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "device_id": row["device_id"],
        "type": row["device_type"],
        "model": row["model"],
        "os": row["os"],
        "user_agent": row["user_agent"],
        "version": row["protocol_version"],
        "access": "block" if not row["is_allowed"] and row["access"] == Access.ALLOW else row["access"],
        "access_reason": row["access_reason"],
        "wipe": " ".join(filter(None, (row["wipe_scope"], row["wipe_state"]))) or "none",
        "wipe_due_at": _moment(row["wipe_due_at"]),
        "policy_status": row["policy_status"],
        "policy_applied_at": _moment(row["policy_applied_at"]),
        "first_seen_at": _moment(row["first_seen_at"]),
        "last_seen_at": _moment(row["last_seen_at"]),
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
