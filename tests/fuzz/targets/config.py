"""The configuration file: the bytes are its TOML.

Refused with ConfigError, or settings that obey their declared types and can be shown.
"""

import os
import tempfile
from dataclasses import fields
from pathlib import Path

from appliance.config import Config, ConfigError, effective, load, reference
from tests.fuzz.coverage import note

COVERS = ("appliance/config.py", "appliance/settings.py")
TOKENS = (
    *(f"[{about.name}]\n".encode() for about in fields(Config) if about.name not in ("data_dir", "file")),
    *(
        f"{about.name} = ".encode()
        for section in fields(Config)
        if section.name not in ("data_dir", "file")
        for about in fields(getattr(Config(), section.name))
    ),
    b"nan",
    b"inf",
    b"-1",
    b"1e3",
    b"0x7fffffffffffffff",
    b"true",
    b"[",
    b"]",
    b'""',
    b"'''",
    b'"\\u0000"',
    b"2026-01-01",
    b"postgresql://",
    b"redis://a:b@c/d",
    b"a.b.c = 1\n",
    b"[[web]]\n",
)
_FOLDER = Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else Path(tempfile.gettempdir())
_FILE = _FOLDER / f"appliance-fuzz-{os.getpid()}.toml"


def seeds() -> list[bytes]:
    """Return one file for each section, with its defaults, and one for all."""
    shown = effective(Config())
    sections = ["[" + section for section in shown.split("\n[")[1:]]
    return [shown.encode(), *(section.encode() for section in sections)]


def target(data: bytes) -> None:
    _FILE.write_bytes(data)
    try:
        config = load(_FILE, Path("/nowhere"))
    except ConfigError as error:
        note("refused", str(error).removeprefix(f"{_FILE}: ")[:16])
        return
    finally:
        _FILE.unlink()
    note("accepted", config == Config())
    assert "\n[" in effective(config)
    assert reference()
