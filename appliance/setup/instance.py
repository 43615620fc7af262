"""Which instance a data directory belongs to, so that one that ever held mail is never set up as new.

Owns `instance.json` (`{"id": …, "created_at": …, "set_up_at": … or null}`). The database carries the
same id. Three things can be wrong, and each is refused with what to do about it: the directory was set
up but its database is empty (a restore that stopped half-way, a disk that is not mounted, a wrong
database URL); directory and database belong to different instances; the file is unreadable.
A second machine on a shared PostgreSQL takes the id over from the database.
"""

import json
import uuid
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from appliance import db, files
from appliance.errors import Conflict
from appliance.setup import settings

FILE_NAME = "instance.json"


@dataclass(frozen=True, slots=True)
class Instance:
    """What `instance.json` says; times are ISO 8601 in UTC, `set_up_at` is None until setup finished."""

    id: str
    created_at: str
    set_up_at: str | None = None


def read(data_dir: Path) -> Instance | None:
    """Return the instance of a directory; None when it never held one. Raises Conflict when unreadable."""
    path = data_dir / FILE_NAME
    try:
        return Instance(**json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise Conflict(f"{path} cannot be read ({error}); restore it from a backup") from error


def check(data_dir: Path) -> None:
    """Raise Conflict unless directory and database belong together. Opens a connection of its own."""
    known = read(data_dir)
    with db.connection():
        in_database = settings.get(settings.INSTANCE_ID)
    if known is None or known.id == in_database:
        return
    if in_database:
        raise Conflict(
            f"{data_dir} belongs to instance {known.id}, the database to {in_database}:"
            " check the data directory and the database URL"
        )
    if known.set_up_at is not None:
        raise Conflict(
            f"{data_dir} was set up on {known.set_up_at[:10]}, but its database is empty: restore a backup,"
            f" or remove {FILE_NAME} if everything stored here may be lost"
        )


def begin(data_dir: Path, now: datetime) -> Instance:
    """Return the instance of a directory, giving it and the database an id if they have none.

    Raises Conflict, see `check`.
    """
    check(data_dir)
    with db.connection():
        in_database = settings.get(settings.INSTANCE_ID)
    instance = read(data_dir)
    if instance is None:
        instance = Instance(in_database or uuid.uuid4().hex, now.isoformat())
        _write(data_dir, instance)
    if not in_database:
        settings.put(settings.INSTANCE_ID, instance.id)
    return instance


def finish(data_dir: Path, now: datetime) -> None:
    """Write down that the setup is finished: from now on an empty database is a fault, not a beginning."""
    instance = begin(data_dir, now)
    if instance.set_up_at is None:
        _write(data_dir, replace(instance, set_up_at=now.isoformat()))


def _write(data_dir: Path, instance: Instance) -> None:
    files.replace(data_dir / FILE_NAME, json.dumps(asdict(instance), indent=2).encode() + b"\n")
