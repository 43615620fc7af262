"""A certificate for all tests of the SMTP edge."""

import pytest

from appliance.net.tls import Certificate
from smtpd.tls import SERVER_CIPHERS
from tests.clients.dialog import HOSTNAME
from tests.fixtures.certificate import write_pair


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A self-signed one for the dialogs' host name."""
    return Certificate(*write_pair(tmp_path_factory.mktemp("tls"), HOSTNAME), ciphers=SERVER_CIPHERS)
