"""What new commands and classes are copied from has to work."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from appliance.eas.commands import _skeleton as command
from appliance.eas.content import _skeleton as content
from appliance.eas.status import ProtocolError
from appliance.errors import NotFound
from appliance.wbxml.codepages import AirSyncBase, Notes
from appliance.wbxml.codepages import GetItemEstimate as Tag

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_command(monkeypatch):
    def find(context, collection_id):
        if collection_id != "5":
            raise NotFound("no such folder")
        return SimpleNamespace(total=7)

    monkeypatch.setattr(command.collection, "find", find)
    asked = [Tag.Collection(Tag.CollectionId(i)) for i in ("5", "6")]
    answer = command.handle(None, Tag.GetItemEstimate(Tag.Collections(asked)))
    assert [r.int_of(Tag.Status) for r in answer.find_all(Tag.Response)] == [1, 2]
    assert answer.require(Tag.Response).require(Tag.Collection).int_of(Tag.Estimate) == 7


@pytest.mark.parametrize("request_", [None, Tag.GetItemEstimate(Tag.Collections())])
def test_command_refuses(request_):
    with pytest.raises(ProtocolError):
        command.handle(None, request_)


def test_content():
    note = content.Note("buy", "milk", NOW)
    assert content.parse(content.application_data(note, "16.1"), None, NOW) == note
    assert content.placeholder(note).text_of(Notes.LastModifiedDate) == "20260302T120000Z"


def test_content_keeps_what_is_not_mentioned():
    note = content.Note("buy", "milk", NOW)
    change = content.application_data(content.Note("sell", "", NOW), "16.1")
    assert content.parse(change, note, NOW) == content.Note("sell", "", NOW)
    html = AirSyncBase.Body(AirSyncBase.Type(2), AirSyncBase.Data("<b>"))
    with pytest.raises(ProtocolError):
        content.parse(content.AirSync.ApplicationData(html), note, NOW)
