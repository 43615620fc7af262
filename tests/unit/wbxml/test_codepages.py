"""The vocabulary: complete, free of contradictions, one object per tag."""

import copy
import json
import pickle
from pathlib import Path

import pytest

from appliance.wbxml import codepages
from appliance.wbxml.codec import WbxmlError, decode, encode
from appliance.wbxml.codepages import PAGES, REMOVED_PAGES, TAGS, TAGS_BY_NAME
from appliance.wbxml.element import Tag
from tests.unit.wbxml.vectors import ROOT

TABLE = ROOT.parent / "shared" / "eas" / "codepages.json"
VERSIONS = (None, "2.5", "12.0", "12.1", "14.0", "14.1", "16.0", "16.1")


def test_all_pages_and_tokens_are_there() -> None:
    assert sorted(PAGES) == list(range(26))
    assert len(TAGS) == len(TAGS_BY_NAME) == 655


def test_each_tag_is_where_its_numbers_say() -> None:
    for (page, token), tag in TAGS.items():
        assert (tag.page, tag.token) == (page, token)
        assert 0x05 <= token <= 0x3F
        assert PAGES[page][token] is tag
        assert TAGS_BY_NAME[tag.namespace, tag.name] is tag
        assert getattr(getattr(codepages, tag.namespace), tag.name) is tag
        assert (tag.open, tag.empty) == (bytes((token + 0x40,)), bytes((token,)))
        assert (tag.switch, tag.open_text) == (bytes((0, page)), bytes((token + 0x40, 3)))


def test_a_namespace_is_one_page() -> None:
    assert all(len({tag.namespace for tag in tags.values()}) == 1 for tags in PAGES.values())
    assert len({tag.namespace for tag in TAGS.values()}) == 26


def test_protocol_versions_are_known_and_in_order() -> None:
    for tag in TAGS.values():
        first, last = VERSIONS.index(tag.since), VERSIONS.index(tag.until)
        assert last == 0 or first <= last, tag


@pytest.mark.parametrize(
    ("tag", "page", "token"),
    [
        (codepages.AirSync.HeartbeatInterval, 0, 0x29),
        (codepages.AirSyncBase.Body, 17, 0x0A),  # 14 is Provision; servers that mix them up get silence
        (codepages.Provision.AccountOnlyRemoteWipe, 14, 0x3B),
        (codepages.Settings.Settings, 18, 0x05),
        (codepages.ComposeMail.Mime, 21, 0x10),
        (codepages.Email2.ConversationId, 22, 0x09),
        (codepages.Find.GALSearchCriterion, 25, 0x19),
        (codepages.Find.MaxPictures, 25, 0x20),
    ],
    ids=str,
)
def test_notorious_numbers(tag: Tag, page: int, token: int) -> None:
    assert (tag.page, tag.token) == (page, token)


def test_byte_arrays_are_marked() -> None:
    assert {str(tag) for tag in TAGS.values() if tag.opaque} == {
        "AirSyncBase:Content",
        "ComposeMail:Mime",
        "Email2:ConversationId",
        "Email2:ConversationIndex",
        "GAL:Data",
        "ItemOperations:ConversationId",
        "ResolveRecipients:Data",
        "Search:ConversationId",
    }


def test_every_tag_travels_except_those_of_a_removed_page() -> None:
    for tag in TAGS.values():
        document = encode(tag("x"))
        if tag.page in REMOVED_PAGES:
            with pytest.raises(WbxmlError, match="unknown code page 3 at offset 4"):
                decode(document)
        else:
            assert decode(document).tag is tag


def test_copies_and_pickles_of_a_tag_are_the_tag() -> None:
    tag = codepages.Email.Subject
    assert copy.copy(tag) is copy.deepcopy(tag) is pickle.loads(pickle.dumps(tag)) is tag
    element = codepages.AirSync.Add(tag("a"), codepages.Email2.ConversationId(b"b"))
    assert pickle.loads(pickle.dumps(element)) == copy.deepcopy(element) == element


@pytest.mark.skipif(not TABLE.exists(), reason="no shared code page table beside this checkout")
def test_the_shared_table_says_the_same() -> None:
    table = json.loads(Path(TABLE).read_text("utf-8"))
    theirs = {
        (int(page), int(token, 16)): (
            entry["namespace"],
            name,
            name in entry["opaque"],
            entry["since"].get(name),
            entry.get("until", {}).get(name),
        )
        for page, entry in table.items()
        for token, name in entry["tokens"].items()
    }
    ours = {at: (tag.namespace, tag.name, tag.opaque, tag.since, tag.until) for at, tag in TAGS.items()}
    assert ours == theirs
