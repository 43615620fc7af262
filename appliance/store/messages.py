"""Messages in folders: the one door to what may be done with them.

Every write takes a change number, is durable when it returns, and tells waiting phones after the commit.
Every function resolves ids inside the given account: a stranger's id raises NotFound like one that
does not exist. `changed_by` is the `Device.id` whose Sync made the change, None for everybody else; see
`db.tables.Item`.
"""

from appliance.store.filing import file, file_for_all, replace
from appliance.store.leaving import delete, delete_folder, discard, empty_folder, move
from appliance.store.lookup import (
    content,
    contents,
    current,
    get,
    in_folder,
    is_filed,
    list_page,
    raw,
    tombstone,
)
from appliance.store.state import set_categories, set_flag, set_last_verb, set_read

__all__ = [
    "content",
    "contents",
    "current",
    "delete",
    "delete_folder",
    "discard",
    "empty_folder",
    "file",
    "file_for_all",
    "get",
    "in_folder",
    "is_filed",
    "list_page",
    "move",
    "raw",
    "replace",
    "set_categories",
    "set_flag",
    "set_last_verb",
    "set_read",
    "tombstone",
]
