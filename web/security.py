"""What every response carries: security headers, the request's id, and the line in the access log.

A page that needs more than nothing sets its own Content-Security-Policy; everything else may load,
frame and run nothing.
"""

from typing import Final

import flask

from web.edge import EAS_PATH, RECORD_KEY
from web.held import HELD_KEY

LOCKED: Final = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
HSTS: Final = "max-age=31536000"


def register(app: flask.Flask) -> None:
    """Make the application finish every response through `finish`."""
    app.after_request(finish)


def page_policy(nonce: str) -> str:
    """Return the policy of a self-contained page: its own style, images inside the page, nothing else."""
    return (
        f"default-src 'none'; style-src 'nonce-{nonce}'; img-src data:; "
        "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
    )


def finish(response: flask.Response) -> flask.Response:
    """Add the headers and write the access log; a held request is logged when it is answered."""
    environ = flask.request.environ
    if HELD_KEY in environ:
        return response
    record = environ[RECORD_KEY]
    headers = response.headers
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Request-Id"] = record.request_id
    if not flask.request.path.startswith(EAS_PATH):
        headers.setdefault("Content-Security-Policy", LOCKED)
        headers["Referrer-Policy"] = "no-referrer"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        if flask.request.is_secure:
            headers["Strict-Transport-Security"] = HSTS
    record.write(response.status_code, response.content_length or 0)
    return response
