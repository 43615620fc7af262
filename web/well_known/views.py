"""`/.well-known/`: what other servers look for at fixed places."""

import flask
from werkzeug.exceptions import NotFound

from web.services import services

blueprint = flask.Blueprint("well_known", __name__, url_prefix="/.well-known")


@blueprint.get("/mta-sts.txt")
def mta_sts() -> flask.Response:
    """Return the policy for TLS of the domain in the host name. Source: RFC 8461 3.3 Policy Fetching."""
    policy = services().mta_sts_policy(flask.request.host)
    if policy is None:
        raise NotFound
    return flask.Response(policy, content_type="text/plain")
