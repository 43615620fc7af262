"""`/autodiscover/…`: URLs, credentials and hosts around `appliance.autodiscover`."""

from datetime import UTC, datetime

import flask
from werkzeug.exceptions import BadRequest

from appliance import autodiscover
from appliance.autodiscover import Host, HostileXml, PoxError
from web import body
from web.edge import JSON_PATH, POX_PATH
from web.login import basic_credentials, sign_in
from web.services import services

XML = "text/xml; charset=utf-8"

blueprint = flask.Blueprint("autodiscover", __name__)


@blueprint.post(POX_PATH)
def xml() -> flask.Response:
    """Answer v1: a posted XML document, with credentials."""
    host = _host()
    account = sign_in(basic_credentials(), "autodiscover")
    try:
        autodiscover.parse_pox(body.read(flask.request.environ, autodiscover.BODY_BYTES_MAX))
    except HostileXml as error:
        raise BadRequest from error
    except PoxError as error:
        return flask.Response(autodiscover.error_document(error, host, datetime.now(UTC)), content_type=XML)
    document = autodiscover.mobilesync_document(host, account.address, account.display_name)
    return flask.Response(document, content_type=XML)


@blueprint.get(POX_PATH)
def xml_elsewhere() -> flask.Response:
    """Send a client that only looks for the right place to HTTPS; there, a GET is no request.

    Source: MS-OXDSCLI 3.1.5.3 (the redirect by plain HTTP).
    """
    host = _host()
    if not flask.request.is_secure:
        location = f"https://{host}{POX_PATH}"
        return flask.Response(status=302, headers={"Location": location})
    sign_in(basic_credentials(), "autodiscover")
    refusal = PoxError(autodiscover.INVALID_REQUEST, "Invalid Request")
    return flask.Response(autodiscover.error_document(refusal, host, datetime.now(UTC)), content_type=XML)


@blueprint.get(JSON_PATH)
@blueprint.get(f"{JSON_PATH}/v1.0/<address>")
def json(address: str = "") -> tuple[flask.Response, int]:
    """Answer v2: a GET with the address in the query or in the path, without credentials."""
    asked = {name.lower(): value for name, value in flask.request.args.items()}
    status, answer = autodiscover.json_answer(
        _host(), address or asked.get("email", ""), asked.get("protocol", "")
    )
    return flask.jsonify(answer), status


def _host() -> Host:
    """Return where clients reach us: the configured name, on the port this client has used.

    Before the setup the name in the request has to do, if it is one.
    """
    asked = autodiscover.parse_host(flask.request.environ.get("HTTP_HOST", ""))
    name = services().hostname() or (asked.name if asked else "")
    if not name:
        raise BadRequest
    return Host(name, asked.port if asked and flask.request.is_secure else None)
