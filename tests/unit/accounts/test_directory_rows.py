"""Removing an account removes its picture, certificates, out-of-office and correspondents."""

from datetime import UTC, datetime

from appliance import db
from appliance.accounts import accounts
from appliance.db.tables import (
    AccountCertificate,
    AccountPicture,
    Correspondent,
    CorrespondentCursor,
    OutOfOffice,
    OutOfOfficeReply,
)
from appliance.items.account import Account
from appliance.settings import Config
from appliance.store import blobs
from tests.unit.accounts.conftest import PASSWORD

TABLES = (
    AccountCertificate,
    AccountPicture,
    Correspondent,
    CorrespondentCursor,
    OutOfOffice,
    OutOfOfficeReply,
)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@db.transaction
def fill(account_id: int) -> None:
    AccountCertificate.create(account=account_id, fingerprint=b"f", data=b"d", valid_from=NOW, expires_at=NOW)
    AccountPicture.create(account=account_id, content_type="image/png", data=b"p", changed_at=NOW)
    Correspondent.create(account=account_id, address="a@example.net")
    CorrespondentCursor.create(account=account_id, modseq=1)
    OutOfOffice.create(account=account_id, state=0, replies="{}")
    OutOfOfficeReply.create(account=account_id, sender="a@example.net", replied_at=NOW)


def counts(account_id: int) -> list[int]:
    with db.connection():
        return [table.select().where(table.account == account_id).count() for table in TABLES]


def test_nothing_is_left_of_a_removed_account_and_all_of_the_others(
    anna: Account, configured: Config
) -> None:
    blobs.configure(configured.data_dir)
    bob = accounts.create("bob@example.com", PASSWORD)
    fill(anna.id)
    fill(bob.id)
    accounts.delete(anna.id)
    assert counts(anna.id) == [0] * len(TABLES)
    assert counts(bob.id) == [1] * len(TABLES)
