"""GetItemEstimate: how much the next Sync would deliver. Changes no key.

Source: MS-ASCMD 2.2.1.9 GetItemEstimate.
"""

from appliance import db
from appliance.devices import sync_states
from appliance.eas import collection, sync_options
from appliance.eas.context import Context
from appliance.eas.status import Common, ProtocolError
from appliance.eas.status import GetItemEstimate as Status
from appliance.eas.sync_key import PRIMING, Verdict, judge
from appliance.eas.sync_options import Options
from appliance.errors import NotFound
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
    status, estimate = _estimate(context, asked, collection_id)
    return GetItemEstimate.Response(
        GetItemEstimate.Status(status),
        GetItemEstimate.Collection(
            GetItemEstimate.CollectionId(collection_id), GetItemEstimate.Estimate(estimate)
        )
        if estimate is not None
        else None,
    )


def _estimate(context: Context, asked: Element, collection_id: str) -> tuple[Status, int | None]:
    try:
        folder = collection.find(context, collection_id)
    except NotFound:
        return Status.INVALID_COLLECTION, None
    presented = asked.text_of(AirSync.SyncKey, PRIMING)
    state = sync_states.load(context.device.id, folder.id)
    match judge(state, presented):
        case Verdict.PRIME:
            return Status.NOT_PRIMED, None
        case Verdict.RESET:
            return (Status.NOT_PRIMED if state is None else Status.INVALID_SYNC_KEY), None
        case verdict:
            assert state is not None
            options = sync_options.parse(asked.find_all(AirSync.Options)) or Options.from_json(state.options)
            if verdict is Verdict.REPLAY:
                state = sync_states.as_before(state)
            with db.snapshot():
                return Status.SUCCESS, collection.estimate(context, folder, state, options)
