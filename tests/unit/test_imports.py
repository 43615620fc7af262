"""The house's import direction, drawn from the code (design section 3).

A wrong arrow is invisible in a diff of one file, so it is looked for here: each package may import
what its line of ALLOWED says, besides its own modules and third parties.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

BASE = {
    "errors",
    "clock",
    "logs",
    "log_format",
    "metrics",
    "metrics_files",
    "config",
    "settings",
    "offload",
    "files",
    "sealing",
}
VALUES = {"items"}
FORMATS = {"wbxml", "smtp", "mime", "mailauth", "ical", "autodiscover"}
STORAGE = {"db", "bus", "store"}
SERVICES = {"accounts", "importing", "devices", "delivery", "queue", "domains", "setup", "jobs", "eas"}

# Layer → what its modules may import inside `appliance`.
ALLOWED: dict[str, set[str]] = {
    **dict.fromkeys(BASE, BASE),
    "items": set(),
    **{name: VALUES | {"errors", name} for name in FORMATS},
    "db": BASE | VALUES | {"db"},
    "bus": BASE | {"bus", "offload"},
    "store": BASE | VALUES | STORAGE,
    **dict.fromkeys(SERVICES, BASE | VALUES | FORMATS | STORAGE | SERVICES),
    "net": BASE | VALUES | {"net", "bus"},
    "phone": {"phone", "wbxml"},
    "cli": BASE | VALUES | FORMATS | STORAGE | SERVICES | {"net", "cli", "phone"},
}
PURE_PACKAGES = ("wbxml", "smtp", "mime", "mailauth", "items")
PURE_EAS = ("sync_key", "sync_delta", "sync_options", "sync_request", "request", "content", "search_query")
IMPURE = {"socket", "flask", "gevent", "peewee", "redis", "requests", "http", "ssl", "time", "os"}


def python_files(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, dotted module) of every import in a file, those inside functions too."""
    package = path.relative_to(ROOT).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative imports are not used here"
            yield node.lineno, node.module or ""
            if node.module == "appliance":
                yield from ((node.lineno, f"appliance.{alias.name}") for alias in node.names)
    assert package


def layer(module: str) -> str:
    """Return the part of `appliance` a module belongs to, "" for the package itself."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def test_appliance_never_imports_an_edge() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in python_files("appliance")
        for line, name in imported(path)
        if name.split(".")[0] in ("web", "smtpd", "tests")
    ]
    assert wrong == []


@pytest.mark.parametrize(("edge", "other"), [("web", "smtpd"), ("smtpd", "web")])
def test_edges_do_not_know_each_other(edge: str, other: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in python_files(edge)
        for line, name in imported(path)
        if name.split(".")[0] == other
    ]
    assert wrong == []


def test_arrows_inside_appliance() -> None:
    wrong = []
    for path in python_files("appliance"):
        own = layer(".".join(path.relative_to(ROOT).with_suffix("").parts))
        if own in ("__init__", ""):
            continue
        assert own in ALLOWED, f"{path}: no rule for the package {own}; design first"
        for line, name in imported(path):
            target = layer(name) if name.split(".")[0] == "appliance" else ""
            if target and target != own and target not in ALLOWED[own]:
                wrong.append(f"{path.relative_to(ROOT)}:{line} {own} → {target}")
    assert wrong == []


def test_pure_packages_touch_no_world() -> None:
    files = [path for name in PURE_PACKAGES for path in python_files(f"appliance/{name}")]
    files += [
        path
        for path in python_files("appliance/eas")
        if path.stem in PURE_EAS or path.parent.name == "content"
    ]
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in files
        for line, name in imported(path)
        if name.split(".")[0] in IMPURE
    ]
    assert wrong == []


def test_gevent_stays_at_the_rim() -> None:
    rim = ("web", "smtpd", "appliance/net", "appliance/db", "appliance/offload.py", "appliance/bus.py")
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in python_files("appliance")
        for line, name in imported(path)
        if name.split(".")[0] == "gevent" and not str(path.relative_to(ROOT)).startswith(rim)
    ]
    assert wrong == []


def test_no_module_is_named_for_nothing() -> None:
    nothing = {"util", "utils", "common", "helpers", "misc"}
    files = [path for folder in ("appliance", "web", "smtpd") for path in python_files(folder)]
    assert [path for path in files if path.stem in nothing] == []
