"""DKIM keys: a pair at once, another in time, and the old one for as long as its mail is under way."""

from datetime import UTC, datetime, timedelta

import dkim
import pytest

from appliance import db, sealing
from appliance.accounts import accounts
from appliance.db.tables import DkimKey
from appliance.domains import dkim_keys
from appliance.errors import Conflict, NotFound
from appliance.mailauth import signer

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
pytestmark = pytest.mark.usefixtures("domain")


@pytest.fixture(autouse=True, scope="module")
def quick_keys():
    """RSA keys take long; what is stored of them is not what is tested here."""
    made = {algorithm: signer.generate(algorithm) for algorithm in signer.ALGORITHMS}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(signer, "generate", made.__getitem__)
        yield


@pytest.fixture
def domain(database):
    sealing.configure(database.data_dir)
    accounts.add_domain("example.test")


def states():
    with db.connection():
        return {key.selector: key.state for key in dkim_keys.listed("example.test")}


def test_a_domain_signs_at_once_and_once():
    assert dkim_keys.ensure("example.test", now=NOW)
    assert not dkim_keys.ensure("Example.TEST", now=NOW)
    assert states() == {"r202603": "active", "e202603": "active"}
    with db.connection():
        keys = dkim_keys.signing_keys("example.test")
        public = dkim_keys.listed("example.test")
    assert [key.algorithm for key in keys] == [signer.RSA, signer.ED25519]
    assert [signer.record(key.key) for key in keys] == [key.record for key in public]
    assert public[0].name == "r202603._domainkey.example.test"


def test_a_new_pair_waits_until_it_is_published():
    dkim_keys.ensure("example.test", now=NOW)
    pending = dkim_keys.rotate("example.test", now=NOW)
    assert [key.selector for key in pending] == ["r202603-2", "e202603-2"]
    assert dkim_keys.rotate("example.test", now=NOW) == pending
    with db.connection():
        assert [key.selector for key in dkim_keys.signing_keys("example.test")] == ["r202603", "e202603"]

    retired = dkim_keys.activate("example.test", now=NOW + timedelta(days=1))
    assert [key.selector for key in retired] == ["r202603", "e202603"]
    assert set(states().values()) == {"active", "retired"}
    with db.connection():
        assert [key.selector for key in dkim_keys.signing_keys("example.test")] == ["r202603-2", "e202603-2"]


def test_retired_keys_are_forgotten_in_time():
    dkim_keys.ensure("example.test", now=NOW)
    dkim_keys.rotate("example.test", now=NOW)
    dkim_keys.activate("example.test", now=NOW)
    assert dkim_keys.forget_retired(NOW + timedelta(days=13)) == 0
    assert dkim_keys.forget_retired(NOW + timedelta(days=14)) == 2
    assert states() == {"r202603-2": "active", "e202603-2": "active"}


def test_nothing_to_activate():
    dkim_keys.ensure("example.test", now=NOW)
    with pytest.raises(Conflict, match="dkim rotate"):
        dkim_keys.activate("example.test", now=NOW)


@pytest.mark.parametrize("name", ["other.test", "", "not a name", "sub.example.test"])
def test_domains_that_are_not_ours(name):
    with db.connection():
        assert dkim_keys.signing_keys(name) == []
        with pytest.raises(NotFound):
            dkim_keys.listed(name)
    with pytest.raises(NotFound):
        dkim_keys.ensure(name, now=NOW)


def test_the_database_alone_gives_no_key_away(tmp_path_factory):
    dkim_keys.ensure("example.test", now=NOW)
    dkim_keys._opened.cache_clear()
    sealing.configure(tmp_path_factory.mktemp("elsewhere"))
    with db.connection(), pytest.raises(Conflict, match="another key"):
        dkim_keys.signing_keys("example.test")


def test_a_key_moved_to_another_domain_does_not_open():
    dkim_keys.ensure("example.test", now=NOW)
    accounts.add_domain("other.test")
    moved = DkimKey.update(domain=2).where(DkimKey.algorithm == signer.RSA)
    db.transaction(moved.execute)()
    with db.connection(), pytest.raises(Conflict):
        dkim_keys.signing_keys("other.test")


def test_the_record_is_one_a_verifier_understands():
    dkim_keys.ensure("example.test", now=NOW)
    with db.connection():
        records = {key.name: key.record for key in dkim_keys.listed("example.test")}
    kinds = [
        dkim.load_pk_from_dns(name, dnsfunc=lambda name, timeout: records[name].encode())[2]
        for name in records
    ]
    assert kinds == [b"rsa", b"ed25519"]
