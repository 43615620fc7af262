"""`appliance message import` and `import-imap`: mail brought along from files or from another server.

Adds to the group `message` of `cli.mail`; whoever wants the whole group takes it from here.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click

from appliance import db
from appliance.accounts import accounts
from appliance.cli import password as passwords
from appliance.cli import show
from appliance.cli.mail import folder_names, folder_option
from appliance.cli.mail import message as message
from appliance.cli.place import Place, placed
from appliance.clock import SYSTEM_CLOCK
from appliance.errors import TemporaryFailure
from appliance.importing import files, imap
from appliance.importing.filing import Filer, Report
from appliance.importing.imap import Progress
from appliance.items.account import Account
from appliance.items.imported import Imported
from appliance.net.imap import Mailbox, Security, Server
from appliance.store import folders

PORTS = {Security.TLS: 993, Security.STARTTLS: 143, Security.NONE: 143}
PAUSES_S = (2, 10, 30)  # before the connection to the other server is made again


@message.command("import")
@click.argument("address")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH…")
@folder_option
@click.option("--read", is_flag=True, help="Mark everything read [default: as the files say, else unread].")
@show.as_json
@placed
def message_import(
    place: Place, address: str, paths: tuple[Path, ...], folder: str | None, read: bool, as_json: bool
) -> None:
    """Put messages from .eml files, mbox files, Maildirs and trees of these into a mailbox.

    Folders, dates and marks (read, flagged, answered, forwarded) are kept; Sent, Drafts, Trash, Junk and
    Archive go where they belong, in whatever language. What is in a folder already is left alone, so an
    import that was interrupted can be repeated. Files that cannot be read are reported and passed over; exit
    status 1 if there were any.
    """
    now = SYSTEM_CLOCK.now()
    with place.opened():
        account = _account(address)
        filer = Filer(account, _below(account, folder), is_all_read=read)
        with _bar(sum(map(files.bytes_of, paths)), is_shown=not as_json) as advance:
            for path in paths:
                for found in files.messages(path, now):
                    filer.add(found)
                    advance(len(found.raw) if isinstance(found, Imported) else 0)
            filer.flush()
    _print(filer.report, as_json)


@message.command("import-imap")
@click.argument("address")
@click.option("--host", required=True, help="The server the mail is on now.")
@click.option("--user", required=True, help="The name to sign in with there.")
@click.option(
    "--security",
    type=click.Choice([each.value for each in Security]),
    default=Security.TLS.value,
    show_default=True,
    help="TLS from the start, after STARTTLS, or none at all.",
)
@click.option("--port", type=click.IntRange(1, 65_535), help="[default: 993 with TLS, else 143]")
@click.option("--insecure", is_flag=True, help="Accept any certificate.")
@click.option("--without", multiple=True, metavar="FOLDER", help="Leave a folder of the server out.")
@folder_option
@passwords.from_stdin
@show.as_json
@placed
def message_import_imap(
    place: Place,
    address: str,
    host: str,
    user: str,
    security: str,
    port: int | None,
    insecure: bool,
    without: tuple[str, ...],
    folder: str | None,
    password_stdin: bool,
    as_json: bool,
) -> None:
    """Bring the mail of a mailbox on another IMAP server along; nothing is changed there.

    Every folder comes with its dates and marks; Sent, Drafts, Trash, Junk and Archive go where they
    belong. An import that was interrupted goes on where it stopped; a later one brings only what is new.
    """
    wanted = Security(security)
    server = Server(host, port or PORTS[wanted], user, passwords.read(password_stdin), wanted, not insecure)
    with place.opened():
        account = _account(address)
        filer = Filer(account, _below(account, folder))
        tell = (lambda _: None) if as_json else _Lines()
        _bring(server, filer, account, tell, frozenset(without))
    _print(filer.report, as_json)


def _bring(
    server: Server,
    filer: Filer,
    account: Account,
    tell: Callable[[Progress], None],
    without: frozenset[str],
) -> None:
    """Bring everything along; a connection that breaks is made again while the import gets on."""
    pauses = iter(PAUSES_S)
    while True:
        before = filer.report.done
        try:
            with Mailbox(server) as mailbox:
                return imap.bring(mailbox, filer, account.id, server.name, tell=tell, without=without)
        except TemporaryFailure as error:
            filer.discard()
            pauses = iter(PAUSES_S) if filer.report.done > before else pauses
            pause_s = next(pauses, None)
            if pause_s is None:
                raise TemporaryFailure(f"{error}; call the command again to go on from here") from error
            click.echo(f"{error}; again in {pause_s} s", err=True)
            time.sleep(pause_s)


class _Lines:
    """Shows how far an import is: one line a folder, rewritten on a terminal."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()

    def __call__(self, progress: Progress) -> None:
        is_end = progress.done == progress.total
        if self._is_terminal or is_end:
            text = f"{show.plain(progress.folder)}: {progress.done} of {progress.total}"
            click.echo(f"\r\033[K{text}" if self._is_terminal else text, nl=is_end, err=True)


@contextmanager
def _bar(total: int, *, is_shown: bool) -> Iterator[Callable[[int], None]]:
    """Show a progress bar on a terminal, and nothing anywhere else."""
    if not is_shown or not sys.stderr.isatty():
        yield lambda _: None
        return
    with click.progressbar(length=total, file=sys.stderr, show_pos=False) as bar:
        yield bar.update


def _below(account: Account, folder: str | None) -> tuple[str, ...]:
    """Return the folder that everything goes below; () is the top, where the Inbox is."""
    if folder is None:
        return ()
    with db.connection():
        whole = folders.by_name(account.id, folder)  # a name may contain the separator
    return (folder,) if whole is not None else folder_names(folder)


def _account(address: str) -> Account:
    with db.connection():
        return accounts.require(address)


def _print(report: Report, as_json: bool) -> None:
    if as_json:
        show.document(asdict(report))
    else:
        for failure in report.failed:
            click.echo(f"{show.plain(failure['source'])}: {failure['error']}", err=True)
        skipped = f", {report.skipped} marked as deleted" if report.skipped else ""
        click.echo(
            f"{report.imported} imported, {report.already_there} already there{skipped},"
            f" {len(report.failed)} failed"
        )
    if report.failed:
        raise SystemExit(1)
