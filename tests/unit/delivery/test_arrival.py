"""Any bytes can be filed, on both databases; and what is derived can be read back."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance import db
from appliance.delivery import arrival
from appliance.errors import TooLarge
from appliance.items.account import Account
from appliance.mime.structure import Structure
from appliance.store import messages
from tests.unit.store.mailbox import file, message, raw_of

HOSTILE = {
    "empty": b"",
    "nul everywhere": b"Subject: a\0b\r\nFrom: \0\r\nMessage-ID: <\0@x>\r\n\r\n\0text\0",
    "nul encoded": b"Subject: =?utf-8?q?a=00b?=\r\nTo: =?utf-8?b?AAAA?= <a@b.c>\r\n\r\nx",
    "surrogates": b"Subject: =?utf-8?q?=ED=A0=80?=\r\n\r\n\xed\xa0\x80",
    "utf-7": b'Content-Type: text/plain; charset="utf-7"\r\n\r\n+2AA-',
    "utf-16": b'Content-Type: text/plain; charset="utf-16"\r\n\r\n\xd8\x00\x00\x00',
    "raw latin": b"Subject: Gr\xfc\xdfe\r\nFrom: \xff\xfe\r\n\r\n\xff",
    "name of a file": b'Content-Type: a/b; name="\0.pdf"\r\nContent-Disposition: attachment\r\n\r\nx',
    "huge number": b"X-Priority: 99999999999999999999\r\nDate: Thu, 01 Jan 99999 00:00:00 +9999\r\n\r\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_bytes_are_filed(anna: Account, name: str) -> None:
    raw = HOSTILE[name]
    item_id = file(anna.id, raw=raw)
    _check(anna.id, item_id, raw)


def test_any_bytes_are_filed(anna: Account) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(
        st.binary(max_size=300)
        | st.lists(
            st.sampled_from([*HOSTILE.values(), b"\r\n", b"Subject: ", b"=?utf-8?q?"]), max_size=6
        ).map(b"".join)
    )
    def check(raw: bytes) -> None:
        _check(anna.id, file(anna.id, raw=raw), raw)

    check()


def _check(account_id: int, item_id: int, raw: bytes) -> None:
    assert raw_of(account_id, item_id) == raw
    with db.connection():
        content = messages.content(message(account_id, item_id).digest)
    Structure.from_json(content.structure)


def test_what_our_scanner_cannot_read_is_filed_all_the_same(
    anna: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = arrival.scan

    def broken(raw: bytes) -> Structure:
        if b"poison" in raw:
            raise RecursionError("a bug of ours")
        return real(raw)

    monkeypatch.setattr(arrival, "scan", broken)
    raw = b"Subject: poison\r\n\r\ntext"
    item_id = file(anna.id, raw=raw)
    assert raw_of(anna.id, item_id) == raw
    assert "could not be read" in message(anna.id, item_id).subject


def test_there_is_a_ceiling(anna: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrival, "SIZE_BYTES_MAX", 100)
    with pytest.raises(TooLarge):
        arrival.prepare(bytes(101))
