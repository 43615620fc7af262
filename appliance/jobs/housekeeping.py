"""The jobs that keep the house: what is removed when, in which steps. When they run is `schedule`.

What is kept, and why so long:

    blobs            files and rows nobody refers to: a day, because a file is written before its row
    tombstones       what left a folder: 60 days; a phone that was away for longer starts the folder over
    devices          what a phone holds: 60 days after it was heard of last; it starts over when it comes back
    mass_deletions   what a device deleted by the dozen: 30 days
    sent             ClientIds of sent mail: 30 days (7 at least, or a retry could send a message twice)
    sign_ins         failed log-ins until they expire; `accounts.throttle` itself looks only after new ones
    audit            what operators did: two years
    greylist         strangers who were asked to come back: two days, 35 when they did
    lessons          what users would teach the filter: two days
    out_of_office    who was answered when: as long as nobody is answered again
    reports          what others report of our domains: a year, and the newest thousands of each
    dkim_keys        keys that were replaced: two weeks, as long as mail signed with them is under way
    policies         other domains' MTA-STS policies: as long as each of them says
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from appliance import db
from appliance.accounts import accounts, throttle
from appliance.delivery import greylist, oof
from appliance.devices import aging, mass_deletions
from appliance.domains import dkim_keys, reports, sts_policies
from appliance.eas import forgotten_folders
from appliance.errors import NotFound
from appliance.jobs.schedule import Job
from appliance.setup import audit
from appliance.store import blobs, lessons, pruning

DAY = timedelta(days=1)


def _until_nothing(step: Callable[[datetime], int]) -> Callable[[datetime], Iterator[int]]:
    """Return steps that go on until one finds nothing more to do."""

    def steps(now: datetime) -> Iterator[int]:
        while number := step(now):
            yield number

    return steps


def _tombstones(now: datetime) -> Iterator[int]:
    with db.connection():
        ids = [account.id for account in accounts.list_accounts()]
    for account_id in ids:
        try:
            horizon = pruning.mark(account_id, now)
            yield from pruning.prune(account_id, horizon)
            yield forgotten_folders.prune(account_id, horizon)
        except NotFound:
            continue  # the account was removed meanwhile


def _sign_ins(now: datetime) -> Iterator[int]:
    yield throttle.prune(now)


def _blobs(_now: datetime) -> Iterator[int]:
    yield from blobs.unlink_steps()
    yield from blobs.collect_steps()


JOBS: tuple[Job, ...] = (
    Job(
        "policies",
        "Forgets MTA-STS policies of other domains that have expired.",
        DAY,
        _until_nothing(sts_policies.forget_expired),
    ),
    Job("reports", "Forgets old reports about our domains.", DAY, _until_nothing(reports.forget_old)),
    Job("dkim_keys", "Forgets keys that were replaced.", DAY, _until_nothing(dkim_keys.forget_retired)),
    Job("audit", "Forgets what operators did years ago.", 7 * DAY, _until_nothing(audit.forget)),
    Job("blobs", "Removes messages' bytes that nothing refers to any more.", DAY, _blobs),
    Job("tombstones", "Forgets what left a folder long ago.", DAY, _tombstones),
    Job(
        "devices",
        "Forgets what phones hold that were away for long.",
        DAY,
        _until_nothing(aging.forget_states),
    ),
    Job(
        "mass_deletions",
        "Lets go of what devices deleted by the dozen long ago.",
        DAY,
        _until_nothing(mass_deletions.forget),
    ),
    Job("sent", "Forgets the ids by which phones repeat a message.", DAY, _until_nothing(aging.forget_sent)),
    Job("sign_ins", "Forgets failed sign-ins that have expired.", timedelta(hours=1), _sign_ins),
    Job("greylist", "Forgets strangers who were asked to come back.", DAY, _until_nothing(greylist.forget)),
    Job("lessons", "Forgets what the filter was away for.", DAY, _until_nothing(lessons.forget)),
    Job(
        "out_of_office",
        "Forgets who was told long ago that somebody is away.",
        DAY,
        _until_nothing(oof.forget),
    ),
)


def named(name: str) -> Job:
    """Return a job; raises NotFound, with the names there are."""
    for job in JOBS:
        if job.name == name:
            return job
    raise NotFound(f"there is no job {name}; there are {', '.join(job.name for job in JOBS)}")
