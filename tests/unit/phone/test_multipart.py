"""The multipart body of ItemOperations."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.phone.errors import ProtocolError
from appliance.phone.multipart import split


def joined(parts: list[bytes]) -> bytes:
    offset = 4 + 8 * len(parts)
    table = struct.pack("<i", len(parts))
    for part in parts:
        table += struct.pack("<ii", offset, len(part))
        offset += len(part)
    return table + b"".join(parts)


def test_two_parts_as_they_travel() -> None:
    body = bytes.fromhex("0200000014000000020000001600000003000000aabb010203")
    assert split(body) == [b"\xaa\xbb", b"\x01\x02\x03"]


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=5))
def test_what_is_joined_splits_again(parts: list[bytes]) -> None:
    assert split(joined(parts)) == parts


@pytest.mark.parametrize(
    "body",
    [b"", b"\1\0\0", struct.pack("<i", 0), struct.pack("<i", -1), struct.pack("<i", 1_000_000)]
    + [
        struct.pack("<iii", 1, offset, length) + b"abc"
        for offset, length in ((12, 4), (0, 1), (12, -1), (16, 0))
    ],
)
def test_tables_that_do_not_fit_are_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        split(body)


@given(st.binary(max_size=64))
def test_garbage_is_an_error_not_a_crash(body: bytes) -> None:
    with suppress(ProtocolError):
        split(body)
