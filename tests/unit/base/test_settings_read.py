"""Every setting is read by something that acts on it: one that is not is a promise nobody keeps."""

import ast
from collections import Counter
from dataclasses import fields
from pathlib import Path

from appliance.settings import Config

ROOT = Path(__file__).parents[3]
REFUSED = {("queue", "runner"), ("queue", "broker_url"), ("blobs", "url")}
"""Checked at the start: every value that nothing would act on is an error (`config._agree`)."""

UNREAD: set[tuple[str, str]] = set()
"""Known to be read by nothing so far; the list may only shrink."""


def names_in(path: Path) -> set[str]:
    """Return the attributes and names a module uses."""
    used = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Attribute):
            used.add(node.attr)
        elif isinstance(node, ast.Name):
            used.add(node.id)
        elif isinstance(node, ast.alias):
            used.add(node.name.rpartition(".")[2])
    return used


def settings() -> list[tuple[str, str, str]]:
    """Return section, class and name of every setting."""
    found = []
    for section in fields(Config):
        values = getattr(Config(), section.name)
        if section.name not in ("data_dir", "file"):
            found += [(section.name, type(values).__name__, about.name) for about in fields(values)]
    return found


def test_every_setting_is_read():
    modules = [path for top in ("appliance", "web", "smtpd") for path in (ROOT / top).rglob("*.py")]
    apart = {ROOT / "appliance" / "settings.py", ROOT / "appliance" / "config.py"}
    used = [names_in(path) for path in modules if path not in apart]
    everywhere = set().union(*used)
    declared = settings()
    spelled = Counter(name for _, _, name in declared)
    unread = set()
    for section, class_, name in declared:
        # Where the section is spoken of; elsewhere only by a name that no other section has.
        is_read = any(name in module and (section in module or class_ in module) for module in used)
        if not is_read and not (spelled[name] == 1 and name in everywhere):
            unread.add((section, name))
    assert unread - REFUSED <= UNREAD
    assert {(section, name) for section, _, name in declared} >= REFUSED
