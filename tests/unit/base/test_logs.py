"""Log lines: one per event whatever is in it, in the right file, without what must not be written."""

import json
import logging
import os
import subprocess
import sys
from enum import Enum
from pathlib import Path

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance import logs
from appliance.log_format import Event, LineFormatter, is_secret


@pytest.fixture
def log_dir(tmp_path):
    """A log directory that this process writes to until the test ends."""
    logs.setup(tmp_path)
    yield tmp_path
    logs.reset()


def line(**fields: object) -> str:
    return str(Event("tested", fields))


def record(message: object, *, exc_info=None) -> logging.LogRecord:
    return logging.LogRecord("appliance.eas", logging.INFO, "x.py", 1, message, (), exc_info)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "key=plain"),
        ("", 'key=""'),
        ("two words", 'key="two words"'),
        ('say "hi"', r'key="say \"hi\""'),
        ("a=b", 'key="a=b"'),
        ("back\\slash", r'key="back\\slash"'),
        ("evil\r\nname=forged", r'key="evil\r\nname=forged"'),
        ("tab\tnul\0", r'key="tab\tnul\x00"'),
        ("\u2028\u202e\x85", r'key="\u2028\u202e\x85"'),
        ("\udcff", r'key="\udcff"'),
        ("Grüße", "key=Grüße"),
        (b"\xff\x00raw", r'key="\\xff\x00raw"'),
        (bytearray(b"abc"), "key=abc"),
        (7, "key=7"),
        (True, "key=true"),
        (0.12345678, "key=0.123457"),
        (float("nan"), "key=nan"),
        ([1, "b", None], "key=1,b,None"),
        ({"size": 3, "token": "t"}, "key=size:3,token:[redacted]"),
        (Enum("Color", "RED").RED, "key=RED"),
        (Path("/x/y"), "key=/x/y"),
    ],
)
def test_values(value, written):
    assert line(key=value) == f"name=tested {written}"


def test_none_is_left_out_and_reserved_names_do_not_collide():
    assert line(a=None, pid=3) == "name=tested pid_=3"
    logs.event(logging.getLogger("appliance.t"), "tested", name="x", level=logging.DEBUG)


def test_long_values_are_cut_with_a_mark():
    assert line(key="x" * 600).endswith("x…(+88)")
    assert line(key=b"x" * 1_000_000).endswith("x…(+999488)")
    assert line(key="x" * 1_000_000).endswith("x…(+999488)")
    assert line(key=list(range(25))).endswith("19,…(+5)")
    assert len(line(key="\0" * 10_000)) < 3000


def test_a_value_that_cannot_be_printed_does_not_raise():
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError

    assert line(key=Broken()) == 'name=tested key="<unprintable Broken>"'


SECRET_KEYS = """
password new_password X-Api-Key token refresh_token Authorization client_secret Set-Cookie subject
body body_text private_key pin otp snippet credentials
"""


@pytest.mark.parametrize("key", SECRET_KEYS.split())
def test_secret_keys_are_redacted(key):
    assert is_secret(key)
    assert line(**{key: "hunter2"}).endswith("=[redacted]")
    assert line(**{key: 1234}).endswith("=[redacted]")


@pytest.mark.parametrize(
    "key", ["body_bytes", "token_id", "ping", "sync_key", "status", "pinned", "account", "password_age"]
)
def test_keys_that_only_look_secret_are_not(key):
    assert not is_secret(key)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Authorization: Basic dXNlcjpodW50ZXIy", "Authorization: Basic [redacted]"),
        ("got Bearer hunter2hunter2.x", "got Bearer [redacted]"),
        ("AUTH PLAIN AGh1bnRlcjI=", "AUTH PLAIN [redacted]"),
        ("postgresql://u:hunter2@db.example/x", "postgresql://u:[redacted]@db.example/x"),
        ("password='hunter2' host=x", "password=[redacted] host=x"),
        ('{"access_token": "hunter2"}', '{"access_token": [redacted]}'),
        ("Cookie: session=hunter2", "Cookie: [redacted]"),
    ],
)
def test_secrets_inside_text_are_redacted(text, kept):
    assert logs.redact(text) == kept


@given(st.dictionaries(st.text(min_size=1), st.one_of(st.text(), st.binary(), st.floats(), st.integers())))
def test_any_event_is_one_printable_line(fields):
    written = LineFormatter().format(record(Event("tested", fields)))
    assert written.isprintable()
    parsed = json.loads(LineFormatter(as_json=True).format(record(Event("tested", fields))))
    assert parsed["name"] == "tested"


def test_an_exception_is_one_escaped_line_without_its_secrets():
    try:
        raise ValueError("first\nsecond password=hunter2")
    except ValueError as error:
        written = LineFormatter().format(record("failed", exc_info=(type(error), error, error.__traceback__)))
    assert "\n" not in written
    assert "Traceback" in written
    assert r"first\nsecond password=[redacted]" in written


def test_a_long_traceback_keeps_its_end():
    try:
        raise ValueError("x" * 10_000 + "the end")
    except ValueError as error:
        written = LineFormatter().format(record("failed", exc_info=(type(error), error, error.__traceback__)))
    assert written.endswith('the end"')
    assert len(written) < 7000


def test_a_librarys_wrong_format_string_is_still_a_line():
    wrong = logging.LogRecord("lib", logging.INFO, "x.py", 1, "%d items", ("many",), None)
    assert "%d items" in LineFormatter().format(wrong)


