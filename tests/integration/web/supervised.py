"""A supervisor over two little roles: `python -m tests.integration.web.supervised DIR [broken]`.

The role "echo" answers each connection with its own process id and dies of "die"; "broken" never starts.
"""

import socket
import sys
from pathlib import Path

from appliance.cli.supervisor import Role, Supervisor, signals_blocked

ECHO = """
import os, signal, socket, sys
def stop(*_):
    print("asked to stop", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
name, _, fd = os.environ["APPLIANCE_FDS"].partition("=")
listener = socket.socket(fileno=int(fd))
while True:
    client, _ = listener.accept()
    with client:
        if client.recv(10) == b"die":
            os.kill(os.getpid(), signal.SIGKILL)
        client.sendall(str(os.getpid()).encode())
"""


def main() -> None:
    """Run until told to stop."""
    directory = Path(sys.argv[1])
    with signals_blocked(), socket.create_server(("127.0.0.1", 0)) as listener:
        roles = [Role("echo", ["-c", ECHO], {"echo": listener}, directory / "echo.log")]
        if "broken" in sys.argv:
            roles.append(Role("broken", ["-c", "raise SystemExit('no')"], {}, directory / "broken.log"))
        supervisor = Supervisor(
            roles,
            say=lambda line: print(line, file=sys.stderr, flush=True),
            was_ready=lambda: "broken" not in sys.argv,
        )
        (directory / "port").write_text(str(listener.getsockname()[1]))
        supervisor.run(10)


if __name__ == "__main__":
    main()
