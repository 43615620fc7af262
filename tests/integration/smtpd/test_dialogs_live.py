"""The dialog files again, this time against listening ports."""

from dataclasses import replace
from pathlib import Path

import pytest

from appliance.net.tls import Certificate
from tests.clients import dialog
from tests.integration.smtpd.world import PORTS, edge

FOLDER = Path(__file__).parents[2] / "vectors" / "smtp"
PURE_ONLY = {"033-starttls-injection"}  # on the wire the octets break the handshake: test_starttls.py


@pytest.mark.parametrize(
    "case", [case for case in dialog.load(FOLDER) if case.name not in PURE_ONLY], ids=str
)
def test_dialog(case: dialog.Dialog, certificate: Certificate) -> None:
    port = PORTS[case.profile]
    port = replace(port, session=replace(port.session, **case.settings))
    with edge(port, certificate) as server:
        wire = server.connect()
        try:
            dialog.run(case, wire)
        finally:
            wire.close()
