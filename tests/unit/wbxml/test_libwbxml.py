"""libwbxml must agree with us: about every byte, and about what every token is called.

libwbxml 0.11 lacks the newest tokens and spells some names in its own way; both lists are data here, so that
a new disagreement fails. It also decides by its own tables what is OPAQUE, so documents that depart from them
are left out.
"""

from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.wbxml.codec import encode
from appliance.wbxml.codepages import TAGS, TAGS_BY_NAME, AirSync
from appliance.wbxml.element import Element
from tests.unit.wbxml import libwbxml, vectors

pytestmark = pytest.mark.skipif(bool(libwbxml.MISSING), reason=libwbxml.MISSING)

UNKNOWN = frozenset(
    {tag for tag in TAGS.values() if tag.namespace == "Find"}
    | {TAGS[4, token] for token in range(0x2B, 0x33)}  # attachments of events before AirSyncBase
    | {
        TAGS_BY_NAME[name]
        for name in (
            ("ComposeMail", "Type"),
            ("MeetingResponse", "ProposedEndTime"),
            ("MeetingResponse", "ProposedStartTime"),
            ("Ping", "Version"),
            ("Provision", "AccountOnlyRemoteWipe"),
            ("Search", "Stores"),
        )
    }
)
"""Tokens missing from libwbxml's tables."""

RECURRENCE = (
    "Type",
    "Until",
    "Occurrences",
    "Interval",
    "DayOfWeek",
    "DayOfMonth",
    "WeekOfMonth",
    "MonthOfYear",
)
SPELLINGS = {
    ("Calendar", "AttendeeStatus"): "Attendee_Status",
    ("Calendar", "AttendeeType"): "Attendee_Type",
    ("Calendar", "CompressedRTF"): "Compressed_RTF",
    ("Calendar", "Deleted"): "Exception_Deleted",
    ("Calendar", "DtStamp"): "DTStamp",
    ("Calendar", "Email"): "Attendee_Email",
    ("Calendar", "ExceptionStartTime"): "Exception_StartTime",
    ("Calendar", "Name"): "Attendee_Name",
    ("Calendar", "OrganizerEmail"): "Organizer_Email",
    ("Calendar", "OrganizerName"): "Organizer_Name",
    ("Calendar", "Timezone"): "TimeZone",
    ("ComposeMail", "Mime"): "MIME",
    ("Contacts", "AssistantPhoneNumber"): "AssistantTelephoneNumber",
    ("Email", "AttOid"): "AttOId",
    ("Email", "DtStamp"): "DTStamp",
    ("Email", "ReplyTo"): "Reply-To",
    ("Email", "Status"): "FlagStatus",
    ("Provision", "RequireStorageCardEncryption"): "DeviceEncryptionEnabled",
    ("RightsManagement", "Owner"): "RMOwner",
    ("RightsManagement", "RemoveRightsManagementProtection"): "RemoveRightsManagementDistribution",
    ("Settings", "RightsManagementInformation"): "ihsManagementInformation",
    ("Settings", "SMTPAddress"): "SmtpAddress",
    ("Tasks", "DeadOccur"): "Recurrence_DeadOccur",
    ("Tasks", "Regenerate"): "Recurrence_Regenerate",
    ("Tasks", "Start"): "Recurrence_Start",
    ("Tasks", "UtcDueDate"): "UTCDueDate",
    ("Tasks", "UtcStartDate"): "UTCStartDate",
    **{(page, name): f"Recurrence_{name}" for page in ("Calendar", "Email", "Tasks") for name in RECURRENCE},
    **{
        ("Contacts", f"{place}Address{part}"): f"{place}{part}"
        for place in ("Business", "Home", "Other")
        for part in ("City", "Country", "PostalCode", "State", "Street")
    },
}
"""libwbxml's name where it differs from Microsoft's."""

KNOWN = [tag for tag in TAGS.values() if tag not in UNKNOWN]
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=200)
LEAF = st.builds(lambda tag, text: tag(text), st.sampled_from([tag for tag in KNOWN if not tag.opaque]), TEXT)
TREE = st.recursive(
    LEAF,
    lambda children: st.builds(lambda tag, parts: tag(parts), st.sampled_from(KNOWN), st.lists(children)),
)


def is_comparable(element: Element) -> bool:
    """Return whether libwbxml knows every tag of a tree and agrees that its content is text or OPAQUE."""
    if element.tag in UNKNOWN or (
        element.content and element.tag.opaque != isinstance(element.content, bytes)
    ):
        return False
    return all(is_comparable(child) for child in element)


def events(node: ElementTree.Element) -> list[tuple[str, str]]:
    """Return (namespace:name, text) of an XML tree in document order; layout does not occur."""
    name = node.tag[1:].replace(":}", ":").replace("Gal:", "GAL:")
    return [(name, node.text or ""), *(event for child in node for event in events(child))]


def our_events(element: Element) -> list[tuple[str, str]]:
    """Return what `events` should find for our tree, with libwbxml's names."""
    tag = element.tag
    name = f"{tag.namespace}:{SPELLINGS.get((tag.namespace, tag.name), tag.name)}"
    return [(name, element.text), *(event for child in element for event in our_events(child))]


DOCUMENTS = [
    vector
    for vector in (*vectors.trees(vectors.FOLDER / "canonical"), *vectors.trees(vectors.SHARED))
    if vector.tree is not None and is_comparable(vector.tree)
]


@pytest.mark.parametrize("vector", DOCUMENTS, ids=str)
def test_the_library_encodes_to_the_same_bytes(vector: vectors.Vector) -> None:
    with libwbxml.Document(vector.data) as document:
        assert document.encode() == vector.data


@pytest.mark.parametrize("vector", DOCUMENTS, ids=str)
def test_the_tools_bring_a_document_back_unchanged(vector: vectors.Vector) -> None:
    assert vector.tree is not None
    assert libwbxml.xml2wbxml(libwbxml.wbxml2xml(encode(vector.tree))) == vector.data


def test_every_token_has_the_same_name() -> None:
    tree = AirSync.Sync([tag("x") for tag in KNOWN if not tag.opaque], [tag() for tag in KNOWN if tag.opaque])
    assert events(ElementTree.fromstring(libwbxml.wbxml2xml(encode(tree)))) == our_events(tree)


def test_the_list_of_unknown_tokens_is_exact() -> None:
    for tag in UNKNOWN:
        assert b"<unknown" in libwbxml.wbxml2xml(encode(AirSync.Sync(tag("x")))), tag


@settings(deadline=None, max_examples=60)
@given(TREE)
def test_any_tree_encodes_to_the_same_bytes(tree: Element) -> None:
    ours = encode(tree)
    with libwbxml.Document(ours) as document:
        assert document.encode() == ours
