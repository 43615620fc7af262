"""An attachment by its FileReference: for ItemOperations, and GetAttachment in old versions."""

from dataclasses import dataclass

from appliance import offload
from appliance.eas import collection
from appliance.eas.content.airsyncbase import parse_file_reference
from appliance.errors import NotFound
from appliance.mime.body import decode_leaf
from appliance.mime.structure import Part
from appliance.store import messages


@dataclass(frozen=True, slots=True)
class Attachment:
    """A part of a message, and the message's bytes it is cut out of."""

    part: Part
    raw: bytes

    @property
    def content_type(self) -> str:
        """The media type its message gives it."""
        return self.part.content_type

    def data(self) -> bytes:
        """Return the decoded bytes; those of a large one are decoded on a native thread."""
        if self.part.end - self.part.start < collection.OFFLOAD_BYTES_MIN:
            return decode_leaf(self.raw, self.part)
        return offload.run(decode_leaf, self.raw, self.part)


def find(account_id: int, reference: str) -> Attachment:
    """Return what a FileReference names; raises NotFound for anything that is none of the account's.

    Needs `db.connection()`.
    """
    parsed = parse_file_reference(reference)
    if parsed is None:
        raise NotFound("not a FileReference")
    item_id, number = parsed
    source = collection.source(messages.get(account_id, item_id))
    if number not in source.structure.attachments:
        raise NotFound("the message has no such attachment")
    return Attachment(source.structure.part(number), source.raw)
