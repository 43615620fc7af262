"""Describe the open database's schema by what it means, so that two ways of making it compare.

The order of columns does not count: a migration appends what a fresh table has in the middle, and every
query of the product names its columns.
"""

from typing import Any

from appliance import db

HISTORY = "schema_migration"

_SQLITE = {
    "columns": (
        "SELECT t.name, c.name, c.type, c.\"notnull\", c.dflt_value, c.pk, t.sql LIKE '%AUTOINCREMENT%'"
        " FROM sqlite_master t, pragma_table_xinfo(t.name) c WHERE t.type = 'table'"
        " AND t.sql NOT LIKE 'CREATE VIRTUAL%'"
    ),
    "references": (
        'SELECT t.name, f."from", f."table", f."to", f.on_update, f.on_delete'
        " FROM sqlite_master t, pragma_foreign_key_list(t.name) f WHERE t.type = 'table'"
    ),
    "unique": (
        "SELECT t.name, i.origin, (SELECT group_concat(c.name) FROM pragma_index_info(i.name) c)"
        " FROM sqlite_master t, pragma_index_list(t.name) i WHERE t.type = 'table' AND i.origin <> 'c'"
    ),
    "others": "SELECT tbl_name, type, name, sql FROM sqlite_master WHERE type <> 'table' AND sql IS NOT NULL",
    "virtual": "SELECT name, sql FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL%'",
}

_POSTGRESQL = {
    "columns": (
        "SELECT table_name, column_name, data_type, is_nullable, column_default, character_maximum_length,"
        " generation_expression FROM information_schema.columns WHERE table_schema = 'public'"
    ),
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "constraints": (
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace"
    ),
    "sequences": "SELECT sequencename, data_type::text, start_value, increment_by FROM pg_sequences",
}


def described() -> dict[str, list[tuple[Any, ...]]]:
    """Return tables, columns, keys and indexes; without the migrations' own history."""
    queries = _SQLITE if db.is_sqlite() else _POSTGRESQL
    with db.connection():
        return {name: _rows(sql) for name, sql in queries.items()}


def _rows(sql: str) -> list[tuple[Any, ...]]:
    found = db.proxy.execute_sql(sql if db.is_sqlite() else sql.replace("%", "%%")).fetchall()
    rows = [
        tuple(" ".join(value.split()) if isinstance(value, str) else value for value in row) for row in found
    ]
    return sorted((row for row in rows if not row[0].startswith((HISTORY, "sqlite_"))), key=repr)
