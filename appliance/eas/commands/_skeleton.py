"""<Command>: what it does for the phone, in one sentence. Copy this module to `<command>.py`.

Then say here what is remembered, what a repeated request does (phones repeat everything whose answer was
lost), and where this departs from the specification. This one answers with the number of messages in each
folder that is asked about; it is in no table and never runs.

Source: MS-ASCMD 2.2.1.N <Command>.
"""

from appliance.eas import collection
from appliance.eas.context import Context
from appliance.eas.status import Common, ProtocolError
from appliance.eas.status import (
    GetItemEstimate as Status,
)  # the command's own statuses, named as it names them
from appliance.errors import NotFound
from appliance.wbxml.codepages import GetItemEstimate as Tag
from appliance.wbxml.element import Element

FOLDERS_MAX = 100  # every list has a ceiling; say where the number comes from


def handle(context: Context, request: Element | None) -> Element:
    """Parse, act, render: check the whole of the request first, then answer part by part.

    request: None for an empty body. Return an Element, None for the empty 200, a Response for anything else
    or a Waiting for an answer that is still to come. The database may be read here; every write is a
    function of `store` or `devices` that is a transaction by itself.
    """
    if request is None or request.tag is not Tag.GetItemEstimate:
        raise ProtocolError(Common.INVALID_XML, "not a <Command> document")  # a Status for the whole
    asked = request.require(Tag.Collections).find_all(Tag.Collection)  # ElementError becomes Status 103
    if not 0 < len(asked) <= FOLDERS_MAX:
        raise ProtocolError(Common.INVALID_XML, f"1 to {FOLDERS_MAX} folders")
    return Tag.GetItemEstimate([_response(context, element) for element in asked])


def _response(context: Context, asked: Element) -> Element:
    """Answer one part; its fault does not concern the others."""
    collection_id = asked.text_of(Tag.CollectionId, "")
    try:
        # Ids are resolved inside the account: a stranger's raises NotFound like one that does not exist.
        total = collection.find(context, collection_id).total
    except NotFound:
        return Tag.Response(Tag.Status(Status.INVALID_COLLECTION))
    return Tag.Response(
        Tag.Status(Status.SUCCESS),
        Tag.Collection(Tag.CollectionId(collection_id), Tag.Estimate(total)),
    )
