"""Which bus a process uses: the one place that turns the configured URL into a transport."""

from pathlib import Path

from appliance.bus import Bus, LocalBus
from appliance.net.bus_unix import UnixBus


def open_bus(url: str, run_dir: Path, role: str) -> Bus:
    """Return the bus for `[bus] url`: "unix", "local" (this process alone) or a Redis URL.

    Call it after the last fork and pass the result to `bus.use`; close it when the process ends.
    """
    if url == "unix":
        return UnixBus(run_dir, role)
    if url == "local":
        return LocalBus()
    from appliance.net.bus_redis import RedisBus  # a site without Redis does not pay for the client

    return RedisBus(url)
