"""The Sync request that is kept per device: what an empty request repeats and a partial one leaves out.

Theory of operation: the request is kept as it was presented, with its keys. An empty request is then
exactly what the specification calls it, the same request once more: while nothing changes its keys are
the current ones, and after an answer that was lost they are the previous ones, so that the device gets
that answer again. Filling in the current keys instead would skip what the lost answer carried.

Only a request that a device can refer to is kept: without commands and without key 0, and either
answered with nothing, held, or of several collections.

Source: MS-ASCMD 2.2.1.21.1 Empty Sync Request, 2.2.3.133 Partial.
"""

from appliance.devices import devices
from appliance.eas.context import Context
from appliance.eas.status import ProtocolError
from appliance.eas.status import Sync as Status
from appliance.eas.sync_key import PRIMING
from appliance.eas.sync_request import Limits, SyncRequest, is_partial, merge, parse
from appliance.wbxml.codec import decode, encode
from appliance.wbxml.codepages import AirSync
from appliance.wbxml.element import Element

REQUEST_BYTES_MAX = 65_536  # 300 collections with options take about 40,000


def complete(context: Context, request: Element | None, limits: Limits) -> SyncRequest:
    """Return the whole request: an empty or partial one is completed from the kept one.

    Raises ProtocolError: Status 13 when there is none to complete it from, 4 on a breach of the grammar.
    """
    if request is None:
        return parse(_kept(context, "an empty Sync and no request to repeat"), limits)
    if request.tag is AirSync.Sync and is_partial(request):
        return parse(merge(request, _kept(context, "a partial Sync and no request to complete it")), limits)
    return parse(request, limits)


def remember(context: Context, asked: SyncRequest) -> None:
    """Keep a request for an empty or partial one to come, in place of the one before."""
    if asked.has_commands:
        return
    is_priming = any(collection.sync_key == PRIMING for collection in asked.collections)
    encoded = encode(asked.element)
    kept = None if is_priming or len(encoded) > REQUEST_BYTES_MAX else encoded
    if kept != devices.sync_request(context.device.id):
        devices.remember_sync_request(context.device.id, kept)


def _kept(context: Context, reason: str) -> Element:
    kept = devices.sync_request(context.device.id)
    if kept is None:
        raise ProtocolError(Status.INCOMPLETE, reason)
    return decode(kept)
