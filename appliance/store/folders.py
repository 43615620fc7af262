"""Folders of an account: made, found, renamed, moved, deleted, counted; their ids never change.

Source: MS-ASCMD 2.2.1.4 FolderCreate, 2.2.1.5 FolderDelete, 2.2.1.7 FolderUpdate (what may be done
to which folder); the protocol itself is `eas/commands/folder_*.py`.
"""

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from appliance import db
from appliance.db.tables import Account
from appliance.db.tables import Folder as Row
from appliance.errors import Conflict, Denied, InvalidInput, NotFound, QuotaExceeded
from appliance.items.folder import JUNK_NAME, SPECIAL_FOLDERS, Folder, FolderType
from appliance.store import limits, modseq
from appliance.store.rows import FOLDER_COLUMNS, folder_of
from appliance.store.statement import Statement

NAME_LENGTH_MAX = 256  # characters, MS-ASCMD 2.2.3.48 DisplayName
DEPTH_MAX = 64
NUMBER_LENGTH_MAX = 8  # characters kept free for the number that makes a name unique
_UNNAMEABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control characters, halves of pairs, line ends
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
    """Return the live folder of that name under that parent (0: the top), ignoring letter case.

    Composed and decomposed letters are the same.
    """
    wanted = _folded(name)
    for folder in list_folders(account_id):
        if folder.parent_id == parent_id and _folded(folder.name) == wanted:
            return folder
    return None


def junk(account_id: int) -> Folder:
    """Return the folder for unwanted mail, made again if its owner has removed it. Needs a transaction."""
    return by_name(account_id, JUNK_NAME) or create(account_id, 0, JUNK_NAME, FolderType.USER_MAIL)


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
    """Make a folder; raises NotFound (parent), Conflict (name taken), InvalidInput (name, depth).

    QuotaExceeded when the account has as many as it may.
    """
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
    """Rename and move a folder; raises NotFound, Conflict, Denied (special), InvalidInput (cycle, depth)."""
    modseq.hold([account_id])
    _check_place(account_id, parent_id, name, moving=_movable(account_id, folder_id).id)
    return _put(account_id, folder_id, parent_id, name, changed_by)


@db.transaction
def bring_below(account_id: int, folder_id: int, parent_id: int, *, changed_by: int | None = None) -> Folder:
    """Move a folder below another as `update` does, however deep that gets, under a name that is free there.

    For what must not fail, such as deleting; raises NotFound, Denied (special).
    """
    modseq.hold([account_id])
    name = _movable(account_id, folder_id).name
    taken = {_folded(each.name) for each in list_folders(account_id) if each.parent_id == parent_id}
    found, number = name, 1
    while _folded(found) in taken:
        number += 1
        found = f"{name[: NAME_LENGTH_MAX - NUMBER_LENGTH_MAX]} ({number})"
    return _put(account_id, folder_id, parent_id, found, changed_by)


def _movable(account_id: int, folder_id: int) -> Folder:
    folder = get(account_id, folder_id)
    if folder.type in _SPECIAL_TYPES:
        raise Denied("special folders keep their name and place")
    return folder


def _put(account_id: int, folder_id: int, parent_id: int, name: str, changed_by: int | None) -> Folder:
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
    children = _by_parent(list_folders(account_id))
    found = [folder]
    for parent in found:
        found += children.get(parent.id, ())
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
    """Raise for a name or a place that a folder cannot have. moving: the folder, when it is there already."""
    _check_name(name)
    tree = {folder.id: folder for folder in list_folders(account_id)}
    if moving is None and len(tree) >= limits.folders_max():
        raise QuotaExceeded(f"the account has {len(tree)} folders; it may have {limits.folders_max()}")
    if parent_id:
        _check_depth(tree, parent_id, moving)
    wanted = _folded(name)
    for folder in tree.values():
        if folder.parent_id == parent_id and folder.id != moving and _folded(folder.name) == wanted:
            raise Conflict("a folder of that name is already there")


def _check_name(name: str) -> None:
    is_visible = not any(unicodedata.category(c) in _UNNAMEABLE for c in name)
    if not name.strip() or len(name) > NAME_LENGTH_MAX or not is_visible:
        raise InvalidInput(f"a folder name has 1 to {NAME_LENGTH_MAX} printable characters")


def _folded(name: str) -> str:
    """Return what two spellings of one name have in common: the folder keeps the one it was given."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _check_depth(tree: Mapping[int, Folder], parent_id: int, moving: int | None) -> None:
    depth, ancestor = 1, parent_id
    while ancestor and depth <= DEPTH_MAX:
        if ancestor == moving:
            raise InvalidInput("a folder cannot be moved below itself")
        if ancestor not in tree:
            raise NotFound("no such folder")
        ancestor = tree[ancestor].parent_id
        depth += 1
    height = 0 if moving is None else _levels(tree.values(), moving) - 1
    if depth + height > DEPTH_MAX:
        raise InvalidInput(f"folders nest at most {DEPTH_MAX} deep")


def _levels(everything: Iterable[Folder], top: int) -> int:
    """Return how many levels a folder and those below it make."""
    children = _by_parent(everything)
    levels, row = 0, [top]
    while row:
        levels += 1
        row = [child.id for parent in row for child in children.get(parent, ())]
    return levels


def _by_parent(everything: Iterable[Folder]) -> dict[int, list[Folder]]:
    children: dict[int, list[Folder]] = {}
    for folder in everything:
        children.setdefault(folder.parent_id, []).append(folder)
    return children


def _hierarchy_changed(account_id: int, number: int) -> None:
    Account.update(hierarchy_modseq=number).where(Account.id == account_id).execute()
    modseq.announce_hierarchy(account_id)
