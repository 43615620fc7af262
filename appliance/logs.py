"""Writing down what happened: one line per event, in the file its logger belongs to.

Owns `event`, the bound context that adds ids to every line, and the files. Leaves to `log_format.py`
what a line looks like and what must not be in it, to others what to log, and rotation to logrotate (a
moved file is noticed and reopened).

Lines from several processes share a file: each is one `write` on an O_APPEND descriptor. No lock is
taken here, because native threads (the database writer) log too and must not meet a gevent lock: a
trial with the standard library's handlers stopped for good. Their events therefore bypass `logging`.
"""

import contextvars
import logging
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Literal

from appliance import offload
from appliance.log_format import Event, Fields, LineFormatter
from appliance.log_format import redact as redact

DEFAULT_FILE: Final = "appliance.log"
FILES: Final[Mapping[str, str]] = {
    "appliance.eas": "activesync/activesync.log",
    "web.eas": "activesync/activesync.log",
    "appliance.mail": "email_processing.log",
    "appliance.delivery": "email_processing.log",
    "appliance.queue": "email_processing.log",
    "appliance.smtp": "smtp/smtp.log",
    "smtpd": "smtp/smtp.log",
    "appliance.web": "web/access.log",
    "web": "web/access.log",
    "gunicorn.access": "web/access.log",
}
"""Logger name (or the start of it, up to a dot) → file below the log directory."""

OWN_LOGGERS: Final = ("appliance", "web", "smtpd")

_NO_FIELDS: Final[Fields] = {}
_bound: Final = contextvars.ContextVar[Fields]("appliance_log_fields", default=_NO_FIELDS)


def event(
    logger: logging.Logger,
    name: str,
    /,
    *,
    level: int = logging.INFO,
    exc_info: bool | BaseException = False,
    **fields: object,
) -> None:
    """Write one line: `name` says what happened, `fields` are its particulars, bound fields come along.

    A field that is None is left out. `exc_info=True` (inside an except block) or an exception adds the
    traceback as one escaped value. Never raises because of a value.
    """
    if offload.off_hub():
        _write_natively(logger.name, level, Event(name, {**_bound.get(), **fields}), exc_info)
    elif logger.isEnabledFor(level):
        logger.log(level, Event(name, {**_bound.get(), **fields}), exc_info=exc_info or None, stacklevel=2)


class bind:  # noqa: N801 - reads as a statement: `with logs.bind(conn=…):`
    """Add fields to every event of this greenlet or thread inside the `with` block; blocks nest."""

    __slots__ = ("_before", "_fields")

    def __init__(self, **fields: object) -> None:
        self._fields = fields
        self._before: Fields = _NO_FIELDS

    def __enter__(self) -> None:
        self._before = _bound.get()
        _bound.set({**self._before, **self._fields})

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Not ContextVar.reset: an answer that is streamed may be closed in another context.
        _bound.set(self._before)


def bound() -> dict[str, object]:
    """Return the fields bound here, to hand them to work that continues in another greenlet."""
    return dict(_bound.get())


def setup(
    log_dir: Path,
    *,
    format: Literal["kv", "json"] = "kv",  # noqa: A002 - the word of the configuration file
    level: int | str = logging.INFO,
    to_stderr: bool = False,
) -> None:
    """Send every logger of this process to the files below `log_dir`; calling again replaces the first.

    Other people's loggers never go below INFO: their debug output knows nothing of our secrets.
    """
    formatter = LineFormatter(as_json=format == "json", context=_bound.get)
    handlers: list[_LockFreeHandler] = [FilesHandler(log_dir)]
    if to_stderr:
        handlers.append(StderrHandler())
    for handler in handlers:
        handler.setFormatter(formatter)
    wanted = logging.getLevelNamesMapping()[level.upper()] if isinstance(level, str) else level
    _install(handlers, wanted, max(wanted, logging.INFO))


def reset() -> None:
    """Undo `setup` and close the files: for tests."""
    _install([], logging.NOTSET, logging.WARNING)


def _install(handlers: "list[_LockFreeHandler]", own_level: int, root_level: int) -> None:
    global _handlers, _native_level
    stale, _handlers, _native_level = _handlers, handlers, own_level or root_level
    root = logging.getLogger()
    for handler in handlers:
        root.addHandler(handler)
    for handler in stale:
        root.removeHandler(handler)
        handler.close()
    root.setLevel(root_level)
    for name in OWN_LOGGERS:
        logging.getLogger(name).setLevel(own_level)


def _write_natively(name: str, level: int, message: Event, exc_info: bool | BaseException) -> None:
    if level < _native_level:
        return
    error = sys.exception() if exc_info is True else exc_info or None
    trace = (type(error), error, error.__traceback__) if error else None
    record = logging.LogRecord(name, level, "", 0, message, (), trace)
    if not _handlers:
        _to_stderr(LineFormatter().format(record))
    for handler in _handlers:
        handler.handle(record)


class _LockFreeHandler(logging.Handler):
    """A handler whose emit is one system call and so needs no lock around it."""

    def createLock(self) -> None:  # noqa: N802 - the standard library's name
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        if not self.filter(record):
            return False
        self.emit(record)
        return True


class StderrHandler(_LockFreeHandler):
    """Writes lines to standard error, which systemd passes to the journal."""

    def emit(self, record: logging.LogRecord) -> None:
        _to_stderr(self.format(record))


class FilesHandler(_LockFreeHandler):
    """Writes each record to the file its logger belongs to."""

    def __init__(self, log_dir: Path) -> None:
        super().__init__()
        self._default = AppendFile(log_dir / DEFAULT_FILE)
        by_name = {name: AppendFile(log_dir / name) for name in set(FILES.values())}
        self._files = {logger: by_name[name] for logger, name in FILES.items()}

    def emit(self, record: logging.LogRecord) -> None:
        line = self.format(record)
        try:
            self.file_for(record.name).append(line)
        except OSError as error:  # disk full or directory gone: mail goes on, the journal hears of it
            _to_stderr(f"{line} log_error={type(error).__name__}")

    def file_for(self, logger: str) -> "AppendFile":
        """Return the file of a logger: the longest listed name that is it or one of its parents."""
        name = logger
        while name:
            if found := self._files.get(name):
                return found
            name = name.rpartition(".")[0]
        return self._default

    def close(self) -> None:
        for file in {self._default, *self._files.values()}:
            file.close()
        super().close()


class AppendFile:
    """A log file that several processes append to and that logrotate may move away at any time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd = _open_append(path)
        self._torn = False

    def append(self, line: str) -> None:
        """Write one line with one system call; raises OSError."""
        self._follow()
        data = f"{line}\n".encode("utf-8", "backslashreplace")
        if self._torn:
            data = b"\n" + data
        self._torn = os.write(self._fd, data) < len(data)  # disk full: the next line must not be glued on

    def _follow(self) -> None:
        """Reopen when the path names another file. dup2 swaps the file below the same descriptor, so a
        native thread that is writing at this moment writes to the old or the new file, never elsewhere."""
        try:
            same = os.path.samestat(os.stat(self.path), os.fstat(self._fd))  # noqa: PTH116 - one call per line
        except FileNotFoundError:
            same = False
        if not same:
            fresh = _open_append(self.path)
            os.dup2(fresh, self._fd, inheritable=False)
            os.close(fresh)

    def close(self) -> None:
        """Close the descriptor; writing afterwards raises OSError."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _open_append(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)


def _to_stderr(line: str) -> None:
    with suppress(OSError, ValueError):  # closed standard error: nowhere left to say it
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


_handlers: list[_LockFreeHandler] = []
_native_level = logging.WARNING
