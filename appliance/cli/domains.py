"""`appliance domain records`, `mta-sts` and `reports`: what a domain tells others, and hears from them.

Adds to the group `domain` of `cli.accounts`; whoever wants the whole group takes it from here.
"""

import click

from appliance import db
from appliance.accounts import accounts
from appliance.cli import show
from appliance.cli.accounts import domain as domain
from appliance.cli.place import Place, placed
from appliance.clock import SYSTEM_CLOCK
from appliance.domains import dkim_keys, mta_sts, records, reports
from appliance.domains.mta_sts import Mode
from appliance.domains.reports import DmarcSummary, TlsSummary

REPORTS_SHOWN_MAX = 100


@domain.command("add")
@click.argument("name")
@placed
def domain_add(place: Place, name: str) -> None:
    """Accept mail for a domain, and sign what it sends."""
    with place.opened():
        added = accounts.add_domain(name)
        dkim_keys.ensure(added, now=SYSTEM_CLOCK.now())


@domain.command("records")
@click.argument("name")
@show.as_json
@placed
def domain_records(place: Place, name: str, as_json: bool) -> None:
    """Print the DNS records a domain should have, ready for a zone file."""
    with place.opened(), db.connection():
        found = records.wanted(name)
    if as_json:
        show.document(
            [{"name": r.name, "type": r.type, "value": r.value, "purpose": r.purpose} for r in found]
        )
        return
    for record in found:
        click.echo(f"; {record.purpose}\n{record.zone_line()}")


@domain.command("mta-sts")
@click.argument("name")
@click.argument("mode", type=click.Choice([mode.value for mode in Mode]), required=False)
@placed
def domain_mta_sts(place: Place, name: str, mode: str | None) -> None:
    """Show or choose what others do when TLS to us fails: deliver and report (testing), or wait (enforce)."""
    with place.opened():
        if mode is not None:
            mta_sts.choose(name, Mode(mode))
        with db.connection():
            text, record = mta_sts.policy(name), mta_sts.record(name)
    click.echo(text.replace("\r\n", "\n"), nl=False)
    click.echo(f'_mta-sts.{name}. IN TXT "{record}"')


@domain.command("reports")
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 10_000), default=REPORTS_SHOWN_MAX, show_default=True)
@show.as_json
@placed
def domain_reports(place: Place, name: str, limit: int, as_json: bool) -> None:
    """List what others reported of mail from the domain (DMARC) and of TLS to it, newest first."""
    with place.opened(), db.connection():
        dmarc, tls = reports.dmarc(name, limit=limit), reports.tls(name, limit=limit)
    if as_json:
        show.document({"dmarc": [_of_dmarc(r) for r in dmarc], "tls": [_of_tls(r) for r in tls]})
        return
    rows = [("dmarc", r.organisation, f"{r.ends_at:%Y-%m-%d}", r.passed, r.failed) for r in dmarc]
    rows += [("tls", r.organisation, f"{r.ends_at:%Y-%m-%d}", r.passed, r.failed) for r in tls]
    show.table(("kind", "from", "until", "passed", "failed"), rows)


def _of_dmarc(report: DmarcSummary) -> dict[str, object]:
    return {**_of_both(report), "sources": report.sources}


def _of_tls(report: TlsSummary) -> dict[str, object]:
    return {**_of_both(report), "failures": report.failures}


def _of_both(report: DmarcSummary | TlsSummary) -> dict[str, object]:
    return {
        "organisation": report.organisation,
        "report_id": report.report_id,
        "begins_at": report.begins_at.isoformat(),
        "ends_at": report.ends_at.isoformat(),
        "passed": report.passed,
        "failed": report.failed,
    }
