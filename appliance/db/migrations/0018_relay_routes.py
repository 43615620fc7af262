"""Add the servers that take mail for single domains, or for all."""

from typing import Any

import peewee

from appliance.db.migrate import run_script


def up(_migrator: Any, db: peewee.Database) -> None:
    """Run the script of the database's dialect."""
    run_script(db, __file__)
