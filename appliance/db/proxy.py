"""The handle every model is bound to; `db.open()` points it at SQLite or PostgreSQL."""

import peewee

proxy = peewee.DatabaseProxy()
