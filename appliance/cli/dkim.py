"""`appliance dkim`: the keys that sign outgoing mail, and what DNS has to say about them."""

import sys

import click

from appliance import db
from appliance.accounts import accounts
from appliance.cli import show
from appliance.cli.place import Place, placed
from appliance.clock import SYSTEM_CLOCK
from appliance.domains import dkim_keys
from appliance.domains.dkim_keys import PublicKey
from appliance.errors import Conflict
from appliance.net.resolver import DnsResolver, LookupFailure, Resolver


@click.group()
def dkim() -> None:
    """Keys that sign what a domain sends (DKIM)."""


@dkim.command("list")
@click.argument("domain", required=False)
@show.as_json
@placed
def dkim_list(place: Place, domain: str | None, as_json: bool) -> None:
    """List the keys of a DOMAIN, or of all; `appliance domain records` says what DNS needs of them."""
    with place.opened(), db.connection():
        domains = [domain] if domain else accounts.list_domains()
        found = [key for name in domains for key in dkim_keys.listed(name)]
    if as_json:
        show.document([_described(key) for key in found])
        return
    rows = [(key.name, key.algorithm, key.state, f"{key.changed_at:%Y-%m-%d}") for key in found]
    show.table(("name", "algorithm", "state", "since"), rows)


@dkim.command("rotate")
@click.argument("domain")
@show.as_json
@placed
def dkim_rotate(place: Place, domain: str, as_json: bool) -> None:
    """Make the keys that will replace the ones in use, and say what to publish first."""
    with place.opened():
        dkim_keys.ensure(domain, now=SYSTEM_CLOCK.now())
        pending = dkim_keys.rotate(domain, now=SYSTEM_CLOCK.now())
    if as_json:
        show.document([_described(key) for key in pending])
        return
    click.echo(f"Publish these, then: appliance dkim activate {domain}")
    for key in pending:
        click.echo(f'{key.name}. IN TXT "{key.record}"')


@dkim.command("activate")
@click.argument("domain")
@click.option("--unpublished", is_flag=True, help="Do not look whether DNS has the records.")
@placed
def dkim_activate(place: Place, domain: str, unpublished: bool) -> None:
    """Sign with the new keys from now on; the old ones' records stay for two weeks."""
    with place.opened() as config:
        with db.connection():
            pending = [key for key in dkim_keys.listed(domain) if key.state == dkim_keys.PENDING]
        if not unpublished:
            dns = config.dns
            _check_published(pending, DnsResolver(dns.resolver, dns.port, dns.timeout_s))
        retired = dkim_keys.activate(domain, now=SYSTEM_CLOCK.now())
    until = SYSTEM_CLOCK.now() + dkim_keys.RETIRED_KEPT
    for key in retired:
        click.echo(f"Leave {key.name} in DNS until {until:%Y-%m-%d}.", file=sys.stderr)


def _check_published(keys: list[PublicKey], resolver: Resolver) -> None:
    """Raise Conflict unless DNS has the record of every key."""
    for key in keys:
        try:
            found = resolver.resolve(key.name, "TXT")
        except LookupFailure as error:
            raise Conflict(f"{key.name} is not in DNS yet ({error})") from error
        if "".join(key.record.split()) not in ["".join(text.split()) for text in found]:
            raise Conflict(f"{key.name} says something else in DNS: {found[0][:100]}")


def _described(key: PublicKey) -> dict[str, str]:
    return {
        "domain": key.domain,
        "name": key.name,
        "algorithm": key.algorithm,
        "state": key.state,
        "since": key.changed_at.isoformat(),
        "record": key.record,
    }
