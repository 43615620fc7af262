"""How a rule is broken: from a valid answer and an element in it, answers that must be refused."""

from collections.abc import Callable, Iterator

from tests.grammar.check import least
from tests.grammar.rules import Rule
from tests.grammar.values import TYPES
from tests.grammar.wire import Node

FOREIGN = "Tasks:Recurrence"
"""A tag that no answer has anywhere."""


def broken(
    root: Node, version: str, rule: Rule, node: Node, parent: Node | None
) -> Iterator[tuple[str, Node]]:
    """Yield what was done, and the answer with it until the next is asked for.

    `node` and `parent` are nodes of `root`, which is itself again in the end.
    """
    for name, change in _changes(version, rule, node, parent):
        undo = _kept(node, parent)
        change()
        try:
            yield name, root
        finally:
            undo()


def _changes(
    version: str, rule: Rule, node: Node, parent: Node | None
) -> Iterator[tuple[str, Callable[[], object]]]:
    yield "a child that it cannot have", lambda: _replace(node, [*node.children, Node(FOREIGN)], None)
    if rule.is_container:
        yield "a value of its own", lambda: _replace(node, [], "text")
        if rule.flag == "filled":
            yield "empty", lambda: _replace(node, [], None)
    else:
        yield from _values(rule, node)
    yield "inside itself", lambda: _replace(node, [node.copy()], None)
    if parent is None:
        yield "another root", lambda: setattr(node, "tag", FOREIGN)
        return
    others = [child for child in parent.children if child.tag != rule.tag]
    same = [child for child in parent.children if child.tag == rule.tag]
    if least(parent, rule, version):
        yield "left out", lambda: _replace(parent, others, None)
    if rule.excluded_by:
        other = Node(rule.excluded_by[0])
        yield "beside what excludes it", lambda: _replace(parent, [*parent.children, other], None)
    if rule.most is not None:
        too_many = [node.copy() for _ in range(rule.most + 1 - len(same))]
        yield "too often", lambda: _replace(parent, [*parent.children, *too_many], None)


def _values(rule: Rule, node: Node) -> Iterator[tuple[str, Callable[[], object]]]:
    _, wrong = TYPES[rule.type]
    yield "a value of another type", lambda: _replace(node, [], wrong)
    if rule.values:
        number = max((int(value) for value in rule.values if value.isdigit()), default=None)
        yield (
            "a value it cannot have",
            lambda: _replace(node, [], "Fax" if number is None else str(number + 1)),
        )
    if rule.length_max is not None:
        yield "too long", lambda: _replace(node, [], "x" * (rule.length_max + 1))


def swapped(root: Node, rule: Rule, parent: Node) -> Iterator[tuple[str, Node]]:
    """Yield answers in which two different children of an ordered container have changed places."""
    if rule.type != "seq":
        return
    for number in range(len(parent.children) - 1):
        first, second = parent.children[number : number + 2]
        if first.tag != second.tag:
            undo = _kept(parent)
            parent.children[number : number + 2] = [second, first]
            try:
                yield f"{second.tag} before {first.tag}", root
            finally:
                undo()


def _replace(node: Node, children: list[Node], value: str | bytes | None) -> None:
    node.children, node.value = children, value


def _kept(*nodes: Node | None) -> Callable[[], None]:
    """Return what makes nodes what they are now."""
    before = [(node, node.tag, list(node.children), node.value) for node in nodes if node is not None]

    def restore() -> None:
        for node, tag, children, value in before:
            node.tag, node.children, node.value = tag, children, value

    return restore
