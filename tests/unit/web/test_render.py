"""ActiveSync answers as HTTP: what is exact about them."""

import gzip
import random

from appliance.eas.response import MULTIPART, Response
from web.eas.render import render


def names(headers: list[tuple[str, str]]) -> dict[str, str]:
    assert len({name for name, _ in headers}) == len(headers)
    return dict(headers)


def test_an_empty_answer_is_exactly_empty() -> None:
    prepared = render(Response(), True)
    assert prepared.body == b""
    assert names(prepared.headers) == {
        "MS-Server-ActiveSync": "15.2",
        "Cache-Control": "private",
        "Content-Length": "0",
    }


def test_gzip_where_it_pays() -> None:
    body = b"<Sync/>" * 1000
    prepared = render(Response(body=body), True)
    headers = names(prepared.headers)
    assert headers["Content-Encoding"] == "gzip"
    assert headers["Content-Length"] == str(len(prepared.body))
    assert gzip.decompress(prepared.body) == body
    assert render(Response(body=body), True) == prepared, "a repeated answer is identical"


def test_no_gzip_unless_asked_for() -> None:
    prepared = render(Response(body=b"x" * 5000), False)
    assert (len(prepared.body), "Content-Encoding" in names(prepared.headers)) == (5000, False)


def test_no_gzip_for_a_short_answer_or_what_does_not_shrink() -> None:
    noise = random.Random(1).randbytes(100_000)
    for body in (b"x" * 500, noise):
        prepared = render(Response(body=body), True)
        assert (prepared.body, "Content-Encoding" in names(prepared.headers)) == (body, False)


def test_a_large_answer_is_packed_off_the_hub() -> None:
    body = b"<Sync/>" * 50_000
    assert gzip.decompress(render(Response(body=body), True).body) == body


def test_status_type_and_headers_of_the_command_come_through() -> None:
    prepared = render(
        Response(449, b"x", MULTIPART, (("X-MS-RP", "16.1"), ("X-MS-Location", "https://x.test/"))), False
    )
    headers = names(prepared.headers)
    assert prepared.status == "449 Retry after Provision"
    assert headers["Content-Type"] == MULTIPART
    assert (headers["X-MS-RP"], headers["X-MS-Location"]) == ("16.1", "https://x.test/")
    assert render(Response(299), False).status == "299 Unknown"
    assert render(Response(507), False).status == "507 Insufficient Storage"
