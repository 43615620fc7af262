"""Access tokens from the command line."""

from tests.unit.cli.conftest import Cli


def test_a_token_s_life(ready: Cli) -> None:
    issued = ready.ok(
        "token",
        "issue",
        "anna@example.com",
        "--scope",
        "smtp",
        "--scope",
        "eas",
        "--label",
        "printer",
        "--json",
    ).json
    assert issued["token"].startswith("at_") and issued["scopes"] == "smtp eas"
    text = ready.ok("token", "issue", "anna@example.com", "--days", "1").out.strip()
    assert text.startswith("at_") and len(text) > 40
    listed = ready.ok("token", "list", "anna@example.com", "--json").json
    assert [about["label"] for about in listed] == ["printer", ""]
    printed = ready.ok("token", "list", "anna@example.com").out
    assert "printer" in printed and text not in printed and issued["token"] not in printed
    ready.ok("token", "revoke", "anna@example.com", str(issued["id"]))
    assert ready("token", "revoke", "anna@example.com", str(issued["id"])).status == 1
    assert ready("token", "revoke", "anna@example.com").status == 2
    ready.ok("token", "revoke", "anna@example.com", "--all")
    assert ready.ok("token", "list", "anna@example.com", "--json").json == []
    assert ready("token", "issue", "anna@example.com", "--scope", "everything").status == 2
