"""Counters, gauges and histograms, declared next to the code they count.

Owns the factories, the list of everything declared (the handbook test reads it) and the page for
Prometheus. Leaves to others: serving that page (`web/ops/`), and when a worker died (`mark_dead`).

Theory of operation: the client library decides at *its* import time, from an environment variable,
whether values live in this process or in memory-mapped files shared by all processes; a metric made
before the decision is lost to the other processes. Metrics here are therefore lazy: a declaration is
only a description, the library's object is made at the first `inc`, and `setup` throws away what was
made before it. So modules may be imported, and children bound with `labels()`, in any order.
Without `setup` (tests, command line) everything stays in this process.
"""

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Final, Literal, Self

import prometheus_client
from prometheus_client import CollectorRegistry, multiprocess, values
from prometheus_client import metrics as client_metrics
from prometheus_client.metrics_core import Metric

from appliance import offload
from appliance.metrics_files import SharedCounts

CONTENT_TYPE: Final = prometheus_client.CONTENT_TYPE_LATEST
LABEL_SETS_MAX: Final = 1000
OTHER: Final = "other"
"""Label value of everything beyond LABEL_SETS_MAX: strangers must not be able to grow our memory."""

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
BYTES: Final = tuple(float(4**power) for power in range(4, 14))

GaugeMode = Literal["livesum", "livemax", "livemin", "sum", "max", "min", "mostrecent", "livemostrecent"]
Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Declared:
    """What the handbook says about one metric."""

    name: str
    help: str
    kind: Kind
    labels: tuple[str, ...] = ()


class _Metric:
    """One declared metric, or (with label values) one of its children."""

    __slots__ = ("_children", "_options", "_parent", "_real", "_values", "declared")

    def __init__(
        self, declared: Declared, options: dict[str, Any], parent: Self | None, values: tuple[str, ...]
    ) -> None:
        self.declared = declared
        self._options = options
        self._parent = parent
        self._values = values
        self._children: dict[tuple[str, ...], Self] = {}
        self._real: Any = None

    def labels(self, *label_values: object) -> Self:
        """Return the child for these values, in the declared order; keep it where the call is hot."""
        if self._values or len(label_values) != len(self.declared.labels) or not label_values:
            raise ValueError(f"{self.declared.name} takes the labels {self.declared.labels}")
        key = tuple(str(value) for value in label_values)
        child = self._children.get(key)
        if child is None:
            if len(self._children) >= LABEL_SETS_MAX:
                key = (OTHER,) * len(key)
            fresh = type(self)(self.declared, self._options, self, key)
            child = self._children.setdefault(key, fresh)
        return child

    def _get(self) -> Any:
        if self._real is None:
            self._real = self._make()
        return self._real

    def _make(self) -> Any:
        if self._parent is not None:
            return self._parent._get().labels(*self._values)
        about = self.declared
        factory = getattr(prometheus_client, about.kind.capitalize())
        return factory(about.name, about.help, about.labels, registry=_registry, **self._options)

    def forget(self) -> None:
        """Drop the library's objects; the next use makes them anew."""
        self._real = None
        for child in self._children.values():
            child._real = None


class Counter(_Metric):
    """A number that only grows."""

    __slots__ = ()

    def inc(self, amount: float = 1) -> None:
        """Add to the count."""
        self._get().inc(amount)


class Gauge(_Metric):
    """A number that goes up and down; how processes are combined is the mode it was declared with."""

    __slots__ = ()

    def set(self, value: float) -> None:
        """Set the number of this process."""
        self._get().set(value)

    def inc(self, amount: float = 1) -> None:
        """Add to the number of this process."""
        self._get().inc(amount)

    def dec(self, amount: float = 1) -> None:
        """Take from the number of this process."""
        self._get().dec(amount)


class Histogram(_Metric):
    """Observations counted by size."""

    __slots__ = ()

    def observe(self, amount: float) -> None:
        """Count one observation, in the unit the name ends with."""
        self._get().observe(amount)

    @contextmanager
    def time(self) -> Iterator[None]:
        """Observe how many seconds the block takes, whether it returns or raises."""
        began = perf_counter()
        try:
            yield
        finally:
            self.observe(perf_counter() - began)


_registry = CollectorRegistry()
_declared: dict[str, _Metric] = {}
_multiproc_dir: Path | None = None


