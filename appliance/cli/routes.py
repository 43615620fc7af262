"""`appliance route`: which server takes mail for a domain, and the smarthost for all the rest."""

from dataclasses import replace

import click

from appliance import db
from appliance.accounts import addresses
from appliance.cli import password as passwords
from appliance.cli import show
from appliance.cli.place import Place, placed
from appliance.clock import SYSTEM_CLOCK
from appliance.delivery import relay_routes
from appliance.errors import NotFound
from appliance.items.next_hop import parse_next_hop
from appliance.net.smtp_probe import probe
from appliance.setup import settings


@click.group()
def route() -> None:
    """Servers that take mail for other domains instead of those DNS names; `*` is the smarthost."""


@route.command("list")
@show.as_json
@placed
def route_list(place: Place, as_json: bool) -> None:
    """List the routes; passwords are not shown."""
    with place.opened(), db.connection():
        found = [
            {
                "domain": each.domain,
                "host": each.hop.host,
                "port": each.hop.port,
                "tls": str(each.hop.tls),
                "username": each.hop.username,
                "changed_at": each.changed_at.isoformat(timespec="seconds"),
            }
            for each in relay_routes.list_routes()
        ]
    if as_json:
        show.document(found)
    else:
        heads = ("domain", "host", "port", "tls", "username", "changed_at")
        show.table(heads, [tuple(about.values()) for about in found])


@route.command("set")
@click.argument("domain")
@click.argument("server", metavar="HOST[:PORT][/starttls|/implicit]")
@click.option("--username", default="", help="Name to sign in with; the password is asked for.")
@passwords.from_stdin
@placed
def route_set(place: Place, domain: str, server: str, username: str, password_stdin: bool) -> None:
    """Send mail for DOMAIN (`*`: for every domain without a route of its own) to a server from now on."""
    try:
        hop = parse_next_hop(server)
    except ValueError as error:
        raise click.UsageError(f"{server}: {error}") from None
    if password_stdin and not username:
        raise click.UsageError("a password belongs to a --username")
    if username:
        hop = replace(hop, username=username, secret=passwords.read(password_stdin))
    with place.opened():
        relay_routes.put(domain, hop, SYSTEM_CLOCK.now())


@route.command("remove")
@click.argument("domain")
@placed
def route_remove(place: Place, domain: str) -> None:
    """Let DNS name the servers for DOMAIN again."""
    with place.opened():
        relay_routes.remove(domain)


@route.command("test")
@click.argument("domain")
@show.as_json
@placed
def route_test(place: Place, domain: str, as_json: bool) -> int:
    """Visit the server that takes mail for DOMAIN: connect, encrypt, sign in, leave. Nothing is sent.

    Exit status 1 when a step fails.
    """
    name = (
        relay_routes.EVERYWHERE if domain == relay_routes.EVERYWHERE else addresses.normalise_domain(domain)
    )
    with place.opened(), db.connection():
        hop = relay_routes.find(name)
        hostname = settings.get(settings.HOSTNAME) or "localhost"
    if hop is None:
        raise NotFound(f"there is no route for {domain}, and no smarthost: DNS names its servers")
    steps = list(probe(hop, hostname))
    if as_json:
        found = [{"step": each.name, "good": each.is_good, "words": each.words} for each in steps]
        show.document({"server": str(hop), "steps": found})
    else:
        rows = [(each.name, "ok" if each.is_good else "failed", each.words) for each in steps]
        show.table(("step", "result", "words"), rows)
    return 0 if all(each.is_good for each in steps) else 1
