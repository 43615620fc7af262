"""The simulated iPhone: what a phone does with mail, each ActiveSync command as a method.

The Sync conversation is in `syncing`, the bookkeeping in `mailbox`, requests in `documents`, answers in
`operations`, sign-in and folders in `device`, HTTP in `session` and `transport`.

An independent client: it shares the WBXML codec with the server and nothing else, so that an agreement
between the two is evidence.
"""

from collections.abc import Iterable
from uuid import uuid4

from appliance.phone import documents, operations
from appliance.phone.changes import BodyPreference, Change, Command, Delete, Options, flag, read
from appliance.phone.device import Device, document_of
from appliance.phone.documents import Source
from appliance.phone.errors import StatusError
from appliance.phone.mailbox import Delta
from appliance.phone.operations import Attachment, FetchedItem, PingAnswer
from appliance.phone.syncing import WINDOW_SIZE, Syncing
from appliance.phone.transport import Lose
from appliance.wbxml.codepages import ComposeMail
from appliance.wbxml.element import Element, Tag

PING_SLACK_S = 30
BODY_MIME = 4
MIME_FOR_ALL = 2


class Phone(Device):
    """One device of one account on one server; the constructor is `Device`'s."""

    @property
    def _syncing(self) -> Syncing:
        return Syncing(self.mailbox, self._sync, self.folder_sync, class_in_collection=not self.session.is_14)

    def sync(
        self,
        folder_id: str,
        commands: Iterable[Command] = (),
        *,
        options: Options | None = None,
        window_size: int = WINDOW_SIZE,
        deletes_as_moves: bool | None = None,
        get_changes: bool | None = None,
        pages_max: int | None = None,
        lose: Lose | None = None,
    ) -> Delta:
        """Synchronise one folder until the server has nothing more; see `syncing.Syncing.folder`."""
        return self._syncing.folder(
            folder_id,
            commands,
            options=options,
            window_size=window_size,
            deletes_as_moves=deletes_as_moves,
            get_changes=get_changes,
            pages_max=pages_max,
            lose=lose,
        )

    def sync_wait(
        self,
        folder_ids: Iterable[str],
        *,
        heartbeat_s: int | None = None,
        wait_minutes: int | None = None,
        timeout_s: float | None = None,
    ) -> Delta:
        """Hold a Sync of primed folders until something changes; see `syncing.Syncing.wait`."""
        return self._syncing.wait(
            folder_ids, heartbeat_s=heartbeat_s, wait_minutes=wait_minutes, timeout_s=timeout_s
        )

    def sync_again(self, *, timeout_s: float | None = None) -> Delta:
        """Send the empty Sync, which repeats the last request that had no commands."""
        return self._syncing.repeat(timeout_s=timeout_s)

    def mark_read(self, folder_id: str, server_id: str, is_read: bool = True) -> Delta:
        """Mark a message read or unread."""
        return self.sync(folder_id, [read(server_id, is_read)])

    def set_flag(self, folder_id: str, server_id: str, is_flagged: bool = True) -> Delta:
        """Set or clear the follow-up flag of a message."""
        return self.sync(folder_id, [flag(server_id, is_flagged)])

    def change(self, folder_id: str, server_id: str, *properties: Element) -> Delta:
        """Set properties of an item."""
        return self.sync(folder_id, [Change(server_id, properties)])

    def delete(self, folder_id: str, *server_ids: str, for_good: bool = False) -> Delta:
        """Delete items: into Deleted Items, or for good."""
        commands = [Delete(server_id) for server_id in server_ids]
        return self.sync(folder_id, commands, deletes_as_moves=not for_good)

    def move(self, server_ids: Iterable[str], source: str, destination: str) -> dict[str, str | None]:
        """Move items; return the new ServerIds by the old ones. Raises StatusError when one fails."""
        answer = self.exchange(
            "MoveItems", documents.move_items((item, source, destination) for item in server_ids)
        )
        moved = operations.moves(answer)
        for status, _ in moved.values():
            if status != operations.MOVE_OK:
                raise StatusError("MoveItems", status)
        return {server_id: target for server_id, (_, target) in moved.items()}

    def estimate(self, folder_id: str, *, filter_type: int | None = None) -> int:
        """Return how many changes the next Sync of the folder has."""
        collection = self.mailbox.collection(folder_id)
        class_name = None if self.session.is_14 else collection.content_class
        document = documents.item_estimate(
            folder_id, collection.sync_key, class_name=class_name, filter_type=filter_type
        )
        return operations.estimate(self.exchange("GetItemEstimate", document))

    def fetch(
        self,
        folder_id: str,
        server_id: str,
        *,
        body: BodyPreference | None = None,
        mime_support: int | None = None,
        multipart: bool = False,
    ) -> FetchedItem:
        """Return a whole item by ItemOperations; without a preference its body as MIME."""
        preference = body or BodyPreference(BODY_MIME)
        if mime_support is None and preference.type == BODY_MIME:
            mime_support = MIME_FOR_ALL
        document = documents.fetch_item(folder_id, server_id, preference, mime_support)
        reply = self.command("ItemOperations", document, accept_multipart=multipart)
        return operations.item(document_of(reply, "ItemOperations"), reply.parts)

    def fetch_attachment(
        self, file_reference: str, *, multipart: bool = True, byte_range: str | None = None
    ) -> Attachment:
        """Return an attachment by its FileReference, as a part or inline as base64."""
        document = documents.fetch_attachment(file_reference, byte_range)
        reply = self.command("ItemOperations", document, accept_multipart=multipart)
        return operations.attachment(document_of(reply, "ItemOperations"), reply.parts)

    def empty_folder(self, folder_id: str) -> None:
        """Delete everything in a folder for good."""
        operations.emptied(self.exchange("ItemOperations", documents.empty_folder(folder_id)))

    def ping(
        self,
        heartbeat_s: int | None = None,
        folder_ids: Iterable[str] = (),
        *,
        timeout_s: float | None = None,
        lose: Lose | None = None,
    ) -> PingAnswer:
        """Wait for a change in some folders; without arguments the empty Ping, which repeats the last.

        timeout_s: None waits a little longer than the heartbeat.
        """
        watched = [(folder_id, self._class_of(folder_id)) for folder_id in folder_ids]
        document = documents.ping(heartbeat_s, watched)
        patience_s = timeout_s or (heartbeat_s + PING_SLACK_S if heartbeat_s else None)
        reply = self.command("Ping", document, timeout_s=patience_s, lose=lose)
        return operations.ping(document_of(reply, "Ping"))

    def _class_of(self, folder_id: str) -> str:
        folder = self.mailbox.folders.get(folder_id)
        return (folder.content_class if folder else "") or "Email"

    def send_mail(
        self, mime: bytes, *, client_id: str | None = None, save: bool = True, lose: Lose | None = None
    ) -> str:
        """Send a message and return its ClientId; sending it again with that id is harmless."""
        return self._compose(ComposeMail.SendMail, mime, client_id, save, lose=lose)

    def smart_reply(
        self,
        folder_id: str,
        server_id: str,
        mime: bytes,
        *,
        client_id: str | None = None,
        save: bool = True,
        replace: bool = False,
        lose: Lose | None = None,
    ) -> str:
        """Answer a message; the server appends the original unless `replace` says mime is complete."""
        source = Source(folder_id, server_id)
        return self._compose(ComposeMail.SmartReply, mime, client_id, save, source, replace, lose)

    def smart_forward(
        self,
        folder_id: str,
        server_id: str,
        mime: bytes,
        *,
        client_id: str | None = None,
        save: bool = True,
        replace: bool = False,
        lose: Lose | None = None,
    ) -> str:
        """Forward a message with its attachments, unless `replace` says mime is complete."""
        source = Source(folder_id, server_id)
        return self._compose(ComposeMail.SmartForward, mime, client_id, save, source, replace, lose)

    def meeting_response(
        self, folder_id: str, server_id: str, response: int, *, lose: Lose | None = None
    ) -> str | None:
        """Answer an invitation (1 accept, 2 tentatively, 3 decline); return the meeting's ServerId, if any.

        From 16.0 on the server tells the organizer; before, whoever calls this sends the mail.
        """
        document = documents.meeting_response(
            folder_id, server_id, response, sends=self.session.sends_meeting_mail
        )
        reply = self.command("MeetingResponse", document, lose=lose)
        return operations.meeting_answered(document_of(reply, "MeetingResponse"))

    def _compose(
        self,
        tag: Tag,
        mime: bytes,
        client_id: str | None,
        save: bool,
        source: Source | None = None,
        replace: bool = False,
        lose: Lose | None = None,
    ) -> str:
        """Send in the form of the version: WBXML, or up to 12.1 the bare message and a longer query."""
        client_id = client_id or uuid4().hex
        if self.session.is_14:
            document = documents.compose(tag, client_id, mime, save=save, replace=replace, source=source)
            reply = self.command(tag.name, document, lose=lose)
        else:
            parameters = {"SaveInSent": "T" if save else "F"}
            if source:
                parameters |= {"CollectionId": source.folder_id, "ItemId": source.server_id}
            reply = self.command(tag.name, mime=mime, parameters=parameters, lose=lose)
        if reply.document is not None:
            raise StatusError(tag.name, reply.document.int_of(ComposeMail.Status, 0))
        return client_id

    def _sync(
        self, document: Element | None, *, timeout_s: float | None = None, lose: Lose | None = None
    ) -> Element | None:
        return self.command("Sync", document, timeout_s=timeout_s, lose=lose).document
