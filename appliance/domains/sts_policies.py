"""What other domains demand of connections to their mail servers (MTA-STS), and what is kept of it.

Owns the text of the TXT record and of the policy file, the matching of server names, and the rows in which a
policy outlives a restart: it is in force until its max_age ends, whatever DNS or the web server say
meanwhile, or an attacker who can suppress both could undo it. Asking DNS and the web server is
`smtpd.sts`.

Source: RFC 8461 3.1 (TXT record), 3.2 (policy), 4.1 (matching), 5.1 (application), 10 (ceilings).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from appliance import db
from appliance.db.tables import StsPolicy as Row
from appliance.domains.mta_sts import Mode

MAX_AGE_MAX_S = 31_557_600
MX_PATTERNS_MAX = 100

_RECORD_ID = re.compile(r"[A-Za-z0-9]{1,32}")
_HOST = re.compile(r"(?:\*\.)?[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*")


class PolicyInvalid(Exception):
    """The text is no policy; the message says why."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A domain's policy. `id` is that of the TXT record under which it was fetched."""

    domain: str
    id: str
    mode: Mode
    mx: tuple[str, ...]
    max_age_s: int
    fetched_at: datetime

    @property
    def expires_at(self) -> datetime:
        """When it stops being in force unless it is fetched again."""
        return self.fetched_at + timedelta(seconds=self.max_age_s)

    def allows(self, host: str) -> bool:
        """Say whether a server's name is one of the policy's. RFC 8461 4.1."""
        return any(matches(pattern, host) for pattern in self.mx)

    def lines(self) -> list[str]:
        """Return the policy as its file has it, for reports (RFC 8460 4.4)."""
        return [
            "version: STSv1",
            f"mode: {self.mode}",
            *(f"mx: {each}" for each in self.mx),
            f"max_age: {self.max_age_s}",
        ]


def matches(pattern: str, host: str) -> bool:
    """Say whether a name fits a pattern, whose `*.` stands for exactly one label."""
    wanted, name = pattern.lower().rstrip("."), host.lower().rstrip(".")
    if wanted.startswith("*."):
        return name.partition(".")[2] == wanted[2:] and not name.startswith(".")
    return name == wanted


def record_id(records: Sequence[str]) -> str | None:
    """Return the id of the one valid `_mta-sts` TXT record; None when there is none, or several."""
    ours = [record for record in records if re.match(r"v=STSv1[ \t]*(?:;|$)", record)]
    if len(ours) != 1:
        return None
    for field in ours[0].split(";")[1:]:
        name, _, value = field.partition("=")
        if name.strip() == "id" and _RECORD_ID.fullmatch(value.strip()):
            return value.strip()
    return None


def parse(text: bytes, *, domain: str, policy_id: str, now: datetime) -> Policy:
    """Return the policy in a file. Raises PolicyInvalid."""
    values: dict[str, str] = {}
    mx: list[str] = []
    try:
        lines = text.decode("utf-8").splitlines()
    except UnicodeDecodeError:
        raise PolicyInvalid("not UTF-8") from None
    for line in lines:
        name, colon, value = (part.strip() for part in line.partition(":"))
        if not name and not colon:
            continue
        if not colon:
            raise PolicyInvalid("a line without a colon")
        if name == "mx":
            mx.append(value)
        else:
            values.setdefault(name, value)  # RFC 8461 3.2: the first of several counts
    return Policy(domain, policy_id, _mode(values), _patterns(mx, values), _max_age_s(values), now)


def _mode(values: Mapping[str, str]) -> Mode:
    if values.get("version") != "STSv1":
        raise PolicyInvalid("not version STSv1")
    try:
        return Mode(values.get("mode", ""))
    except ValueError:
        raise PolicyInvalid("no known mode") from None


def _patterns(mx: Sequence[str], values: Mapping[str, str]) -> tuple[str, ...]:
    if not mx and values.get("mode") != Mode.NONE:
        raise PolicyInvalid("no mx")
    if len(mx) > MX_PATTERNS_MAX or not all(_HOST.fullmatch(each) for each in mx):
        raise PolicyInvalid("mx is not a name")
    return tuple(each.lower() for each in mx)


def _max_age_s(values: Mapping[str, str]) -> int:
    text = values.get("max_age", "")
    if not re.fullmatch(r"[0-9]{1,10}", text):
        raise PolicyInvalid("no max_age")
    return min(int(text), MAX_AGE_MAX_S)


# --- rows -----------------------------------------------------------------------------------------


@db.transaction
def keep(policy: Policy) -> None:
    """Remember a policy in place of the one before."""
    values = {
        "policy_id": policy.id,
        "mode": str(policy.mode),
        "mx": "\n".join(policy.mx),
        "max_age_s": policy.max_age_s,
        "fetched_at": policy.fetched_at,
    }
    row = Row.insert(domain=policy.domain, **values)
    row.on_conflict(conflict_target=[Row.domain], update=values).execute()


@db.transaction
def forget_expired(now: datetime) -> int:
    """Remove policies that are no longer in force; returns how many."""
    rows = list(Row.select(Row.domain, Row.fetched_at, Row.max_age_s).tuples())
    old = [domain for domain, fetched, age_s in rows if fetched + timedelta(seconds=age_s) <= now]
    return int(Row.delete().where(Row.domain.in_(old)).execute()) if old else 0


def kept(domain: str, now: datetime) -> Policy | None:
    """Return the policy of a domain that is in force, None when there is none. Needs `db.connection()`."""
    columns = (Row.domain, Row.policy_id, Row.mode, Row.mx, Row.max_age_s, Row.fetched_at)
    row = Row.select(*columns).where(Row.domain == domain).tuples().first()
    if row is None:
        return None
    policy = Policy(row[0], row[1], Mode(row[2]), tuple(row[3].split("\n")) if row[3] else (), row[4], row[5])
    return policy if policy.expires_at > now else None
