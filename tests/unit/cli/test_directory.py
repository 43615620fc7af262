"""`appliance user picture`, `certificate` and `oof` from the outside."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.fakes.pki import Issued, issue, person
from tests.unit.cli.conftest import Cli

ANNA = "anna@example.com"
JPEG = b"\xff\xd8\xff\xe0" + b"x" * 94 + b"\xff\xd9"


def lasting(address: str = ANNA) -> Issued:
    """A certificate that is valid on the machine's own clock, whenever this runs."""
    begins, ends = (datetime(year, 1, 1, tzinfo=UTC) for year in (2020, 2120))
    return issue(person(address, begins=begins, ends=ends))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "file"


def test_a_picture_is_set_and_removed(ready: Cli, file: Path) -> None:
    file.write_bytes(JPEG)
    ready.ok("user", "picture", "set", ANNA, str(file))
    ready.ok("user", "picture", "remove", ANNA)
    outcome = ready("user", "picture", "remove", ANNA)
    assert (outcome.status, outcome.err) == (1, "appliance: the account has no picture\n")
    file.write_bytes(b"GIF89a")
    assert "JPEG or PNG" in ready("user", "picture", "set", ANNA, str(file)).err
    file.write_bytes(JPEG + bytes(200_000))
    assert "at most 102400 bytes" in ready("user", "picture", "set", ANNA, str(file)).err
    assert ready("user", "picture", "set", "nobody@example.com", str(file)).status == 1
    assert ready("user", "picture", "set", ANNA, str(file) + "x").status == 2


def test_certificates_are_added_listed_and_removed(ready: Cli, file: Path) -> None:
    issued = [lasting(), lasting()]
    for each in issued:
        file.write_bytes(each.pem)
        ready.ok("user", "certificate", "add", ANNA, str(file))
    listed = ready.ok("user", "certificate", "list", ANNA, "--json").json
    assert {about["state"] for about in listed} == {"valid"}
    assert {about["expires_at"] for about in listed} == {"2120-01-01T00:00:00Z"}
    assert listed[0]["sha256"][:16] in ready.ok("user", "certificate", "list", ANNA).out
    ready.ok("user", "certificate", "remove", ANNA, str(file))
    (left,) = ready.ok("user", "certificate", "list", ANNA, "--json").json
    ready.ok("user", "certificate", "remove", ANNA, left["sha256"][:12])
    assert ready.ok("user", "certificate", "list", ANNA).out == ""
    assert ready("user", "certificate", "remove", ANNA, left["sha256"]).status == 1
    file.write_bytes(lasting("bob@example.com").der)
    assert "is for bob@example.com" in ready("user", "certificate", "add", ANNA, str(file)).err


def shown(ready: Cli) -> dict[str, object]:
    document: dict[str, object] = ready.ok("user", "oof", ANNA, "show", "--json").json
    return document


def test_out_of_office_is_switched_on_and_off(ready: Cli) -> None:
    assert shown(ready)["state"] == "off"
    ready.ok("user", "oof", ANNA, "on", "--text", "Away.\nBack soon.")
    heard = {"enabled": True, "html": False, "text": "Away.\nBack soon."}
    assert shown(ready) == {
        "state": "on", "starts_at": None, "ends_at": None,
        "replies": {"internal": heard, "known": heard, "unknown": heard},
    }  # fmt: skip
    assert "Away. Back soon." in ready.ok("user", "oof", ANNA, "show").out
    ready.ok("user", "oof", ANNA, "off")
    assert shown(ready)["state"] == "off"
    ready.ok("user", "oof", ANNA, "on")  # with the texts of before
    assert shown(ready)["replies"] == {"internal": heard, "known": heard, "unknown": heard}


def test_who_hears_what_and_when(ready: Cli) -> None:
    ready.ok(
        "user", "oof", ANNA, "on", "--text", "In", "--external-text", "Out", "--external", "known",
        "--from", "2026-07-13T08:00+02:00", "--until", "2026-07-25",
    )  # fmt: skip
    assert shown(ready) == {
        "state": "timed", "starts_at": "2026-07-13T06:00:00Z", "ends_at": "2026-07-25T00:00:00Z",
        "replies": {
            "internal": {"enabled": True, "html": False, "text": "In"},
            "known": {"enabled": True, "html": False, "text": "Out"},
            "unknown": {"enabled": False, "html": False, "text": "Out"},
        },
    }  # fmt: skip
    assert "timed 2026-07-13T06:00:00Z 2026-07-25T00:00:00Z" in ready.ok("user", "oof", ANNA, "show").out


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["on"], 2),  # there is nothing to say yet
        (["on", "--text", "x", "--from", "2026-07-13"], 2),
        (["on", "--text", "x", "--from", "tomorrow", "--until", "2026-07-13"], 1),
        (["on", "--text", "x", "--from", "2026-07-14", "--until", "2026-07-13"], 1),
        (["on", "--text", "x" * 40_000], 1),
        (["off", "--text", "x"], 2),
        (["show", "--until", "2026-07-14"], 2),
        (["maybe"], 2),
        (["on", "--text", "x", "--external", "some"], 2),
    ],
)
def test_what_cannot_be_is_refused(ready: Cli, arguments: list[str], status: int) -> None:
    assert ready("user", "oof", ANNA, *arguments).status == status
    assert shown(ready)["state"] == "off"
