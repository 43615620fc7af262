"""The domain behind the protocols of `services.py`: real accounts, real delivery. The queue: `outgoing`.

Every function opens the database connection it needs and gives it back before it returns, so that a
slow client never holds one.
"""

from collections.abc import Callable

from appliance import db
from appliance.accounts import accounts, login
from appliance.accounts.tokens import Scope
from appliance.clock import Clock
from appliance.delivery import greylist, inbound, posting, room, submission
from appliance.delivery.posting import Sender
from appliance.delivery.routing import RouteKind
from appliance.errors import Denied, TemporaryFailure, TooLarge
from appliance.items.account import Account
from appliance.items.envelope import Envelope
from smtpd.services import RecipientVerdict

_VERDICTS = {
    RouteKind.LOCAL: RecipientVerdict.LOCAL,
    RouteKind.GROUP: RecipientVerdict.LOCAL,
    RouteKind.RETURN: RecipientVerdict.LOCAL,
    RouteKind.NOT_ALLOWED: RecipientVerdict.NOT_ALLOWED,
    RouteKind.REMOTE: RecipientVerdict.REMOTE,
    RouteKind.UNKNOWN: RecipientVerdict.UNKNOWN_USER,
    RouteKind.DISABLED: RecipientVerdict.REJECTED,
    RouteKind.INVALID: RecipientVerdict.REJECTED,
}


def is_ours(domain: str) -> bool:
    """Say whether we have mail of a domain; a database that is away makes nobody one of us."""
    try:
        with db.connection():
            return accounts.is_local_domain(domain)
    except TemporaryFailure:
        return False


class Mail:
    """Accounts and delivery; `smtpd.services.Services`."""

    def __init__(self, clock: Clock, hostname: Callable[[], str], *, greylist_delay_s: int = 300) -> None:
        self._clock = clock
        self._hostname = hostname
        self._greylist_delay_s = greylist_delay_s

    def recipient(
        self, forward_path: str, reverse_path: str = "", account: Account | None = None, size: int = 0
    ) -> RecipientVerdict:
        """Judge a recipient of mail from this sender."""
        sender = Sender(reverse_path if account is None else account.address, account)
        try:
            with db.connection():
                route = posting.judge(forward_path, sender)
                if account is None and room.is_lacking(route, size):
                    return RecipientVerdict.FULL
                return _VERDICTS[route.kind]
        except TooLarge:
            return RecipientVerdict.REJECTED
        except TemporaryFailure:
            return RecipientVerdict.UNAVAILABLE

    def authenticate(self, username: str, password: str, remote_ip: str) -> Account:
        """Return the account behind credentials."""
        return login.login(username, password, protocol="smtp", remote_ip=remote_ip)

    def authenticate_token(self, token: str, username: str, remote_ip: str) -> Account:
        """Return the account of an access token."""
        return login.login_with_token(
            token, scope=Scope.SMTP, protocol="smtp", username=username, remote_ip=remote_ip
        )

    def may_send_as(self, account: Account, reverse_path: str) -> bool:
        """Say whether a reverse-path is one the account may use, or null."""
        with db.connection():
            _check_still_in(account)
            return not reverse_path or posting.may_send_as(account, reverse_path)

    def may_pass(self, network: str, sender: str, recipient: str) -> bool:
        """Say whether a stranger has come back after being asked to."""
        return greylist.may_pass(
            network, sender, recipient, now=self._clock.now(), delay_s=self._greylist_delay_s
        )

    def accept(self, envelope: Envelope, raw: bytes) -> str:
        """Take responsibility for a message: filed for local recipients, queued for others."""
        if envelope.account_id is None:
            return inbound.deliver(envelope, raw, hostname=self._hostname())
        with db.connection():
            account = accounts.get(envelope.account_id)
        submitted = submission.submit(
            account,
            raw,
            hostname=self._hostname(),
            now=self._clock.now(),
            save_in_sent=True,
            recipients=envelope.forward_paths,
            wishes=envelope.wishes,
            is_internationalised=envelope.smtputf8,
        )
        return submitted.message_id


def _check_still_in(account: Account) -> None:
    """Raise Denied when an account that signed in before may not send now: it may be hours ago."""
    now = accounts.get(account.id)
    if not now.is_enabled:
        raise login.AccountDisabled
    if now.credential_version != account.credential_version:
        raise Denied("the password was changed meanwhile")
