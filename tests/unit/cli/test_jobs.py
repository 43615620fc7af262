"""`appliance jobs`: what runs by itself, and running it at once."""

from appliance import db
from appliance.jobs import housekeeping, schedule
from tests.unit.cli.conftest import Cli


def test_jobs_are_listed_and_run(ready: Cli) -> None:
    listed = ready.ok("jobs", "list", "--json").json
    assert [about["name"] for about in listed] == [job.name for job in housekeeping.JOBS]
    assert {about["state"] for about in listed} == {"new"}
    assert ready.ok("jobs", "run", "blobs").out == "blobs: 0 done\n"
    done = {about["name"]: about for about in ready.ok("jobs", "list", "--json").json}["blobs"]
    assert (done["state"], done["done"], done["error"], done["failures"]) == ("waiting", 0, "", 0)
    assert done["due_at"] > done["ended_at"]
    assert "blobs" in ready.ok("jobs", "list").out
    assert ready("jobs", "run", "nothing").status == 1


def test_a_job_that_fails_or_runs_elsewhere_is_said_so(ready: Cli, monkeypatch) -> None:
    def fail():
        raise OSError("the disk is gone")
        yield 0

    monkeypatch.setattr(housekeeping.blobs, "unlink_steps", fail)
    failed = ready("jobs", "run", "blobs")
    assert failed.status == 1 and "the disk is gone" in failed.err
    assert "failed" in ready.ok("jobs", "list").out
    db.open("sqlite", ready.data)
    with db.connection():
        due_at = schedule.standing("blobs").due_at
    schedule.claim("blobs", due_at, is_asked_for=True)
    db.close()
    assert "another process" in ready("jobs", "run", "blobs").err
