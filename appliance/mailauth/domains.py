"""Domains as the checks compare them: A-labels in lower case, and what organisation they belong to.

The list of public suffixes is the one that comes with authheaders, read once when it is first needed.
Source: RFC 7489 3.2 Organizational Domain; publicsuffix.org for the rules.
"""

from collections.abc import Iterator
from functools import cache
from importlib import resources

DOMAIN_CHARS_MAX = 255
_WILDCARD, _EXCEPTION = "*.", "!"


def normal(domain: str) -> str:
    """Return a domain as lower-case A-labels without a final dot; "" for what can be none."""
    text = domain.strip().removesuffix(".").lower()
    if len(text) > DOMAIN_CHARS_MAX or not text or " " in text:
        return ""
    if text.isascii():
        return text if text.isprintable() and ".." not in text and not text.startswith(".") else ""
    try:
        return text.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return ""


def organisational(domain: str) -> str:
    """Return the domain one label below the longest public suffix, or the domain itself if it is one."""
    labels = domain.split(".")
    suffix_labels = _suffix_length(labels)
    return ".".join(labels[-(suffix_labels + 1) :])


def _suffix_length(labels: list[str]) -> int:
    """Return how many labels the public suffix has: by an exception, else the longest rule, else one."""
    rules, longest = _rules(), 1
    for start in range(len(labels)):
        rest, length = ".".join(labels[start:]), len(labels) - start
        if _EXCEPTION + rest in rules:
            return length - 1
        is_wild = _WILDCARD + ".".join(labels[start + 1 :]) in rules
        if rest in rules or (is_wild and length > 1):
            longest = max(longest, length)
    return longest


@cache
def _rules() -> frozenset[str]:
    return frozenset(_read_rules())


def _read_rules() -> Iterator[str]:
    path = resources.files("authheaders") / "public_suffix_list.txt"
    for line in path.read_text(encoding="utf-8").splitlines():
        rule = line.split(None, 1)[0] if line.strip() else ""
        if not rule or rule.startswith("//"):
            continue
        mark = next((mark for mark in (_WILDCARD, _EXCEPTION) if rule.startswith(mark)), "")
        yield mark + (normal(rule.removeprefix(mark)) or rule.removeprefix(mark))
