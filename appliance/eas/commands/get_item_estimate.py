"""GetItemEstimate: how much the next Sync would deliver. Changes no key.

Deviation: without Options the collection's last ones hold, as in Sync, instead of none: an estimate of
items that a filter keeps back would never come true, and phones ask until it does.

Up to 12.1 a collection names its class and has the FilterType for a child; later that is in Options.

Source: MS-ASCMD 2.2.1.9 GetItemEstimate, 2.2.3.29.1 Collection (GetItemEstimate).
"""

from dataclasses import replace

from appliance import db
from appliance.devices import sync_states
from appliance.eas import collection, sync_options, versions
from appliance.eas.context import Context
from appliance.eas.status import Common, ProtocolError
from appliance.eas.status import GetItemEstimate as Status
from appliance.eas.sync_key import PRIMING, Verdict, judge
from appliance.eas.sync_options import ClassesClash, Options
from appliance.eas.sync_request import ID_LENGTH_MAX
from appliance.errors import NotFound
from appliance.store.changes import Forgotten
from appliance.wbxml.codepages import AirSync, GetItemEstimate
from appliance.wbxml.element import Element

COLLECTIONS_MAX = 1000  # MS-ASCMD 3.1.5.8


def handle(context: Context, request: Element | None) -> Element:
    """Answer for every collection; a collection's fault does not concern the others."""
    if request is None or request.tag is not GetItemEstimate.GetItemEstimate:
        raise ProtocolError(Common.INVALID_XML, "not a GetItemEstimate document")
    asked = request.require(GetItemEstimate.Collections).find_all(GetItemEstimate.Collection)
    if not 0 < len(asked) <= COLLECTIONS_MAX:
        raise ProtocolError(Common.INVALID_XML, f"1 to {COLLECTIONS_MAX} collections")
    return GetItemEstimate.GetItemEstimate([_response(context, element) for element in asked])


def _response(context: Context, asked: Element) -> Element:
    collection_id = asked.text_of(GetItemEstimate.CollectionId, "")
    if not 0 < len(collection_id) <= ID_LENGTH_MAX:
        raise ProtocolError(Common.INVALID_XML, "a Collection has a CollectionId of 1 to 64 characters")
    is_early = versions.is_early(context.version)
    class_name = asked.text_of(GetItemEstimate.Class, "") if is_early else ""
    status, estimate = _estimate(context, asked, collection_id)
    return GetItemEstimate.Response(
        GetItemEstimate.Status(status),
        GetItemEstimate.Collection(
            GetItemEstimate.Class(class_name) if class_name else None,
            GetItemEstimate.CollectionId(collection_id),
            GetItemEstimate.Estimate(estimate) if estimate is not None else None,
        ),
    )


def _options(asked: Element, version: str) -> Options | None:
    blocks = asked.find_all(AirSync.Options)
    if versions.is_early(version) and (window := asked.find(AirSync.FilterType)) is not None:
        blocks = [AirSync.Options(window)]
    try:
        return sync_options.parse(blocks)
    except ClassesClash:
        raise
    except ProtocolError as error:
        raise ProtocolError(Common.INVALID_XML, str(error)) from error


def _estimate(context: Context, asked: Element, collection_id: str) -> tuple[int, int | None]:
    wanted = _options(asked, context.version)
    try:
        folder = collection.find(context, collection_id)
    except NotFound:
        return Status.INVALID_COLLECTION, None
    if asked.find(AirSync.ConversationMode) is not None and folder.content_class != "Email":
        raise ProtocolError(Common.INVALID_XML, "ConversationMode is for mail")
    if any(block.find(AirSync.MaxItems) is not None for block in asked.find_all(AirSync.Options)):
        return Status.INVALID_COLLECTION, None  # it is for the recipient information cache
    if wanted is not None and not wanted.filters(folder.content_class):
        return Common.SERVER_ERROR, None
    presented = asked.text_of(AirSync.SyncKey, PRIMING)
    state = sync_states.load(context.device.id, folder.id)
    match judge(state, presented):
        case Verdict.PRIME:
            return Status.NOT_PRIMED, None
        case Verdict.RESET:
            return (Status.NOT_PRIMED if state is None else Status.INVALID_SYNC_KEY), None
        case verdict:
            assert state is not None
            options = wanted or Options.from_json(state.options)
            options = replace(options, conversation_mode=asked.flag_of(AirSync.ConversationMode))
            if verdict is Verdict.REPLAY:
                state = sync_states.as_before(state)
            try:
                with db.snapshot():
                    return Status.SUCCESS, collection.estimate(context, folder, state, options)
            except Forgotten:
                return Status.INVALID_SYNC_KEY, None
