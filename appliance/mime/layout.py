"""Which leaf is body, which is attachment, and what kind of message the whole is.

Bodies follow the algorithm of JMAP: alternatives offer one rendering each, everything else in
sequence belongs to both, so mail that mixes text, picture, text (Apple Mail) loses nothing.
What a user sees as attachment: every other leaf, message/rfc822 as one, the files inside a winmail.dat
in its place; not a meeting request inside multipart/alternative, not the signature of an S/MIME message,
not the machine-readable part of a report. The text of a winmail.dat is shown when the mail has no other.
Source: RFC 8621 4.1.4 (body parts), RFC 8551 3.2 (S/MIME types), RFC 6522 (multipart/report).
"""

from collections.abc import Mapping

from appliance.mime.characters import one_line
from appliance.mime.structure import Part, Smime, Structure
from appliance.mime.tnef import TEXT

_BODY_TYPES = ("text/plain", "text/html")
_SMIME_BODIES = ("application/pkcs7-mime", "application/x-pkcs7-mime")
_SMIME_SIGNATURES = ("application/pkcs7-signature", "application/x-pkcs7-signature")
_REPORT_DETAILS = (
    "message/delivery-status",
    "message/global-delivery-status",
    "message/disposition-notification",
    "message/global-disposition-notification",
    "message/feedback-report",
)


BLANK_BYTES_MAX = 8
"""Outlook sends a line end beside a winmail.dat that holds the text."""

_Renderings = tuple[list[str], list[str]]
"""The leaves of the plain and of the HTML rendering of one branch, in order."""


def arrange(
    parts: tuple[Part, ...],
    defects: tuple[str, ...],
    root_parameters: Mapping[str, str],
    methods: Mapping[str, str],
) -> Structure:
    """Return the structure with every role decided.

    root_parameters: Content-Type parameters of the root; methods: part number to iTIP method.
    """
    children: dict[str | None, list[Part]] = {}
    for part in parts:
        children.setdefault(part.parent, []).append(part)
    by_number = {part.number: part for part in parts}
    loose: list[str] = []
    text, html = _branch(children, by_number, children[None], "mixed", loose)
    calendar = _calendar(parts, methods)
    hidden = _hidden(parts, calendar)
    packed = {number: children[number] for number in loose if number in children}
    texts = [part.number for inside in packed.values() for part in inside if is_packed_text(part)]
    if texts and all(by_number[number].size <= BLANK_BYTES_MAX for number in (*text, *html)):
        text = html = texts[:1]
    attachments = tuple(
        each
        for number in loose
        if number not in hidden
        for each in (
            [p.number for p in packed[number] if not is_packed_text(p)] if number in packed else [number]
        )
    )
    return Structure(
        parts=parts,
        defects=defects,
        text_parts=tuple(text),
        html_parts=tuple(html),
        attachments=attachments,
        inline=frozenset(n for n in attachments if _belongs_inside(by_number[n], by_number)),
        smime=_smime(parts[0], root_parameters),
        report_type=_report_type(parts[0], root_parameters),
        calendar_part=calendar,
    )


def is_packed_text(part: Part) -> bool:
    """Tell whether a leaf is the text of a winmail.dat."""
    return part.is_packed and part.number.endswith(f":{TEXT}")


def _branch(
    children: Mapping[str | None, list[Part]],
    by_number: Mapping[str, Part],
    siblings: list[Part],
    subtype: str,
    loose: list[str],
) -> _Renderings:
    """Return both renderings of one multipart; leaves that are no body are appended to `loose`.

    The depth of the recursion is bounded by the scanner.
    """
    branches: list[_Renderings] = []
    for index, part in enumerate(siblings):
        if part.is_multipart:
            inner = part.content_type.partition("/")[2]
            branches.append(_branch(children, by_number, children.get(part.number, []), inner, loose))
        elif _is_body(part, index, subtype):
            branches.append(([part.number], [part.number]))
        else:
            loose.append(part.number)
    if subtype != "alternative":
        return [n for text, _ in branches for n in text], [n for _, html in branches for n in html]
    return _choose(branches, by_number)


def _choose(branches: list[_Renderings], by_number: Mapping[str, Part]) -> _Renderings:
    """Pick one branch of a multipart/alternative per rendering: the first plain, the last HTML one.

    Where no branch has the wanted type, the richest (last) branch with any content stands in.
    """
    filled = [branch for branch in branches if branch[0] or branch[1]]
    if not filled:
        return [], []

    def holds(numbers: list[str], content_type: str) -> bool:
        return any(by_number[number].content_type == content_type for number in numbers)

    text = next((text for text, _ in filled if holds(text, "text/plain")), filled[-1][0])
    html = next((html for _, html in reversed(filled) if holds(html, "text/html")), filled[-1][1])
    return text, html


def _is_body(part: Part, index: int, subtype: str) -> bool:
    """Tell whether a leaf is shown as text. Source: RFC 8621 4.1.4."""
    if part.content_type not in _BODY_TYPES or part.disposition == "attachment":
        return False
    return index == 0 or (subtype != "related" and part.filename is None)


def _calendar(parts: tuple[Part, ...], methods: Mapping[str, str]) -> str | None:
    """Return the number of the calendar leaf: the first that names a method, else the first at all."""
    leaves = [part.number for part in parts if part.content_type == "text/calendar" and not part.is_packed]
    return next((number for number in leaves if number in methods), leaves[0] if leaves else None)


def _hidden(parts: tuple[Part, ...], calendar: str | None) -> set[str]:
    """Return the numbers of leaves that are neither body nor attachment for a user."""
    types = {part.number: part.content_type for part in parts}
    hidden = set()
    for part in parts:
        context = types.get(part.parent, "") if part.parent is not None else ""
        if (
            (part.content_type in _SMIME_SIGNATURES and context == "multipart/signed")
            or (part.content_type in _REPORT_DETAILS and context == "multipart/report")
            or (part.number == calendar and part.disposition != "attachment"
                and context in ("", "multipart/alternative"))
        ):  # fmt: skip
            hidden.add(part.number)
    return hidden


def _belongs_inside(part: Part, by_number: Mapping[str, Part]) -> bool:
    """Tell whether an attachment is a picture (or the like) of the HTML body.

    Some senders mark every attachment "attachment" with a Content-ID; only multipart/related or an
    explicit "inline" makes it part of the text.
    """
    if part.content_id is None and part.content_location is None:
        return False
    if part.content_type.startswith(("message/", "multipart/")):
        return False
    parent = by_number.get(part.parent) if part.parent is not None else None
    is_related = parent is not None and parent.content_type == "multipart/related"
    return is_related or part.disposition == "inline"


def _smime(root: Part, parameters: Mapping[str, str]) -> Smime | None:
    if root.content_type == "multipart/signed":
        is_smime = parameters.get("protocol", "").strip().lower() in _SMIME_SIGNATURES
        return "signed" if is_smime else None
    named = (root.filename or "").lower().endswith(".p7m")
    if root.content_type in _SMIME_BODIES or (root.content_type == "application/octet-stream" and named):
        kind = parameters.get("smime-type", "").strip().lower()
        return None if kind == "certs-only" else "signed" if kind == "signed-data" else "encrypted"
    return None


def _report_type(root: Part, parameters: Mapping[str, str]) -> str | None:
    if root.content_type != "multipart/report":
        return None
    return one_line(parameters.get("report-type", "").lower(), 80) or "delivery-status"
