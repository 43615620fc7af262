"""Request bodies: ceilings before and after unpacking, bombs, broken framing."""

import gzip
import io
import zlib
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web import body
from web.body import BodyError

MIB = 1024 * 1024


def environ(
    data: bytes, *, length: str | None = None, coding: str = "", chunked: bool = False
) -> dict[str, Any]:
    found: dict[str, Any] = {"wsgi.input": io.BytesIO(data), "HTTP_CONTENT_ENCODING": coding}
    if chunked:
        found["HTTP_TRANSFER_ENCODING"] = "chunked"
    else:
        found["CONTENT_LENGTH"] = str(len(data)) if length is None else length
    return found


def refusal(request: dict[str, Any], ceiling: int = MIB) -> int:
    with pytest.raises(BodyError) as refused:
        body.read(request, ceiling)
    return refused.value.status


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_is_read_whole_and_no_further(chunked: bool) -> None:
    data = bytes(range(256)) * 1000
    request = environ(data, chunked=chunked)
    assert body.read(request, MIB) == data
    if not chunked:
        request["CONTENT_LENGTH"] = "10"
        request["wsgi.input"] = io.BytesIO(data)
        assert body.read(request, MIB) == data[:10]


def test_no_length_means_no_body() -> None:
    request = environ(b"what follows is the next request")
    del request["CONTENT_LENGTH"]
    assert body.read(request, MIB) == b""


def test_an_announced_giant_is_refused_unread() -> None:
    request = environ(b"x" * 100, length=str(10**12))
    assert refusal(request) == 413
    assert request["wsgi.input"].tell() == 0


def test_a_chunked_giant_is_refused_when_it_passes_the_ceiling() -> None:
    request = environ(b"x" * (3 * MIB), chunked=True)
    assert refusal(request) == 413
    assert request["wsgi.input"].tell() < 2 * MIB


@pytest.mark.parametrize("length", ["-1", "ten", "１０", "1e3"])
def test_a_malformed_length_is_refused(length: str) -> None:
    assert refusal(environ(b"x", length=length)) == 400


def test_a_body_that_ends_early_is_refused() -> None:
    assert refusal(environ(b"short", length="500")) == 400


@pytest.mark.parametrize(("error", "status"), [(TimeoutError, 408), (ConnectionResetError, 400)])
def test_a_client_that_stops_sending_is_not_our_failure(error: type[OSError], status: int) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise error

    assert refusal({"wsgi.input": Broken(), "CONTENT_LENGTH": "5"}) == status


def test_gzip_is_unpacked() -> None:
    data = b"<Sync/>" * 5000
    assert body.read(environ(gzip.compress(data), coding="GZIP"), MIB) == data


def test_a_gzip_bomb_is_refused_early() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, body.GZIP_WINDOW)
    bomb = b"".join(packer.compress(bytes(MIB)) for _ in range(200)) + packer.flush()
    assert len(bomb) < MIB
    assert refusal(environ(bomb, coding="gzip"), 500 * MIB) == 413


def test_unpacked_size_obeys_the_ceiling() -> None:
    assert refusal(environ(gzip.compress(b"x" * 2000), coding="gzip"), 1000) == 413


@pytest.mark.parametrize(
    "data",
    [b"not gzip", gzip.compress(b"x" * 500)[:-3], gzip.compress(b"one") + b"trailing", b""],
    ids=["garbage", "cut short", "trailing", "empty"],
)
def test_broken_gzip_is_refused(data: bytes) -> None:
    assert refusal(environ(data, coding="gzip")) == 400


def test_an_unknown_coding_is_refused() -> None:
    assert refusal(environ(b"x", coding="br")) == 415


@given(st.binary(max_size=500), st.sampled_from(["", "gzip"]), st.booleans())
def test_any_body_is_read_or_refused(data: bytes, coding: str, chunked: bool) -> None:
    with suppress(BodyError):
        body.read(environ(data, coding=coding, chunked=chunked), 300)


@given(st.binary(max_size=2000))
def test_what_was_packed_is_unpacked(data: bytes) -> None:
    assert body.read(environ(gzip.compress(data), coding="x-gzip"), MIB) == data
