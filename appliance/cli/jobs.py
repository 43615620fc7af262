"""`appliance jobs`: what the appliance does by itself, when it did, and how that ended."""

from datetime import UTC, datetime
from random import SystemRandom
from typing import Any

import click

from appliance import db
from appliance.cli import show
from appliance.cli.place import Place, placed
from appliance.clock import SYSTEM_CLOCK
from appliance.errors import PermanentFailure
from appliance.jobs import housekeeping, schedule
from appliance.jobs.schedule import Job, Standing


@click.group()
def jobs() -> None:
    """What the appliance does by itself, again and again."""


@jobs.command("list")
@show.as_json
@placed
def jobs_list(place: Place, as_json: bool) -> None:
    """List the jobs: when each is due, when it ended last, and how."""
    now = SYSTEM_CLOCK.now()
    with place.opened(), db.connection():
        known = {standing.name: standing for standing in schedule.standings()}
    found = [_described(job, known.get(job.name), now) for job in housekeeping.JOBS]
    if as_json:
        show.document(found)
        return
    heads = ("name", "state", "due_at", "ended_at", "done", "error")
    show.table(heads, [tuple(_cell(about[head]) for head in heads) for about in found])


@jobs.command("run")
@click.argument("name")
@show.as_json
@placed
def jobs_run(place: Place, name: str, as_json: bool) -> None:
    """Run a job now, due or not. Exit status 1 when it fails, or runs already."""
    with place.opened():
        job = housekeeping.named(name)
        ended = schedule.run_now(job, SYSTEM_CLOCK, SystemRandom())
    if ended.error:
        raise PermanentFailure(f"{name} failed: {ended.error}")
    if as_json:
        show.document(_described(job, ended, SYSTEM_CLOCK.now()))
    else:
        click.echo(f"{name}: {ended.done} done")


def _described(job: Job, standing: Standing | None, now: datetime) -> dict[str, Any]:
    about: dict[str, Any] = {"name": job.name, "does": job.sentence}
    about["interval_s"] = int(job.interval.total_seconds())
    if standing is None:
        return about | {
            "state": "new",
            "due_at": None,
            "ended_at": None,
            "done": 0,
            "error": "",
            "failures": 0,
        }
    is_running = standing.leased_until is not None and standing.leased_until > now
    state = "running" if is_running else "failed" if standing.error else "waiting"
    return about | {
        "state": state,
        "due_at": _moment(standing.due_at),
        "ended_at": _moment(standing.ended_at),
        "done": standing.done,
        "error": standing.error,
        "failures": standing.failures,
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _cell(value: object) -> object:
    return "" if value is None else value
