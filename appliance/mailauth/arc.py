"""What did the servers before us find, and has nobody touched it since? Source: RFC 8617.

Validates a chain of ARC sets; whether a sealer is believed is the caller's decision. In two steps like
`dkim`, and for the same reason.
"""

import re
from dataclasses import dataclass

import dkim  # type: ignore[import-untyped]
from dkim.util import InvalidTagValueList, parse_tag_value  # type: ignore[import-untyped]

from appliance.mailauth.domains import normal
from appliance.mailauth.keys import KeyRecords, record_name
from appliance.mailauth.letter import Letter
from appliance.mailauth.signature import FIELD_BYTES_MAX, SILENT, Verifying, text

SETS_MAX = 50  # RFC 8617 4.2.1
KEYS_MAX = 20  # looked up for one message; a longer chain does not pass for want of keys
_SIGNED = (b"arc-seal", b"arc-message-signature")
_FOLD = re.compile(rb"\r?\n")


@dataclass(frozen=True, slots=True)
class ArcResult:
    """The state of the chain: none, pass, fail, or temperror when a key could not be looked up.

    sealers: the domain of each seal, newest first, when it passes. findings: what the newest sealer saw,
    the value of its ARC-Authentication-Results without the instance.
    """

    result: str
    reason: str = ""
    sealers: tuple[str, ...] = ()
    findings: str = ""


def key_names(letter: Letter) -> list[str]:
    """Return the names under which the chain's keys are published, newest first."""
    names = []
    for name, value in _fields(letter):
        if name.lower() in _SIGNED and len(value) <= FIELD_BYTES_MAX:
            try:
                tags = parse_tag_value(_FOLD.sub(b"", value))
            except InvalidTagValueList:
                continue
            names.append(record_name(text(tags.get(b"s", b"")), text(tags.get(b"d", b""))))
    return [name for name in dict.fromkeys(names) if name][:KEYS_MAX]


def validate(letter: Letter, records: KeyRecords) -> ArcResult:
    """Return the state of the message's chain; raises nothing. Costs like `dkim.verify`."""
    fields = [(name.lower(), value) for name, value in _fields(letter)]
    chain = [value for name, value in fields if name.startswith(b"arc-")]
    if not chain:
        return ArcResult("none")
    seals = sum(name == b"arc-seal" for name, _ in fields)
    if seals > SETS_MAX or any(len(value) > FIELD_BYTES_MAX for value in chain):
        return ArcResult("fail", "more than a chain may have")
    try:
        chain_of = _Chain(letter.header + b"\r\n", logger=SILENT)
        chain_of.letter, chain_of.records = letter, records
        state, sets, reason = chain_of.verify()
    except Exception:  # noqa: BLE001 - the library on fields nobody thought of: the fields are at fault
        return ArcResult("fail", "chain cannot be read")
    if any(records.get(name, ()) is None for name in key_names(letter)) and state != dkim.CV_Pass:
        return ArcResult("temperror", "key could not be looked up")
    if state == dkim.CV_None:
        return ArcResult("none")
    if state != dkim.CV_Pass:
        return ArcResult("fail", _short(reason))
    return ArcResult(
        "pass", "", tuple(normal(text(found["as-domain"])) for found in sets), _findings(sets[0]["aar-value"])
    )


class _Chain(Verifying, dkim.ARC):  # type: ignore[misc]
    pass


def _fields(letter: Letter) -> list[tuple[bytes, bytes]]:
    if not letter.is_header_whole or b"arc-" not in letter.header.lower():
        return []
    try:
        fields, _ = dkim.rfc822_parse(letter.header + b"\r\n")
    except (dkim.DKIMException, IndexError):
        return []
    return [(name, value) for name, value in fields]


def _findings(value: bytes) -> str:
    """Return the field without `i=n;`. Source: RFC 8617 4.1.1."""
    instance, _, rest = text(value).partition(";")
    return " ".join(rest.split()) if instance.strip().startswith("i") else ""


def _short(reason: str) -> str:
    return "".join(character if character.isalnum() else " " for character in reason)[:80].strip()
