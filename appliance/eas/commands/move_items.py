"""MoveItems: each move on its own; a move that was done before is done, with the same new id.

Source: MS-ASCMD 2.2.1.12 MoveItems (3 is success).
"""

from appliance.eas.context import Context
from appliance.eas.status import Common, ProtocolError
from appliance.eas.status import MoveItems as Status
from appliance.eas.sync_apply import item_id_of
from appliance.eas.sync_request import ID_LENGTH_MAX
from appliance.errors import Conflict, NotFound
from appliance.store import folders, messages
from appliance.wbxml.codepages import Move
from appliance.wbxml.element import Element

MOVES_MAX = 1000  # MS-ASCMD 3.1.5.8


def handle(context: Context, request: Element | None) -> Element:
    """Carry out every move and answer each."""
    if request is None or request.tag is not Move.MoveItems:
        raise ProtocolError(Common.INVALID_XML, "not a MoveItems document")
    moves = request.find_all(Move.Move)
    if not 0 < len(moves) <= MOVES_MAX:
        raise ProtocolError(Common.INVALID_XML, f"1 to {MOVES_MAX} moves")
    return Move.MoveItems([_response(context, move) for move in moves])


def _response(context: Context, move: Element) -> Element:
    source_id = move.text_of(Move.SrcMsgId, "")
    if not 0 < len(source_id) <= ID_LENGTH_MAX:
        raise ProtocolError(Common.INVALID_XML, f"a SrcMsgId has 1 to {ID_LENGTH_MAX} characters")
    status, moved_to = _move(context, source_id, move)
    return Move.Response(
        Move.SrcMsgId(source_id),
        Move.Status(status),
        Move.DstMsgId(str(moved_to)) if moved_to is not None else None,
    )


def _move(context: Context, source_id: str, move: Element) -> tuple[Status, int | None]:
    account_id = context.account.id
    targets = move.find_all(Move.DstFldId)
    if len(targets) != 1:
        return Status.FAILED, None
    try:
        target = folders.get(account_id, item_id_of(targets[0].text))
    except NotFound:
        return Status.INVALID_DESTINATION, None
    try:
        source = folders.get(account_id, item_id_of(move.text_of(Move.SrcFldId, "")))
        item_id = item_id_of(source_id)
        if source.id == target.id:
            return Status.SAME_FOLDER, None
        if source.content_class != target.content_class:
            return Status.INVALID_DESTINATION, None
        _check_source(account_id, source.id, item_id)
        return Status.SUCCESS, messages.move(account_id, item_id, target.id, changed_by=context.device.id)
    except NotFound:
        return Status.INVALID_SOURCE, None
    except Conflict:
        return Status.SAME_FOLDER, None


def _check_source(account_id: int, folder_id: int, item_id: int) -> None:
    """Raise NotFound unless the item is, or was until it moved, in the named folder."""
    gone = messages.tombstone(account_id, item_id)
    if gone is None or gone.moved_to is None or gone.folder_id != folder_id:
        messages.in_folder(account_id, folder_id, item_id)
