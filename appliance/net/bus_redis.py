"""The bus between machines: Redis publish/subscribe, for sites with several of each role.

Owns two connections per process (one listens, one publishes), whatever the number of waiting phones.
Leaves delivery inside the process to `bus.Bus`. Redis stores nothing for us: after every subscription,
the first and those after an outage, all watchers of the process look again, since nobody knows what
was published meanwhile. Hints published during an outage wait here, merged, and go out after it.
"""

import logging
import random
import secrets
import threading
import time
from collections.abc import Iterable
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from appliance import logs, metrics
from appliance.bus import Bus, Hint
from appliance.net import bus_wire
from appliance.offload import hub_caller

CHANNEL: Final = "appliance:hints"
BACKOFF_MIN_S: Final = 0.05
BACKOFF_MAX_S: Final = 5.0
CONNECT_TIMEOUT_S: Final = 3.0
PING_AFTER_S: Final = 15.0
SILENCE_MAX_S: Final = 40.0
CLOSE_S: Final = 1.0
BATCH_BYTES_MAX: Final = 8 * bus_wire.BATCH_BYTES_MAX

logger = logging.getLogger("appliance.bus")
SUBSCRIPTIONS = metrics.counter(
    "appliance_bus_subscriptions_total", "Subscriptions to Redis; more than one per process means outages."
)
SENT_HERE = bus_wire.SENT.labels("redis")
RECEIVED_HERE = bus_wire.RECEIVED.labels("redis")


class RedisBus(Bus):
    """Hints through one Redis channel. Make it after the last fork; an unreachable server is waited for.

    url: redis://, rediss:// or unix://, as redis-py reads it. Raises ValueError for another one.
    """

    def __init__(self, url: str, *, channel: str = CHANNEL) -> None:
        super().__init__()
        self._channel = channel
        self._own_id = secrets.token_hex(8).encode()
        # The library would reconnect by itself and in silence; here every outage must be noticed.
        self._client: Any = redis.Redis.from_url(
            url,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            socket_timeout=CONNECT_TIMEOUT_S,
            socket_keepalive=True,
        )
        self._call_hub = hub_caller()
        self._outbox = bus_wire.Outbox()
        self._wake = threading.Event()
        self._stopped = threading.Event()
        self._subscribed = threading.Event()
        self._sender = threading.Thread(target=self._send_loop, name="bus-send", daemon=True)
        self._listener = threading.Thread(target=self._listen_loop, name="bus-listen", daemon=True)
        self._sender.start()
        self._listener.start()

    def close(self) -> None:
        """Publish what is waiting, for at most CLOSE_S seconds, and end both connections."""
        deadline = time.monotonic() + CLOSE_S
        self._stopped.set()
        self._wake.set()
        self._sender.join(max(0.0, deadline - time.monotonic()))
        self._client.connection_pool.disconnect()
        self._listener.join(CLOSE_S)

    def _send_away(self, hints: Iterable[Hint]) -> None:
        self._outbox.put(hints)
        self._wake.set()

    def _send_loop(self) -> None:
        backoff = _Backoff(self._stopped)
        while True:
            if not self._outbox:
                if self._stopped.is_set():
                    return
                self._wake.wait()
                self._wake.clear()
            hints = self._outbox.take(BATCH_BYTES_MAX)
            if not hints:
                continue
            try:
                self._client.publish(self._channel, self._own_id + b"\n" + bus_wire.encode(hints))
            except Exception as error:  # noqa: BLE001 - top of an attempt; whatever it was, try again
                self._outbox.put(hints)
                if self._stopped.is_set():
                    return
                backoff.failed("bus.publish_failed", error)
            else:
                SENT_HERE.inc()
                backoff.succeeded()

    def _listen_loop(self) -> None:
        backoff = _Backoff(self._stopped)
        while not self._stopped.is_set():
            try:
                with self._client.pubsub() as subscription:
                    subscription.subscribe(self._channel)
                    self._listen(subscription, backoff)
            except Exception as error:  # noqa: BLE001 - top of a connection; `close` pulls it away, too
                backoff.failed("bus.subscription_lost", error)

    def _listen(self, subscription: Any, backoff: "_Backoff") -> None:
        """Pass on messages until the connection fails or has been silent for too long (half-open)."""
        heard = time.monotonic()
        while not self._stopped.is_set():
            message = subscription.get_message(timeout=PING_AFTER_S)
            if message is None:
                if time.monotonic() - heard > SILENCE_MAX_S:
                    raise redis.ConnectionError("no answer to PING")
                subscription.ping()
                continue
            heard = time.monotonic()
            if message["type"] == "subscribe":
                SUBSCRIPTIONS.inc()
                backoff.succeeded()
                self.wake_all()
                self._subscribed.set()
            elif message["type"] == "message":
                self._receive(message["data"])
            time.sleep(0)  # under gevent a flood of messages must not keep the others from running

    def _receive(self, message: bytes) -> None:
        sender, _, batch = message.partition(b"\n")
        if sender == self._own_id:
            return  # delivered here when it was published
        RECEIVED_HERE.inc()
        hints = bus_wire.decode(batch)
        if bus_wire.EVERYTHING in hints:
            self.wake_all()
        else:
            self._deliver(hints)


class _Backoff:
    """Growing pauses with jitter, so that a returning server does not meet all processes at once."""

    def __init__(self, stopped: threading.Event) -> None:
        self._stopped = stopped
        self._pause_s = BACKOFF_MIN_S

    def failed(self, event: str, error: Exception) -> None:
        """Log and pause; returns early when the bus is closed."""
        if self._stopped.is_set():
            return
        logs.event(logger, event, level=logging.WARNING, error=error, retry_s=self._pause_s)
        self._stopped.wait(self._pause_s * random.uniform(0.5, 1.0))
        self._pause_s = min(2 * self._pause_s, BACKOFF_MAX_S)

    def succeeded(self) -> None:
        """Start with the short pause next time."""
        self._pause_s = BACKOFF_MIN_S
