"""What a request says about where it came from, and what of that is believed.

Owns the scheme, the client's address (behind a trusted proxy: the one the proxy names), the letter case
of the paths that phones spell in several ways, and the request's id. Leaves to `held.py` and Flask what
happens next. Everything here is settled before Flask sees the request.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final

from appliance import logs
from appliance.net.listening import plain_ip
from web.access import Record
from web.held import Environ, StartResponse, Wsgi

RECORD_KEY: Final = "appliance.record"
EAS_PATH: Final = "/microsoft-server-activesync"
POX_PATH: Final = "/autodiscover/autodiscover.xml"
JSON_PATH: Final = "/autodiscover/autodiscover.json"

_FOLDED: Final = (EAS_PATH, POX_PATH, JSON_PATH)
_LONGEST: Final = max(map(len, _FOLDED)) + len("/default.eas/")

Network = IPv4Network | IPv6Network


class Edge:
    """WSGI middleware that writes the settled facts into the environ.

    trusted_proxies: peers (addresses or networks) whose X-Forwarded-For and -Proto are believed, and
    only on a listener without TLS: whoever terminates TLS itself has no proxy in front.
    """

    def __init__(self, app: Wsgi, trusted_proxies: Sequence[str]) -> None:
        self._app = app
        self._trusted = [ip_network(proxy) for proxy in trusted_proxies]

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Settle scheme, client and path, then serve the request under a fresh id."""
        _settle_client(environ, environ.get("REMOTE_ADDR", ""))
        if environ["wsgi.url_scheme"] == "http" and self._is_trusted(environ.get("REMOTE_ADDR", "")):
            _believe(environ)
        environ["PATH_INFO"] = folded(environ.get("PATH_INFO", ""))
        record = environ[RECORD_KEY] = Record(
            environ["REQUEST_METHOD"],
            environ["PATH_INFO"],
            environ.get("REMOTE_ADDR", ""),
            environ.get("HTTP_USER_AGENT", ""),
        )
        with logs.bind(request=record.request_id):
            return self._app(environ, start_response)

    def _is_trusted(self, peer: str) -> bool:
        """A peer without an address came through a Unix socket, which only a local proxy can open."""
        return not peer or is_within(peer, self._trusted)


def is_within(peer: str, networks: Sequence[Network]) -> bool:
    """Tell whether an address is in one of the networks; what is no address is in none."""
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    return any(address in network for network in networks)


def folded(path: str) -> str:
    """Return a path with the prefixes that clients spell in any letter case in lower case.

    The rest stays: an address may follow (`/autodiscover/autodiscover.json/v1.0/Lena@example.com`).
    """
    lower = path[:_LONGEST].lower().rstrip("/")
    for known in _FOLDED:
        if lower == known or lower == f"{known}/default.eas":
            return lower
        if lower.startswith(f"{known}/"):
            return known + path[len(known) :]
    return path


def _believe(environ: Environ) -> None:
    """Take over what the proxy says: the last address in the list is the one it saw itself."""
    _settle_client(environ, environ.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip())
    if environ.get("HTTP_X_FORWARDED_PROTO", "").strip().lower() == "https":
        environ["wsgi.url_scheme"] = "https"


def _settle_client(environ: Environ, address: str) -> None:
    """Make an address the client's; what is none (there is none behind a Unix socket) changes nothing."""
    with suppress(ValueError):
        environ["REMOTE_ADDR"] = plain_ip(address)
