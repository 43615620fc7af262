"""Groups, domains, forwarding, rules and senders from the command line."""

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Cli

LETTER = b"From: ada@example.net\r\nTo: anna@example.com\r\nSubject: Roof offer\r\n\r\nHi\r\n"


def test_a_group_s_life(ready: Cli) -> None:
    ready.ok(
        "group", "add", "Office@example.com", "--name", "The Office", "--senders", "anyone",
        "--owner", "anna@example.com", "--member", "anna@example.com", "--member", "Ada@Example.NET",
    )  # fmt: skip
    assert ready.ok("group", "list", "--json").json == [
        {
            "address": "office@example.com", "name": "The Office", "senders": "anyone",
            "owner": "anna@example.com", "members": 2,
        }
    ]  # fmt: skip
    ready.ok("group", "add-member", "office@example.com", "anna@example.com", "--send-as")
    shown = ready.ok("group", "show", "office@example.com", "--json").json
    assert shown["members"] == [
        {"address": "Ada@example.net", "send_as": False, "kind": "outside"},
        {"address": "anna@example.com", "send_as": True, "kind": "account"},
    ]
    assert "office@example.com" in ready.ok("group", "list").out
    assert "outside" in ready.ok("group", "show", "office@example.com").out
    ready.ok("group", "set", "office@example.com", "--senders", "members")
    assert ready.ok("group", "list", "--json").json[0]["senders"] == "members"
    assert ready("group", "set", "office@example.com").status == 2
    ready.ok("group", "remove-member", "office@example.com", "ada@example.net")
    assert ready("group", "remove-member", "office@example.com", "ada@example.net").status == 1
    ready.ok("group", "remove", "office@example.com")
    assert ready("group", "show", "office@example.com").status == 1


def test_a_group_is_made_with_its_members_or_not_at_all(ready: Cli) -> None:
    outcome = ready("group", "add", "office@example.com", "--member", "nobody@example.com")
    assert (outcome.status, ready.ok("group", "list", "--json").json) == (1, [])


def test_domains(ready: Cli) -> None:
    ready.ok("domain", "alias", "alias.example", "example.com")
    ready.ok("domain", "catch-all", "example.com", "anna@example.com")
    assert ready.ok("domain", "show", "--json").json == [
        {"domain": "example.com", "alias_of": "", "catch_all": "anna@example.com"},
        {"domain": "alias.example", "alias_of": "example.com", "catch_all": ""},
    ]
    assert "alias.example" in ready.ok("domain", "show", "alias.example").out
    assert ready("domain", "catch-all", "example.com").status == 2
    ready.ok("domain", "catch-all", "example.com", "--off")
    assert ready("domain", "remove", "example.com").status == 1
    ready.ok("domain", "remove", "alias.example")
    assert ready.ok("domain", "list", "--json").json == ["example.com"]


def test_forwarding(ready: Cli) -> None:
    ready.ok("forward", "set", "anna@example.com", "Anna@Home.example", "--no-keep")
    wanted = [{"address": "anna@example.com", "to": "Anna@home.example", "keeps_copy": False}]
    assert ready.ok("forward", "list", "--json").json == wanted
    assert "Anna@home.example" in ready.ok("forward", "list").out
    assert ready("forward", "set", "anna@example.com", "anna+x@example.com").status == 1
    ready.ok("forward", "remove", "anna@example.com")
    assert ready("forward", "remove", "anna@example.com").status == 1


def test_senders(ready: Cli) -> None:
    ready.ok("sender", "block", "anna@example.com", "@Example.NET")
    ready.ok("sender", "allow", "anna@example.com", "Ada@example.net")
    assert ready.ok("sender", "list", "anna@example.com", "--json").json == [
        {"sender": "@example.net", "state": "blocked"},
        {"sender": "ada@example.net", "state": "safe"},
    ]
    ready.ok("sender", "remove", "anna@example.com", "@example.net")
    assert "blocked" not in ready.ok("sender", "list", "anna@example.com").out


def test_rules(ready: Cli, tmp_path: Path) -> None:
    letter = tmp_path / "letter.eml"
    letter.write_bytes(LETTER)
    added = ready.ok(
        "rule", "add", "anna@example.com", "--name", "Roof", "--if", "subject contains roof offer",
        "--if", "from contains example.net", "--then", "move Archive", "--then", "categorise Big money",
        "--then", "mark-read", "--json",
    ).json  # fmt: skip
    assert added["if"] == ["subject contains roof offer", "from contains example.net"]
    assert added["then"] == ["move Archive", "categorise Big money", "mark-read"]
    second = ready.ok("rule", "add", "anna@example.com", "--then", "discard", "--position", "1").out.strip()
    assert [about["position"] for about in ready.ok("rule", "list", "anna@example.com", "--json").json] == [
        1,
        2,
    ]
    tested = ("rule", "test", "anna@example.com", str(letter), "--json")
    assert not ready.ok(*tested).json["kept"]
    ready.ok("rule", "set", "anna@example.com", second, "off")
    assert ready.ok(*tested).json == {
        "kept": True, "folder": "Archive", "read": True, "flagged": False, "categories": ["Big money"],
        "sent_on_to": [], "answered": True, "rules": [added["id"]],
    }  # fmt: skip
    assert ready.ok(*tested, "--junk").json["folder"] == "Junk Email"
    assert "folder: Archive" in ready.ok(*tested[:-1]).out
    assert "off" in ready.ok("rule", "list", "anna@example.com").out
    ready.ok("rule", "move", "anna@example.com", second, "2")
    ready.ok("rule", "remove", "anna@example.com", second)
    assert len(ready.ok("rule", "list", "anna@example.com", "--json").json) == 1


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("--then", "explode"), 2),
        (("--if", "colour is red", "--then", "flag"), 2),
        (("--if", "subject", "--then", "flag"), 2),
        (("--if", "subject matches .*", "--then", "flag"), 2),
        (("--then", "move Nowhere"), 1),
        (("--then", "forward"), 1),
        ((), 2),
    ],
)
def test_what_is_no_rule(ready: Cli, arguments: tuple[str, ...], status: int) -> None:
    assert ready("rule", "add", "anna@example.com", *arguments).status == status
    assert ready.ok("rule", "list", "anna@example.com", "--json").json == []
