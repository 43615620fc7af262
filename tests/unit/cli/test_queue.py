"""`appliance queue`: what waits, and what an operator does about it."""

from datetime import UTC, datetime, timedelta

from appliance import db
from appliance.queue import entries
from appliance.store import blobs
from tests.unit.cli.conftest import Cli


def add(cli: Cli, sender: str = "anna@example.com") -> int:
    now = datetime.now(UTC) + timedelta(hours=1)
    db.open("sqlite", cli.data)
    try:
        blobs.configure(cli.data)
        (entry_id,) = entries.add(
            blobs.put(b"Subject: x\r\n\r\nx\r\n"),
            account_id=None,
            reverse_path=sender,
            recipients=[("bob@example.net", "example.net")],
            now=now,
        )
    finally:
        db.close()
    return entry_id


def test_an_entry_is_listed_shown_retried_and_dropped(ready: Cli) -> None:
    entry_id = add(ready)
    (about,) = ready.ok("queue", "list", "--json").json
    assert (about["id"], about["from"], about["to"]) == (entry_id, "anna@example.com", "bob@example.net")
    assert "bob@example.net" in ready.ok("queue", "list").out
    assert ready.ok("queue", "show", str(entry_id), "--json").json == about | {"history": []}
    assert "to: bob@example.net" in ready.ok("queue", "show", str(entry_id)).out
    ready.ok("queue", "retry", str(entry_id))
    sooner = ready.ok("queue", "show", str(entry_id), "--json").json
    assert sooner["next_attempt_at"] < about["next_attempt_at"]
    ready.ok("queue", "drop", str(entry_id))
    assert ready.ok("queue", "list", "--json").json == []
    assert ready("queue", "drop", str(entry_id)).status == 1


def state_of(cli: Cli, entry_id: int) -> str:
    return str(cli.ok("queue", "show", str(entry_id), "--json").json["state"])


def test_verbs_take_ids_or_filters(ready: Cli) -> None:
    one, two = add(ready), add(ready)
    assert ready.ok("queue", "hold", "--domain", "Example.NET").out == "2 held\n"
    assert ready.ok("queue", "list", "--state", "held", "--json").json[1]["id"] == two
    assert ready.ok("queue", "release", str(one)).out == "1 released\n"
    assert (state_of(ready, one), state_of(ready, two)) == ("waiting", "held")
    ready.ok("queue", "reroute", "--all", "--to", "relay.example.com:587/starttls")
    about = ready.ok("queue", "show", str(two), "--json").json
    assert (about["next_hop"], about["state"]) == ("relay.example.com:587/starttls", "held")
    ready.ok("queue", "reroute", str(one), "--reset")
    assert ready.ok("queue", "show", str(one), "--json").json["next_hop"] == ""
    assert ready.ok("queue", "drop", "--sender", "anna@example.com").out == "2 dropped\n"


def test_counted_by_how_they_stand(ready: Cli) -> None:
    one, _ = add(ready), add(ready)
    ready.ok("queue", "hold", str(one))
    assert ready.ok("queue", "count", "--json").json == {"due": 0, "waiting": 1, "trying": 0, "held": 1}
    assert "held           1" in ready.ok("queue", "count").out


def test_a_verb_takes_nothing_by_mistake(ready: Cli) -> None:
    entry_id = add(ready)
    for verb in ("retry", "hold", "release", "drop"):
        assert ready("queue", verb).status == 2
    assert ready("queue", "hold", str(entry_id), "999").status == 1
    assert ready("queue", "reroute", "--all", "--to", "host:0").status == 2
    assert ready("queue", "reroute", "--all").status == 2


def test_the_sender_of_dropped_mail_can_be_told(ready: Cli) -> None:
    add(ready, sender="someone@example.org")
    ready.ok("queue", "drop", "--all", "--tell-sender")
    (report,) = ready.ok("queue", "list", "--json").json
    assert (report["from"], report["to"], report["priority"]) == ("", "someone@example.org", "automatic")
