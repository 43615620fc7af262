"""An answer against the rules: what is wrong with it, and which rules it has met."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.grammar.rules import Rule, roots
from tests.grammar.values import TYPES
from tests.grammar.wire import Node, read


class GrammarError(AssertionError):
    """An answer that breaks rules; the message says which and where."""


@dataclass(frozen=True)
class Fault:
    """A rule that is broken."""

    rule: Rule | None
    text: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.text}"


def check(document: bytes, version: str | None = None) -> None:
    """Raise GrammarError when an answer breaks a rule. version: that of the request, where it is known."""
    root = read(document)
    found = list(faults(root, version))
    if found:
        raise GrammarError("\n".join(map(str, found)) + f"\n{root}")


def faults(root: Node, version: str | None = None) -> Iterator[Fault]:
    """Yield what is wrong with a whole answer."""
    rule = roots().get(root.tag)
    if rule is None:
        yield Fault(None, f"{root.tag} is the root of no answer")
    else:
        yield from _of_element(root, rule, version)


def met(root: Node) -> Iterator[tuple[Rule, Node, Node | None]]:
    """Yield the elements of a valid answer with their rules and parents."""
    yield from _met(root, roots()[root.tag], None)


def _met(node: Node, rule: Rule, parent: Node | None) -> Iterator[tuple[Rule, Node, Node | None]]:
    yield rule, node, parent
    for child in node.children:
        below = rule.child(child.tag)
        if below is not None:
            yield from _met(child, below, node)


def _of_element(node: Node, rule: Rule, version: str | None) -> Iterator[Fault]:
    yield from _of_container(node, rule, version) if rule.is_container else _of_value(node, rule)


def _of_value(node: Node, rule: Rule) -> Iterator[Fault]:
    fits, _ = TYPES[rule.type]
    if node.children:
        yield Fault(rule, "has children")
    elif not fits(node.value):
        yield Fault(rule, f"{node.value!r:.60} is no {rule.type}")
    elif rule.values and node.value not in rule.values:
        yield Fault(rule, f"{node.value!r:.60} is not one of its values")
    elif rule.length_max is not None and len(node.value or "") > rule.length_max:
        yield Fault(rule, f"is longer than {rule.length_max}")


def _of_container(node: Node, rule: Rule, version: str | None) -> Iterator[Fault]:
    if node.value is not None:
        yield Fault(rule, "has a value beside or instead of its children")
    if not node.children and rule.flag == "orEmpty":
        return
    if not node.children and rule.flag == "filled":
        yield Fault(rule, "is empty")
    last = 0
    for child in node.children:
        below = rule.child(child.tag)
        if below is None:
            yield Fault(rule, f"has a child {child.tag}")
            continue
        place = rule.children.index(below)
        if rule.type == "seq" and place < last:
            yield Fault(below, f"stands behind {rule.children[last].tag}")
        last = max(last, place)
        if below.flag == "orAlone" and _is_empty(child) and _count(node, below) == 1:
            continue
        yield from _of_element(child, below, version)
    for below in rule.children:
        yield from _of_number(node, below, version)


def _of_number(node: Node, rule: Rule, version: str | None) -> Iterator[Fault]:
    """Yield what is wrong with how often a child stands in a container."""
    count = _count(node, rule)
    if count < least(node, rule, version) or (rule.most is not None and count > rule.most):
        yield Fault(rule, f"{count} of them in {node.tag}")
    if count and version is not None and not rule.exists_in(version):
        yield Fault(rule, f"is unknown in {version}")
    if count and any(child.tag in rule.excluded_by for child in node.children):
        yield Fault(rule, f"stands beside {rule.excluded_by}")


def _is_empty(node: Node) -> bool:
    return not node.children and node.value is None


def _count(node: Node, rule: Rule) -> int:
    return sum(child.tag == rule.tag for child in node.children)


def least(node: Node, rule: Rule, version: str | None) -> int:
    """Return how many children a rule wants in this container at least."""
    is_bound = bool(rule.since or rule.until)
    if is_bound and (version is None or not rule.exists_in(version)):
        return 0
    return max(rule.least, int(_is_due(node, rule)))


def _is_due(node: Node, rule: Rule) -> bool:
    """Tell whether a rule's condition wants the child in this container."""
    if rule.condition is None:
        return False
    tag, values, is_there = rule.condition
    found = any(child.tag == tag and (not values or child.value in values) for child in node.children)
    return found is is_there
