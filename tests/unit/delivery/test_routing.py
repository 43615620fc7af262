"""Where a forward path leads."""

import pytest

from appliance import db
from appliance.accounts import accounts, domains, groups
from appliance.delivery.routing import Route, RouteKind, route, route_all
from appliance.errors import Conflict, InvalidInput, NotFound
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


@pytest.mark.parametrize("name", ["abuse", "Hostmaster", "WEBMASTER"])
def test_every_domain_has_these_names(anna: Account, name: str) -> None:
    boss = account("boss", is_admin=True)
    assert to(f"{name}@{DOMAIN}").account == boss
    domains.set_catch_all(DOMAIN, anna.address)
    assert to(f"{name}@{DOMAIN}").account == boss
    accounts.add_alias(anna.id, f"{name}@{DOMAIN}")
    assert to(f"{name}@{DOMAIN}").account == anna


def test_what_follows_a_plus_sign_is_kept(anna: Account) -> None:
    found = to(f"Anna+Shop+2026@{DOMAIN}")
    assert (found.account, found.detail, found.address) == (anna, "shop+2026", f"anna+shop+2026@{DOMAIN}")
    assert to(f"nobody+anna@{DOMAIN}").kind is RouteKind.UNKNOWN
    assert to(f"+anna@{DOMAIN}").kind is RouteKind.UNKNOWN


def test_nobody_s_mail_goes_to_whom_it_is_given(anna: Account) -> None:
    assert to(f"nobody@{DOMAIN}").kind is RouteKind.UNKNOWN
    off = account("off")
    domains.set_catch_all(DOMAIN.upper(), f"Anna@{DOMAIN}")
    assert to(f"nobody@{DOMAIN}").account == anna
    accounts.set_enabled(off.id, False)
    assert to(off.address).kind is RouteKind.DISABLED  # a mailbox that is closed is not everybody's
    domains.set_catch_all(DOMAIN, "")
    assert to(f"nobody@{DOMAIN}").kind is RouteKind.UNKNOWN
    for wrong in ("nobody@" + DOMAIN, "x@example.net"):
        with pytest.raises(NotFound):
            domains.set_catch_all(DOMAIN, wrong)


def test_a_domain_that_stands_for_another(anna: Account) -> None:
    domains.add_alias("Alias.Example", DOMAIN)
    domains.set_catch_all(DOMAIN, anna.address)
    for path in ("anna@alias.example", "Anna+x@ALIAS.example", "nobody@alias.example"):
        assert to(path).account == anna
    groups.create(f"office@{DOMAIN}")
    assert to("office@alias.example").group is not None
    with db.connection():
        assert accounts.owns(anna, "Anna+a@alias.example")
        assert accounts.credential("anna@alias.example") is not None
    with pytest.raises(InvalidInput):
        accounts.add_alias(anna.id, "info@alias.example")


def test_what_may_stand_for_what(anna: Account) -> None:
    domains.add_alias("a.example", DOMAIN)
    for name, target, error in (
        ("b.example", "a.example", Conflict),
        (DOMAIN, DOMAIN, InvalidInput),
        (DOMAIN, "a.example", Conflict),
        ("b.example", "elsewhere.example", NotFound),
    ):
        with pytest.raises(error):
            domains.add_alias(name, target)
    with pytest.raises(Conflict):
        domains.set_catch_all("a.example", anna.address)
    with pytest.raises(Conflict):
        domains.remove(DOMAIN)
    domains.remove("a.example")
    assert to("anna@a.example").kind is RouteKind.REMOTE


@pytest.mark.parametrize(
    "path",
    [
        "anna@EXAMPLE.TEST",
        "anna@example\uff0etest",
        "anna@ex\uff41mple.test",
        "ANNA@Example.Test",
        '"anna"@example.test',
        "anna@ﬀ.example",
        "anna@BÜCHER.example",
        "anna@xn--bcher-kva.EXAMPLE",
    ],
)
def test_our_domains_are_ours_however_they_are_spelled(anna: Account, path: str) -> None:
    """Mail between our own people never leaves the machine."""
    for name in ("bücher.example", "ff.example"):
        domains.add_alias(name, DOMAIN)
    assert to(path).account == anna


def test_many_at_once_get_the_same_answers(anna: Account) -> None:
    account("boss", is_admin=True)
    groups.create(f"office@{DOMAIN}")
    domains.add_alias("alias.example", DOMAIN)
    domains.set_catch_all(DOMAIN, anna.address)
    paths = [
        anna.address, f"Anna+x@{DOMAIN}", "anna@alias.example", f"office@{DOMAIN}", f"Office+y@{DOMAIN}",
        f"office-bounces@{DOMAIN}", f"abuse@{DOMAIN}", f"nobody@{DOMAIN}", "x@example.net", "", "no",
        "Postmaster",
        f"srs0=aaaaaaaa=aa=example.net=x@{DOMAIN}",
    ]  # fmt: skip
    with db.connection():
        assert route_all(paths) == [route(path) for path in paths]
