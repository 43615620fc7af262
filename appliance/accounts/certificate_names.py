"""Whether a person's certificate keeps to the names that an authority above it may vouch for. Pure.

Mail addresses are compared. Constraints on names of other kinds are not evaluated: a certificate that
holds a name of such a kind is not allowed.

Source: RFC 5280 4.2.1.10 Name Constraints.
"""

from collections.abc import Sequence

from cryptography import x509

from appliance.accounts.certificates import extension, mail_addresses
from appliance.errors import InvalidInput


def are_allowed(constraints: x509.NameConstraints | None, path: Sequence[x509.Certificate]) -> bool:
    """Say whether the first certificate of a path keeps to an authority's constraints (None: there are none).

    Raises what reading a damaged extension raises (`certificates.UNREADABLE`).
    """
    if constraints is None:
        return True
    permitted = list(constraints.permitted_subtrees or ())
    excluded = list(constraints.excluded_subtrees or ())
    person = path[0]
    names = extension(person, x509.SubjectAlternativeName)
    others = {type(name) for name in names or ()} | ({x509.DirectoryName} if list(person.subject) else set())
    if any(type(rule) in others - {x509.RFC822Name} for rule in (*permitted, *excluded)):
        return False
    allowed = [rule.value for rule in permitted if isinstance(rule, x509.RFC822Name)]
    forbidden = [rule.value for rule in excluded if isinstance(rule, x509.RFC822Name)]
    try:
        addresses = mail_addresses(person)
    except InvalidInput:
        return False
    return all(
        (not allowed or any(_is_below(address, rule) for rule in allowed))
        and not any(_is_below(address, rule) for rule in forbidden)
        for address in addresses
    )


def _is_below(address: str, rule: str) -> bool:
    """Say whether an address is the one, of the host, or below the domain that a rule names."""
    wanted = rule.lower()
    host = address.rpartition("@")[2]
    if "@" in wanted:
        return address == wanted
    return host.endswith(wanted) if wanted.startswith(".") else host == wanted
