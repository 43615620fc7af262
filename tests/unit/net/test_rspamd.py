"""The filter's wire: opinions, lessons, and every way it can fail softly."""

import socket
import time

import pytest

from appliance.net.rspamd import ANSWER_BYTES_MAX, PAUSE_S, FilterUnavailable, Opinion, Rspamd
from tests.fakes.filter import FakeRspamd

RAW = b"Subject: x\r\n\r\n\xff body\r\n"
ABOUT = (("IP", "192.0.2.1"), ("Rcpt", "mia@example.com"), ("Rcpt", "ben@example.com"), ("Helo", "a\r\nX: b"))


def test_an_opinion() -> None:
    answer = {"action": "reject", "score": 15, "messages": {"smtp_message": "Gtube\r\npattern"}}
    with FakeRspamd(answer) as fake:
        assert Rspamd(fake.url, 5).check(RAW, ABOUT) == Opinion("reject", 15.0, "Gtube  pattern")
        ((path, headers, body),) = fake.requests
    assert (path, body) == ("/checkv2", RAW)
    assert (headers["IP"], headers["Rcpt"]) == (["192.0.2.1"], ["mia@example.com", "ben@example.com"])
    assert headers["Helo"] == ["a  X: b"], "a name of the client's makes no header of its own"
    assert "X" not in headers


def test_lessons() -> None:
    with FakeRspamd({"success": True}) as fake:
        filter_ = Rspamd(fake.url + "/behind/", 5, "secret")
        filter_.learn(RAW, is_junk=True)
        for fake.status in (208, 404):  # learned before, in the words of newer and of older versions
            filter_.learn(RAW, is_junk=False)
        paths = [(path, headers["Password"]) for path, headers, _ in fake.requests]
    assert paths == [("/behind/learnspam", ["secret"]), *[("/behind/learnham", ["secret"])] * 2]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"", 200),
        (b"no json", 200),
        (b"[]", 200),
        (b"{}", 200),
        (b'{"action": "dance", "score": 1}', 200),
        (b'{"action": "reject", "score": "high"}', 200),
        (b"[" * 100_000, 200),
        (b" " * (ANSWER_BYTES_MAX + 1), 200),
        (b'{"action": "reject", "score": 1}', 500),
        (b'{"action": "reject", "score": 1}', 302),
        (b'{"error": "password"}', 403),
    ],
)
def test_nonsense_is_no_opinion(answer: bytes, status: int) -> None:
    with FakeRspamd(answer, status=status) as fake, pytest.raises(FilterUnavailable):
        Rspamd(fake.url, 5).check(RAW, ABOUT)


def test_a_filter_that_is_slow_or_gone_costs_one_message_its_patience() -> None:
    now = [0.0]
    with FakeRspamd() as fake:
        fake.delay_s = 3
        filter_ = Rspamd(fake.url, 0.3, monotonic=lambda: now[0])
        began = time.monotonic()
        with pytest.raises(FilterUnavailable):
            filter_.check(RAW, ABOUT)
        assert time.monotonic() - began < 3
        for _ in range(3):
            with pytest.raises(FilterUnavailable, match="a moment ago"):
                filter_.check(RAW, ABOUT)
        assert len(fake.requests) == 1
        fake.delay_s, now[0] = 0, PAUSE_S + 1
        assert filter_.check(RAW, ABOUT).action == "no action"


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(FilterUnavailable):
        Rspamd(f"http://127.0.0.1:{port}", 5).check(RAW, ABOUT)


def test_a_filter_that_drips_ends_with_the_deadline() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        filter_ = Rspamd(f"http://127.0.0.1:{silent.getsockname()[1]}", 0.3)
        with pytest.raises(FilterUnavailable):
            filter_.check(RAW, ABOUT)
