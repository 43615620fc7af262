"""What is needed to start: one TOML file, read once, into the frozen dataclasses of `settings.py`.

Owns reading and checking, the two environment variables the product knows, where the data directory is,
and the pages generated from the declarations (`CONFIGURATION.md`; regenerate with
`python -m appliance.config > appliance/CONFIGURATION.md`). What an administrator changes in the browser
is not here: it lives in the database.

A mistake in the file is an error that names the key and the rule; nothing is ignored or guessed.
"""

import os
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import Field, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

from appliance.errors import InvalidInput
from appliance.settings import DEFAULT_DATA, FORMS, Config

__all__ = ["Config", "ConfigError", "effective", "load", "reference"]

DEFAULT_FILE: Final = Path("/etc/appliance/appliance.toml")
FILE_VARIABLE: Final = "APPLIANCE_CONFIG"
DATA_VARIABLE: Final = "APPLIANCE_DATA"
TYPE_NAMES: Final[Mapping[type, str]] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a text",
}
type Section = Any  # one of the dataclasses in settings.py
type Rules = Mapping[str, Any]  # what setting() wrote into the field's metadata


class ConfigError(InvalidInput):
    """The configuration cannot be used; the message names the file, the key, the value and the rule."""


def load(path: Path | None = None, data_dir: Path | None = None) -> Config:
    """Return the configuration.

    path: else $APPLIANCE_CONFIG, else /etc/appliance/appliance.toml when it exists, else the defaults.
    data_dir: else $APPLIANCE_DATA, else ./var in a checkout, else /var/lib/appliance; made absolute,
    not created. Raises ConfigError.
    """
    file = _file(path)
    config = _parse(file) if file else Config()
    return replace(config, data_dir=_data_dir(data_dir).absolute(), file=file)


def _file(path: Path | None) -> Path | None:
    if path is not None:
        return path
    if named := os.environ.get(FILE_VARIABLE):
        return Path(named)
    return DEFAULT_FILE if DEFAULT_FILE.exists() else None


def _data_dir(path: Path | None) -> Path:
    if path is not None:
        return path
    if named := os.environ.get(DATA_VARIABLE):
        return Path(named)
    here = Path.cwd()
    is_checkout = (here / "pyproject.toml").is_file() and (here / "appliance" / "config.py").is_file()
    return here / "var" if is_checkout else DEFAULT_DATA


def _parse(file: Path) -> Config:
    try:
        document = tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # TOML syntax (with line and column), UTF-8, nesting
        raise ConfigError(f"{file}: {error}") from error
    sections = {about.name: getattr(Config(), about.name) for about in _sections()}
    try:
        for name, table in document.items():
            _known(name, sections, "section")
            if not isinstance(table, dict):
                raise ConfigError(f"{name} must be a section: [{name}]")
            sections[name] = _section(name, sections[name], table)
        _agree(sections)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from None
    return Config(**sections)


def _section(name: str, defaults: Section, table: Mapping[str, object]) -> Section:
    types = get_type_hints(type(defaults))
    rules = {about.name: about.metadata for about in fields(defaults)}
    values = {}
    for key, value in table.items():
        _known(key, rules, f"key in [{name}]")
        values[key] = _value(f"[{name}] {key}", value, types[key], rules[key])
    return replace(defaults, **values)


def _known(name: str, known: Iterable[str], what: str) -> None:
    if name not in known:
        near = get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(f"unknown {what}: {name}{hint}")


def _value(key: str, value: object, wanted: Any, rules: Rules) -> object:
    """Return the value in the declared type, or raise ConfigError with key, value and rule."""
    if get_origin(wanted) is tuple:
        if not isinstance(value, list) or not (value or rules["may_be_empty"]):
            least = "" if rules["may_be_empty"] else " with at least one value"
            raise ConfigError(f"{key} must be a list{least}, not {_shown(value, rules)}")
        return tuple(_value(key, item, get_args(wanted)[0], rules) for item in value)
    if wanted is float and type(value) is int:
        value = float(value)
    if type(value) is not wanted:
        raise ConfigError(f"{key} must be {TYPE_NAMES[wanted]}, not {_shown(value, rules)}")
    if not _obeys(value, rules):
        raise ConfigError(f"{key} must be {rule(rules)}, not {_shown(value, rules)}")
    return value


