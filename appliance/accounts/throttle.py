"""Who must wait before trying another password, and how long: guessers, not offices.

Theory of operation. A failed login is counted in up to three scopes, each a row of `LoginFailure`:

    ACCOUNT   one account as one phone (its DeviceId), or from one IP address when no phone is known
    STRANGER  one account from one IP address by phones it has never seen, because a DeviceId is only
              what the client says: changing it with every guess must not help
    NETWORK   everything from one /24 (IPv4) or /64 (IPv6)

Each scope has some failures for free, then a wait that doubles. The same wrong secret counts once: a
phone that keeps trying last month's password is no attack, and thirty of them behind one address are
an office. An address from which a valid session ran within the last day is never blocked as a network;
that is a row too (`good:…`), because another process may have seen that session.

An account somebody does not have is counted like one that exists, by a keyed digest of the name.
Leaves to `scopes` how they are named, to `login` when to ask. A first request without credentials never
comes here.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance import db
from appliance.accounts import scopes
from appliance.accounts.scopes import DIGEST_BYTES, Attempt, Rule
from appliance.db.tables import LoginFailure
from appliance.errors import TemporaryFailure

KEPT = timedelta(days=1)  # since a scope's last failure, or an address's last valid session
GOOD_RENEWED = timedelta(hours=1)
ROWS_MAX = 100_000
PRUNED_EVERY = 200  # failures counted by this process
SECRETS_MAX = 8  # different wrong secrets remembered of one scope


class Throttled(TemporaryFailure):
    """Too many wrong passwords; the next try is heard after `retry_after_s` seconds."""

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(f"too many failed logins; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Standing:
    """What is remembered of an attempt's scopes: any failures, and the last session of its address."""

    has_failures: bool
    good_at: datetime | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A scope that has to wait, for the administrator."""

    scope: str
    failures: int
    until: datetime


_counted = 0  # failures of this process, for `_prune_sometimes`


def check(tried: Attempt, now: datetime) -> Standing:
    """Return the standing of an attempt; raises Throttled while one of its scopes has to wait.

    Needs a connection.
    """
    rows = {row.scope: row for row in _rows(tried) if now - row.updated_at < KEPT}
    good = rows.pop(f"good:{tried.address}", None)
    if good is not None:
        rows.pop(tried.network, None)
    waits = [row.blocked_until - now for row in rows.values() if row.blocked_until is not None]
    longest = max(waits, default=timedelta())
    if longest > timedelta():
        raise Throttled(-(-longest // timedelta(seconds=1)))
    return Standing(
        has_failures=any(scope in rows for scope, _ in tried.by_account),
        good_at=None if good is None else good.updated_at,
    )


@db.transaction
def failed(tried: Attempt, now: datetime) -> bool:
    """Count a wrong secret, once; return whether this one was counted before and comes again."""
    rows = {row.scope: row for row in _rows(tried)}
    is_new = [_count(scope, rule, rows.get(scope), tried.secret, now) for scope, rule in tried.by_account]
    if tried.network and all(is_new):
        _count(tried.network, scopes.rules().network, rows.get(tried.network), None, now)
    _prune_sometimes(now)
    return not any(is_new)


def succeeded(tried: Attempt, standing: Standing, now: datetime) -> None:
    """Forget the failures of the account's scopes and remember the address; writes only what is new."""
    is_stale = standing.good_at is None or now - standing.good_at > GOOD_RENEWED
    if standing.has_failures or (tried.address and is_stale):
        _remember(tried, now)


def is_remembered(scope: str, now: datetime) -> bool:
    """Return whether `remember` was told of this within the last day. Needs a connection."""
    row = LoginFailure.select(LoginFailure.updated_at).where(LoginFailure.scope == scope).tuples().first()
    return row is not None and now - row[0] < KEPT


@db.transaction
def remember(scope: str, now: datetime) -> None:
    """Note for a day that something was done about a scope."""
    _store(scope, updated_at=now)


@db.transaction
def clear(scope: str) -> bool:
    """Let a scope try again at once; returns False when nothing is remembered of it."""
    return bool(LoginFailure.delete().where(LoginFailure.scope == scope).execute())


@db.transaction
def clear_account(account_id: int) -> None:
    """Forget every failure counted against an account."""
    LoginFailure.delete().where(LoginFailure.scope.startswith(f"account:{account_id}:")).execute()


def blocked(now: datetime) -> list[Waiting]:
    """Return the scopes that have to wait, the longest wait first. Needs a connection."""
    query = LoginFailure.select().where(LoginFailure.blocked_until > now)
    return [
        Waiting(row.scope, row.failures, row.blocked_until)
        for row in query.order_by(LoginFailure.blocked_until.desc()).limit(1000)
    ]


def _rows(tried: Attempt) -> Iterator[LoginFailure]:
    names = [scope for scope, _ in tried.by_account]
    names += [tried.network, f"good:{tried.address}"] if tried.network else []
    return iter(LoginFailure.select().where(LoginFailure.scope.in_(names)))


def _count(scope: str, rule: Rule, row: LoginFailure | None, secret: bytes | None, now: datetime) -> bool:
    """Count one failure of a scope; returns False when this very secret has been counted there."""
    is_fresh = row is not None and now - row.updated_at < KEPT
    failures, remembered = (row.failures, bytes(row.last_secret or b"")) if row and is_fresh else (0, b"")
    if secret is not None:
        known = [remembered[at : at + DIGEST_BYTES] for at in range(0, len(remembered), DIGEST_BYTES)]
        if secret in known:
            return False
        remembered = b"".join([secret, *known][:SECRETS_MAX])
    wait_s = rule.wait_s(failures + 1)
    _store(
        scope,
        failures=failures + 1,
        last_secret=remembered or None,
        blocked_until=now + timedelta(seconds=wait_s) if wait_s else None,
        updated_at=now,
    )
    return True


def _store(scope: str, **values: object) -> None:
    columns = [getattr(LoginFailure, name) for name in values]
    LoginFailure.insert(scope=scope, **values).on_conflict(
        conflict_target=[LoginFailure.scope], preserve=columns
    ).execute()


@db.transaction
def _remember(tried: Attempt, now: datetime) -> None:
    names = [scope for scope, _ in tried.by_account]
    LoginFailure.delete().where(LoginFailure.scope.in_(names)).execute()
    if tried.address:
        _store(f"good:{tried.address}", updated_at=now)


def _prune_sometimes(now: datetime) -> None:
    global _counted  # how often to look is nobody else's business
    _counted += 1
    if _counted % PRUNED_EVERY == 0:
        prune(now)


@db.transaction
def prune(now: datetime) -> int:
    """Remove what has expired and return how much; beyond ROWS_MAX also the oldest of the rest."""
    expired = int(LoginFailure.delete().where(LoginFailure.updated_at < now - KEPT).execute())
    excess = int(LoginFailure.select().count()) - ROWS_MAX
    if excess > 0:
        oldest = LoginFailure.select(LoginFailure.scope).order_by(LoginFailure.updated_at).limit(excess)
        LoginFailure.delete().where(LoginFailure.scope.in_(oldest)).execute()
    return expired + max(excess, 0)
