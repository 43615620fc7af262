"""Where a forward path leads."""

import pytest

from appliance import db
from appliance.accounts import accounts
from appliance.delivery.routing import Route, RouteKind, route
from appliance.items.account import Account
from tests.unit.store.mailbox import DOMAIN, account


def to(path: str) -> Route:
    with db.connection():
        return route(path)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (f"anna@{DOMAIN}", RouteKind.LOCAL),
        (f"Anna+work@{DOMAIN.upper()}", RouteKind.LOCAL),
        (f"nobody@{DOMAIN}", RouteKind.UNKNOWN),
        ("anna@example.net", RouteKind.REMOTE),
        (f"anna@sub.{DOMAIN}", RouteKind.REMOTE),
        ("anna", RouteKind.INVALID),
        ("", RouteKind.INVALID),
        ("@", RouteKind.INVALID),
        (f"anna@{DOMAIN}@example.net", RouteKind.INVALID),
        ("a@b\r\nRCPT TO:<c@d>", RouteKind.INVALID),
        ("\0", RouteKind.INVALID),
    ],
)
def test_kinds(anna: Account, path: str, kind: RouteKind) -> None:
    found = to(path)
    assert found.kind is kind
    assert (found.account == anna) == (kind is RouteKind.LOCAL)


def test_a_disabled_account_takes_no_mail(anna: Account) -> None:
    accounts.set_enabled(anna.id, False)
    assert to(anna.address).kind is RouteKind.DISABLED


def test_a_remote_domain_is_given_as_it_is_looked_up(anna: Account) -> None:
    found = to("Carl@MÜNCHEN.example")
    assert (found.address, found.domain) == ("Carl@MÜNCHEN.example", "xn--mnchen-3ya.example")


@pytest.mark.parametrize(
    "path", ["Postmaster", "postmaster", f"POSTMASTER@{DOMAIN}", f"postmaster+x@{DOMAIN}"]
)
def test_postmaster_is_the_first_administrator(anna: Account, path: str) -> None:
    assert to(path).kind is (RouteKind.UNKNOWN)
    admins = [account(name, is_admin=True) for name in ("zoe", "adam")]
    expected = admins[0] if "+" not in path else None
    assert to(path).account == expected
    accounts.set_enabled(admins[0].id, False)
    assert to(path).account == (admins[1] if "+" not in path else None)


def test_somebody_may_be_postmaster(anna: Account) -> None:
    account("zoe", is_admin=True)
    accounts.add_alias(anna.id, f"postmaster@{DOMAIN}")
    assert to(f"Postmaster@{DOMAIN}").account == anna
    assert to("postmaster@example.net").kind is RouteKind.REMOTE
