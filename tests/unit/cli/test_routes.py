"""Routes to other servers from the command line."""

import pytest

from tests.fakes.mx import FakeMx
from tests.unit.cli.conftest import Cli


def test_a_route_s_life(ready: Cli) -> None:
    ready.ok(
        "route", "set", "*", "smart.example.org:587/starttls", "--username", "office", "--password-stdin",
        stdin="s3cret\n",
    )  # fmt: skip
    ready.ok("route", "set", "Partner.example", "mx.partner.example")
    listed = ready.ok("route", "list", "--json")
    assert "s3cret" not in listed.out
    shown = [
        tuple(each[name] for name in ("domain", "host", "port", "tls", "username")) for each in listed.json
    ]
    assert shown == [
        ("*", "smart.example.org", 587, "starttls", "office"),
        ("partner.example", "mx.partner.example", 25, "opportunistic", ""),
    ]
    assert "smart.example.org" in ready.ok("route", "list").out
    ready.ok("route", "remove", "*")
    assert ready("route", "remove", "*").status == 1


@pytest.mark.parametrize(
    ("arguments", "stdin", "status"),
    [
        (("*", "smart.example.org:0"), "", 2),
        (("*", "smart.example.org/tls"), "", 2),
        (("*", "smart.example.org", "--password-stdin"), "x\n", 2),
        (("*", "smart.example.org", "--username", "office", "--password-stdin"), "x\n", 1),
        (("example.com", "smart.example.org"), "", 1),
        (("nodomain", "smart.example.org"), "", 1),
    ],
)
def test_what_is_no_route(ready: Cli, arguments: tuple[str, ...], stdin: str, status: int) -> None:
    assert ready("route", "set", *arguments, stdin=stdin).status == status
    assert ready.ok("route", "list", "--json").json == []


def test_a_route_is_tried(ready: Cli) -> None:
    assert ready("route", "test", "partner.example").status == 1
    with FakeMx() as mx:
        ready.ok("route", "set", "*", f"127.0.0.1:{mx.port}")
        steps = ready.ok("route", "test", "partner.example", "--json").json["steps"]
        assert [(step["step"], step["good"]) for step in steps] == [("connect", True), ("hello", True)]
        mx.script["GREETING"] = "554 5.7.1 not you"
        failed = ready("route", "test", "partner.example")
        assert failed.status == 1 and "not you" in failed.out
