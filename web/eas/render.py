"""An ActiveSync answer as HTTP: exact headers, nothing on an empty body, gzip where it pays.

A phone takes a compressed nothing (20 bytes of gzip) or a Content-Type on an empty body for an answer
that is still to come, and waits for its own time-out. Source: MS-ASHTTP 2.2.2 Response.
"""

import gzip
from http import HTTPStatus
from typing import Final

from appliance import offload
from appliance.eas import versions
from appliance.eas.response import Response
from web.held import Prepared

GZIP_FROM_BYTES: Final = 1024
GZIP_LEVEL: Final = 5
OFFLOAD_FROM_BYTES: Final = 65_536
"""Compressing this takes about two milliseconds, for which the hub need not stand still."""

REASONS: Final = {449: "Retry after Provision", 451: "Redirect"}


def render(response: Response, accepts_gzip: bool) -> Prepared:
    """Return the answer ready for the wire."""
    headers = [("MS-Server-ActiveSync", versions.SERVER), ("Cache-Control", "private"), *response.headers]
    body = response.body
    if body:
        headers.append(("Content-Type", response.content_type))
        if accepts_gzip:
            body, coding = _compressed(body)
            headers += coding
    headers.append(("Content-Length", str(len(body))))
    return Prepared(f"{response.status} {_reason(response.status)}", headers, body)


def _compressed(body: bytes) -> tuple[bytes, list[tuple[str, str]]]:
    """Return the body as it is sent, and the header that says so; unchanged when nothing is won."""
    if len(body) < GZIP_FROM_BYTES:
        return body, []
    packed = offload.run(_gzip, body) if len(body) >= OFFLOAD_FROM_BYTES else _gzip(body)
    return (packed, [("Content-Encoding", "gzip")]) if len(packed) < len(body) else (body, [])


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, GZIP_LEVEL, mtime=0)


def _reason(status: int) -> str:
    try:
        return REASONS.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
