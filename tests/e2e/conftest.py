"""An appliance with two users, running as it would in an office, for every end-to-end test of a module."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from appliance.phone import Phone
from tests.clients.appliance_process import RunningAppliance

MIA, BEN = "mia@example.com", "ben@example.com"
PASSWORDS = {MIA: "correct horse battery", BEN: "staple of the office"}
TWO_WORKERS = """
[web]
workers = 2
heartbeat_min_s = 5
"""


@dataclass
class Office:
    """The appliance and its users."""

    appliance: RunningAppliance

    def phone(self, address: str, *, version: str = "16.1", device_id: str | None = None) -> Phone:
        return self.appliance.phone(address, PASSWORDS[address], version=version, device_id=device_id)

    def ready_phone(
        self, address: str, *, version: str = "16.1", device_id: str | None = None
    ) -> tuple[Phone, str]:
        """Return a phone that has its folders and an Inbox in step, and the Inbox's id."""
        phone = self.phone(address, version=version, device_id=device_id)
        phone.folder_sync()
        inbox = phone.mailbox.of_type("2")
        assert inbox is not None
        phone.sync(inbox.id)
        return phone, inbox.id

    def deliver(self, message: bytes, recipient: str, sender: str = "sender@example.net") -> float:
        """Deliver one message by SMTP; return the moment of the 250."""
        return self.appliance.postman().deliver(sender, recipient, message)


@pytest.fixture(scope="module")
def office(request: pytest.FixtureRequest) -> Iterator[Office]:
    """An appliance with two web workers; its directory is kept when a test of the module fails."""
    failed_before = request.session.testsfailed
    with RunningAppliance(config=TWO_WORKERS) as appliance:
        appliance.set_up(MIA, PASSWORDS[MIA])
        appliance.add_user(BEN, PASSWORDS[BEN])
        yield Office(appliance)
        appliance.keep = request.session.testsfailed > failed_before
