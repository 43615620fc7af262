"""The ActiveSync endpoint: who is let in, what is refused how, and what a held request leaves behind."""

import gzip
import logging

import flask
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.covers import covers
from tests.unit.web.conftest import basic
from web.eas import views

EAS = "/Microsoft-Server-ActiveSync"
VERSION = {"MS-ASProtocolVersion": "16.1"}


def post(client: FlaskClient, user: str = "", *, body: bytes = b"", **more: str) -> TestResponse:
    headers = basic() | VERSION | {name.replace("_", "-"): value for name, value in more.items()}
    query = f"Cmd=Sync&DeviceId=Appl1&DeviceType=iPhone&User={user}"
    return client.post(f"{EAS}?{query}", data=body, headers=headers)


@pytest.mark.parametrize("path", [EAS, EAS.lower(), EAS.upper(), f"{EAS}/", f"{EAS}/Default.eas"])
def test_options_says_what_is_spoken(client: FlaskClient, path: str) -> None:
    answer = client.open(path, method="OPTIONS", headers=basic())
    assert (answer.status_code, answer.data, answer.headers["Content-Length"]) == (200, b"", "0")
    assert answer.headers["MS-ASProtocolVersions"] == "14.1,16.1"
    assert answer.headers["MS-ASProtocolCommands"] == "Sync,Ping"
    assert answer.headers["Allow"] == answer.headers["Public"] == "OPTIONS,POST"
    assert answer.headers["MS-Server-ActiveSync"] == "15.2"
    assert "Content-Type" not in answer.headers


@covers("MS-ASHTTP_R178", "MS-ASHTTP_R523")
@pytest.mark.parametrize("method", ["OPTIONS", "POST", "GET", "PUT"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic(password="wrong"),
        basic("nobody@example.com"),
        {"Authorization": "Bearer abc"},
        {"Authorization": "Bearer", "X-User-Identity": "lena@example.com"},  # how an iPhone asks for OAuth
        {"Authorization": "Basic"},
        {"Authorization": "Bearer " + "A" * 5000},
        {"Authorization": "Basic ==="},
        {"Authorization": "Basic bm9jb2xvbg=="},
        {"Authorization": "Basic " + "A" * 5000},
    ],
    ids=[
        "none",
        "password",
        "name",
        "bearer",
        "no token",
        "bare",
        "long token",
        "base64",
        "no colon",
        "long",
    ],
)
def test_without_the_right_credentials_only_401(
    client: FlaskClient, method: str, headers: dict[str, str]
) -> None:
    answer = client.open(f"{EAS}?Cmd=Sync&DeviceId=d&DeviceType=t", method=method, headers=headers | VERSION)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="Mail", charset="UTF-8"'


@covers("MS-ASHTTP_R180")
@pytest.mark.parametrize(
    ("name", "status", "retry_after"),
    [
        ("disabled@example.com", 403, None),
        ("throttled@example.com", 503, "17"),
        ("trouble@example.com", 503, "30"),
        ("bug@example.com", 503, "30"),
    ],
)
def test_no_other_trouble_looks_like_a_wrong_password(
    client: FlaskClient, name: str, status: int, retry_after: str | None
) -> None:
    answer = client.open(EAS, method="OPTIONS", headers=basic(name))
    assert (answer.status_code, answer.headers.get("Retry-After")) == (status, retry_after)
    assert "WWW-Authenticate" not in answer.headers
    assert b"secret detail" not in answer.data


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_an_access_token_opens_the_account(client: FlaskClient, scheme: str) -> None:
    answer = client.open(EAS, method="OPTIONS", headers={"Authorization": f"{scheme} at_right"})
    assert answer.status_code == 200


