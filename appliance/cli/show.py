"""How commands print: tables for people, JSON for programs, never a control character from a stranger."""

import json
from collections.abc import Sequence
from typing import Any

import click

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def document(value: Any) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows in columns; numbers are aligned right. Prints nothing at all when there are no rows."""
    if not rows:
        return
    cells = [[plain(str(cell)) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    click.echo(_line(heads, widths, [False] * len(heads)))
    for row, texts in zip(rows, cells, strict=True):
        click.echo(_line(texts, widths, [isinstance(cell, int) for cell in row]))


def plain(text: str) -> str:
    """Return text that a terminal only prints: a message's subject must not be able to command it."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


def _line(texts: Sequence[str], widths: Sequence[int], to_the_right: Sequence[bool]) -> str:
    cells = [
        text.rjust(width) if right else text.ljust(width)
        for text, width, right in zip(texts, widths, to_the_right, strict=True)
    ]
    return "  ".join(cells).rstrip()
