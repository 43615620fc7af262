"""The web application: blueprints, error answers, security headers, and the stages around them.

Owns putting the parts together. A request passes `Shim` (held requests), `Edge` (where it came from),
Flask (routing, views) and comes back through `security.finish`.
"""

import flask

from appliance.settings import Config
from web import errors, security
from web.autodiscover.views import blueprint as autodiscover
from web.eas.views import blueprint as eas
from web.edge import Edge
from web.held import Shim
from web.ops.views import blueprint as ops
from web.services import EXTENSION, Services
from web.start.views import blueprint as start
from web.well_known.views import blueprint as well_known

CONFIG_KEY = "APPLIANCE"
FORM_BYTES_MAX = 1_048_576


def create_app(config: Config, services: Services) -> flask.Flask:
    """Return the application; it is a WSGI callable and has Flask's test client."""
    app = flask.Flask("web", static_folder=None)
    app.config[CONFIG_KEY] = config
    app.config["MAX_CONTENT_LENGTH"] = FORM_BYTES_MAX
    app.extensions[EXTENSION] = services
    for blueprint in (eas, autodiscover, ops, start, well_known):
        app.register_blueprint(blueprint)
    errors.register(app)
    security.register(app)
    app.wsgi_app = Shim(Edge(app.wsgi_app, config.web.trusted_proxies))  # type: ignore[method-assign]  # Flask's own way to wrap it
    return app
