"""Who receives a message as a blind copy: it was sent to an address of theirs that its header does not name.

What comes through a mailing list or a group is nobody's blind copy: there the header names the list.
Source: MS-ASEMAIL 2.2.2.59 ReceivedAsBcc; RFC 5322 3.6.3; RFC 2919 (List-Id); RFC 3834 2 (Precedence).
"""

from collections.abc import Iterable

from appliance.accounts import accounts, addresses
from appliance.errors import InvalidInput
from appliance.mime.headers import Headers, parse_headers

_NAMING = ("To", "Cc", "Resent-To", "Resent-Cc")
_OF_A_LIST = ("List-Id", "List-Post", "List-Unsubscribe", "Mailing-List")


def receivers(raw: bytes, forward_paths: Iterable[str]) -> frozenset[int]:
    """Return the accounts that get a message blind. Needs `db.connection()`.

    forward_paths: the envelope's, before groups are resolved. No query when the header names them all.
    """
    headers = parse_headers(raw)
    if _is_of_a_list(headers):
        return frozenset()
    named = {form for name in _NAMING for each in headers.addresses(name) for form in _forms(each.address)}
    unnamed = {form for path in forward_paths if named.isdisjoint(forms := _forms(path)) for form in forms}
    if not unnamed:
        return frozenset()
    return frozenset(account for account, own in accounts.kin(unnamed).items() if named.isdisjoint(own))


def _is_of_a_list(headers: Headers) -> bool:
    precedence = (headers.raw("Precedence") or "").strip().lower()
    return precedence in ("list", "bulk") or any(name in headers for name in _OF_A_LIST)


def _forms(address: str) -> tuple[str, ...]:
    """Return an address as accounts may have it, with its detail and without; none of what is no address."""
    try:
        normal = addresses.normalise(address)
    except InvalidInput:
        return ()
    return normal, addresses.base_address(normal)
