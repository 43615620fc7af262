"""From bytes to something that can be filed: scanned, summarised and durable, outside any transaction."""

import logging

from appliance import logs, offload
from appliance.clock import SYSTEM_CLOCK
from appliance.errors import TemporaryFailure, TooLarge
from appliance.items.message import Arrival, Content, ListColumns
from appliance.mime.conversation import conversation_id, conversation_index
from appliance.mime.message import summarise
from appliance.mime.scan import scan
from appliance.store import blobs

log = logging.getLogger("appliance.mail")

SIZE_BYTES_MAX = 256 * 1024 * 1024  # a ceiling for every way in; the edges have their own, lower ones
OFFLOAD_BYTES_MIN = 262_144  # larger ones are scanned on a native thread, so that phones do not wait
UNREADABLE = b"Subject: (this message could not be read)\r\n\r\n"


def prepare(raw: bytes) -> Arrival:
    """Return the message ready to be filed; its bytes are durable or travel with it.

    Never refuses a message for what is in it: what cannot be read is left empty.
    Raises TooLarge, TemporaryFailure.
    """
    if len(raw) > SIZE_BYTES_MAX:
        raise TooLarge(f"a message is at most {SIZE_BYTES_MAX} bytes")
    blob = blobs.put(raw)
    try:
        content, columns = offload.run(_derive, raw) if len(raw) >= OFFLOAD_BYTES_MIN else _derive(raw)
    except TemporaryFailure:
        raise
    except Exception as error:  # noqa: BLE001 - our bug must not keep a message out for ever
        logs.event(log, "unreadable", level=logging.ERROR, msgid=blob.digest.hex()[:16], exc_info=error)
        content, columns = _derive(UNREADABLE)
    return Arrival(blob=blob, content=content, columns=columns)


def _derive(raw: bytes) -> tuple[Content, ListColumns]:
    structure = scan(raw)
    summary = summarise(raw, structure)
    columns = ListColumns(
        subject=summary.subject,
        thread_topic=summary.thread_topic,
        sender_from=summary.from_,
        sender=summary.sender,
        reply_to=summary.reply_to,
        to=summary.to,
        cc=summary.cc,
        bcc=summary.bcc,
        display_to=summary.display_to,
        preview=summary.preview,
        importance=summary.importance,
        message_class=summary.message_class,
        native_body_type=summary.native_body_type,
        internet_cpid=summary.internet_cpid,
        has_attachments=summary.has_attachments,
        message_id=summary.message_id or "",
        conversation_id=conversation_id(
            summary.message_id, summary.references, summary.in_reply_to, summary.thread_topic
        ),
        conversation_index=conversation_index(
            summary.date or SYSTEM_CLOCK.now(), summary.references, summary.in_reply_to
        ),
    )
    names = [part.filename for part in structure.attachment_parts() if part.filename]
    content = Content(
        structure.to_json(),
        summary.text,
        summary.is_text_complete,
        attachment_names="\n".join(" ".join(name.split()) for name in names),
    )
    return content, columns
