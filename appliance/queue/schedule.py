"""When a deferred message is tried again, when its sender hears that it waits, and when it is given up.

The values are `[relay]`'s: `configure` is called by each process, like `blobs.configure`.

Source: RFC 5321 4.5.4.1 Sending Strategy (retry after at least 30 minutes in the long run, give up
after 4 to 5 days).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from appliance.settings import Relay

ATTEMPTS_MIN = 8
"""Before an entry is given up for its age: a machine that was off for a week, or whose clock was wrong,
goes on for some hours."""
JITTER = 0.2


@dataclass(frozen=True, slots=True)
class Schedule:
    """The waits between attempts in seconds (the last repeats), and the ages at which something is told.

    delay_notice: None when nobody is told of a delay.
    """

    retry_after_s: tuple[int, ...]
    lifetime: timedelta
    delay_notice: timedelta | None

    @property
    def retry_max(self) -> timedelta:
        """No attempt is ever put off for longer."""
        return timedelta(seconds=max(self.retry_after_s) * (1 + JITTER))

    def next_attempt(self, attempts: int, now: datetime, random: Random) -> datetime:
        """Return when to try again after `attempts` failures (1 = the first), spread by 20 % either way."""
        step = self.retry_after_s[min(max(attempts, 1), len(self.retry_after_s)) - 1]
        return now + timedelta(seconds=step * random.uniform(1 - JITTER, 1 + JITTER))


def _schedule(relay: Relay) -> Schedule:
    return Schedule(
        relay.retry_after_s or Relay().retry_after_s,
        timedelta(seconds=relay.lifetime_s),
        timedelta(seconds=relay.delay_notice_s) if relay.delay_notice_s else None,
    )


_configured = Relay()
_current = _schedule(_configured)


def configure(relay: Relay) -> Relay:
    """Use these settings from now on; returns those in use before."""
    global _configured, _current  # one configuration per process
    before, _configured = _configured, relay
    _current = _schedule(relay)
    return before


def current() -> Schedule:
    """Return the schedule in force."""
    return _current
