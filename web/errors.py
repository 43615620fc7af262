"""Every failure as HTTP: one table from the domain's errors to a status, one way to answer.

Owns the translation and the rule that no traceback and no message of a bug reaches a client. Leaves
Status elements inside ActiveSync answers to `appliance.eas.status`.

A phone must never see 401 for our own trouble (it would ask for the password), and an unknown fault is
taken for temporary: on the phones' paths it becomes 503 with Retry-After, elsewhere 500.
"""

import logging
import math
from collections.abc import Mapping
from typing import Final

import flask
from werkzeug.exceptions import HTTPException

from appliance import logs
from appliance.accounts.login import AccountDisabled, WrongCredentials
from appliance.eas.request import RequestError
from appliance.errors import (
    ApplianceError,
    Conflict,
    Denied,
    InvalidInput,
    NotFound,
    PermanentFailure,
    QuotaExceeded,
    TemporaryFailure,
    TooLarge,
)
from web.body import BodyError
from web.edge import EAS_PATH

RETRY_AFTER_S: Final = 30
CHALLENGE: Final = 'Basic realm="Mail", charset="UTF-8"'
"""Source: RFC 7617 2.1, the charset parameter."""

STATUS_FOR: Final[Mapping[type[ApplianceError], int]] = {
    WrongCredentials: 401,
    AccountDisabled: 403,
    Denied: 403,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    InvalidInput: 400,
    QuotaExceeded: 507,
    TemporaryFailure: 503,
    PermanentFailure: 400,
}

logger = logging.getLogger("appliance.web")


def register(app: flask.Flask) -> None:
    """Make the application answer every exception through `answer`."""
    app.register_error_handler(Exception, answer)


def answer(error: Exception) -> flask.Response:
    """Return the response for whatever a view raised; unexpected errors are logged with their traceback."""
    if isinstance(error, HTTPException):
        return _http(error)
    if isinstance(error, RequestError | BodyError):
        return _text(error.status, error.message)
    status = status_for(error)
    if status is None:
        logs.event(logger, "request_failed", level=logging.ERROR, exc_info=error)
        status = 503 if flask.request.path.startswith(EAS_PATH) else 500
        response = _text(status, "something went wrong here; it has been noted")
    else:
        response = _text(status, str(error) if status < 500 else "temporarily not available")
    if status == 401:
        response.headers["WWW-Authenticate"] = CHALLENGE
    if status == 503:
        wait_s = getattr(error, "retry_after_s", RETRY_AFTER_S)
        response.headers["Retry-After"] = str(max(1, math.ceil(wait_s)))
        if isinstance(error, TemporaryFailure):
            logs.event(logger, "request_put_off", level=logging.WARNING, error=error, status=status)
    return response


def status_for(error: Exception) -> int | None:
    """Return the HTTP status of a domain error, None for anything the table does not know."""
    for kind in type(error).__mro__:
        if kind in STATUS_FOR:
            return STATUS_FOR[kind]
    return None


def _http(error: HTTPException) -> flask.Response:
    """Keep what werkzeug says about the request (404, 405 with Allow, redirects), without its HTML."""
    inner = error.get_response()
    if inner.status_code < 400:
        return flask.Response(status=inner.status_code, headers=inner.headers)
    response = _text(inner.status_code, error.name.lower())
    for name in ("Allow", "Retry-After"):
        if name in inner.headers:
            response.headers[name] = inner.headers[name]
    return response


def _text(status: int, message: str) -> flask.Response:
    response = flask.Response(f"{message}\n", status=status, content_type="text/plain; charset=utf-8")
    response.headers["Cache-Control"] = "no-store"
    return response
