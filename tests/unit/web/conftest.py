"""The real application around the stand-in domain, with Flask's test client."""

import base64
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from appliance import bus
from appliance.settings import Config, Metrics
from tests.unit.web import standin
from web.app import create_app


def basic(username: str = "lena@example.com", password: str = "right") -> dict[str, str]:
    token = base64.b64encode(f"{username}:{password}".encode()).decode()
    return {"Authorization": f"Basic {token}"}


@pytest.fixture
def client() -> Iterator[FlaskClient]:
    """A client of the application; the metrics token is "number-please"."""
    before = bus.use(bus.LocalBus())
    config = replace(Config(), metrics=Metrics(token="number-please"))
    yield create_app(config, standin.services()).test_client()
    bus.use(before)
