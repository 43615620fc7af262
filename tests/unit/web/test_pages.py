"""Autodiscover, health, numbers, the start page, and what every answer carries."""

import json
import logging
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from appliance.errors import (
    Conflict,
    DiskFull,
    InvalidInput,
    NotFound,
    QuotaExceeded,
    TemporaryFailure,
    TooLarge,
)
from tests.unit.web.conftest import basic
from web.errors import status_for

VECTORS = Path(__file__).parents[2] / "vectors" / "autodiscover"
POX = "/Autodiscover/Autodiscover.xml"
JSON = "/Autodiscover/Autodiscover.json"
SECURE = {"base_url": "https://mail.example.com"}


def test_a_phone_finds_the_server(client: FlaskClient) -> None:
    body = (VECTORS / "mobilesync-request.xml").read_bytes()
    answer = client.post(POX, data=body, headers=basic(), **SECURE)
    assert (answer.status_code, answer.mimetype) == (200, "text/xml")
    assert "https://mail.example.com/Microsoft-Server-ActiveSync" in answer.text
    assert "lena@example.com" in answer.text


def test_xml_wants_credentials(client: FlaskClient) -> None:
    answer = client.post(POX, data=b"<x/>")
    assert (answer.status_code, "WWW-Authenticate" in answer.headers) == (401, True)


@pytest.mark.parametrize(("body", "code"), [(b"<x/>", "600"), (b"", "600"), (b"outlook", "601")])
def test_refused_xml_gets_an_error_document(client: FlaskClient, body: bytes, code: str) -> None:
    if body == b"outlook":
        body = (VECTORS / "outlook-request.xml").read_bytes()
    answer = client.post(POX, data=body, headers=basic(), **SECURE)
    assert (answer.status_code, answer.mimetype) == (200, "text/xml")
    assert f"<ErrorCode>{code}</ErrorCode>" in answer.text


def test_hostile_xml_is_a_bad_request(client: FlaskClient) -> None:
    bomb = (VECTORS / "billion-laughs.xml").read_bytes()
    assert client.post(POX, data=bomb, headers=basic()).status_code == 400
    assert client.post(POX, data=b" " * 70_000, headers=basic()).status_code == 413


def test_plain_http_is_sent_to_https(client: FlaskClient) -> None:
    answer = client.get(POX, base_url="http://autodiscover.example.com")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "https://mail.example.com/autodiscover/autodiscover.xml"
    assert client.get(POX, **SECURE).status_code == 401


@pytest.mark.parametrize(
    "url",
    [
        f"{JSON}?Email=lena@example.com&Protocol=ActiveSync&RedirectCount=1",
        f"{JSON}?email=nobody@example.com&PROTOCOL=activesync",
        f"{JSON}/v1.0/Lena@Example.com?Protocol=ActiveSync",
    ],
)
def test_json_for_known_and_unknown_alike(client: FlaskClient, url: str) -> None:
    answer = client.get(url, **SECURE)
    assert answer.status_code == 200
    assert answer.json == {
        "Protocol": "ActiveSync",
        "Url": "https://mail.example.com/Microsoft-Server-ActiveSync",
    }


def test_the_port_a_client_used_is_kept(client: FlaskClient) -> None:
    url = f"{JSON}?Email=lena@example.com&Protocol=ActiveSync"
    answer = client.get(url, base_url="https://127.0.0.1:8443")
    assert json.loads(answer.data)["Url"] == "https://mail.example.com:8443/Microsoft-Server-ActiveSync"


def test_json_refusal_is_json(client: FlaskClient) -> None:
    answer = client.get(f"{JSON}?Email=lena@example.com&Protocol=Rest", **SECURE)
    assert (answer.status_code, json.loads(answer.data)["ErrorCode"]) == (400, "InvalidProtocol")


def test_health(client: FlaskClient) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, json.loads(answer.data)["database"]) == (200, True)


@pytest.mark.parametrize(
    ("environ", "headers", "status"),
    [
        ({"REMOTE_ADDR": "127.0.0.1"}, {}, 200),
        ({"REMOTE_ADDR": "203.0.113.7"}, {}, 403),
        ({"REMOTE_ADDR": "127.0.0.1"}, {"X-Forwarded-For": "203.0.113.7"}, 403),
        ({"REMOTE_ADDR": "203.0.113.7"}, {"X-Forwarded-For": "127.0.0.1"}, 403),
        ({"REMOTE_ADDR": "203.0.113.7"}, {"Authorization": "Bearer number-please"}, 200),
        ({"REMOTE_ADDR": "203.0.113.7"}, {"Authorization": "Bearer wrong"}, 403),
    ],
)
def test_numbers_are_for_this_machine_or_the_token(
    client: FlaskClient, environ: dict[str, str], headers: dict[str, str], status: int
) -> None:
    answer = client.get("/metrics", environ_overrides=environ, headers=headers)
    assert answer.status_code == status
    assert (b"appliance_web_requests_total" in answer.data) is (status == 200)


def test_the_start_page_is_self_contained(client: FlaskClient) -> None:
    answer = client.get("/", **SECURE)
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    for fact in ("mail.example.com", "AA:BB", "14.1, 16.1", "Microsoft Exchange"):
        assert fact in answer.text
    assert not re.search(r"""(src|href)=["'](?!/healthz|data:)""", answer.text)
    assert "<script" not in answer.text
    policy = answer.headers["Content-Security-Policy"]
    nonce = re.search(r"'nonce-([^']+)'", policy)
    assert nonce is not None
    assert f'nonce="{nonce[1]}"' in answer.text
    assert client.get("/", **SECURE).headers["Content-Security-Policy"] != policy


def test_a_host_name_from_outside_is_not_put_on_the_page(client: FlaskClient) -> None:
    answer = client.get("/", headers={"Host": "<b>evil</b>"})
    assert b"<b>evil" not in answer.data


@pytest.mark.parametrize("path", ["/", "/healthz", "/nowhere", f"{JSON}?Protocol=x"])
def test_every_answer_is_locked_down(client: FlaskClient, path: str) -> None:
    headers = client.get(path, **SECURE).headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "max-age" in headers["Strict-Transport-Security"]
    assert re.fullmatch("[0-9a-f]{12}", headers["X-Request-Id"])


def test_plain_http_promises_no_https(client: FlaskClient) -> None:
    assert "Strict-Transport-Security" not in client.get("/").headers


def test_what_does_not_exist_and_what_may_not_be_done(client: FlaskClient) -> None:
    missing = client.get("/nowhere?password=secret")
    assert (missing.status_code, missing.mimetype) == (404, "text/plain")
    wrong = client.post("/healthz")
    assert (wrong.status_code, "GET" in wrong.headers["Allow"]) == (405, True)


def test_a_bug_shows_nothing_and_is_logged(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    @client.application.get("/broken")
    def broken() -> str:
        raise RuntimeError("secret detail")

    with caplog.at_level(logging.INFO):
        answer = client.get("/broken?code=hidden")
    assert (answer.status_code, b"secret" in answer.data) == (500, False)
    failed = next(record for record in caplog.records if "request_failed" in record.getMessage())
    assert failed.exc_info is not None
    assert not any("hidden" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (NotFound("x"), 404),
        (Conflict("x"), 409),
        (InvalidInput("x"), 400),
        (QuotaExceeded("x"), 507),
        (TooLarge("x"), 413),
        (TemporaryFailure("x"), 503),
        (DiskFull("x"), 503),
        (ValueError("x"), None),
    ],
)
def test_domain_errors_have_their_status(error: Exception, status: int | None) -> None:
    assert status_for(error) == status
