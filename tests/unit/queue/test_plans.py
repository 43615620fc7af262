"""A claim reads a range of an index, whatever waits: the plans both databases make for a long queue."""

from datetime import timedelta

from appliance import db
from appliance.db.tables import QueueEntry as Row
from appliance.queue import entries
from appliance.queue.priority import Priority
from appliance.store import blobs
from tests.fixtures.database import Place
from tests.unit.store.mailbox import NOW, OUTSIDE, mail

WAITING = 3_000


def domain(number: int) -> str:
    return f"d{number % 50}.example"


def add(count: int, seconds: int, priority: Priority = Priority.MAIL) -> None:
    entries.add(
        blobs.put(mail()),
        account_id=None,
        reverse_path=OUTSIDE,
        recipients=[
            (f"c{number}@d{number % 50}.example", f"d{number % 50}.example") for number in range(count)
        ],
        now=NOW + timedelta(seconds=seconds),
        priority=priority,
    )


def plan(condition: object, limit: int = 20) -> str:
    """Return how the database would find due entries."""
    sql, values = (
        Row.select(Row.id)
        .where(condition)
        .order_by(Row.next_attempt_at, Row.domain, Row.id)
        .limit(limit)
        .sql()
    )
    prefix = "EXPLAIN QUERY PLAN " if db.is_sqlite() else "EXPLAIN "
    with db.connection():
        rows = db.proxy.execute_sql(prefix + sql, values).fetchall()
    return "\n".join(str(row[-1]) for row in rows)


def test_due_entries_are_a_range_of_an_index(store: Place) -> None:
    for priority in Priority:
        add(WAITING // 3, 3_600, priority)
    add(5, 0)
    if not db.is_sqlite():
        db.transaction(lambda: db.proxy.execute_sql("ANALYZE queue_entry"))()
    found = plan((Row.state == "due") & (Row.priority == 0) & (Row.next_attempt_at <= NOW))
    assert "queue_entry_state_priority_next_attempt_at_domain" in found
    assert "SCAN queue_entry" not in found
    assert "Seq Scan" not in found
    impossible = plan((Row.state == "due") & (Row.next_attempt_at > NOW + timedelta(days=2)))
    assert "queue_entry_state_next_attempt_at" in impossible
    assert "Seq Scan" not in impossible
    assert len(entries.claim(NOW, limit=20, lease_s=60)) == 5


def test_a_long_queue_of_one_busy_domain_does_not_hide_another(store: Place) -> None:
    entries.add(
        blobs.put(mail()),
        account_id=None,
        reverse_path=OUTSIDE,
        recipients=[(f"c{number}@busy.example", "busy.example") for number in range(WAITING)],
        now=NOW - timedelta(hours=1),
    )
    add(1, 0)
    (entry,) = entries.claim(NOW, limit=20, lease_s=60, busy={"busy.example"})
    assert entry.domain == "d0.example"
