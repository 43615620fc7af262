"""The one door: a name and a password become an account, or a refusal; the same for every protocol.

Theory of operation. Phones send their password with every request, and checking its hash costs 23 ms of
a core by design. So each process keeps for a while (`[passwords] cache_ttl_s`) which credentials it found
right or wrong, under a keyed digest that only it can compute. The account's row is read at every login: its
`credential_version` is part of the digest, so a password changed in any process is in force at once.

Only when that says nothing is the hash checked, one credential at a time in each process. That makes
three things true without further locks: a phone's ten parallel requests cost one hash, a guesser's
parallel tries are counted before the next one is heard, and a storm of logins leaves the other core
alone. Throttling is asked only there: whoever is signed in never waits for others' mistakes.

Leaves to `throttle` what to count, to `passwords` the hash, to the edges how to say no.
"""

import hashlib
import hmac
import logging
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime

from appliance import db, logs, metrics
from appliance.accounts import accounts, addresses, old_password, passwords, scopes, throttle, tokens
from appliance.accounts.accounts import Credential
from appliance.accounts.throttle import Throttled as Throttled
from appliance.accounts.tokens import Scope, Token
from appliance.clock import SYSTEM_CLOCK, Clock
from appliance.errors import Denied, InvalidInput, TemporaryFailure
from appliance.items.account import Account
from appliance.settings import Config, Passwords

KNOWN_MAX = 20_000
WAITING_MAX = 500  # at 23 ms each, more than anybody's client waits
NAME_LENGTH_MAX = 320

_log = logging.getLogger(__name__)
_logins = metrics.counter(
    "appliance_logins_total", "Logins by protocol and outcome (right, wrong, disabled, throttled).",
    ("protocol", "outcome"),
)  # fmt: skip


class WrongCredentials(Denied):
    """No account has this name and password; which of the two is wrong is never said."""

    def __init__(self) -> None:
        super().__init__("wrong address or password")


class AccountDisabled(Denied):
    """The password is right, but an administrator has disabled the account."""

    def __init__(self) -> None:
        super().__init__("this account is disabled")


class Overloaded(TemporaryFailure):
    """More logins are waiting than can be checked in reasonable time."""


class _Known:
    """Which credentials were found right or wrong lately; bounded, the oldest go first."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._found: OrderedDict[bytes, tuple[bool, float]] = OrderedDict()
        self._known_for_s = Passwords().cache_ttl_s

    def configure(self, known_for_s: int) -> None:
        """Forget everything; keep what comes for this many seconds."""
        self._found.clear()
        self._known_for_s = known_for_s

    def digest(self, owner: str, password: str) -> bytes:
        """Return what stands for a credential in this process's memory, and nowhere else."""
        text = f"{owner}\0{password}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._key, text, hashlib.sha256)

    def get(self, digest: bytes, now_s: float) -> bool | None:
        found = self._found.get(digest)
        return None if found is None or now_s >= found[1] else found[0]

    def put(self, digest: bytes, is_right: bool, now_s: float) -> None:
        self._found.pop(digest, None)
        self._found[digest] = (is_right, now_s + self._known_for_s)
        while len(self._found) > KNOWN_MAX:
            self._found.popitem(last=False)


_known = _Known()
_checking = threading.Lock()
_places = threading.BoundedSemaphore(WAITING_MAX)


@dataclass(frozen=True, slots=True)
class _Presented:
    """One login as it came in, and what the database says about its name."""

    name: str
    password: str
    protocol: str
    device_id: str
    remote_ip: str
    found: Credential | None

    @property
    def account_id(self) -> int | None:
        return None if self.found is None else self.found.account.id

    def digest(self) -> bytes:
        # The hash as well as the version: SQLite gives a deleted account's id to the next one.
        found = self.found
        owner = self.name if found is None else f"{found.account.credential_version} {found.password_hash}"
        return _known.digest(owner, self.password)

    def log(self, event: str) -> None:
        # Never the name of an account that does not exist: people type passwords there.
        logs.event(
            _log,
            event,
            account=self.account_id,
            protocol=self.protocol,
            device=self.device_id or None,
            ip=self.remote_ip or None,
        )


def configure(config: Config) -> None:
    """Prepare this process: throttle, cost of a hash, how long a credential is known."""
    scopes.configure(config.data_dir, config.throttle)
    passwords.configure(config.passwords)
    _known.configure(config.passwords.cache_ttl_s)


