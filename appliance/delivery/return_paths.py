"""The reverse-path of mail that is sent on, and who gets what comes back to it.

Owns the key of `srs` (derived from the one beside the database) and the rows `ReturnPath`: reverse-paths that
are too long to be wrapped are kept under a number, for as long as an answer may come.
"""

from datetime import datetime, timedelta

from appliance import db, sealing
from appliance.accounts import accounts, addresses
from appliance.db.tables import ReturnPath as Row
from appliance.delivery import srs
from appliance.errors import InvalidInput
from appliance.smtp.grammar import parse_address

_PURPOSE = "srs"
_KEPT_FOR = timedelta(days=2 * srs.AGE_DAYS_MAX)


@db.transaction
def rewritten(reverse_path: str, domain: str, now: datetime) -> str:
    """Return the reverse-path under which a message may be sent on from one of our domains.

    The null one stays null, and an address in a domain of ours needs nothing: its SPF record names us.
    """
    if not reverse_path or accounts.is_local_domain(addresses.domain_of(reverse_path)):
        return reverse_path
    key = sealing.derived(_PURPOSE)
    wrapped = srs.wrap(parse_address(reverse_path), domain, key, now)
    return wrapped or srs.wrap_number(_keep(reverse_path, now), domain, key, now)


def original(local_part: str, now: datetime) -> str:
    """Return the reverse-path that a local part of ours stands for. Needs `db.connection()`.

    local_part: as it came, letter case included. Raises InvalidInput: forged, too old, or none at all.
    """
    found = srs.unwrap(local_part, sealing.derived(_PURPOSE), now)
    if found.address:
        return found.address
    row = Row.select(Row.address).where(Row.id == found.number).tuples().first()
    if row is None:
        raise InvalidInput("nothing is kept under this number any more")
    return str(row[0])


def _keep(address: str, now: datetime) -> int:
    """Return the number of an address; forgets those nobody answered."""
    Row.delete().where(Row.used_at < now - _KEPT_FOR).execute()
    row = Row.insert(address=address, used_at=now).on_conflict(
        conflict_target=[Row.address], preserve=[Row.used_at]
    )
    return int(next(iter(row.returning(Row.id).tuples().execute()))[0])
