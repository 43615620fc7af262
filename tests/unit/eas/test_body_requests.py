"""How bodies are asked for: the commands that show items read the same elements, and refuse the same."""

import pytest

from appliance.wbxml.codepages import AirSync, AirSyncBase, Search
from appliance.wbxml.codepages import ItemOperations as Operations
from tests.covers import covers
from tests.unit.eas import test_item_operations, test_search
from tests.unit.eas.world import body_preference

HTML = b"Subject: letter\r\nMIME-Version: 1.0\r\nContent-Type: text/html\r\n\r\n<p>some words</p>\r\n"
TYPE, SIZE = AirSyncBase.Type, AirSyncBase.TruncationSize
WRONG = [
    AirSyncBase.BodyPreference(TYPE("x")),
    AirSyncBase.BodyPreference(TYPE(9)),
    AirSyncBase.BodyPreference(SIZE(5)),
    AirSyncBase.BodyPreference(TYPE(1), SIZE("many")),
    AirSyncBase.BodyPreference(TYPE(1), SIZE(-1)),
]


@pytest.fixture
def item(phone, inbox):
    return phone.server.file_raw(phone.account, inbox, HTML)


def synced(phone, inbox, item, *options):
    """Return the answer's status and the item's Body, None when there is none."""
    phone.keys[inbox] = "0"
    phone.sync(inbox)
    told = phone.sync(inbox, options=AirSync.Options(list(options)))
    found = told.of(AirSync.Add)
    return told.status, found and found[0].require(AirSync.ApplicationData).require(AirSyncBase.Body)


def searched(phone, inbox, item, *options):
    store = test_search.ask_mail(phone, "words", *options)
    found = store.find(Search.Result)
    return test_search.status(store), found and found.require(Search.Properties).require(AirSyncBase.Body)


def fetched(phone, inbox, item, *options):
    answer = test_item_operations.operations(phone, test_item_operations.by_id(inbox, item, *options))
    fetch = test_item_operations.fetched(answer)
    found = fetch.find(Operations.Properties)
    return fetch.int_of(Operations.Status), found and found.require(AirSyncBase.Body)


@covers("MS-ASAIRS_R412", "MS-ASAIRS_R413")
@pytest.mark.parametrize("command", [synced, searched, fetched])
def test_the_body_is_the_one_that_was_asked_for(phone, inbox, item, command):
    for preference, data, is_cut in (
        (body_preference(1), "some words", False),
        (body_preference(2), "<p>some words</p>", False),
        (body_preference(1, 4), "some", True),
    ):
        status, body = command(phone, inbox, item, preference)
        assert (status, body.text_of(AirSyncBase.Data).strip()) == (1, data)
        assert (body.find(AirSyncBase.Truncated) is not None) is is_cut


@covers("MS-ASAIRS_R344")
@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_item_operations_refuses_a_wrong_preference(phone, inbox, item, wrong):
    assert fetched(phone, inbox, item, wrong) == (2, None)


@covers("MS-ASAIRS_R415")
@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_search_refuses_a_wrong_preference(phone, inbox, item, wrong):
    assert searched(phone, inbox, item, wrong) == (2, None)


@covers("MS-ASAIRS_R418")
@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_sync_refuses_a_wrong_preference(phone, inbox, item, wrong):
    phone.keys[inbox] = "0"
    phone.sync(inbox)
    assert phone.sync(inbox, options=AirSync.Options(wrong)).status == 4
