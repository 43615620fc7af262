"""What an administrator changes in the browser, and facts about this instance: names and values.

Owns the rows of `Setting` and the names used in them. What is needed to start (paths, listeners, the
database) is configuration and lives in the file, see `config`. Reads need a connection around them.
"""

from appliance import db
from appliance.db.tables import Setting

HOSTNAME = "hostname"
INSTANCE_ID = "instance_id"
SETUP_CODE_DIGEST = "setup_code_sha256"


def get(key: str, default: str = "") -> str:
    """Return the value of a setting, or the default when it was never set."""
    row = Setting.select(Setting.value).where(Setting.key == key).tuples().first()
    return default if row is None else str(row[0])


@db.transaction
def put(key: str, value: str) -> None:
    """Set a setting; the next read in any process sees it."""
    Setting.insert(key=key, value=value).on_conflict(
        conflict_target=[Setting.key], preserve=[Setting.value]
    ).execute()


@db.transaction
def remove(key: str) -> None:
    """Forget a setting; nothing happens when it was never set."""
    Setting.delete().where(Setting.key == key).execute()