def login(
    username: str,
    password: str,
    *,
    protocol: str,
    device_id: str = "",
    remote_ip: str = "",
    clock: Clock = SYSTEM_CLOCK,
) -> Account:
    """Return the account these credentials open.

    username: its address, an alias, `domain\\user`, or the part before the @ when this server has one
    domain. device_id: the phone's DeviceId in canonical form. remote_ip: the client's, not a proxy's.
    Raises WrongCredentials, AccountDisabled, Throttled, TemporaryFailure. It may wait: call it without
    a database connection or transaction.
    """
    name, found = _find(username)
    presented = _Presented(name, password, protocol, device_id, remote_ip, found)
    is_right = _known.get(presented.digest(), clock.monotonic())
    if is_right is None:
        is_right = _check(presented, clock)
    if found is None or not is_right:
        _logins.labels(protocol, "wrong").inc()
        raise WrongCredentials
    if not found.account.is_enabled:
        presented.log("login_disabled")
        _logins.labels(protocol, "disabled").inc()
        raise AccountDisabled
    _logins.labels(protocol, "right").inc()
    return found.account


def login_with_token(
    text: str,
    *,
    scope: Scope,
    protocol: str,
    username: str = "",
    device_id: str = "",
    remote_ip: str = "",
    clock: Clock = SYSTEM_CLOCK,
) -> Account:
    """Return the account an access token opens for a purpose.

    username: whom the client says it is, which must be the token's owner; "" for whoever that is. Looking a
    token up costs one indexed read, so nothing is remembered and only wrong ones are counted.
    Raises what `login` raises; call it without a database connection or transaction.
    """
    now = clock.now()
    with db.connection():
        token = tokens.find(text)
        account = None if token is None else _owner_of(token, scope, username, now)
    if token is None or account is None:
        presented = _Presented(
            username[:NAME_LENGTH_MAX].casefold(), text, protocol, device_id, remote_ip, None
        )
        tried, _ = _standing(presented, clock)
        throttle.failed(tried, now)
        presented.log("login_failed")
        _logins.labels(protocol, "wrong").inc()
        raise WrongCredentials
    if not account.is_enabled:
        _logins.labels(protocol, "disabled").inc()
        raise AccountDisabled
    _logins.labels(protocol, "right").inc()
    if tokens.is_use_news(token, now):
        tokens.note_use(token, now)
    return account


def _owner_of(token: Token, scope: Scope, username: str, now: datetime) -> Account | None:
    """Return whose token this is, None when it is no longer good, or not for this."""
    if scope not in token.scopes or now >= token.expires_at:
        return None
    account = accounts.get(token.account_id)
    if account.credential_version != token.credential_version:
        return None
    return account if not username or accounts.owns(account, _address(username.strip())) else None


def _find(username: str) -> tuple[str, Credential | None]:
    """Return the normal form of a user name and whose it is."""
    if len(username) > NAME_LENGTH_MAX:
        return username[:NAME_LENGTH_MAX], None
    with db.connection():
        try:
            address = addresses.normalise(_address(username.strip()))
        except InvalidInput:
            return username.casefold(), None
        return address, accounts.credential(address)


def _address(name: str) -> str:
    """Return the address a user name means; phones with a domain field send `domain\\user`."""
    domain, backslash, user = name.rpartition("\\")
    if "@" in user:
        return user
    if backslash and accounts.is_local_domain(domain):
        return f"{user}@{domain}"
    local = accounts.list_domains(limit=2)
    return f"{user}@{local[0]}" if len(local) == 1 else user


def _check(presented: _Presented, clock: Clock) -> bool:
    """Find out whether a credential is right that this process does not know; wait for a turn."""
    _standing(presented, clock)  # whoever is blocked does not even queue
    if not _places.acquire(blocking=False):
        raise Overloaded(f"{WAITING_MAX} logins are waiting")
    try:
        with _checking:
            is_right = _known.get(presented.digest(), clock.monotonic())
            return _check_alone(presented, clock) if is_right is None else is_right
    finally:
        _places.release()


def _check_alone(presented: _Presented, clock: Clock) -> bool:
    tried, standing = _standing(presented, clock)
    found = presented.found
    verdict = passwords.verify(found.password_hash if found else None, presented.password)
    if not verdict.is_right or found is None:
        is_repeated = throttle.failed(tried, clock.now())
        presented.log("login_failed")
        if is_repeated and found is not None and presented.device_id:
            old_password.tell(found.account.id, presented.device_id, clock.now())
        _known.put(presented.digest(), False, clock.monotonic())
        return False
    _known.put(presented.digest(), True, clock.monotonic())
    try:
        throttle.succeeded(tried, standing, clock.now())
        if verdict.renewed_hash:
            accounts.renew_hash(found.account.id, found.password_hash, verdict.renewed_hash)
    except TemporaryFailure as error:  # a full disk must not keep people from their mail
        logs.event(_log, "login_not_noted", level=logging.WARNING, error=error)
    return True


def _standing(presented: _Presented, clock: Clock) -> tuple[scopes.Attempt, throttle.Standing]:
    """Return what this login is counted under and how that stands; raises Throttled."""
    with db.connection():
        tried = scopes.attempt(
            presented.account_id,
            presented.name,
            presented.password,
            presented.device_id,
            presented.remote_ip,
        )
        try:
            return tried, throttle.check(tried, clock.now())
        except Throttled:
            _logins.labels(presented.protocol, "throttled").inc()
            presented.log("login_throttled")
            raise
