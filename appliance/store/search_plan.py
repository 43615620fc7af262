"""How a query is answered: which part the full-text tables find, and what is asked of what they found. Pure.

Texts are cut into terms and gathered as far as possible into one `Text`, which the full-text table answers
newest first. Facts (received, read, …), and the negation of everything, are conditions on rows.
"""

from dataclasses import dataclass
from typing import Final

from appliance.items import search_query as asked
from appliance.items.search_query import HasAttachment, IsFlagged, IsRead, Query, Received
from appliance.store.search_terms import wanted_terms
from appliance.store.search_text import AllOf, AnyOf, Text, Wanted


@dataclass(frozen=True, slots=True)
class Every:
    """All of these; all rows when there are none."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Some:
    """At least one of these, which are never none."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class No:
    """All other rows."""

    part: "Node"


type Node = Text | HasAttachment | IsRead | IsFlagged | Received | Every | Some | No


@dataclass(frozen=True, slots=True)
class Plan:
    """The text every hit contains, None when there is none, and what else holds for every hit."""

    text: Text | None
    conditions: tuple[Node, ...]


TERMS_IN_ROW_MAX: Final = 24
"""Of a pasted sentence its beginning is looked for; a frequent word more costs as much as the first."""

_TEXT: Final = (Wanted, AllOf, AnyOf)


def plan(query: Query) -> Plan | None:
    """Return how to answer a query; None when it asks for nothing, and so finds nothing."""
    node = _node(query)
    if node is None:
        return None
    if isinstance(node, _TEXT):
        return Plan(node, ())
    parts = node.parts if isinstance(node, Every) else (node,)
    if parts and isinstance(parts[0], _TEXT):
        return Plan(parts[0], parts[1:])
    return Plan(None, parts)


def _node(query: Query) -> Node | None:
    """Return a query with its texts cut into terms; None when it asks for nothing."""
    match query:
        case asked.Phrase(text, field, is_prefix):
            terms, is_beginning = wanted_terms(text, is_prefix=is_prefix)
            if len(terms) > TERMS_IN_ROW_MAX:
                terms, is_beginning = terms[:TERMS_IN_ROW_MAX], False
            return Wanted(tuple(terms), field, is_beginning) if terms else None
        case asked.Not(part):
            negated = _node(part)
            return None if negated is None else No(negated)
        case asked.And(()):
            return Every(())
        case asked.And(parts):
            return _every([node for part in parts if (node := _node(part)) is not None])
        case asked.Or(parts):
            return _some([node for part in parts if (node := _node(part)) is not None])
        case _:
            return query


def _every(nodes: list[Node]) -> Node | None:
    """Return the conjunction, with all of its text in one node that comes first."""
    if len(nodes) <= 1:
        return nodes[0] if nodes else None
    texts: list[Text] = []
    excluded: list[Text] = []
    others: list[Node] = []
    for node in nodes:
        if isinstance(node, _TEXT):
            texts.append(node)
        elif isinstance(node, No) and isinstance(node.part, _TEXT):
            excluded.append(node.part)
        elif isinstance(node, Every):
            others.extend(node.parts)
        else:
            others.append(node)
    if not texts:  # FTS5 knows no negation by itself
        return Every((*map(No, excluded), *others))
    text = AllOf(tuple(texts), tuple(excluded))
    return Every((text, *others)) if others else text


def _some(nodes: list[Node]) -> Node | None:
    if len(nodes) <= 1:
        return nodes[0] if nodes else None
    texts = tuple(node for node in nodes if isinstance(node, _TEXT))
    return AnyOf(texts) if len(texts) == len(nodes) else Some(tuple(nodes))