def counter(name: str, help: str, labels: Iterable[str] = ()) -> Counter:  # noqa: A002 - Prometheus' word
    """Declare a counter; its name ends in `_total`. Raises ValueError on a bad or second declaration."""
    if not name.endswith("_total"):
        raise ValueError(f"counter {name} must end in _total")
    return _declare(Counter, Declared(name, help, "counter", tuple(labels)), {})


def gauge(
    name: str,
    help: str,  # noqa: A002 - Prometheus' word
    labels: Iterable[str] = (),
    *,
    mode: GaugeMode = "livesum",
) -> Gauge:
    """Declare a gauge; `mode` combines the processes, the live ones forget a process that died."""
    return _declare(Gauge, Declared(name, help, "gauge", tuple(labels)), {"multiprocess_mode": mode})


def histogram(
    name: str,
    help: str,  # noqa: A002 - Prometheus' word
    labels: Iterable[str] = (),
    *,
    buckets: Iterable[float] = SECONDS,
) -> Histogram:
    """Declare a histogram; the name ends with its unit, `buckets` are upper bounds in that unit."""
    return _declare(Histogram, Declared(name, help, "histogram", tuple(labels)), {"buckets": tuple(buckets)})


def _declare[M: _Metric](kind: type[M], about: Declared, options: dict[str, Any]) -> M:
    if not re.fullmatch(r"appliance_[a-z0-9_]+", about.name):
        raise ValueError(f"metric {about.name} must be named appliance_…")
    if not about.help or about.name in _declared:
        raise ValueError(f"metric {about.name} is declared twice or has no help")
    metric = kind(about, options, None, ())
    _declared[about.name] = metric
    return metric


def declared() -> list[Declared]:
    """Return every metric declared by the modules imported so far, by name."""
    return [metric.declared for _, metric in sorted(_declared.items())]


def setup(multiproc_dir: Path) -> None:
    """Share values with the other processes through files in `multiproc_dir` (tmpfs is best).

    Call once per process tree, before forking. Files of processes that are gone are removed, those of
    running ones are left alone, so both roles may share the directory and restart on their own.
    """
    global _registry, _multiproc_dir
    multiproc_dir.mkdir(parents=True, exist_ok=True)
    for path in multiproc_dir.glob("*.db"):
        if not _is_running(int(path.stem.rpartition("_")[2])):
            path.unlink(missing_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(multiproc_dir)
    values.ValueClass = _untyped(values).MultiProcessValue()
    _registry = CollectorRegistry()
    _multiproc_dir = multiproc_dir
    for metric in _declared.values():
        metric.forget()


def render() -> bytes:
    """Return the page in Prometheus text format: all processes after `setup`, else this one."""
    return bytes(prometheus_client.generate_latest(_source()))


def sample(name: str, /, **labels: str) -> float:
    """Return one value as the page would show it, 0.0 when nothing was counted. For tests and checks."""
    for family in _collect():
        for found in family.samples:
            if found.name == name and found.labels == labels:
                return float(found.value)
    return 0.0


def mark_dead(pid: int) -> None:
    """Take a worker that ended out of the live gauges; its counts stay."""
    if _multiproc_dir is not None:
        _untyped(multiprocess).mark_process_dead(pid, str(_multiproc_dir))


def _collect() -> Iterable[Metric]:
    return _source().collect()


def _source() -> CollectorRegistry:
    if _multiproc_dir is None:
        return _registry
    registry = CollectorRegistry()
    _untyped(multiprocess).MultiProcessCollector(registry, str(_multiproc_dir))
    return registry


def _is_running(pid: int) -> bool:
    """Tell whether a process still counts; one that has ended but is not yet reaped does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # somebody else's
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0] != "Z"
    return True


def _untyped(module: object) -> Any:
    """These functions of the library carry no annotations, which strict checking would refuse."""
    return module


# Values are counted by greenlets and by native threads (the database writer). A gevent lock shared with
# a native thread left all greenlets waiting for ever in a trial; a native one is held for microseconds
# and nothing switches inside.
for _module in (values, client_metrics):
    _untyped(_module).Lock = offload.native_lock
_untyped(values).MmapedDict = SharedCounts
_untyped(prometheus_client).disable_created_metrics()
