"""A certificate for all tests of the SMTP edge."""

import pytest

from smtpd.tls import Certificate
from tests.integration.smtpd.world import write_certificate


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """A self-signed one for the dialogs' host name."""
    return Certificate(*write_certificate(tmp_path_factory.mktemp("tls")))
