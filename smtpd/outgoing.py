"""The real queue behind `services.Queue`: claimed, read, settled; and put right after a crash.

Every function opens the database connection it needs and gives it back before it returns.
"""

import logging
from collections.abc import Callable, Collection, Iterator
from datetime import datetime
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

    def claim(self, limit: int, lease_s: int, busy: Collection[str]) -> list[Entry]:
        """Take due entries."""
        now, name = self._clock.now(), self._holder.name
        return entries.claim(now, limit=limit, lease_s=lease_s, holder=name, busy=busy)

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

    def record(self, entry: Entry, outcome: Outcome) -> None:
        """Store what became of an attempt."""
        match outcome:
            case Delivered(reply, host, reports_itself):
                self._note(entry, outcome)
                settle.delivered(
                    entry,
                    reply,
                    host,
                    hostname=self._hostname(),
                    now=self._clock.now(),
                    reports_itself=reports_itself,
                )
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

    def _note(self, entry: Entry, outcome: Delivered) -> None:
        """Note a delivery before it is recorded; a disk that refuses must not stop the record."""
        noted = Noted(entry.uid, outcome.reply, outcome.host, outcome.reports_itself)
        try:
            self._log.note(noted, self._clock.now())
        except OSError as error:
            logs.event(logger, "delivery_not_noted", level=logging.ERROR, entry=entry.id, error=error)

    def _take_out_delivered(self) -> None:
        with db.connection():
            ids = entries.uids()
        for noted in self._log.among(ids):
            settle.known_delivered(
                ids[noted.uid],
                noted.reply,
                noted.host,
                hostname=self._hostname(),
                now=self._clock.now(),
                reports_itself=noted.reports_itself,
            )
