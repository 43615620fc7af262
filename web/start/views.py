"""`/`: what is running here and how to add a phone, for a person with a browser. No secrets, no login."""

import secrets

import flask

from appliance import autodiscover
from web import security
from web.services import services

blueprint = flask.Blueprint("start", __name__, template_folder="templates")


@blueprint.get("/")
def page() -> flask.Response:
    """Return the start page."""
    facts = services().facts()
    asked = autodiscover.parse_host(flask.request.environ.get("HTTP_HOST", ""))
    nonce = secrets.token_urlsafe(12)
    text = flask.render_template(
        "start/page.html",
        facts=facts,
        server=facts.hostname or (asked.name if asked else ""),
        port=asked.port if asked and flask.request.is_secure and asked.port != 443 else None,
        nonce=nonce,
    )
    response = flask.Response(text, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = security.page_policy(nonce)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex"
    return response
