"""The tokens of MS-ASWBXML on the wire, row by row, against a table that is not the product's."""

import csv
from dataclasses import dataclass

import pytest

from appliance.eas.versions import OFFERED, at_least
from appliance.eas.vocabulary import is_known
from appliance.wbxml.codec import WbxmlError, decode, encode
from appliance.wbxml.codepages import PAGES, AirSync, Email2
from tests.covers import covers, covers_each
from tests.grammar.wire import Node, read
from tests.unit.wbxml.vectors import FOLDER

HEADER = bytes.fromhex("03016a00")


@dataclass(frozen=True)
class TokenRow:
    """A tag: where it is, what it is called, and which versions have it ("" for what is not said)."""

    number: int
    page: int
    token: int
    tag: str
    since: str
    until: str

    @property
    def requirements(self) -> tuple[str, ...]:
        return (f"MS-ASWBXML_R{self.number}",)

    def __str__(self) -> str:
        return f"{self.page}:{self.tag}"


@dataclass(frozen=True)
class PageRow:
    """A code page and its namespace."""

    number: int
    page: int
    namespace: str

    @property
    def requirements(self) -> tuple[str, ...]:
        return (f"MS-ASWBXML_R{self.number}",)

    def __str__(self) -> str:
        return self.namespace


@dataclass(frozen=True)
class GlobalRow:
    """A global token."""

    number: int
    token: int
    name: str

    @property
    def requirements(self) -> tuple[str, ...]:
        return (f"MS-ASWBXML_R{self.number}",)

    def __str__(self) -> str:
        return self.name


def _tokens() -> list[TokenRow]:
    with (FOLDER / "tokens.csv").open(encoding="utf-8", newline="") as file:
        return [
            TokenRow(
                int(row["requirement"]),
                int(row["page"]),
                int(row["token"], 16),
                row["tag"],
                row["since"],
                row["until"],
            )
            for row in csv.DictReader(file)
        ]


TOKENS = _tokens()
PAGE_ROWS = [
    PageRow(number, page, namespace)
    for number, page, namespace in (
        (10, 0, "AirSync"),
        (11, 1, "Contacts"),
        (12, 2, "Email"),
        (14, 4, "Calendar"),
        (15, 5, "Move"),
        (16, 6, "GetItemEstimate"),
        (17, 7, "FolderHierarchy"),
        (18, 8, "MeetingResponse"),
        (19, 9, "Tasks"),
        (20, 10, "ResolveRecipients"),
        (21, 11, "ValidateCert"),
        (22, 12, "Contacts2"),
        (23, 13, "Ping"),
        (24, 14, "Provision"),
        (25, 15, "Search"),
        (26, 16, "GAL"),
        (27, 17, "AirSyncBase"),
        (28, 18, "Settings"),
        (30, 20, "ItemOperations"),
        (31, 21, "ComposeMail"),
        (32, 22, "Email2"),
        (33, 23, "Notes"),
    )
]
USED = [GlobalRow(801, 0x00, "SWITCH_PAGE"), GlobalRow(802, 0x01, "END"), GlobalRow(804, 0x03, "STR_I")]
USED.append(GlobalRow(819, 0xC3, "OPAQUE"))
REFUSED = [
    GlobalRow(number, token, name)
    for number, token, name in (
        (803, 0x02, "ENTITY"),
        (805, 0x04, "LITERAL"),
        (806, 0x40, "EXT_I_0"),
        (807, 0x41, "EXT_I_1"),
        (808, 0x42, "EXT_I_2"),
        (809, 0x43, "PI"),
        (810, 0x44, "LITERAL_C"),
        (811, 0x80, "EXT_T_0"),
        (812, 0x81, "EXT_T_1"),
        (813, 0x82, "EXT_T_2"),
        (814, 0x83, "STR_T"),
        (815, 0x84, "LITERAL_A"),
        (816, 0xC0, "EXT_0"),
        (817, 0xC1, "EXT_1"),
        (818, 0xC2, "EXT_2"),
        (820, 0xC4, "LITERAL_AC"),
    )
]


@covers_each("row", TOKENS)
def test_a_tag_travels_as_its_token_and_belongs_to_its_versions(row):
    (tag,) = [tag for tag in PAGES[row.page].values() if tag.name == row.tag]
    switch = bytes((0x00, row.page)) if row.page else b""
    empty = HEADER + switch + bytes((row.token,))
    filled = HEADER + switch + bytes((row.token | 0x40, 0x03)) + b"x\0\x01"
    assert (encode(tag()), encode(tag("x"))) == (empty, filled)
    assert (decode(empty), decode(filled)) == (tag(), tag("x"))
    assert read(filled).tag.partition(":")[2] == row.tag
    for version in OFFERED if row.since else ():
        is_there = at_least(version, row.since) and (not row.until or at_least(row.until, version))
        assert is_known(tag, version) is is_there, version


@covers_each("row", PAGE_ROWS)
def test_a_code_page_is_a_namespace(row):
    assert {tag.namespace for tag in PAGES[row.page].values()} == {row.namespace}
    rows = [token for token in TOKENS if token.page == row.page]
    assert rows, "no tag of the table is on it"
    assert {str(decode(encode(PAGES[row.page][token.token]("x"))).tag) for token in rows} == {
        f"{row.namespace}:{token.tag}" for token in rows
    }


@covers_each("row", USED)
def test_a_global_token_means_what_it_should(row):
    document = AirSync.Sync(AirSync.Status("1"), Email2.ConversationId(b"\x01\x02"), AirSync.MoreAvailable())
    wanted = {
        "SWITCH_PAGE": bytes((row.token, 22, 0x49)),
        "END": b"1\0" + bytes((row.token,)),
        "STR_I": bytes((0x4E, row.token)) + b"1\0",
        "OPAQUE": bytes((row.token, 2, 1, 2)),
    }
    assert encode(document).count(wanted[row.name]) == 1
    assert decode(encode(document)) == document


@covers_each("row", REFUSED)
def test_a_global_token_nobody_uses_is_refused_by_its_name(row):
    with pytest.raises(WbxmlError, match=rf"\b{row.name}\b"):
        decode(HEADER + bytes((0x45, row.token, 0x01, 0x01)))
    assert bytes((row.token,)) not in {tag.open for tags in PAGES.values() for tag in tags.values()}


@covers("MS-ASWBXML_R655")
def test_tags_pages_strings_and_opaque_data_are_what_is_used():
    document = AirSync.Sync(AirSync.Status("ä"), Email2.ConversationId(b"\x01\x02"), AirSync.MoreAvailable())
    assert encode(document) == HEADER + bytes.fromhex("45 4e03c3a40001 0016 49c302010201 0000 14 01")
    root = read(encode(document))
    assert [(child.tag, child.value) for child in root.children] == [
        ("AirSync:Status", "ä"),
        ("Email2:ConversationId", b"\x01\x02"),
        ("AirSync:MoreAvailable", None),
    ]
    assert isinstance(root, Node)
