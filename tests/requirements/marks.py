"""The requirements that tests show, read from their marks.

A mark counts only where it is a decorator of a test function that pytest collects. Modules are read, not
imported, except those with `covers_each`: the rows of a table are known only when it is made.
"""

import ast
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.covers import ids_of

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"


@cache
def marked() -> frozenset[str]:
    """Return the ids that some test is marked with."""
    return frozenset(name for path in sorted(TESTS.rglob("test_*.py")) for name in marks(path))


def marks(path: Path) -> set[str]:
    """Return the ids in the marks of one test module."""
    found = set()
    for test in _tests(ast.parse(path.read_text("utf-8"))):
        for decorator in test.decorator_list:
            match decorator:
                case ast.Call(func=ast.Name("covers"), args=ids):
                    found |= {one.value for one in ids if isinstance(one, ast.Constant)}
                case ast.Call(func=ast.Name("covers_each")):
                    found |= set(ids_of(getattr(_module(path), test.name)))
    return found


def _tests(module: ast.Module) -> Iterator[ast.FunctionDef]:
    for node in module.body:
        inside = node.body if isinstance(node, ast.ClassDef) and node.name.startswith("Test") else [node]
        for one in inside:
            if isinstance(one, ast.FunctionDef) and one.name.startswith("test"):
                yield one


def _module(path: Path) -> object:
    return importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
