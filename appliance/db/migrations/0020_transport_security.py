"""Add policies of other domains and how connections to their servers went."""

from typing import Any

import peewee

from appliance.db.migrate import run_script


def up(_migrator: Any, db: peewee.Database) -> None:
    """Run the script of the database's dialect."""
    run_script(db, __file__)
