"""DMARC aggregate reports: what another server saw of mail that said it was from a domain. Pure.

Source: RFC 7489 7.2 Aggregate Reports, appendix C (the schema, which reporters follow loosely).
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Final

from lxml import etree

from appliance.mailauth.unpacking import Unreadable

DOCTYPE_BYTES: Final = 65_536  # none is looked for further behind; entities are never resolved
ROWS_MAX: Final = 50_000
SOURCES_MAX: Final = 1_000  # kept of a report, those with the most messages
TEXT_LENGTH_MAX: Final = 255
MESSAGES_MAX: Final = 10**12


@dataclass(frozen=True, slots=True)
class Source:
    """Messages from one address with one fate: `disposition` none, quarantine or reject; pass or fail."""

    ip: str
    messages: int
    disposition: str
    dkim: str
    spf: str

    @property
    def is_aligned(self) -> bool:
        """Whether DMARC passed: one of the two did for the domain of From."""
        return "pass" in (self.dkim, self.spf)


@dataclass(frozen=True, slots=True)
class DmarcReport:
    """One report; `domain` as the reporter wrote it, times aware UTC."""

    domain: str
    organisation: str
    report_id: str
    begins_at: datetime
    ends_at: datetime
    sources: tuple[Source, ...]
    passed: int
    failed: int


def read(data: bytes) -> DmarcReport:
    """Return a report from its XML. Raises Unreadable."""
    if b"<!DOCTYPE" in data[:DOCTYPE_BYTES]:
        raise Unreadable("a report has no DTD")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Unreadable(f"no XML: {error}") from error
    if _local(root) != "feedback":
        raise Unreadable("not a DMARC report")
    meta = _child(root, "report_metadata")
    span = _child(meta, "date_range")
    counts = _counted(root)
    passed = sum(messages for source, messages in counts.items() if "pass" in source[2:])
    return DmarcReport(
        domain=_required(_child(root, "policy_published"), "domain"),
        organisation=_required(meta, "org_name"),
        report_id=_required(meta, "report_id"),
        begins_at=_moment(span, "begin"),
        ends_at=_moment(span, "end"),
        sources=tuple(
            Source(ip, messages, disposition, dkim, spf)
            for (ip, disposition, dkim, spf), messages in counts.most_common(SOURCES_MAX)
        ),
        passed=passed,
        failed=counts.total() - passed,
    )


def _counted(root: etree._Element) -> Counter[tuple[str, str, str, str]]:
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for number, record in enumerate(element for element in root if _local(element) == "record"):
        if number == ROWS_MAX:
            raise Unreadable(f"more than {ROWS_MAX} rows")
        row = _child(record, "row")
        verdict = _child(row, "policy_evaluated")
        words = (_word(verdict, name) for name in ("disposition", "dkim", "spf"))
        disposition, dkim, spf = words
        counts[_address(_text(row, "source_ip")), disposition, dkim, spf] += _number(row, "count")
    return counts


def _address(text: str) -> str:
    try:
        return str(ip_address(text))
    except ValueError:
        return ""


def _word(parent: etree._Element | None, name: str) -> str:
    word = _text(parent, name).lower()
    return word if word.isascii() and word.isalpha() and len(word) <= 20 else ""


def _number(parent: etree._Element | None, name: str) -> int:
    text = _text(parent, name)
    return min(int(text), MESSAGES_MAX) if text.isascii() and text.isdecimal() and len(text) < 20 else 0


def _moment(parent: etree._Element | None, name: str) -> datetime:
    seconds = _number(parent, name)
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise Unreadable(f"{name} is no time") from error


def _required(parent: etree._Element | None, name: str) -> str:
    text = _text(parent, name)
    if not text:
        raise Unreadable(f"no {name}")
    return text


def _text(parent: etree._Element | None, name: str) -> str:
    found = _child(parent, name)
    text = "" if found is None else found.text or ""
    return "".join(c for c in " ".join(text.split()) if c.isprintable())[:TEXT_LENGTH_MAX]


def _child(parent: etree._Element | None, name: str) -> etree._Element | None:
    """Return the first child of a name, whatever its namespace: reporters do not agree on one."""
    if parent is None:
        return None
    return next((element for element in parent if _local(element) == name), None)


def _local(element: etree._Element) -> str:
    return etree.QName(element).localname if isinstance(element.tag, str) else ""
