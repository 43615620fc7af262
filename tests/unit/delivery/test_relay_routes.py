"""Routes to other servers: which one takes a domain's mail, and that nobody reads their passwords."""

from dataclasses import replace

import pytest

from appliance import db, sealing
from appliance.accounts import domains
from appliance.db.tables import RelayRoute
from appliance.delivery import next_hops, relay_routes
from appliance.errors import Conflict, InvalidInput, NotFound
from appliance.items.next_hop import HopTls, NextHop
from appliance.queue import entries
from appliance.store import blobs
from tests.fixtures.database import Place
from tests.unit.store.mailbox import DOMAIN, NOW

SMARTHOST = NextHop("smart.example.org", 587, HopTls.STARTTLS, "office", "s3cret-Pässword")
PLAIN = NextHop("mx.partner.example")


def found(domain: str) -> NextHop | None:
    with db.connection():
        return relay_routes.find(domain)


def test_which_server_takes_a_domain(store: Place) -> None:
    assert found("partner.example") is None
    relay_routes.put("*", SMARTHOST, NOW)
    assert relay_routes.put("Partner.EXAMPLE", PLAIN, NOW) == "partner.example"
    relay_routes.put("Bücher.example", PLAIN, NOW)
    assert found("partner.example") == found("xn--bcher-kva.example") == PLAIN
    assert found("sub.partner.example") == found("elsewhere.example") == SMARTHOST
    relay_routes.put("*", NextHop("other.example.org"), NOW)
    assert found("elsewhere.example") == NextHop("other.example.org")
    relay_routes.remove("*")
    assert found("elsewhere.example") is None
    with pytest.raises(NotFound):
        relay_routes.remove("*")


def test_what_an_operator_chose_for_an_entry_comes_first(store: Place) -> None:
    relay_routes.put("*", SMARTHOST, NOW)
    add = {"account_id": None, "reverse_path": "", "now": NOW}
    entries.add(blobs.put(b"Subject: x\r\n\r\n"), recipients=[("a@b.example", "b.example")], **add)
    with db.connection():
        (entry,) = entries.list_entries()
    assert next_hops.of(entry) == SMARTHOST
    assert next_hops.of(replace(entry, next_hop="other.example:26")) == NextHop("other.example", 26)
    relay_routes.remove("*")
    assert next_hops.of(entry) is None


def test_passwords_are_sealed_and_not_listed(store: Place, tmp_path_factory: pytest.TempPathFactory) -> None:
    relay_routes.put("*", SMARTHOST, NOW)
    with db.connection():
        (row,) = RelayRoute.select().dicts()
        (listed,) = relay_routes.list_routes()
    assert b"s3cret" not in bytes(row["secret"]) and SMARTHOST.secret not in repr(row)
    assert (listed.hop.secret, listed.hop.username) == ("", "office")
    assert SMARTHOST.secret not in repr(found("a.example"))
    sealing.configure(tmp_path_factory.mktemp("other"))
    with pytest.raises(Conflict, match="another key"):
        found("a.example")
    sealing.configure(store.data_dir)


def test_a_sealed_password_opens_for_its_own_domain_only(store: Place) -> None:
    relay_routes.put("*", SMARTHOST, NOW)

    @db.transaction
    def moved() -> None:
        RelayRoute.update(domain="partner.example").execute()

    moved()
    with pytest.raises(Conflict):
        found("partner.example")


def test_our_own_domains_have_none(store: Place) -> None:
    domains.add_alias("alias.example", DOMAIN)
    for name in (DOMAIN.upper(), "alias.example"):
        with pytest.raises(Conflict):
            relay_routes.put(name, PLAIN, NOW)


@pytest.mark.parametrize(
    ("domain", "hop"),
    [
        ("*", NextHop("")),
        ("*", NextHop("smart.example", 25, HopTls.OPPORTUNISTIC, "office", "secret")),
        ("*", NextHop("smart.example", 25, HopTls.STARTTLS, "office", "")),
        ("*", NextHop("smart.example", 25, HopTls.STARTTLS, "", "secret")),
        ("*", NextHop("smart.example", 25, HopTls.STARTTLS, "a\r\nRCPT TO:<x@y.example>", "secret")),
        ("*", NextHop("smart.example", 25, HopTls.STARTTLS, "office", "a\0b")),
        ("no domain", PLAIN),
        ("a\r\nb.example", PLAIN),
        ("", PLAIN),
    ],
)
def test_what_is_no_route(store: Place, domain: str, hop: NextHop) -> None:
    with pytest.raises(InvalidInput):
        relay_routes.put(domain, hop, NOW)
