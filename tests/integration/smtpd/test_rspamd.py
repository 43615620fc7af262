"""The real Rspamd beside the reception port: test patterns are refused, and it learns from moves."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.net.rspamd import FilterUnavailable, Rspamd
from appliance.net.tls import Certificate
from appliance.settings import Filter
from smtpd.screening import Screening
from tests.fakes.rspamd_server import EICAR_MARK, PrivateRspamd, is_installed
from tests.fixtures.strangers import everybody
from tests.integration.smtpd.test_strangers import LETTER, greeted, sent
from tests.integration.smtpd.world import RECEPTION, edge

pytestmark = pytest.mark.skipif(not is_installed(), reason="rspamd is not installed")

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*" + "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
PATIENCE_S = 30
TEXT = (
    b"From: ada@example.net\r\nTo: alice@example.test\r\nMessage-ID: <%d@example.net>\r\n"
    b"Subject: %s\r\n\r\n%s\r\n"
)
OFFER = b"Cheap replica watches, order cheap watches today, best replica prices for every customer number %d."
REPORT = b"The quarterly report of the board meeting is attached, please read the minutes before friday %d."


@pytest.fixture(scope="module")
def rspamd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrivateRspamd]:
    directory: Path = tmp_path_factory.mktemp("rspamd")
    with PrivateRspamd(directory) as running:
        yield running


def filtered(rspamd: PrivateRspamd) -> Screening:
    return everybody({}, filter_=Filter(rspamd=rspamd.url, timeout_s=PATIENCE_S))


@pytest.mark.parametrize("pattern", [GTUBE, EICAR_MARK], ids=["gtube", "eicar"])
def test_test_patterns_are_refused_and_other_mail_is_not(
    pattern: str, rspamd: PrivateRspamd, certificate: Certificate
) -> None:
    with edge(RECEPTION, certificate, screening=filtered(rspamd)) as server:
        wire = greeted(server)
        assert sent(wire, LETTER + pattern.encode() + b"\r\n").startswith(b"550 5.7.1 ")
        assert server.services.accepted == []
        assert sent(wire, LETTER).startswith(b"250")
        wire.close()


def test_it_learns_what_it_is_told(rspamd: PrivateRspamd) -> None:
    filter_ = Rspamd(rspamd.controller_url, PATIENCE_S, rspamd.password)
    before = rspamd.learned()
    for number in range(1, 4):
        filter_.learn(TEXT % (number, b"offer", OFFER % number), is_junk=True)
        filter_.learn(TEXT % (10 + number, b"report", REPORT % number), is_junk=False)
    assert rspamd.learned() == before + 6
    filter_.learn(TEXT % (1, b"offer", OFFER % 1), is_junk=True)  # known already, which is no failure


def test_a_wrong_password_teaches_nothing(rspamd: PrivateRspamd) -> None:
    with pytest.raises(FilterUnavailable):
        Rspamd(rspamd.controller_url, PATIENCE_S, "wrong").learn(LETTER, is_junk=True)
