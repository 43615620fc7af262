"""Folders of an account: made, found, renamed, moved, deleted, counted; their ids never change.

Source: MS-ASCMD 2.2.1.4 FolderCreate, 2.2.1.5 FolderDelete, 2.2.1.7 FolderUpdate (what may be done
to which folder); the protocol itself is `eas/commands/folder_*.py`.
"""

from typing import Any

from appliance import db
from appliance.db.tables import Account
from appliance.db.tables import Folder as Row
from appliance.errors import Conflict, Denied, InvalidInput, NotFound
from appliance.items.folder import SPECIAL_FOLDERS, Folder, FolderType
from appliance.store import modseq
from appliance.store.rows import FOLDER_COLUMNS, folder_of
from appliance.store.statement import Statement

NAME_LENGTH_MAX = 256  # characters, MS-ASCMD 2.2.3.48 DisplayName
DEPTH_MAX = 64
_SPECIAL_TYPES = frozenset(type_ for _, type_ in SPECIAL_FOLDERS) - {FolderType.USER_MAIL}

_COUNT = "UPDATE folder SET items_modseq = ?, total = total + ?, unread = unread + ? WHERE id = "
_COUNT_IN = Statement(_COUNT + "? AND account_id = ? AND NOT is_deleted RETURNING id")
_COUNT_IN_SPECIAL = Statement(
    _COUNT
    + "(SELECT id FROM folder WHERE account_id = ? AND type = ? AND NOT is_deleted ORDER BY id LIMIT 1)"
    + " RETURNING id"
)


def create_special(account_id: int) -> None:
    """Make the folders every account has. Needs a transaction."""
    last = modseq.take(account_id, len(SPECIAL_FOLDERS))
    first = last - len(SPECIAL_FOLDERS) + 1
    for number, (name, type_) in enumerate(SPECIAL_FOLDERS, first):
        Row.create(account=account_id, name=name, type=type_, modseq=number, created_modseq=number)
    _hierarchy_changed(account_id, last)


def list_folders(account_id: int) -> list[Folder]:
    """Return the live folders of an account, oldest first."""
    return _folders((Row.account == account_id) & ~Row.is_deleted)


def get(account_id: int, folder_id: int) -> Folder:
    """Return a live folder of the account; raises NotFound for anybody else's too."""
    found = _folders((Row.account == account_id) & (Row.id == folder_id) & ~Row.is_deleted)
    if not found:
        raise NotFound("no such folder")
    return found[0]


def special(account_id: int, type_: FolderType) -> Folder:
    """Return the account's one folder of a special type."""
    found = _folders((Row.account == account_id) & (Row.type == type_) & ~Row.is_deleted)
    if not found:
        raise NotFound(f"the account has no {type_.name.lower()} folder")
    return found[0]


def by_name(account_id: int, name: str, parent_id: int = 0) -> Folder | None:
    """Return the live folder of that name under that parent (0: the top), ignoring letter case."""
    wanted = name.casefold()
    for folder in list_folders(account_id):
        if folder.parent_id == parent_id and folder.name.casefold() == wanted:
            return folder
    return None


def changes_since(account_id: int, since: int) -> list[Folder]:
    """Return folders changed after `since` in change order, deleted ones included (`is_deleted`)."""
    return _folders((Row.account == account_id) & (Row.modseq > since), order=Row.modseq)


def hierarchy_modseq(account_id: int) -> int:
    """Return the change number of the last change of the account's folder tree."""
    row = Account.select(Account.hierarchy_modseq).where(Account.id == account_id).tuples().first()
    if row is None:
        raise NotFound("no such account")
    return int(row[0])


@db.transaction
def create(
    account_id: int, parent_id: int, name: str, type_: int, *, changed_by: int | None = None
) -> Folder:
    """Make a folder; raises NotFound (parent), Conflict (name taken), InvalidInput (name, depth)."""
    if type_ in _SPECIAL_TYPES:
        raise Denied("special folders are made with the account")
    modseq.hold([account_id])
    _check_place(account_id, parent_id, name)
    number = modseq.take(account_id)
    row = Row.create(
        account=account_id,
        parent=parent_id or None,
        name=name,
        type=type_,
        modseq=number,
        created_modseq=number,
        changed_by=changed_by,
    )
    _hierarchy_changed(account_id, number)
    return get(account_id, row.id)