@pytest.mark.parametrize(
    ("logger", "file"),
    [
        ("appliance.eas", "activesync/activesync.log"),
        ("appliance.eas.commands.ping", "activesync/activesync.log"),
        ("appliance.mail", "email_processing.log"),
        ("appliance.queue.entries", "email_processing.log"),
        ("appliance.smtp", "smtp/smtp.log"),
        ("smtpd.listeners", "smtp/smtp.log"),
        ("appliance.web", "web/access.log"),
        ("web.eas.views", "activesync/activesync.log"),
        ("appliance.easy", "appliance.log"),
        ("appliance.bus", "appliance.log"),
        ("some.library", "appliance.log"),
    ],
)
def test_each_logger_has_its_file(log_dir, logger, file):
    logs.event(logging.getLogger(logger), "tested", n=1)
    assert (log_dir / file).read_text().count("name=tested n=1\n") == 1
    assert sum(path.read_text().count("\n") for path in log_dir.rglob("*.log")) == 1


def test_setup_again_replaces(log_dir, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    logs.setup(other, format="json", level="debug")
    logs.event(logging.getLogger("appliance.eas"), "tested", level=logging.DEBUG, n=1)
    assert (log_dir / "activesync/activesync.log").read_text() == ""
    parsed = json.loads((other / "activesync/activesync.log").read_text())
    assert (parsed["name"], parsed["n"], parsed["level"], parsed["pid"]) == (
        "tested",
        1,
        "debug",
        os.getpid(),
    )


def test_libraries_never_log_below_info(log_dir):
    logs.setup(log_dir, level="debug")
    logging.getLogger("some.library").debug("what the client sent")
    assert (log_dir / "appliance.log").read_text() == ""


def test_bound_fields_nest_and_end(log_dir):
    log = logging.getLogger("appliance.eas")
    with logs.bind(conn=1, device="a"):
        with logs.bind(device="b"):
            logs.event(log, "inner")
            logging.getLogger("appliance.eas").info("from a library style call")
        logs.event(log, "outer", conn=2)
    logs.event(log, "after")
    lines = (log_dir / "activesync/activesync.log").read_text().splitlines()
    assert lines[0].endswith("name=inner conn=1 device=b")
    assert lines[1].endswith("conn=1 device=b")
    assert lines[2].endswith("name=outer conn=2 device=a")
    assert lines[3].endswith("name=after")


def test_each_greenlet_has_its_own_context():
    seen = {}

    def greenlet(number: int) -> None:
        with logs.bind(conn=number):
            gevent.sleep(0.001)
            seen[number] = logs.bound()

    gevent.joinall([gevent.spawn(greenlet, number) for number in range(20)])
    assert seen == {number: {"conn": number} for number in range(20)}


def test_a_moved_file_is_reopened(log_dir):
    log = logging.getLogger("appliance.eas")
    path = log_dir / "activesync/activesync.log"
    logs.event(log, "before")
    path.rename(path.with_suffix(".1"))
    logs.event(log, "after")
    assert path.with_suffix(".1").read_text().endswith("name=before\n")
    assert path.read_text().endswith("name=after\n")
    path.unlink()
    path.parent.rmdir() if not any(path.parent.iterdir()) else None
    logs.event(log, "again")
    assert path.read_text().endswith("name=again\n")


def test_a_full_disk_does_not_reach_the_caller(log_dir, capfd, monkeypatch):
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        handler = next(
            found for found in logging.getLogger().handlers if isinstance(found, logs.FilesHandler)
        )
        file = handler.file_for("appliance.eas")
        monkeypatch.setattr(file, "_follow", lambda: None)
        monkeypatch.setattr(file, "_fd", full)
        logs.event(logging.getLogger("appliance.eas"), "tested")
    finally:
        os.close(full)
        monkeypatch.undo()
    assert "name=tested log_error=OSError" in capfd.readouterr().err


WRITER = """
import logging, sys
from pathlib import Path
from appliance import logs
logs.setup(Path(sys.argv[1]))
for number in range(300):
    logs.event(logging.getLogger("appliance.smtp"), "line", who=sys.argv[2], number=number, fill="x" * 400)
"""


def test_processes_share_a_file_while_it_is_rotated(tmp_path):
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(who)]) for who in range(3)]
    path = tmp_path / "smtp/smtp.log"
    rotated = 0
    while any(writer.poll() is None for writer in writers):
        if path.exists():
            path.rename(path.with_suffix(f".{rotated}"))
            rotated += 1
        gevent.sleep(0.01)
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    lines = [line for file in path.parent.iterdir() for line in file.read_text().splitlines()]
    assert rotated > 1
    assert all(line.startswith("time=") and line.endswith("x") for line in lines)
    assert len(lines) == len(set(lines)) == 900


NATIVE = """
from gevent import monkey; monkey.patch_all()
import gevent, logging, sys
from pathlib import Path
from appliance import logs
ordinary = logging.StreamHandler(open("/dev/null", "w"))   # with the standard library's lock
logging.getLogger().addHandler(ordinary)
logs.setup(Path(sys.argv[1]))
log, done = logging.getLogger("appliance.smtp"), []
def write(who):
    for number in range(300):
        logs.event(log, "line", who=who, number=number)
        if who > 1: gevent.sleep(0)
    done.append(who)
for who in range(2):
    monkey.get_original("_thread", "start_new_thread")(write, (who,))
gevent.joinall([gevent.spawn(write, who) for who in range(2, 4)])
while len(done) < 4: gevent.sleep(0.005)
"""


def test_native_threads_log_beside_greenlets(tmp_path):
    subprocess.run([sys.executable, "-c", NATIVE, str(tmp_path)], check=True, timeout=30)
    lines = (tmp_path / "smtp/smtp.log").read_text().splitlines()
    assert len(lines) == len(set(lines)) == 1200
