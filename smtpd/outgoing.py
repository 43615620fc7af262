"""The real queue behind `services.Queue`: claimed, read, settled; and put right after a crash.

Every function opens the database connection it needs and gives it back before it returns.
"""

import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta
from random import SystemRandom

from appliance import bus, db, logs
from appliance.clock import Clock
from appliance.delivery import next_hops, settle, signing
from appliance.items.next_hop import NextHop
from appliance.queue import entries
from appliance.queue.delivered_log import DeliveredLog, Noted
from appliance.queue.entries import Entry
from appliance.queue.holders import Holder
from appliance.store import blobs
from smtpd.body import Body, body_in_memory, body_of
from smtpd.outcome import Delivered, Failed, Outcome, Retry

CLOCK_ERROR_MAX = timedelta(days=1)
"""A delivery may be noted so much before its entry was made, on a clock that is put right."""

logger = logging.getLogger("appliance.smtp")


class OutgoingQueue:
    """The queue as the runner sees it; `smtpd.services.Queue`."""

    def __init__(self, clock: Clock, hostname: Callable[[], str], holder: Holder, log: DeliveredLog) -> None:
        """holder: whose leases these are. log: where deliveries are noted first."""
        self._clock = clock
        self._hostname = hostname
        self._holder = holder
        self._log = log
        self._random = SystemRandom()
        self._is_checked = False
        self._watcher = bus.watch((bus.QUEUE,))
        self._unrecorded: set[int] = set()  # ids of what was delivered and is in the queue

    def claim(self, limit: int, lease_s: int, busy: Collection[str]) -> list[Entry]:
        """Take due entries, but for what was delivered and could not be recorded before its lease ended."""
        now, name = self._clock.now(), self._holder.name
        claimed = entries.claim(now, limit=limit, lease_s=lease_s, holder=name, busy=busy)
        delivered = self._unrecorded | self._take_out_noted([entry for entry in claimed if entry.was_held])
        return [entry for entry in claimed if entry.id not in delivered]

    def load(self, entry: Entry) -> Body:
        """Return the message of an entry, signed by whom it is from.

        A large one is read again as it is sent: it is in memory only for as long as the signing takes.
        """
        with db.connection():
            raw = blobs.read(entry.digest)
        is_submitted = entry.account_id is not None
        now = self._clock.now()
        signature = signing.signature(raw, entry.reverse_path, now, is_submitted=is_submitted)
        if len(raw) <= blobs.INLINE_BYTES_MAX:
            return body_in_memory(signature + raw)

        def pieces() -> Iterator[bytes]:
            yield signature
            yield from blobs.pieces(entry.digest)

        return body_of(pieces)

    def next_hop(self, entry: Entry) -> NextHop | None:
        """Return where an entry goes instead of its domain's servers."""
        return next_hops.of(entry)

    def note(self, entry: Entry, outcome: Outcome) -> None:
        """Remember a delivery here and in the log; a disk that refuses must not stop the record."""
        if not isinstance(outcome, Delivered):
            return
        self._unrecorded.add(entry.id)
        noted = Noted(entry.uid, outcome.reply, outcome.host, outcome.reports_itself)
        try:
            self._log.note(noted, self._clock.now())
        except OSError as error:
            logs.event(logger, "delivery_not_noted", level=logging.ERROR, entry=entry.id, error=error)

    def record(self, entry: Entry, outcome: Outcome) -> None:
        """Store what became of an attempt."""
        match outcome:
            case Delivered():
                self._record_delivered(entry, outcome)
            case Retry(reply, host):
                settle.deferred(
                    entry,
                    reply,
                    host,
                    hostname=self._hostname(),
                    now=self._clock.now(),
                    random=self._random,
                )
            case Failed(reply, host):
                settle.failed(entry, reply, host, hostname=self._hostname(), now=self._clock.now())

    def next_due(self) -> datetime | None:
        """Return when there is something to do next."""
        with db.connection():
            return entries.next_due()

    def wait(self, timeout_s: float) -> None:
        """Wait for a hint that there is something new."""
        self._watcher.wait(timeout_s)

    def recover(self) -> None:
        """Take out what was delivered although it is in the queue, and free what dead runners held."""
        if not self._is_checked:
            self._take_out_delivered()
            self._log.forget_old(self._clock.now())
            self._is_checked = True
        freed = self._holder.free_dead(self._take_out_delivered)
        if freed:
            logs.event(logger, "leases_freed", level=logging.WARNING, entries=freed)

    def _record_delivered(self, entry: Entry, outcome: Delivered) -> None:
        """Take an entry out, from whoever claimed it meanwhile too."""
        is_ours = settle.delivered(
            entry,
            outcome.reply,
            outcome.host,
            hostname=self._hostname(),
            now=self._clock.now(),
            reports_itself=outcome.reports_itself,
        )
        if not is_ours:
            noted = Noted(entry.uid, outcome.reply, outcome.host, outcome.reports_itself)
            self._take_out(entry.id, noted)
        self._unrecorded.discard(entry.id)

    def _take_out_noted(self, lapsed: Sequence[Entry]) -> set[int]:
        """Take out what is noted as delivered of entries that somebody else held; return their ids.

        What cannot be taken out now stays claimed and unattempted, and hinders nothing else.
        """
        if not lapsed:
            return set()
        ids = {entry.uid: entry.id for entry in lapsed}
        since = min(entry.created_at for entry in lapsed) - CLOCK_ERROR_MAX
        found = self._log.among(ids, since)
        for noted in found:
            try:
                self._take_out(ids[noted.uid], noted)
            except Exception as error:  # noqa: BLE001 - whatever it is, the others are due
                entry_id = ids[noted.uid]
                logs.event(logger, "record_error", level=logging.ERROR, entry=entry_id, exc_info=error)
        return {ids[noted.uid] for noted in found}

    def _take_out_delivered(self) -> None:
        with db.connection():
            ids = entries.uids()
        for noted in self._log.among(ids):
            self._take_out(ids[noted.uid], noted)

    def _take_out(self, entry_id: int, noted: Noted) -> None:
        settle.known_delivered(
            entry_id,
            noted.reply,
            noted.host,
            hostname=self._hostname(),
            now=self._clock.now(),
            reports_itself=noted.reports_itself,
        )
