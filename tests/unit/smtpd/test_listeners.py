"""What counts as one client."""

import pytest

from appliance.net.listening import plain_ip
from smtpd.listeners import address_group


@pytest.mark.parametrize(
    ("ip", "group"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_one_client(ip: str, group: str) -> None:
    assert address_group(plain_ip(ip)) == group
