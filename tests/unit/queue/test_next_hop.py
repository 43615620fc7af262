"""How an operator writes where mail goes."""

import pytest

from appliance.items.next_hop import HopTls, NextHop, parse_next_hop


@pytest.mark.parametrize(
    ("text", "hop", "written"),
    [
        ("Relay.example.com", NextHop("relay.example.com", 25), "relay.example.com:25"),
        ("192.0.2.1:2525", NextHop("192.0.2.1", 2525), "192.0.2.1:2525"),
        ("[2001:db8::1]:26", NextHop("2001:db8::1", 26), "[2001:db8::1]:26"),
        ("r:587/starttls", NextHop("r", 587, HopTls.STARTTLS), "r:587/starttls"),
        ("r:465/implicit", NextHop("r", 465, HopTls.IMPLICIT), "r:465/implicit"),
    ],
)
def test_written_and_read(text: str, hop: NextHop, written: str) -> None:
    assert parse_next_hop(text) == hop
    assert str(hop) == written
    assert parse_next_hop(written) == hop


@pytest.mark.parametrize(
    "text", ["", "a b", "host:0", "host:65536", "host:x", "2001:db8::1", "r/ssl", "a\r\nb", "r:١"]
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"must|no port"):
        parse_next_hop(text)


def test_a_secret_is_not_shown() -> None:
    assert "hunter2" not in repr(NextHop("r", username="u", secret="hunter2"))
