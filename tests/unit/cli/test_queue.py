"""`appliance queue`: what waits, and what an operator does about it."""

from datetime import UTC, datetime, timedelta

from appliance import db
from appliance.queue import entries
from appliance.store import blobs
from tests.unit.cli.conftest import Cli


def add(cli: Cli) -> int:
    now = datetime.now(UTC) + timedelta(hours=1)
    db.open("sqlite", cli.data)
    try:
        blobs.configure(cli.data)
        (entry_id,) = entries.add(
            blobs.put(b"Subject: x\r\n\r\nx\r\n"),
            account_id=None,
            reverse_path="anna@example.com",
            recipients=[("bob@example.net", "example.net")],
            now=now,
            lifetime=timedelta(days=5),
        )
    finally:
        db.close()
    return entry_id


def test_an_entry_is_listed_shown_retried_and_dropped(ready: Cli) -> None:
    entry_id = add(ready)
    (about,) = ready.ok("queue", "list", "--json").json
    assert (about["id"], about["from"], about["to"]) == (entry_id, "anna@example.com", "bob@example.net")
    assert "bob@example.net" in ready.ok("queue", "list").out
    assert ready.ok("queue", "show", str(entry_id), "--json").json == about
    assert "to: bob@example.net" in ready.ok("queue", "show", str(entry_id)).out
    ready.ok("queue", "retry", str(entry_id))
    sooner = ready.ok("queue", "show", str(entry_id), "--json").json
    assert sooner["next_attempt_at"] < about["next_attempt_at"]
    ready.ok("queue", "drop", str(entry_id))
    assert ready.ok("queue", "list", "--json").json == []
    assert ready("queue", "drop", str(entry_id)).status == 1