@db.transaction
def update(
    account_id: int, folder_id: int, parent_id: int, name: str, *, changed_by: int | None = None
) -> Folder:
    """Rename and move a folder; raises NotFound, Conflict, Denied (special), InvalidInput (cycle)."""
    modseq.hold([account_id])
    folder = get(account_id, folder_id)
    if folder.type in _SPECIAL_TYPES:
        raise Denied("special folders keep their name and place")
    _check_place(account_id, parent_id, name, moving=folder_id)
    number = modseq.take(account_id)
    Row.update(name=name, parent=parent_id or None, modseq=number, changed_by=changed_by).where(
        Row.id == folder_id
    ).execute()
    _hierarchy_changed(account_id, number)
    return get(account_id, folder_id)


def deletable(account_id: int, folder_id: int) -> list[Folder]:
    """Return a folder and all folders below it, parents first; raises NotFound, Denied (special)."""
    top = get(account_id, folder_id)
    if top.type in _SPECIAL_TYPES:
        raise Denied("special folders cannot be deleted")
    return [top, *below(account_id, top)]


def below(account_id: int, folder: Folder) -> list[Folder]:
    """Return all folders below a folder, parents before their children."""
    everything = list_folders(account_id)
    found = [folder]
    for parent in found:
        found += [child for child in everything if child.parent_id == parent.id]
    return found[1:]


def mark_deleted(account_id: int, folder: Folder, *, changed_by: int | None = None) -> None:
    """Turn an emptied folder into a tombstone. Needs a transaction.

    `store.messages.delete_folder` empties and deletes a whole tree.
    """
    number = modseq.take(account_id)
    Row.update(is_deleted=True, modseq=number, changed_by=changed_by).where(Row.id == folder.id).execute()
    _hierarchy_changed(account_id, number)


def items_changed(account_id: int, folder_id: int, number: int, *, total: int = 0, unread: int = 0) -> None:
    """Record that items of a folder changed at `number`, and by how many there are more or fewer.

    Needs a transaction. Raises NotFound; phones are told after the commit.
    """
    if not _COUNT_IN.rows(number, total, unread, folder_id, account_id):
        raise NotFound("no such folder")
    modseq.announce(account_id, folder_id)


def special_items_changed(
    account_id: int, type_: FolderType, number: int, *, total: int = 0, unread: int = 0
) -> int:
    """Do what `items_changed` does for the account's one folder of a special type and return its id."""
    rows = _COUNT_IN_SPECIAL.rows(number, total, unread, account_id, type_)
    if not rows:
        raise NotFound(f"the account has no {type_.name.lower()} folder")
    modseq.announce(account_id, int(rows[0][0]))
    return int(rows[0][0])


def _folders(condition: Any, order: Any = Row.id) -> list[Folder]:
    return [folder_of(row) for row in Row.select(*FOLDER_COLUMNS).where(condition).order_by(order).tuples()]


def _check_place(account_id: int, parent_id: int, name: str, moving: int | None = None) -> None:
    if not name.strip() or len(name) > NAME_LENGTH_MAX or any(ord(c) < 32 for c in name):
        raise InvalidInput(f"a folder name has 1 to {NAME_LENGTH_MAX} printable characters")
    if parent_id:
        _check_depth(account_id, parent_id, moving)
    twin = by_name(account_id, name, parent_id)
    if twin is not None and twin.id != moving:
        raise Conflict("a folder of that name is already there")


def _check_depth(account_id: int, parent_id: int, moving: int | None) -> None:
    ancestor = parent_id
    for _ in range(DEPTH_MAX - 1):
        if ancestor == moving:
            raise InvalidInput("a folder cannot be moved below itself")
        ancestor = get(account_id, ancestor).parent_id
        if not ancestor:
            return
    raise InvalidInput(f"folders nest at most {DEPTH_MAX} deep")


def _hierarchy_changed(account_id: int, number: int) -> None:
    Account.update(hierarchy_modseq=number).where(Account.id == account_id).execute()
    modseq.announce_hierarchy(account_id)
