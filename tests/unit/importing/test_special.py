"""The folders everybody has, under the names that others give them."""

import pytest

from appliance.importing.special import place_of
from appliance.items.folder import ARCHIVE_NAME, JUNK_NAME, FolderType


@pytest.mark.parametrize(
    ("path", "attributes", "place"),
    [
        ((), (), FolderType.INBOX),
        (("INBOX",), (), FolderType.INBOX),
        (("Gesendete Objekte",), (), FolderType.SENT),
        (("INBOX", "Sent"), (), FolderType.SENT),
        (("[Gmail]", "Sent Mail"), ("\\HasNoChildren", "\\Sent"), FolderType.SENT),
        (("[Gmail]", "Tous les messages"), ("\\All",), ARCHIVE_NAME),
        (("Weg damit",), ("\\Trash",), FolderType.DELETED),
        (("ENTWÜRFE",), (), FolderType.DRAFTS),
        (("Spam",), (), JUNK_NAME),
        (("Archives",), (), ARCHIVE_NAME),
        (("Projects", "Sent"), (), None),
        (("Sent", "2024"), (), None),
        (("Projects",), ("\\HasChildren",), None),
    ],
)
def test_where_it_belongs(path, attributes, place):
    assert place_of(path, attributes) == place
