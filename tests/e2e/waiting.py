"""A Ping that a test holds while it does other things."""

import threading
import time

from appliance.phone import Phone
from appliance.phone.errors import PhoneError
from appliance.phone.operations import PingAnswer

WAKE_S = 10.0
HELD_S = 0.6


class Waiting:
    """A Ping held in a thread."""

    def __init__(self, phone: Phone, folder_id: str, heartbeat_s: int = 60) -> None:
        self.answer: PingAnswer | None = None
        self.error: PhoneError | None = None
        self.finished_at = 0.0
        self._phone, self._folder_id, self._heartbeat_s = phone, folder_id, heartbeat_s
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.answer = self._phone.ping(self._heartbeat_s, [self._folder_id])
        except PhoneError as error:
            self.error = error
        self.finished_at = time.monotonic()

    def is_held(self, seconds: float = HELD_S) -> bool:
        self._thread.join(seconds)
        return self._thread.is_alive()

    def ended(self, seconds: float = WAKE_S) -> PingAnswer:
        self._thread.join(seconds)
        if self.error:
            raise self.error
        assert self.answer is not None, f"the Ping is still silent after {seconds} s"
        return self.answer
