"""`/Microsoft-Server-ActiveSync`: HTTP in, HTTP out; nothing of ActiveSync's meaning is decided here.

Order matters: credentials are looked for before anything is parsed, the login is decided before a
single byte of the body is read, and the database connection is given back before anything waits.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

import flask

from appliance.eas.request import Request, parse
from appliance.eas.response import Held, Response
from appliance.settings import Config
from web import body, held
from web.eas.render import render
from web.edge import EAS_PATH, RECORD_KEY
from web.held import Prepared
from web.login import Presented, presented, sign_in
from web.services import services

METHODS: Final = ["OPTIONS", "POST", "GET", "HEAD", "PUT", "DELETE", "PATCH"]
ALLOWED: Final = "OPTIONS,POST"
CARRY_MESSAGES: Final = frozenset({"Sync", "SendMail", "SmartReply", "SmartForward"})
BODY_BYTES_MAX: Final = 1_048_576
"""Ceiling for every other command: lists of ids and settings."""

blueprint = flask.Blueprint("eas", __name__)


class Bare(flask.Response):
    """A response without a Content-Type of its own: empty answers must have none."""

    default_mimetype = None


@blueprint.route(EAS_PATH, methods=METHODS, provide_automatic_options=False)
@blueprint.route(f"{EAS_PATH}/default.eas", methods=METHODS, provide_automatic_options=False)
def endpoint() -> flask.Response:
    """Answer one request of a phone. Every method asks for credentials first."""
    credentials = presented()
    if flask.request.method == "POST":
        return _command(credentials)
    sign_in(credentials, "eas")
    return _options() if flask.request.method == "OPTIONS" else _not_served()


def _command(credentials: Presented) -> flask.Response:
    environ = flask.request.environ
    asked = parse("POST", flask.request.query_string.decode("latin-1"), dict(flask.request.headers))
    record = environ[RECORD_KEY]
    record.command, record.device = asked.command, asked.device_id
    account = sign_in(credentials, "eas", asked.device_id)
    host = environ.get("HTTP_HOST", "") if flask.request.is_secure else ""
    asked = replace(asked, body=body.read(environ, _ceiling(asked)), host=host)
    with services().connection():
        answer = services().eas_handle(asked, account)
    if isinstance(answer, Held):
        held.hold(environ, partial(_resumed, answer.resume, asked.accept_gzip), record)
        return Bare()
    return _response(render(answer, asked.accept_gzip))


def _resumed(resume: Callable[[], Response], accept_gzip: bool) -> Prepared:
    return render(resume(), accept_gzip)


def _ceiling(asked: Request) -> int:
    config: Config = flask.current_app.config["APPLIANCE"]
    return config.web.request_bytes_max if asked.command in CARRY_MESSAGES else BODY_BYTES_MAX


def _options() -> flask.Response:
    """Announce versions and commands. Source: MS-ASHTTP 2.2.3 HTTP OPTIONS Response."""
    offer = services().eas_offer
    answer = Response(
        headers=(
            ("MS-ASProtocolVersions", ",".join(offer.versions)),
            ("MS-ASProtocolCommands", ",".join(offer.commands)),
            ("Allow", ALLOWED),
            ("Public", ALLOWED),
        )
    )
    return _response(render(answer, False))


def _not_served() -> flask.Response:
    return _response(render(Response(status=501, headers=(("Allow", ALLOWED),)), False))


def _response(prepared: Prepared) -> flask.Response:
    return Bare(prepared.body, prepared.status, prepared.headers)
