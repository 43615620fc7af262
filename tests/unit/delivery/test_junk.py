"""Mail that the checks on reception call junk: filed apart, and nobody is answered because of it."""

from dataclasses import replace

import pytest

from appliance import db
from appliance.accounts import out_of_office
from appliance.accounts.out_of_office import Audience, OutOfOffice, Reply, State
from appliance.delivery import inbound
from appliance.errors import QuotaExceeded
from appliance.items.account import Account
from appliance.items.folder import JUNK_NAME, Folder
from appliance.queue import entries
from appliance.store import folders
from tests.unit.store.mailbox import HOSTNAME, account, envelope, listing, mail


def junk_folder(account_id: int) -> Folder | None:
    with db.connection():
        return folders.by_name(account_id, JUNK_NAME)


def deliver_junk(*names: str) -> None:
    inbound.deliver(replace(envelope(*names), is_junk=True), mail(), hostname=HOSTNAME)


def test_junk_is_filed_apart_and_answers_nobody(anna: Account) -> None:
    everybody = dict.fromkeys(Audience, Reply(is_enabled=True, text="I am away."))
    out_of_office.save(anna.id, OutOfOffice(State.ON, replies=everybody))
    deliver_junk("anna", "nobody")
    assert listing(anna.id) == []
    found = junk_folder(anna.id)
    assert found is not None
    assert (found.total, found.unread) == (1, 1)
    with db.connection():
        assert entries.list_entries() == [], "no report and no answer: the sender is somebody else"


def test_everybody_gets_their_own(anna: Account) -> None:
    ben = account("ben")
    deliver_junk("ben", "anna")
    for one in (anna, ben):
        found = junk_folder(one.id)
        assert found is not None and found.total == 1


def test_a_junk_folder_that_was_renamed_is_made_again(anna: Account) -> None:
    before = junk_folder(anna.id)
    assert before is not None
    folders.update(anna.id, before.id, before.parent_id, "Other")
    deliver_junk("anna")
    after = junk_folder(anna.id)
    assert after is not None
    assert (after.id != before.id, after.total) == (True, 1)


def test_a_full_mailbox_takes_no_junk_either(anna: Account) -> None:
    full = account("full", quota_bytes=10)
    with pytest.raises(QuotaExceeded):
        deliver_junk("full")
    found = junk_folder(full.id)
    assert found is not None and found.total == 0
