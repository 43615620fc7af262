"""Held requests with real sockets: woken, drained, abandoned, and what they cost."""

import os
import signal
import socket
from collections.abc import Callable
from contextlib import ExitStack

from tests.integration.web.conftest import ServerProcess, Wire, request

Serve = Callable[..., ServerProcess]
BYTES_PER_HELD_MAX = 20_000


def hold(server: ServerProcess, count: int, *, connect: Callable[[], Wire] | None = None) -> list[Wire]:
    """Return connections whose requests all wait."""
    wires = [(connect or server.connect)().send(request("hold", device=f"d{i}")) for i in range(count)]
    server.wait_until(lambda: server.held() == count)
    return wires


def test_a_hint_wakes_them_and_the_connection_goes_on(serve: Serve) -> None:
    server = serve()
    plain, encrypted = hold(server, 1)[0], server.connect_tls().send(request("hold", device="d2"))
    server.wait_until(lambda: server.held() == 2)
    server.ask("wake")
    for wire in (plain, encrypted):
        with wire:
            answer = wire.answer()
            assert (answer.body, answer.headers["Connection"]) == (b"changes", "keep-alive")
            assert wire.send(request("size:7")).answer().body == b"x" * 7


def test_the_end_of_the_interval_is_an_empty_answer(serve: Serve) -> None:
    with serve().connect() as wire:
        answer = wire.send(request("hold:0.1")).answer()
    assert (answer.status, answer.headers["Content-Length"]) == (200, "0")
    assert "Content-Type" not in answer.headers


def test_every_held_request_is_answered_before_the_end(serve: Serve) -> None:
    server = serve("--drain", "1")
    with ExitStack() as opened:
        wires = [opened.enter_context(wire) for wire in hold(server, 500)]
        idle = opened.enter_context(server.connect())
        idle.send(request("empty")).answer()
        os.kill(server.process.pid, signal.SIGTERM)
        answers = [wire.answer() for wire in wires]
        assert [answer.status for answer in answers] == [200] * 500
        assert {answer.body for answer in answers} == {b"draining"}
        assert {answer.headers["Connection"] for answer in answers} == {"close"}
        assert idle.is_closed()
    assert server.process.wait(30) == 0


def test_an_interrupt_from_the_keyboard_is_as_polite(serve: Serve) -> None:
    server = serve()
    with hold(server, 1)[0] as wire:
        for pid in _family(server.process.pid):
            os.kill(pid, signal.SIGINT)
        assert wire.answer().body == b"draining"
    assert server.process.wait(30) == 0


def _family(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:  # noqa: PTH123 - a pseudo file
        return [pid, *map(int, children.read().split())]


def test_a_client_that_goes_away_is_forgotten_at_once(serve: Serve) -> None:
    server = serve()
    wires = [*hold(server, 5), server.connect_tls().send(request("hold", device="tls"))]
    server.wait_until(lambda: server.held() == 6)
    wires[0].sock.close()
    wires[1].sock.shutdown(socket.SHUT_WR)
    wires[2].sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    wires[2].sock.close()
    wires[5].sock.close()
    server.wait_until(lambda: server.held() == 2)
    server.ask("wake")
    assert [wire.answer().body for wire in wires[3:5]] == [b"changes"] * 2
    server.wait_until(lambda: server.log_text().count("status=499") == 4)


def test_a_wait_that_fails_is_put_off(serve: Serve) -> None:
    with serve().connect() as wire:
        answer = wire.send(request("hold-bug")).answer()
        assert (answer.status, answer.body, answer.headers["Retry-After"]) == (503, b"", "30")
        assert wire.send(request("size:1")).answer().body == b"x"


def test_a_killed_worker_is_replaced(serve: Serve) -> None:
    server = serve()
    _, worker = _family(server.process.pid)
    with hold(server, 1)[0] as wire:
        os.kill(worker, signal.SIGKILL)
        assert wire.is_closed()
    assert server.ask("empty").status == 200, "the socket stayed open: the request waited for the new worker"


def test_held_requests_are_counted_and_cheap(serve: Serve) -> None:
    server = serve()
    warm = hold(server, 100)
    for wire in warm:
        wire.sock.close()
    server.wait_until(lambda: server.held() == 0)
    before = int(server.ask("resident").body)
    wires = hold(server, 1000)
    each = (int(server.ask("resident").body) - before) / len(wires)
    with server.connect() as wire:
        numbers = wire.send(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").answer().body
    for wire in wires:
        wire.sock.close()
    assert b"\nappliance_eas_held 1000.0" in numbers
    assert each <= BYTES_PER_HELD_MAX