def test_names_and_passwords_beyond_ascii(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[tuple[str, str]] = []

    def listen(credentials: tuple[str, str], *_: object) -> None:
        heard.append(credentials)

    monkeypatch.setattr(views, "sign_in", listen)
    client.open(EAS, method="OPTIONS", headers=basic("jörg@example.com", "pä:ß"))
    client.open(EAS, method="OPTIONS", headers={"Authorization": "Basic avZyZzpw5A=="})
    assert heard == [("jörg@example.com", "pä:ß"), ("jörg", "pä")]


@covers("MS-ASHTTP_R465")
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH"])
def test_other_methods_are_not_served(client: FlaskClient, method: str) -> None:
    answer = client.open(EAS, method=method, headers=basic())
    assert (answer.status_code, answer.headers["Allow"]) == (501, "OPTIONS,POST")


@covers("MS-ASHTTP_R176", "MS-ASHTTP_R177", "MS-ASHTTP_R188", "MS-ASHTTP_R186")
@pytest.mark.parametrize(
    ("query", "status"),
    [("Cmd=Teleport&DeviceId=d&DeviceType=t", 501), ("DeviceId=d", 400), ("", 400), ("AAAA", 400)],
)
def test_requests_that_make_no_sense(client: FlaskClient, query: str, status: int) -> None:
    for _ in range(2):
        assert client.post(f"{EAS}?{query}", headers=basic() | VERSION).status_code == status


@covers("MS-ASHTTP_R412", "MS-ASHTTP_R215", "MS-ASHTTP_R482")
def test_an_empty_answer_has_no_type(client: FlaskClient) -> None:
    answer = post(client, "empty", Accept_Encoding="gzip")
    assert (answer.status_code, answer.data, answer.headers["Content-Length"]) == (200, b"", "0")
    assert not {"Content-Type", "Content-Encoding"} & set(answer.headers.keys())


@covers("MS-ASHTTP_R197", "MS-ASHTTP_R214")
def test_gzip_both_ways(client: FlaskClient) -> None:
    sent = post(client, "length", body=gzip.compress(b"x" * 20_000), Content_Encoding="gzip")
    assert sent.data == b"20000"
    received = post(client, "size:20000", Accept_Encoding="gzip")
    assert received.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(received.data) == b"x" * 20_000


def test_ceilings_depend_on_the_command(client: FlaskClient) -> None:
    large = b"x" * (views.BODY_BYTES_MAX + 1)
    assert post(client, "length", body=large).data == str(len(large)).encode()
    headers = basic() | VERSION
    answer = client.post(f"{EAS}?Cmd=Settings&DeviceId=d&DeviceType=t", data=large, headers=headers)
    assert answer.status_code == 413


def test_a_stranger_s_body_is_not_read(client: FlaskClient) -> None:
    answer = client.post(f"{EAS}?Cmd=Sync&DeviceId=d&DeviceType=t", headers=VERSION, content_length=10**15)
    assert answer.status_code == 401


def test_a_bug_in_a_command_tells_nothing(client: FlaskClient) -> None:
    answer = post(client, "bug")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert b"secret detail" not in answer.data


def test_a_held_request_waits_outside_flask_and_is_answered(client: FlaskClient) -> None:
    torn_down: list[bool] = []

    @client.application.teardown_request
    def tear_down(_error: BaseException | None) -> None:
        torn_down.append(flask.has_request_context())

    answer = post(client, "hold:0.01")
    assert torn_down == [True]
    assert (answer.status_code, answer.headers["Content-Length"]) == (200, "0")
    assert "Content-Type" not in answer.headers


def test_a_held_request_that_fails_is_put_off(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        answer = post(client, "hold-bug")
    assert (answer.status_code, answer.headers["Retry-After"], answer.data) == (503, "30", b"")
    assert any("held_failed" in record.getMessage() for record in caplog.records)


def test_the_access_log_names_what_joins_and_no_secret(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        answer = post(client, "empty", X_MS_PolicyKey="1")
        post(client, "hold:0.01")
    lines = [record.getMessage() for record in caplog.records if record.name == "appliance.web"]
    plain = next(line for line in lines if answer.headers["X-Request-Id"] in line)
    for fact in ("method=POST", "command=Sync", "account=1", "device=Appl1", "status=200", "ms="):
        assert fact in plain
    assert any("held_s=" in line for line in lines)
    assert not any("right" in line or "User=" in line or "Basic" in line for line in lines)


@covers("MS-ASHTTP_R182", "MS-ASHTTP_R441")
@pytest.mark.parametrize("path", ["/Microsoft-Server-ActiveSyn", f"{EAS}/nothing"])
def test_another_path_is_not_found(client: FlaskClient, path: str) -> None:
    assert (
        client.post(f"{path}?Cmd=Sync&DeviceId=d&DeviceType=t", headers=basic() | VERSION).status_code == 404
    )


@covers("MS-ASHTTP_R219", "MS-ASHTTP_R229")
def test_a_document_says_its_type(client: FlaskClient) -> None:
    answer = post(client, "size:5")
    assert answer.headers["Content-Type"] == "application/vnd.ms-sync.wbxml"
    assert "Content-Encoding" not in answer.headers
