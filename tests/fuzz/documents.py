"""Bytes as a document: WBXML when they are that, else a programme that builds a tree of a vocabulary.

Any programme is a well-formed document, so the grammar of a command is reached without WBXML standing in the
way: a byte under 0x20 opens a container, one from 0xF0 closes it, any other is a leaf and the byte behind it
the leaf's value; the numbers are places in the vocabulary, modulo its length.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from appliance.wbxml.codec import WbxmlError, decode
from appliance.wbxml.element import Element, Tag

OPEN_BELOW, CLOSE_FROM = 0x20, 0xF0
DEPTH_MAX = 20


@dataclass(frozen=True)
class Vocabulary:
    """What a programme may use."""

    containers: Sequence[Tag]
    leaves: Sequence[Tag]
    values: Sequence[str | bytes | None]


def document(data: bytes, root: Tag, vocabulary: Vocabulary) -> Element | None:
    """Return the tree the bytes stand for, None when they begin like WBXML and are refused as that."""
    if data[:1] == b"\x03":
        with suppress(WbxmlError):
            return decode(data)
        return None
    return root(_children(data, vocabulary))


def _children(data: bytes, vocabulary: Vocabulary) -> list[Element]:
    waiting: list[tuple[Tag, list[Element]]] = []
    siblings: list[Element] = []
    octets = iter(data)
    for octet in octets:
        if octet < OPEN_BELOW and len(waiting) < DEPTH_MAX:
            waiting.append((_at(vocabulary.containers, octet), siblings))
            siblings = []
        elif octet >= CLOSE_FROM and waiting:
            siblings = _closed(waiting, siblings)
        else:
            value = _at(vocabulary.values, next(octets, 0))
            siblings.append(_at(vocabulary.leaves, octet % 0x80)(value))
    while waiting:
        siblings = _closed(waiting, siblings)
    return siblings


def _closed(waiting: list[tuple[Tag, list[Element]]], inner: list[Element]) -> list[Element]:
    tag, outer = waiting.pop()
    outer.append(tag(inner))
    return outer


def _at[T](choices: Sequence[T], number: int) -> T:
    return choices[number % len(choices)]
