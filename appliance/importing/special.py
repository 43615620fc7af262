"""Folders that every mail program has, under the names and attributes it gives them. Pure.

Source: RFC 6154 2 (SPECIAL-USE attributes); the names are those that common programs and servers use.
"""

from collections.abc import Collection, Mapping
from typing import Final

from appliance.items.folder import ARCHIVE_NAME, JUNK_NAME, FolderType

type Place = FolderType | str
"""A special folder by its type, or by its name where MS-ASCMD has no type for it."""

BY_ATTRIBUTE: Final[Mapping[str, Place]] = {
    "\\sent": FolderType.SENT,
    "\\drafts": FolderType.DRAFTS,
    "\\trash": FolderType.DELETED,
    "\\junk": JUNK_NAME,
    "\\archive": ARCHIVE_NAME,
    "\\all": ARCHIVE_NAME,
}
_NAMES: Final[Mapping[Place, str]] = {
    FolderType.INBOX: "inbox|posteingang|boîte de réception|bandeja de entrada|posta in arrivo|postvak in",
    FolderType.SENT: "sent|sent items|sent mail|sent messages|sent-mail|gesendet|gesendete objekte|"
    "gesendete elemente|gesendete nachrichten|envoyés|éléments envoyés|messages envoyés|enviados|"
    "elementos enviados|inviata|posta inviata|verzonden|verzonden items|skickat|sendt",
    FolderType.DRAFTS: "drafts|draft|entwürfe|brouillons|borradores|bozze|concepten|utkast|kladder",
    FolderType.DELETED: "trash|deleted|deleted items|deleted messages|bin|wastebasket|papierkorb|"
    "gelöschte objekte|gelöschte elemente|corbeille|éléments supprimés|papelera|elementos eliminados|"
    "cestino|posta eliminata|prullenbak|verwijderde items|papperskorg",
    JUNK_NAME: "junk|spam|junk e-mail|junk email|junk mail|bulk mail|unerwünscht|werbung|"
    "courrier indésirable|indésirables|correo no deseado|posta indesiderata|ongewenste e-mail|skräppost",
    ARCHIVE_NAME: "archive|archives|archiv|archivo|archivio|archief|all mail|alle nachrichten|"
    "tous les messages",
}
BY_NAME: Final[Mapping[str, Place]] = {
    name: place for place, names in _NAMES.items() for name in names.split("|")
}
_ROOTS: Final = ("[gmail]", "[google mail]")


def place_of(path: tuple[str, ...], attributes: Collection[str] = ()) -> Place | None:
    """Return the special folder that a folder of another system is, None for an ordinary one.

    attributes: as IMAP lists them, such as `\\Sent`. Only a folder at the top is known by its name.
    """
    for attribute in attributes:
        if (found := BY_ATTRIBUTE.get(attribute.lower())) is not None:
            return found
    path = stripped(path)
    if not path:
        return FolderType.INBOX
    return BY_NAME.get(path[0].casefold()) if len(path) == 1 else None


def stripped(path: tuple[str, ...]) -> tuple[str, ...]:
    """Return a path without what only says "here is mail": many servers keep everything below INBOX."""
    if len(path) > 1 and (path[0].casefold() in _ROOTS or path[0].casefold() == "inbox"):
        return path[1:]
    return path
