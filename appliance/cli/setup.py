"""`appliance setup`: the wizard's steps without a browser; repeating it changes nothing."""

import click

from appliance.cli import password as passwords
from appliance.cli import show
from appliance.cli.place import Place, placed
from appliance.setup.apply import apply


@click.command()
@click.option("--domain", required=True, help="Domain to receive mail for, such as example.com.")
@click.option("--hostname", required=True, help="Public name of this server, such as mail.example.com.")
@click.option("--admin", required=True, metavar="ADDRESS", help="Address of the administrator's account.")
@passwords.from_stdin
@show.as_json
@placed
def setup(place: Place, domain: str, hostname: str, admin: str, password_stdin: bool, as_json: bool) -> None:
    """Set the appliance up: domain, host name, certificate, administrator.

    What exists is kept: an administrator's account keeps its password.
    """
    password = passwords.read(password_stdin)
    with place.opened(create=True) as config:
        outcome = apply(domain, hostname, admin, password, data_dir=config.data_dir)
    if as_json:
        show.document({"changes": list(outcome.changes)})
        return
    for change in outcome.changes or ("everything is set up already",):
        click.echo(change)
