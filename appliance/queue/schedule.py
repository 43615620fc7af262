"""When a deferred message is tried again, and for how long. Pure.

Source: RFC 5321 4.5.4.1 Sending Strategy (retry after at least 30 minutes in the long run, give up
after 4 to 5 days).
"""

from datetime import datetime, timedelta
from random import Random

LIFETIME = timedelta(days=5)
ATTEMPTS_MIN = 8
"""Before an entry is given up for its age: a machine that was off for a week, or whose clock was wrong,
goes on for some hours."""
_STEPS_S = (60, 300, 900, 1_800, 3_600, 7_200)  # a greylisting server is met again within minutes
_JITTER = 0.2
RETRY_MAX = timedelta(seconds=_STEPS_S[-1] * (1 + _JITTER))
"""No attempt is ever put off for longer."""


def next_attempt(attempts: int, now: datetime, random: Random) -> datetime:
    """Return when to try again after `attempts` failures (1 = the first), spread by 20 % either way."""
    step = _STEPS_S[min(max(attempts, 1), len(_STEPS_S)) - 1]
    return now + timedelta(seconds=step * random.uniform(1 - _JITTER, 1 + _JITTER))
