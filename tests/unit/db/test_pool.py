import gevent
import pytest

from appliance.db.pool import Pool
from appliance.errors import TemporaryFailure


class Line:
    """A pretended connection."""

    def __init__(self) -> None:
        self.is_fit = True
        self.is_clean = True
        self.is_open = True


class Exchange:
    """Makes pretended connections; connecting takes `connect_s`."""

    def __init__(self, connect_s: float = 0.0) -> None:
        self.made: list[Line] = []
        self.connect_s = connect_s
        self.fails = False

    def make(self) -> Line:
        gevent.sleep(self.connect_s)
        if self.fails:
            raise ConnectionError("no line")
        line = Line()
        self.made.append(line)
        return line

    def is_fit(self, connection: Line) -> bool:
        return connection.is_fit

    def clean(self, connection: Line) -> bool:
        return connection.is_clean

    def dispose(self, connection: Line) -> None:
        connection.is_open = False


def test_reuses_the_connection_given_back_last():
    pool = Pool(Exchange(), 3)
    first, second = pool.take(), pool.take()
    pool.give_back(first)
    pool.give_back(second)
    assert pool.take() is second
    assert pool.held == 1


def test_replaces_connections_that_died_in_the_pool():
    exchange = Exchange()
    pool = Pool(exchange, 2)
    dead = pool.take()
    pool.give_back(dead)
    dead.is_fit = False
    assert pool.take() is not dead
    assert not dead.is_open


def test_throws_away_what_cannot_be_cleaned():
    pool = Pool(Exchange(), 1)
    broken = pool.take()
    broken.is_clean = False
    pool.give_back(broken)
    assert not broken.is_open
    assert pool.take() is not broken


def test_refuses_after_the_deadline():
    pool = Pool(Exchange(), 1, wait_s=0.01)
    pool.take()
    with pytest.raises(TemporaryFailure, match="no database connection"):
        pool.take()
    assert pool.held == 1


def test_failed_connect_does_not_cost_a_place():
    exchange = Exchange()
    pool = Pool(exchange, 1, wait_s=0.01)
    exchange.fails = True
    for _ in range(3):
        with pytest.raises(ConnectionError):
            pool.take()
    exchange.fails = False
    assert pool.take().is_open


def test_connects_side_by_side():
    exchange = Exchange(connect_s=0.1)
    pool = Pool(exchange, 5)
    gevent.joinall([gevent.spawn(pool.take) for _ in range(5)], timeout=0.35, raise_error=True)
    assert len(exchange.made) == 5  # one after the other would have taken 0.5 s


def test_prewarm_opens_ahead_but_never_more_than_allowed():
    exchange = Exchange()
    pool = Pool(exchange, 3)
    pool.prewarm(10)
    assert len(exchange.made) == 3
    assert pool.held == 0


def test_close_ends_idle_connections_now_and_used_ones_when_they_come_back():
    pool = Pool(Exchange(), 2)
    idle, used = pool.take(), pool.take()
    pool.give_back(idle)
    pool.close()
    assert (idle.is_open, used.is_open) == (False, True)
    pool.give_back(used)
    assert not used.is_open
