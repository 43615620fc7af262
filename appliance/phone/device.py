"""A phone before it has mail: signing in, policies, settings, folders, and how any command is sent.

Owns provisioning on demand: a command the server answers with "provision first" is sent again after the
handshake. What a phone does with items is in `client`.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from appliance.phone import autodiscover, documents, operations, provisioning
from appliance.phone.errors import PhoneError, ProtocolError, StatusError, Wiped
from appliance.phone.identity import Identity, device_id_for
from appliance.phone.mailbox import Folder, Mailbox, Value
from appliance.phone.session import VERSIONS, Reply, ServerOptions, Session
from appliance.phone.transport import DEFAULT_TIMEOUT_S, Lose, Transport, Trust
from appliance.wbxml.codepages import FolderHierarchy
from appliance.wbxml.element import Element

COMMON_STATUS_FIRST = 101
INVALID_HIERARCHY_KEY = 9
OK = 1
ROOT = "0"


class Device:
    """One device of one account on one server.

    url: `https://host[:port]`, with or without the ActiveSync path. address: also the user name.
    version: what the phone speaks, best a member of `VERSIONS`; `options` tells what the server offers.
    All state is in `mailbox` and `session`; losing both and keeping the device id is a new set-up.
    """

    def __init__(
        self,
        url: str,
        address: str,
        password: str,
        *,
        device_id: str | None = None,
        version: str = VERSIONS[0],
        trust: Trust | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        query_form: str = "plain",
    ) -> None:
        if version not in VERSIONS:
            raise ValueError(f"this phone speaks {', '.join(VERSIONS)}, not {version}")
        self.address = address
        self.transport = Transport(url, trust=trust, timeout_s=timeout_s)
        self.session = Session(
            self.transport,
            address,
            password,
            Identity(device_id or device_id_for(f"{address} {version}")),
            version,
            query_form=query_form,
        )
        path = urlsplit(url).path.rstrip("/")
        if path:
            self.session.path = path
        self.mailbox = Mailbox()

    def close(self) -> None:
        """Close the phone's connections; its state stays."""
        self.transport.close()

    # Account set-up

    def autodiscover(self) -> tuple[str, str]:
        """Return the ActiveSync URL by both versions of Autodiscover, JSON and XML."""
        by_json = autodiscover.by_json(self.transport, self.address)
        return by_json, autodiscover.by_xml(self.transport, self.address, self.session.authorization())

    def options(self) -> ServerOptions:
        """Return the versions and commands of the server."""
        return self.session.options()

    def provision(self) -> dict[str, Value]:
        """Run both phases and return the policies. Raises Wiped, after which the phone holds nothing."""
        try:
            return provisioning.run(self.session)
        except Wiped:
            self.mailbox.forget()
            raise

    def set_device_information(self) -> None:
        """Tell the server the model, system and name of this phone."""
        operations.device_information_accepted(
            self.exchange("Settings", documents.settings(self.session.identity, user_information=False))
        )

    def user_information(self) -> list[str]:
        """Return the account's addresses, the primary one first."""
        return operations.addresses(
            self.exchange("Settings", documents.settings(None, user_information=True))
        )

    # Folders

    def folder_sync(self) -> int:
        """Bring the folder list up to date; return the number of changes."""
        for _attempt in range(2):
            answer = self.exchange("FolderSync", documents.folder_sync(self.mailbox.hierarchy_key))
            status = answer.int_of(FolderHierarchy.Status, 0)
            if status == OK:
                return self.mailbox.apply_hierarchy(answer)
            if status != INVALID_HIERARCHY_KEY:
                break
            self.mailbox.hierarchy_key = "0"
        raise StatusError("FolderSync", status)

    def folder_create(self, name: str, *, type_: int = 12, parent_id: str = ROOT) -> str:
        """Create a folder and return its id."""
        answer = self._folder_command(
            documents.folder_create(self.mailbox.hierarchy_key, parent_id, name, type_)
        )
        folder_id = answer.text_of(FolderHierarchy.ServerId, "")
        self.mailbox.folders[folder_id] = Folder(folder_id, parent_id, name, str(type_))
        return folder_id

    def folder_update(self, folder_id: str, name: str, *, parent_id: str = ROOT) -> None:
        """Rename or move a folder."""
        self._folder_command(documents.folder_update(self.mailbox.hierarchy_key, folder_id, parent_id, name))
        folder = self.mailbox.folders[folder_id]
        folder.name, folder.parent_id = name, parent_id

    def folder_delete(self, folder_id: str) -> None:
        """Delete a folder and what it holds."""
        self._folder_command(documents.folder_delete(self.mailbox.hierarchy_key, folder_id))
        self.mailbox.folders.pop(folder_id, None)
        self.mailbox.collections.pop(folder_id, None)

    def _folder_command(self, document: Element) -> Element:
        answer = self.exchange(document.tag.name, document)
        status = answer.int_of(FolderHierarchy.Status, 0)
        if status != OK:
            raise StatusError(document.tag.name, status)
        self.mailbox.hierarchy_key = answer.text_of(FolderHierarchy.SyncKey, "")
        return answer

    # Exchanges

    def exchange(self, name: str, document: Element) -> Element:
        """Send a command whose answer always has a document, and return that."""
        return document_of(self.command(name, document), name)

    def command(
        self,
        name: str,
        document: Element | None = None,
        *,
        mime: bytes | None = None,
        parameters: Mapping[str, str] | None = None,
        accept_multipart: bool = False,
        timeout_s: float | None = None,
        lose: Lose | None = None,
    ) -> Reply:
        """Send a command; when the server wants Provision first, do that and send it once more."""

        def attempt() -> Reply:
            reply = self.session.command(
                name,
                document,
                mime=mime,
                parameters=parameters,
                accept_multipart=accept_multipart,
                timeout_s=timeout_s,
                lose=lose,
            )
            _raise_common(name, reply)
            return reply

        try:
            return attempt()
        except PhoneError as error:
            if not provisioning.is_asked_for(error):
                raise
        self.provision()
        return attempt()


def _raise_common(name: str, reply: Reply) -> None:
    """Raise StatusError for a common Status, which any command may carry in its root."""
    for child in reply.document or ():
        if child.tag.name == "Status" and child.text.isdecimal() and int(child.text) >= COMMON_STATUS_FIRST:
            raise StatusError(name, int(child.text))


def document_of(reply: Reply, name: str) -> Element:
    """Return the document of an answer that must have one. Raises ProtocolError."""
    if reply.document is None:
        raise ProtocolError(f"{name}: empty answer")
    return reply.document