def _obeys(value: Any, rules: Rules) -> bool:
    if rules["choices"] and value not in rules["choices"]:
        return False
    if rules["form"] and not FORMS[rules["form"]][1](value):
        return False
    # Written so that NaN, which TOML allows, obeys no range.
    return (rules["low"] is None or value >= rules["low"]) and (
        rules["high"] is None or value <= rules["high"]
    )


def _agree(sections: Mapping[str, Section]) -> None:
    """Check the rules between settings; raises ConfigError."""
    web, queue, relay = sections["web"], sections["queue"], sections["relay"]
    if web.heartbeat_min_s > web.heartbeat_max_s:
        raise ConfigError("[web] heartbeat_min_s must not be above heartbeat_max_s")
    if queue.runner != "builtin" or queue.broker_url:
        raise ConfigError("[queue] runner must be builtin, without broker_url: this version has no other")
    if sections["blobs"].url != "file":
        raise ConfigError("[blobs] url must be file: this version keeps large messages nowhere else")
    if relay.delay_notice_s >= relay.lifetime_s:
        raise ConfigError("[relay] delay_notice_s must be below lifetime_s")
    for name in ("command_timeout_s", "data_timeout_s"):
        if getattr(relay, name) > queue.attempt_s:
            most = f"{queue.attempt_s}, what [queue] lease_s leaves for an attempt"
            raise ConfigError(f"[relay] {name} must not be above {most}")


def rule(rules: Rules) -> str:
    """Return what a setting accepts, in words; empty when its type says it all."""
    if rules["choices"]:
        return "one of " + ", ".join(rules["choices"])
    if rules["form"]:
        return str(FORMS[rules["form"]][0])
    if rules["low"] is not None:
        return f"from {rules['low']} to {rules['high']}"
    return ""


def reference() -> str:
    """Return the reference page of all settings as Markdown."""
    lines = [
        "# Configuration",
        "",
        "One TOML file: `--config`, else `$APPLIANCE_CONFIG`, else `/etc/appliance/appliance.toml`.",
        "A missing file or key means the default; an unknown one is an error. The data directory is",
        "`--data`, else `$APPLIANCE_DATA`, else `./var` in a checkout, else `/var/lib/appliance`.",
        "What an administrator changes in the browser lives in the database, not here.",
        "",
        "This page is generated: `python -m appliance.config > appliance/CONFIGURATION.md`.",
    ]
    for section in _sections():
        defaults = getattr(Config(), section.name)
        lines += ["", f"## [{section.name}]", "", (type(defaults).__doc__ or "").strip(), ""]
        lines += ["| key | default | unit | meaning | accepts |", "|---|---|---|---|---|"]
        for about in fields(defaults):
            words = about.metadata
            cells = (f"`{about.name}`", f"`{_toml(getattr(defaults, about.name))}`", words["unit"])
            lines.append("| " + " | ".join((*cells, words["sentence"], rule(words))) + " |")
    return "\n".join(lines) + "\n"


def effective(config: Config) -> str:
    """Return the settings in force as TOML, secrets masked: for `--help`, support and the log."""
    lines = [f"# data directory: {config.data_dir}", f"# file: {config.file or 'none'}"]
    for section in _sections():
        values = getattr(config, section.name)
        lines += ["", f"[{section.name}]"]
        for about in fields(values):
            value = getattr(values, about.name)
            lines.append(f"{about.name} = {_toml(_masked(value) if about.metadata['secret'] else value)}")
    return "\n".join(lines) + "\n"


def _sections() -> list[Field[Any]]:
    return [about for about in fields(Config) if about.name not in ("data_dir", "file")]


def _shown(value: object, rules: Rules) -> str:
    return repr(_masked(value) if rules["secret"] else value)


def _masked(value: object) -> object:
    """Hide a secret, but keep the word or the server of a URL, which is what one looks for."""
    if not isinstance(value, str) or value in ("", "sqlite", "unix", "local", "file"):
        return value
    try:
        parts = urlsplit(value)
        server = parts.hostname or ""
    except ValueError:
        return "***"
    return f"{parts.scheme}://***@{server}/***" if parts.scheme and server else "***"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return str(value)


if __name__ == "__main__":
    sys.stdout.write(reference())
