"""`appliance user picture`, `certificate` and `oof`: what others see of an account, and hear from it.

Adds to the group `user` of `cli.accounts`; whoever wants the whole group takes it from here.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from appliance import db
from appliance.accounts import accounts, certificates, out_of_office, pictures
from appliance.accounts.certificates import Certificate
from appliance.accounts.out_of_office import Audience, OutOfOffice, Reply, State
from appliance.cli import show
from appliance.cli.accounts import user as user
from appliance.cli.place import Place, placed
from appliance.clock import SYSTEM_CLOCK
from appliance.errors import InvalidInput
from appliance.items.account import Account

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_EXTERNAL = {
    "none": (),
    "known": (Audience.KNOWN,),
    "all": (Audience.KNOWN, Audience.UNKNOWN),
}


# --- pictures -------------------------------------------------------------------------------------


@user.group("picture")
def picture() -> None:
    """The picture shown beside an account's name."""


@picture.command("set")
@click.argument("address")
@click.argument("file", type=_FILE)
@placed
def picture_set(place: Place, address: str, file: Path) -> None:
    """Show the JPEG or PNG FILE (at most 100 KB) beside the account's name."""
    data = _read(file, pictures.SIZE_BYTES_MAX)
    with place.opened():
        pictures.put(_account(address).id, data)


@picture.command("remove")
@click.argument("address")
@placed
def picture_remove(place: Place, address: str) -> None:
    """Show no picture any more."""
    with place.opened():
        pictures.remove(_account(address).id)


# --- certificates ---------------------------------------------------------------------------------


@user.group("certificate")
def certificate() -> None:
    """S/MIME certificates, with which others write to an account in secret."""


@certificate.command("add")
@click.argument("address")
@click.argument("file", type=_FILE)
@placed
def certificate_add(place: Place, address: str, file: Path) -> None:
    """Give the certificate in FILE (DER or PEM) to everybody who writes to the account."""
    data = _read(file, certificates.SIZE_BYTES_MAX)
    with place.opened():
        certificates.add(_account(address).id, data, now=SYSTEM_CLOCK.now())


@certificate.command("list")
@click.argument("address")
@show.as_json
@placed
def certificate_list(place: Place, address: str, as_json: bool) -> None:
    """List the account's certificates, expired ones too."""
    with place.opened(), db.connection():
        found = [_described(each) for each in certificates.list_of(accounts.require(address).id)]
    if as_json:
        show.document(found)
        return
    heads = ("fingerprint", "from", "until", "state")
    show.table(heads, [(about["sha256"][:16], *list(about.values())[1:]) for about in found])


@certificate.command("remove")
@click.argument("address")
@click.argument("what", metavar="FILE|FINGERPRINT")
@placed
def certificate_remove(place: Place, address: str, what: str) -> None:
    """Take a certificate away: the one in FILE, or the one whose FINGERPRINT begins like this."""
    file = Path(what)
    data = _read(file, certificates.SIZE_BYTES_MAX) if file.is_file() else None
    with place.opened():
        account = _account(address)
        if data is not None:
            found = certificates.described(certificates.parse(data))
        else:
            with db.connection():
                found = certificates.by_fingerprint(account.id, what)
        certificates.remove(account.id, found.fingerprint)


def _described(found: Certificate) -> dict[str, str]:
    return {
        "sha256": found.fingerprint.hex(),
        "valid_from": _moment(found.valid_from),
        "expires_at": _moment(found.expires_at),
        "state": "valid" if found.is_valid(SYSTEM_CLOCK.now()) else "not valid now",
    }


# --- out of office --------------------------------------------------------------------------------


@user.command("oof")
@click.argument("address")
@click.argument("action", type=click.Choice(["show", "off", "on"]))
@click.option("--text", help="What everybody hears who writes meanwhile.")
@click.option("--external-text", help="What people outside hear instead.")
@click.option(
    "--external",
    type=click.Choice(list(_EXTERNAL)),
    default="all",
    show_default=True,
    help="Who outside hears anything: nobody, those the account has written to, or all.",
)
@click.option("--from", "starts_at", help="Begin then: 2026-07-13 or 2026-07-13T08:00+02:00 (else UTC).")
@click.option("--until", "ends_at", help="End then; needs --from.")
@show.as_json
@placed
def oof(place: Place, address: str, action: str, as_json: bool, **wanted: Any) -> None:
    """Show or set what the account answers by itself while its owner is away.

    `on` without --text says what it said before. Nobody hears it more often than every four days.
    """
    if action != "on" and any(value is not None for name, value in wanted.items() if name != "external"):
        raise click.UsageError("texts and times belong to `on`")
    with place.opened():
        account = _account(address)
        with db.connection():
            settings = out_of_office.get(account.id)
        if action == "on":
            out_of_office.save(account.id, _switched_on(settings, **wanted))
        elif action == "off":
            out_of_office.save(account.id, OutOfOffice(State.OFF, replies=settings.replies))
        else:
            _show(settings, as_json)


def _switched_on(
    before: OutOfOffice,
    *,
    text: str | None,
    external_text: str | None,
    external: str,
    starts_at: str | None,
    ends_at: str | None,
) -> OutOfOffice:
    hearing = (Audience.INTERNAL, *_EXTERNAL[external])
    replies = {}
    for audience, reply in before.replies.items():
        said = text if audience is Audience.INTERNAL else external_text or text
        said_before = (reply.text, reply.is_html)
        replies[audience] = Reply(audience in hearing, *(said_before if said is None else (said, False)))
    if not any(reply.is_enabled and reply.text for reply in replies.values()):
        raise click.UsageError("there is nothing to say yet; give --text")
    if (starts_at is None) != (ends_at is None):
        raise click.UsageError("--from and --until come together")
    if starts_at is None or ends_at is None:
        return OutOfOffice(State.ON, replies=replies)
    return OutOfOffice(State.TIMED, _parse_moment(starts_at), _parse_moment(ends_at), replies)


def _show(settings: OutOfOffice, as_json: bool) -> None:
    if as_json:
        show.document({
            "state": settings.state.name.lower(),
            "starts_at": settings.starts_at and _moment(settings.starts_at),
            "ends_at": settings.ends_at and _moment(settings.ends_at),
            "replies": {
                str(audience): {"enabled": reply.is_enabled, "html": reply.is_html, "text": reply.text}
                for audience, reply in settings.replies.items()
            },
        })  # fmt: skip
        return
    window = [_moment(each) for each in (settings.starts_at, settings.ends_at) if each is not None]
    click.echo(" ".join([settings.state.name.lower(), *window]))
    rows = [
        (str(audience), "yes" if reply.is_enabled else "no", " ".join(reply.text.split())[:60])
        for audience, reply in settings.replies.items()
    ]
    show.table(("sender", "answered", "text"), rows)


# --- means ----------------------------------------------------------------------------------------


def _account(address: str) -> Account:
    with db.connection():
        return accounts.require(address)


def _read(file: Path, bytes_max: int) -> bytes:
    """Return a file, or a little more than the ceiling of it, so that the one who checks says no."""
    with file.open("rb") as stream:
        return stream.read(bytes_max + 1)


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _parse_moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{text!r} is not a moment like 2026-07-13T08:00+02:00") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
