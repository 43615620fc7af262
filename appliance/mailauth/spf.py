"""May this client send for this domain? Source: RFC 7208.

pyspf evaluates the record; the questions it asks go through the function handed in, with the limits of
RFC 7208 4.6.4 (ten look-ups, two of them void). Leaves what follows from a result to the caller.
"""

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import spf  # type: ignore[import-untyped]

from appliance.mailauth.domains import normal
from appliance.mailauth.lookups import Lookup, LookupFailed

VOID_LOOKUPS_MAX = 2  # RFC 7208 4.6.4
PTR_MAX = 10  # RFC 7208 5.5
EXPLANATION_CHARS_MAX = 200
_DEFAULT_EXPLANATIONS = frozenset(spf.EXPLANATIONS.values())


@dataclass(frozen=True, slots=True)
class SpfResult:
    """The result word, and the identity it is about. `explanation` is the domain's own text on a fail.

    scope: "mailfrom", or "helo" when the reverse-path is null. domain: lower-case A-labels.
    """

    result: str
    domain: str
    scope: str
    explanation: str = ""


def check(client_ip: str, reverse_path: str, helo: str, lookup: Lookup) -> SpfResult:
    """Return the result for MAIL FROM, or for the HELO name when the path is null; raises nothing.

    Blocks as often as `lookup` does. Source: RFC 7208 2.3 and 2.4 (the identities), 2.6 (results).
    """
    scope, domain = _identity(reverse_path, helo)
    if not domain or "." not in domain or domain.startswith("["):
        return SpfResult("none", domain, scope)  # RFC 7208 4.3: nothing that could have a record
    sender = f"{reverse_path.rpartition('@')[0] or 'postmaster'}@{domain}"
    try:
        query = _Query(client_ip, sender, helo or domain, lookup)
        result, _, explanation = query.check()
    except spf.PermError:
        return SpfResult("permerror", domain, scope)
    except spf.TempError:
        return SpfResult("temperror", domain, scope)
    except Exception:  # noqa: BLE001 - the library on a record nobody thought of: the record is at fault
        return SpfResult("permerror", domain, scope)
    own_words = explanation if result == "fail" and explanation not in _DEFAULT_EXPLANATIONS else ""
    return SpfResult(str(result), domain, scope, own_words[:EXPLANATION_CHARS_MAX])


def unanswered(reverse_path: str, helo: str) -> SpfResult:
    """Return the result of a check that did not come to an end in time."""
    scope, domain = _identity(reverse_path, helo)
    return SpfResult("temperror", domain, scope)


def _identity(reverse_path: str, helo: str) -> tuple[str, str]:
    if reverse_path:
        return "mailfrom", normal(reverse_path.rpartition("@")[2])
    return "helo", normal(helo)


class _Query(spf.query):  # type: ignore[misc]
    """pyspf's evaluation, with our look-ups in place of its own."""

    def __init__(self, client_ip: str, sender: str, helo: str, lookup: Lookup) -> None:
        super().__init__(i=client_ip, s=sender, h=helo, strict=True)
        self._lookup = lookup
        self._answers: dict[tuple[str, str], list[Any]] = {}

    def dns(
        self,
        name: str,
        qtype: str,
        cnames: Any = None,  # noqa: ARG002 - aliases are followed by whoever answers
        ignore_void: bool = False,
    ) -> list[Any]:
        """Return the records in pyspf's shapes; counts those that are not there."""
        question = (str(name).lower().removesuffix("."), qtype)
        if not question[0] or any(not 0 < len(label) < 64 for label in question[0].split(".")):
            return []
        if question not in self._answers:
            self._answers[question] = self._ask(*question)
        answer = self._answers[question]
        if not answer and not ignore_void:
            self.void_lookups += 1
            if self.void_lookups > VOID_LOOKUPS_MAX:
                raise spf.PermError(f"Void lookup limit of {VOID_LOOKUPS_MAX} exceeded")
        return list(answer)

    def validated_ptrs(self) -> list[str]:
        """Return the client's confirmed names; a name server in trouble means no name. RFC 7208 5.5."""
        return [name for name in self._quietly(self.dns_ptr, self.i)[:PTR_MAX] if self._is_confirmed(name)]

    def _is_confirmed(self, name: str) -> bool:
        return bool(self.cidrmatch(self._quietly(self.dns_a, name, self.A), self.cidrmax))

    def _quietly(self, ask: Callable[..., list[Any]], *question: str) -> list[Any]:
        try:
            return ask(*question)
        except spf.TempError:
            return []

    def _ask(self, name: str, qtype: str) -> list[Any]:
        try:
            records = self._lookup(name, qtype)
        except LookupFailed as error:
            raise spf.TempError(f"DNS {error}") from error
        return _shaped(records, qtype)


def _shaped(records: Sequence[str], qtype: str) -> list[Any]:
    match qtype:
        case "TXT":
            return [(text.encode("utf-8", "surrogateescape"),) for text in records]
        case "MX":
            pairs = (record.partition(" ") for record in records)
            return [(int(preference), host) for preference, _, host in pairs if preference.isdecimal()]
        case "A" | "AAAA":
            return [record for record in records if _is_address(record)]
    return list(records)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
