"""Add the versions a device was told it may speak; of those known before it is not known."""

from typing import Any

import peewee

from appliance.db.migrate import run_script


def up(_migrator: Any, db: peewee.Database) -> None:
    """Run the script of the database's dialect."""
    run_script(db, __file__)
