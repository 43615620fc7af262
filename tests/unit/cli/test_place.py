"""Where a command works, and as whom."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from appliance import bus
from appliance.cli.place import Place, act_as_owner
from appliance.net.bus_unix import UnixBus
from tests.unit.cli.conftest import Cli

NOBODY = 65534


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_root_becomes_the_owner_of_the_data(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from appliance.cli.place import act_as_owner;"
        "act_as_owner(Path(sys.argv[1])); print(os.getresuid(), os.getresgid(), os.getgroups())"
    )
    os.chown(tmp_path, NOBODY, NOBODY)
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == f"{(NOBODY,) * 3} {(NOBODY,) * 3} []"


def test_whoever_owns_the_data_stays_who_they_are(tmp_path: Path) -> None:
    before = os.getresuid()
    act_as_owner(tmp_path)
    assert os.getresuid() == before


def test_a_command_speaks_on_the_bus_of_the_running_processes(ready: Cli) -> None:
    running = UnixBus(ready.data / "run", "web")
    command = ("user", "passwd", "anna@example.com", "--password-stdin")
    try:
        with running.watch([bus.CREDENTIALS]) as watcher:
            changed = ready(*command, stdin="a new password\n", elsewhere=True)
            assert changed.status == 0, changed
            assert watcher.wait(5) == {(bus.CREDENTIALS, "1")}
    finally:
        running.close()


def test_what_was_opened_is_closed_whatever_happens(ready: Cli) -> None:
    before = bus.current()
    place = Place(ready.data, ready.config)
    for _ in range(2):  # a second opening fails when the first was left open
        with pytest.raises(ZeroDivisionError), place.opened():
            raise ZeroDivisionError
    assert bus.current() is before
    assert list((ready.data / "run" / "bus").glob("cli-*")) == []
