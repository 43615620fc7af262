"""`appliance phone`: options, finding the local appliance, output and exit status."""

import json
from pathlib import Path

import pytest

from appliance.cli.__main__ import run
from tests.unit.phone.scripted import Said, ScriptedServer
from tests.unit.phone.test_transport import certificate

ADDRESS = "mia@example.com"


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("APPLIANCE_PHONE_PASSWORD", "secret")
    monkeypatch.setenv("APPLIANCE_DATA", str(tmp_path / "nothing"))


def denied() -> Said:
    return Said(status=401, headers={"WWW-Authenticate": 'Basic realm="Mail"'})


def test_a_server_that_says_no_fails_every_step_and_hides_none(capsys: pytest.CaptureFixture[str]) -> None:
    with ScriptedServer(*[denied() for _ in range(20)]) as server:
        status = run(["phone", ADDRESS, "--url", server.url])
    output = capsys.readouterr().out
    assert status == 1
    assert output.count("✗") >= 4, "autodiscover, OPTIONS, Provision, FolderSync and Settings are independent"
    assert "401" in output and "needs folder-sync" in output
    assert "steps succeeded" in output


def test_json_has_every_step_with_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    with ScriptedServer(*[denied() for _ in range(20)]) as server:
        status = run(["phone", ADDRESS, "--url", server.url, "--json"])
    document = json.loads(capsys.readouterr().out)
    assert (status, document["ok"], document["address"]) == (1, False, ADDRESS)
    steps = {step["name"]: step for step in document["runs"]["16.1"]}
    assert steps["folder-sync"]["status"] == 401
    assert steps["sync"]["outcome"] == "skipped"


def test_the_local_appliance_is_found_and_its_certificate_pinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    context, _ = certificate(tmp_path)
    data = tmp_path / "data"
    (data / "run").mkdir(parents=True)
    (data / "tls").mkdir()
    pair = (tmp_path / "pair.pem").read_text()
    (data / "tls" / "cert.pem").write_text(pair[: pair.index("-----BEGIN PRIVATE")])
    monkeypatch.setenv("APPLIANCE_DATA", str(data))
    with ScriptedServer(*[denied() for _ in range(20)], tls=context) as server:
        (data / "run" / "ports.json").write_text(json.dumps({"https": server.port, "smtp": 1}))
        status = run(["phone", ADDRESS])
        assert server.asked, "no request got through TLS"
    assert status == 1
    assert f"https://127.0.0.1:{server.port}" in capsys.readouterr().out


def test_version_all_tries_what_the_server_offers(capsys: pytest.CaptureFixture[str]) -> None:
    offer = Said(headers={"MS-ASProtocolVersions": "2.5,14.1,16.1", "MS-ASProtocolCommands": "Sync"})
    with ScriptedServer(offer, *[denied() for _ in range(40)]) as server:
        run(["phone", ADDRESS, "--url", server.url, "--version", "all", "--json"])
    assert list(json.loads(capsys.readouterr().out)["runs"]) == ["16.1", "14.1"]


@pytest.mark.parametrize(
    "options",
    [
        ["--version", "2.5"],
        ["--fingerprint", "abc"],
        ["--smtp", "nowhere"],
        ["--peer", "ben@example.com"],
        ["--timeout", "0"],
    ],
    ids=lambda options: options[0],
)
def test_wrong_options_are_refused_before_anything_is_sent(options: list[str]) -> None:
    with ScriptedServer() as server:
        assert run(["phone", ADDRESS, "--url", server.url, *options]) == 2
        assert server.asked == []
