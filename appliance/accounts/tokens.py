"""Access tokens: random words that stand for an account's password, for some purposes and some time.

Owns the rows `AccessToken` and what a token looks like. Only its digest is kept: 256 random bits need no
slow hash, and a copy of the database opens nothing. A token is void when it is revoked, when it is too old,
and when the account's password changes. Whether it lets somebody in is decided in `login`, as for passwords.

Source: RFC 6750 2 (bearer tokens), RFC 6819 5.1.4.1.3 (stored as hashes).
"""

import hashlib
import logging
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from appliance import db, logs
from appliance.accounts import accounts
from appliance.db.tables import AccessToken as Row
from appliance.errors import Conflict, InvalidInput, NotFound

TOKENS_MAX = 100  # of an account
LIFETIME_MAX = timedelta(days=3650)
LABEL_CHARS_MAX = 100
TEXT_CHARS_MAX = 200
_PREFIX = "at_"
_RANDOM_BYTES = 32
_USED_NOTED = timedelta(hours=1)

_log = logging.getLogger(__name__)


class Scope(StrEnum):
    """What a token may be used for."""

    SMTP = "smtp"  # sending mail
    EAS = "eas"  # ActiveSync


@dataclass(frozen=True, slots=True)
class Token:
    """What is known of a token; the token itself is not."""

    id: int
    account_id: int
    scopes: tuple[Scope, ...]
    label: str
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    credential_version: int


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token; `text` is shown once."""

    text: str
    token: Token


def issue(
    account_id: int, scopes: Iterable[Scope], *, lifetime: timedelta, label: str = "", now: datetime
) -> Issued:
    """Make a token. Raises NotFound (account), InvalidInput, Conflict (too many)."""
    wanted = tuple(dict.fromkeys(scopes))
    if not wanted:
        raise InvalidInput("a token is for something")
    if not timedelta(0) < lifetime <= LIFETIME_MAX:
        raise InvalidInput(f"a token lives for at most {LIFETIME_MAX.days} days")
    if len(label) > LABEL_CHARS_MAX or not label.isprintable():
        raise InvalidInput(f"a label has at most {LABEL_CHARS_MAX} characters and none that cannot be seen")
    text = _PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    return Issued(text, _issue(account_id, wanted, _digest(text), label, now, now + lifetime))


@db.transaction
def _issue(
    account_id: int,
    scopes: tuple[Scope, ...],
    digest: bytes,
    label: str,
    now: datetime,
    expires_at: datetime,
) -> Token:
    account = accounts.get(account_id)
    Row.delete().where(Row.expires_at < now).execute()
    if Row.select().where(Row.account == account_id).count() >= TOKENS_MAX:
        raise Conflict(f"an account has at most {TOKENS_MAX} tokens")
    row = Row.create(
        account=account_id,
        digest=digest,
        scopes=" ".join(scopes),
        label=label,
        credential_version=account.credential_version,
        created_at=now,
        expires_at=expires_at,
    )
    scope = ",".join(scopes)
    db.after_commit(logs.event, _log, "token_issued", account=account_id, token=row.id, scopes=scope)
    return next(token for token in list_of(account_id) if token.id == row.id)


def list_of(account_id: int) -> list[Token]:
    """Return the tokens of an account, oldest first, expired ones too. Needs a connection."""
    return _tokens(Row.account == account_id)


def find(text: str) -> Token | None:
    """Return the token of these words, whatever it may still be good for. Needs a connection."""
    if len(text) > TEXT_CHARS_MAX or not text.startswith(_PREFIX):
        return None
    return next(iter(_tokens(Row.digest == _digest(text))), None)


@db.transaction
def note_use(token: Token, now: datetime) -> None:
    """Remember that a token was used, at most once an hour."""
    Row.update(last_used_at=now).where(Row.id == token.id).execute()


def is_use_news(token: Token, now: datetime) -> bool:
    """Say whether `note_use` would tell anything new."""
    return token.last_used_at is None or now - token.last_used_at >= _USED_NOTED


@db.transaction
def revoke(account_id: int, token_id: int) -> None:
    """Make a token void at once. Raises NotFound for another account's too."""
    if not Row.delete().where((Row.account == account_id) & (Row.id == token_id)).execute():
        raise NotFound(f"there is no token {token_id}")
    db.after_commit(logs.event, _log, "token_revoked", account=account_id, token=token_id)


@db.transaction
def revoke_all(account_id: int) -> int:
    """Make every token of an account void at once; return how many."""
    count = int(Row.delete().where(Row.account == account_id).execute())
    db.after_commit(logs.event, _log, "tokens_revoked", account=account_id, count=count)
    return count


def _tokens(condition: object) -> list[Token]:
    columns = (
        Row.id, Row.account, Row.scopes, Row.label, Row.created_at, Row.expires_at, Row.last_used_at,
        Row.credential_version,
    )  # fmt: skip
    rows = Row.select(*columns).where(condition).order_by(Row.id).tuples()
    return [Token(row[0], row[1], tuple(map(Scope, row[2].split())), *row[3:]) for row in rows]


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
