"""Where a request came from: whom we believe, and paths in any letter case."""

import pytest

from web.edge import RECORD_KEY, Edge, folded
from web.held import Environ


def settled(scheme: str = "http", **environ: str) -> Environ:
    seen: Environ = {"wsgi.url_scheme": scheme, "REQUEST_METHOD": "GET", "PATH_INFO": "/", **environ}
    Edge(lambda _environ, _start: [], ["127.0.0.1", "::1", "10.1.0.0/16"])(seen, lambda *_: None)
    return seen


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "10.1.200.3", "::ffff:127.0.0.1", ""])
def test_a_trusted_proxy_names_client_and_scheme(peer: str) -> None:
    seen = settled(
        REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR="6.6.6.6, 203.0.113.9", HTTP_X_FORWARDED_PROTO="https"
    )
    assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == ("203.0.113.9", "https")


@pytest.mark.parametrize("peer", ["203.0.113.1", "10.2.0.1", "nonsense"])
def test_a_stranger_names_nothing(peer: str) -> None:
    seen = settled(REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR="127.0.0.1", HTTP_X_FORWARDED_PROTO="https")
    assert (seen["REMOTE_ADDR"], seen["wsgi.url_scheme"]) == (peer, "http")


def test_behind_our_own_tls_nobody_is_a_proxy() -> None:
    seen = settled("https", REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_FOR="203.0.113.9")
    assert seen["REMOTE_ADDR"] == "127.0.0.1"


@pytest.mark.parametrize("value", ["", "unknown", "1.2.3.4:80", "evil\nname"])
def test_a_proxy_that_names_no_address_is_the_client_itself(value: str) -> None:
    assert settled(REMOTE_ADDR="127.0.0.1", HTTP_X_FORWARDED_FOR=value)["REMOTE_ADDR"] == "127.0.0.1"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_client_through_a_socket_of_both_families_has_its_ipv4_address(scheme: str) -> None:
    seen = settled(scheme, REMOTE_ADDR="::ffff:203.0.113.1")
    assert (seen["REMOTE_ADDR"], seen[RECORD_KEY].remote) == ("203.0.113.1", "203.0.113.1")


def test_every_request_has_its_own_id() -> None:
    first, second = (settled(REMOTE_ADDR="127.0.0.1")[RECORD_KEY].request_id for _ in range(2))
    assert first != second


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/Microsoft-Server-ActiveSync", "/microsoft-server-activesync"),
        ("/MICROSOFT-SERVER-ACTIVESYNC/", "/microsoft-server-activesync"),
        ("/Microsoft-Server-ActiveSync/Default.EAS", "/microsoft-server-activesync/default.eas"),
        ("/AutoDiscover/AutoDiscover.xml", "/autodiscover/autodiscover.xml"),
        ("/Autodiscover/Autodiscover.JSON", "/autodiscover/autodiscover.json"),
        (
            "/Autodiscover/Autodiscover.json/v1.0/Lena@Example.com",
            "/autodiscover/autodiscover.json/v1.0/Lena@Example.com",
        ),
        ("/", "/"),
        ("", ""),
        ("/Other/Path", "/Other/Path"),
        ("/Microsoft-Server-ActiveSyncX", "/Microsoft-Server-ActiveSyncX"),
    ],
)
def test_paths(path: str, expected: str) -> None:
    assert folded(path) == expected
