"""Users who go on working while the server is being killed: mail in, mail out, phones in step.

Every worker repeats what was not acknowledged until it is, as MTAs and phones do, and writes each
acknowledgement into the ledger the moment it arrives.
"""

import smtplib
import threading
import time
from collections.abc import Callable
from itertools import count

from appliance.phone import Phone
from appliance.phone.changes import read
from appliance.phone.errors import HttpError, LostResponse, PhoneError, StatusError, TransportError
from appliance.phone.mailbox import Collection
from tests.clients.appliance_process import RunningAppliance
from tests.e2e.ledger import Ledger, Promise

PAUSE_S = 0.03
RETRY_PAUSE_S = 0.1
MESSAGE_PREVIOUSLY_SENT = 118
TEMPORARY = {5, 16, 110, 111}
DATA_BYTES = 2000


def token_of(subject: object) -> str:
    """Return the token in a subject; "" when it has none."""
    text = str(subject)
    return text.rpartition(" ")[2] if text.startswith("crash ") else ""


class Traffic:
    """The threads; `stop` lets each finish what it has begun."""

    def __init__(self, appliance: RunningAppliance, ledger: Ledger, mia: Phone, ben: Phone) -> None:
        self.appliance, self.ledger, self.mia, self.ben = appliance, ledger, mia, ben
        self.surprises: list[str] = []
        self._ending = threading.Event()
        work: list[tuple[str, Callable[[], None]]] = [
            ("smtp-1", self._receive("a")),
            ("smtp-2", self._receive("b")),
            ("sendmail", self._submit),
            ("reader", self._read),
        ]
        self._threads = [threading.Thread(target=self._watched, args=entry, name=entry[0]) for entry in work]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self, timeout_s: float) -> None:
        """End the work; whoever is still trying to get an acknowledgement goes on until it has it."""
        self._ending.set()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.1, deadline - time.monotonic()))
            if thread.is_alive():
                self.surprises.append(f"{thread.name} got no acknowledgement within {timeout_s:.0f} s")

    def _watched(self, name: str, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - a thread has nobody else to tell
            self.surprises.append(f"{name}: {type(error).__name__}: {error}")

    # Mail in

    def _receive(self, mark: str) -> Callable[[], None]:
        def work() -> None:
            for number in count():
                if self._ending.is_set():
                    return
                self._deliver_until_acknowledged(self.ledger.open(self.ledger.received, f"in-{mark}{number}"))
                time.sleep(PAUSE_S)

        return work

    def _deliver_until_acknowledged(self, promise: Promise) -> None:
        message = (
            f"From: <sender@example.net>\r\nTo: <{self.mia.address}>\r\nSubject: crash {promise.token}\r\n"
            f"Message-ID: <{promise.token}@example.net>\r\n\r\n{'x' * 70}\r\n".encode()
            + b"y" * DATA_BYTES
            + b"\r\n"
        )
        while not promise.acknowledged:
            in_doubt = False
            try:
                with smtplib.SMTP("127.0.0.1", self.appliance.ports["smtp"], "localhost", 20) as smtp:
                    smtp.ehlo()
                    smtp.mail("sender@example.net")
                    code, _ = smtp.rcpt(self.mia.address)
                    if code == 250:
                        in_doubt = True
                        code, _ = smtp.data(message)
                        in_doubt = False
                    promise.acknowledged = code == 250
            except (OSError, smtplib.SMTPException):
                promise.tries_in_doubt += in_doubt
            if not promise.acknowledged:
                time.sleep(RETRY_PAUSE_S)

    # Mail out

    def _submit(self) -> None:
        for number in count():
            if self._ending.is_set():
                return
            promise = self.ledger.open(self.ledger.submitted, f"out-{number}")
            mime = (
                f"From: {self.mia.address}\r\nTo: {self.ben.address}\r\n"
                f"Subject: crash {promise.token}\r\n\r\nsent by a phone\r\n"
            ).encode()
            while not promise.acknowledged:
                promise.acknowledged = self._submitted(promise, mime)
            time.sleep(PAUSE_S)

    def _submitted(self, promise: Promise, mime: bytes) -> bool:
        try:
            self.mia.send_mail(mime, client_id=promise.token)
            return True
        except StatusError as error:
            if error.status == MESSAGE_PREVIOUSLY_SENT:
                return True
            if error.status not in TEMPORARY:
                raise
        except (TransportError, HttpError) as error:
            _must_be_temporary(error)
            promise.tries_in_doubt += isinstance(error, LostResponse)
        time.sleep(RETRY_PAUSE_S)
        return False

    # A phone in step

    def _read(self) -> None:
        """Synchronise the Inbox of the other phone again and again and mark the oldest unread message."""
        while not self._ending.is_set():
            inbox = self.ben.mailbox.of_type("2")
            if inbox is None:
                self._until_done(self.ben.folder_sync)
                continue
            self._until_done(lambda: self.ben.sync(inbox.id))  # noqa: B023 - called before the next turn
            collection = self.ben.mailbox.collection(inbox.id)
            unread = next((key for key, item in collection.items.items() if item.get("Read") == "0"), None)
            if unread is not None:
                self._mark_read(collection, unread)
            time.sleep(PAUSE_S)

    def _mark_read(self, collection: Collection, server_id: str) -> None:
        """Mark one message read; after a loss the phone repeats the very same request by itself."""
        commands = [read(server_id)]
        while commands or collection.unanswered:
            try:
                self.ben.sync(collection.folder_id, commands)
                break
            except (TransportError, HttpError) as error:
                _must_be_temporary(error)
                if collection.unanswered and collection.unanswered.commands:
                    commands = []  # on its way: the next Sync repeats it
                time.sleep(RETRY_PAUSE_S)
        item = collection.items.get(server_id)
        if item and item.get("Read") == "1":
            self.ledger.read.add(token_of(item.get("Subject")))

    def _until_done(self, action: Callable[[], object]) -> None:
        while True:
            try:
                action()
                return
            except (TransportError, HttpError) as error:
                _must_be_temporary(error)
            except StatusError as error:
                if error.status not in TEMPORARY:
                    raise
            time.sleep(RETRY_PAUSE_S)


def _must_be_temporary(error: PhoneError) -> None:
    """Raise what no crash excuses: a 4xx, above all the 401 that makes a phone ask for the password."""
    if isinstance(error, HttpError) and error.status < 500:
        raise error
