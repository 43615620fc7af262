"""Whatever message comes, it is accepted, kept byte for byte, listed and told to every phone in every form.

The public corpus is used where it lies beside the repository, the project's own messages always.
"""

from pathlib import Path

import pytest

from appliance import db
from appliance.delivery import arrival
from appliance.eas import versions
from appliance.store import messages
from appliance.wbxml.codepages import AirSync, AirSyncBase, Email
from tests.unit.eas.test_body_part import part_preference
from tests.unit.eas.world import Phone, body_preference

TESTS = Path(__file__).parents[2]
OWN = sorted(path for folder in ("mime", "eas/email") for path in (TESTS / "vectors" / folder).glob("*.eml"))
CORPUS = sorted((TESTS.parents[1] / "shared" / "corpora" / "eml").glob("*/*.eml"))

FORMS = {
    "nothing": [],
    "plain": [body_preference(1)],
    "plain, cut": [body_preference(1, 100, preview=50)],
    "HTML": [body_preference(2)],
    "HTML, cut": [body_preference(2, 100)],
    "all or none": [body_preference(2, 10, all_or_none=True), body_preference(1, 10, all_or_none=True)],
    "MIME": [AirSync.MIMESupport(2), body_preference(4)],
    "MIME, cut": [AirSync.MIMESupport(2), AirSync.MIMETruncation(1), body_preference(4)],
    "MIME for sealed": [AirSync.MIMESupport(1), body_preference(1), body_preference(4)],
    "RTF": [body_preference(3)],
    "part": [part_preference(preview=20), body_preference(2, 500)],
}


@pytest.fixture(params=["own", "corpus"])
def originals(request, phone, inbox):
    """The bytes of each message in the Inbox by its id."""
    paths = OWN if request.param == "own" else CORPUS
    if not paths:
        pytest.skip("the public corpus of messages is not beside the repository")
    return {phone.server.file_raw(phone.account, inbox, raw): raw for raw in (p.read_bytes() for p in paths)}


def told_of_all(phone, inbox, *options):
    """Return the ApplicationData of every message by its id."""
    phone.keys[inbox] = "0"
    phone.sync(inbox)
    found, has_more = {}, True
    while has_more:
        told = phone.sync(inbox, AirSync.WindowSize(512), options=AirSync.Options(list(options)))
        for command in told.of(AirSync.Add):
            found[int(command.text_of(AirSync.ServerId, "0"))] = command.require(AirSync.ApplicationData)
        has_more = told.has_more
    return found


def test_every_message_is_kept_byte_for_byte_and_listed(phone, inbox, originals):
    listed = phone.server.listed(phone.account, inbox)
    assert {message.id for message in listed} == originals.keys()
    with db.connection():
        assert all(messages.raw(message) == originals[message.id] for message in listed)


@pytest.mark.parametrize("version", versions.OFFERED)
def test_every_message_is_told_in_every_form(phone, inbox, originals, version, caplog):
    for number, (name, options) in enumerate(FORMS.items()):
        other = Phone(phone.server, phone.account, f"device{version}{number}".replace(".", ""), version)
        told = told_of_all(other, inbox, *options)
        assert told.keys() == originals.keys(), name
        for item, data in told.items():
            body = data.find(AirSyncBase.Body)
            assert body is not None, (name, item)
            assert data.find(Email.Subject) is not None
            if name == "MIME":
                assert body.require(AirSyncBase.Data).data == originals[item]
    assert [record.getMessage() for record in caplog.records if record.exc_info] == [], "no placeholder"


def test_every_message_can_be_prepared_in_any_order_and_gives_the_same(originals):
    for raw in originals.values():
        first, again = arrival.prepare(raw), arrival.prepare(raw)
        assert first.content == again.content
        assert first.columns.message_class == again.columns.message_class


def test_half_a_message_is_a_message_too(phone, inbox, caplog):
    """Cut where it hurts: an answer that leaves something out is worth more than none."""
    for path in OWN:
        raw = path.read_bytes()
        for at in range(1, len(raw), max(1, len(raw) // 5)):
            phone.server.file_raw(phone.account, inbox, raw[:at])
    told = told_of_all(phone, inbox, body_preference(2, 100))
    assert len(told) == len(phone.server.listed(phone.account, inbox))
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []
