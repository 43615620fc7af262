"""`appliance phone`: a simulated iPhone goes the whole way of a message and prints what it saw.

Owns the options, where a running appliance on this machine is found, and the exit status. The phone is
`appliance.phone`, the steps are `appliance.phone.story`.
"""

import hashlib
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import click

from appliance import config
from appliance.cli import password as passwords
from appliance.errors import ApplianceError
from appliance.phone import Phone, autodiscover
from appliance.phone.errors import PhoneError
from appliance.phone.session import VERSIONS
from appliance.phone.steps import Outcome, Result, run
from appliance.phone.story import STEPS, Postman, Story, report
from appliance.phone.transport import Transport, Trust, normal_fingerprint

PORTS_FILE = Path("run", "ports.json")
CERTIFICATE_FILE = Path("tls", "cert.pem")
PEM_END = "-----END CERTIFICATE-----"
DONE, FAILED = 0, 1
ALL_VERSIONS = "all"
LOOPBACK = "127.0.0.1"
LOCAL_HOSTS = {LOOPBACK, "localhost", "::1"}
HELP_STATUS = "Exit status: 0 no step failed, 1 at least one failed, 2 wrong options."


@click.command(epilog=HELP_STATUS)
@click.argument("address")
@click.option("--url", help="Server, https://host[:port]; default: the appliance running on this machine.")
@click.option("--password", envvar="APPLIANCE_PHONE_PASSWORD", hidden=True)
@passwords.from_stdin
@click.option(
    "--version",
    type=click.Choice((*VERSIONS, ALL_VERSIONS)),
    default=VERSIONS[0],
    show_default=True,
    help="Protocol version to speak; all: one run for each version the server offers.",
)
@click.option("--peer", metavar="ADDRESS", help="A second account that writes and gets the answer.")
@click.option("--peer-password", envvar="APPLIANCE_PHONE_PEER_PASSWORD", help="Its password.")
@click.option("--smtp", metavar="HOST:PORT", help="Where mail for the account is accepted.")
@click.option("--wait", is_flag=True, help="Wait for a message from outside instead of sending one.")
@click.option("--insecure", is_flag=True, help="Accept any certificate.")
@click.option("--fingerprint", metavar="SHA256", help="Accept exactly the certificate with this SHA-256.")
@click.option("--timeout", "timeout_s", type=click.FloatRange(1), default=30.0, help="Seconds; default 30.")
@click.option("--data", type=click.Path(path_type=Path), help="Data directory of the local appliance.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def phone(
    address: str,
    url: str | None,
    password: str | None,
    password_stdin: bool,
    version: str,
    peer: str | None,
    peer_password: str | None,
    smtp: str | None,
    wait: bool,
    insecure: bool,
    fingerprint: str | None,
    timeout_s: float,
    data: Path | None,
    as_json: bool,
) -> int:
    """Try everything an iPhone does with the account ADDRESS.

    Sign in, policies, folders, mail, a Ping that a message wakes, an answer, Sent Items, deletion. The
    messages it makes are removed again.
    """
    if peer and not peer_password:
        raise click.UsageError("--peer needs --peer-password or $APPLIANCE_PHONE_PEER_PASSWORD")
    data_dir = _data_dir(data)
    ports = _local_ports(data_dir)
    trust = _trust(insecure, fingerprint)
    place = _place(address, url, ports, trust)
    is_local = bool(ports) and urlsplit(place).hostname in LOCAL_HOSTS
    if is_local and trust == Trust():
        trust = _trust(False, _own_fingerprint(data_dir))
    secret = _password(address, password, password_stdin)
    postman = _postman(smtp, ports if is_local else {}, timeout_s)

    def say(text: str) -> None:
        if not as_json:
            click.echo(text)

    def story(spoken: str) -> Story:
        """Return a fresh story: for the server, each version is a phone of its own."""
        return Story(
            Phone(place, address, secret, version=spoken, trust=trust, timeout_s=timeout_s),
            Phone(place, peer, peer_password or "", version=spoken, trust=trust, timeout_s=timeout_s)
            if peer
            else None,
            None if wait else postman,
            wait_for_outside=wait,
            timeout_s=timeout_s,
            announce=say,
        )

    runs: dict[str, list[Result]] = {}
    for spoken in _versions(version, story):
        say(f"{address} at {place}, ActiveSync {spoken}")
        runs[spoken] = []
        for result in run(STEPS, story(spoken)):
            runs[spoken].append(result)
            say(report.line(result))
        say(report.summary(runs[spoken]) + "\n")
    if as_json:
        click.echo(json.dumps(report.document(address, place, runs), indent=2, ensure_ascii=False))
    results = [result for each in runs.values() for result in each]
    return FAILED if any(result.outcome is Outcome.FAILED for result in results) else DONE


def _data_dir(data: Path | None) -> Path | None:
    try:
        return config.load(data_dir=data).data_dir
    except ApplianceError:
        return data


def _local_ports(data_dir: Path | None) -> dict[str, int]:
    """Return the ports of an appliance that `appliance run` started on this machine, or nothing."""
    try:
        ports: dict[str, int] = json.loads((data_dir or Path()).joinpath(PORTS_FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return ports


def _own_fingerprint(data_dir: Path | None) -> str | None:
    """Return the SHA-256 of this machine's own certificate, which may be self-signed."""
    try:
        text = (data_dir or Path()).joinpath(CERTIFICATE_FILE).read_text("ascii")
        first = text[: text.index(PEM_END) + len(PEM_END)]
        return hashlib.sha256(ssl.PEM_cert_to_DER_cert(first)).hexdigest()
    except (OSError, ValueError):
        return None


def _place(address: str, url: str | None, ports: dict[str, int], trust: Trust) -> str:
    """Return the server's URL: as given, the local appliance's, or what Autodiscover says."""
    if url:
        return url
    if ports:
        return f"https://{LOOPBACK}:{ports['https']}"
    domain = address.rpartition("@")[2]
    for host in (f"autodiscover.{domain}", domain):
        transport = Transport(f"https://{host}", trust=trust)
        try:
            return autodiscover.by_json(transport, address)
        except PhoneError as error:
            click.echo(f"{host}: {error}", err=True)
    raise click.UsageError("no appliance runs here and Autodiscover found none: give --url")


def _trust(insecure: bool, fingerprint: str | None) -> Trust:
    try:
        return Trust(insecure, normal_fingerprint(fingerprint) if fingerprint else None)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--fingerprint") from None


def _postman(smtp: str | None, ports: dict[str, int], timeout_s: float) -> Postman | None:
    """Return who delivers the message: to --smtp, else to the local appliance's port, else nobody."""
    if smtp:
        host, _, port = smtp.rpartition(":")
        if not host or not port.isdecimal():
            raise click.BadParameter("HOST:PORT expected", param_hint="--smtp")
        return Postman(host, int(port), timeout_s)
    return Postman(LOOPBACK, ports["smtp"], timeout_s) if "smtp" in ports else None


def _password(address: str, password: str | None, from_stdin: bool) -> str:
    if from_stdin:
        return passwords.read(password_stdin=True)
    return password or str(click.prompt(f"Password of {address}", hide_input=True, err=True))


def _versions(version: str, story: Callable[[str], Story]) -> list[str]:
    """Return the versions to try: the one asked for, or each that server and phone have in common."""
    if version != ALL_VERSIONS:
        return [version]
    try:
        offered = story(VERSIONS[0]).phone.options().versions
    except PhoneError:
        return [VERSIONS[0]]  # the run itself will say what is wrong
    return [spoken for spoken in VERSIONS if spoken in offered]
