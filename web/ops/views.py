"""`/healthz` for whoever restarts things, `/metrics` for Prometheus."""

import hmac
from ipaddress import ip_address

import flask
from werkzeug.exceptions import Forbidden

from appliance import metrics
from appliance.settings import Config
from web.services import services

blueprint = flask.Blueprint("ops", __name__)


@blueprint.get("/healthz")
def healthz() -> tuple[flask.Response, int]:
    """Say whether this worker can serve: 200 when everything it needs answers, else 503."""
    found = services().health()
    is_well = all(found.values())
    answer = flask.jsonify({"status": "ok" if is_well else "failing", "role": "web", **found})
    answer.headers["Cache-Control"] = "no-store"
    return answer, 200 if is_well else 503


@blueprint.get("/metrics")
def numbers() -> flask.Response:
    """Return the page for Prometheus to this machine, or to whoever has the configured token."""
    if not (_is_loopback() or _has_token()):
        raise Forbidden
    return flask.Response(services().metrics(), content_type=metrics.CONTENT_TYPE)


def _is_loopback() -> bool:
    """Tell whether the client itself, not a proxy in front of it, is on this machine."""
    try:
        return ip_address(flask.request.remote_addr or "").is_loopback
    except ValueError:
        return False


def _has_token() -> bool:
    config: Config = flask.current_app.config["APPLIANCE"]
    token = config.metrics.token
    sent = flask.request.headers.get("Authorization", "")
    return bool(token) and hmac.compare_digest(sent.encode(), f"Bearer {token}".encode())
