"""Who signed this message, and is it still what they signed? Source: RFC 6376.

Verification in two steps, so that nothing here waits: `key_names` says which keys are needed, `verify`
judges with what was found. Leaves signing to whoever sends.
"""

import re
from dataclasses import dataclass

import dkim  # type: ignore[import-untyped]
from dkim.util import InvalidTagValueList, parse_tag_value  # type: ignore[import-untyped]

from appliance.mailauth.domains import normal
from appliance.mailauth.keys import KeyRecords, record_name
from appliance.mailauth.letter import Letter
from appliance.mailauth.signature import FIELD_BYTES_MAX, SILENT, Unacceptable, Verifying, text

SIGNATURES_MAX = 8  # looked at, from the top; the rest is not even mentioned
FIELDS_MAX = 2_000
_NAME = b"dkim-signature"
_FOLD = re.compile(rb"\r?\n")


@dataclass(frozen=True, slots=True)
class DkimResult:
    """What became of one signature. domain: d= as lower-case A-labels, "" when it could not be read.

    result: pass, fail, policy (good, but it does not cover the whole body), temperror, permerror.
    """

    result: str
    domain: str
    selector: str
    reason: str = ""


def key_names(letter: Letter) -> list[str]:
    """Return the names under which the keys of the message's signatures are published."""
    names = []
    for value in signature_fields(letter):
        tags = _tags(value)
        names.append(record_name(text(tags.get(b"s", b"")), text(tags.get(b"d", b""))))
    return [name for name in dict.fromkeys(names) if name]


def verify(letter: Letter, records: KeyRecords) -> list[DkimResult]:
    """Return a result for each signature, in their order, at most SIGNATURES_MAX; raises nothing.

    Costs time in proportion to the body: hand large messages to a thread.
    """
    values = signature_fields(letter)
    if not values:
        return []
    try:
        verifier = _Verifier(letter.header + b"\r\n", logger=SILENT)
    except dkim.DKIMException:
        return [_result(_tags(value), "permerror", "header cannot be read") for value in values]
    verifier.letter, verifier.records = letter, records
    return [_verified(verifier, number, value) for number, value in enumerate(values)]


def signature_fields(letter: Letter) -> list[bytes]:
    """Return the values of the signature fields that will be looked at."""
    if not letter.is_header_whole or letter.header.count(b"\n") > FIELDS_MAX:
        return []
    if _NAME not in letter.header.lower():
        return []
    try:
        fields, _ = dkim.rfc822_parse(letter.header + b"\r\n")
    except (dkim.DKIMException, IndexError):
        return []
    return [value for name, value in fields if name.lower() == _NAME][:SIGNATURES_MAX]


class _Verifier(Verifying, dkim.DKIM):  # type: ignore[misc]
    pass


def _verified(verifier: _Verifier, number: int, value: bytes) -> DkimResult:
    tags = _tags(value)
    if len(value) > FIELD_BYTES_MAX:
        return _result(tags, "permerror", "field too long")
    try:
        is_good = verifier.verify(number)
    except Unacceptable as problem:
        return _result(tags, problem.result, problem.reason)
    except dkim.DKIMException:
        return _result(tags, "permerror", "signature cannot be read")
    except Exception:  # noqa: BLE001 - the library on a field nobody thought of: the field is at fault
        return _result(tags, "permerror", "signature cannot be read")
    return _result(tags, "pass" if is_good else "fail", "")


def _result(tags: dict[bytes, bytes], result: str, reason: str) -> DkimResult:
    return DkimResult(result, normal(text(tags.get(b"d", b""))), text(tags.get(b"s", b"")), reason)


def _tags(value: bytes) -> dict[bytes, bytes]:
    if len(value) > FIELD_BYTES_MAX:
        return {}
    try:
        return dict(parse_tag_value(_FOLD.sub(b"", value)))
    except InvalidTagValueList:
        return {}
