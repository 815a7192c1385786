"""Connections that readers share: how many, what becomes of broken ones, and how the end is kept short."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from app.market.errors import StoreError, StoreUnavailable
from storage.postgres.connection import Connection, connect
from storage.postgres.pool import ConnectionPool
from storage.server.embedded_server import EmbeddedServer

pytestmark = pytest.mark.embedded_only


class Counting:
    """Connects to a server and counts how often."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.made: list[Connection] = []

    def __call__(self) -> Connection:
        self.made.append(connect(self.url))
        return self.made[-1]


@pytest.fixture
def connecting(server_url: str) -> Iterator[Counting]:
    made = Counting(server_url)
    yield made
    for connection in made.made:
        connection.close()


def process_of(connection: Connection) -> int:
    return connection.info.backend_pid


def test_a_connection_is_lent_again(connecting: Counting) -> None:
    pool = ConnectionPool(connecting)
    for _ in range(3):
        with pool.borrowed("read") as connection:
            connection.execute("SELECT 1")
    assert len(connecting.made) == 1
    pool.close()
    assert connection.closed


def test_a_connection_in_which_something_failed_is_not_lent_again(connecting: Counting) -> None:
    pool = ConnectionPool(connecting)
    with pytest.raises(StoreError, match="Could not read: "), pool.borrowed("read") as connection:
        connection.execute("SELECT nonsense")
    assert connection.closed
    with pytest.raises(ZeroDivisionError), pool.borrowed("read") as connection:
        print(1 / 0)
    assert connection.closed
    pool.close()


def test_idle_connections_that_the_server_dropped_are_replaced_without_a_failed_query(connecting: Counting) -> None:
    pool = ConnectionPool(connecting)
    with pool.borrowed("read"), pool.borrowed("read"):
        pass
    with connect(connecting.url) as other:
        for connection in connecting.made:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", (process_of(connection),))
    with pool.borrowed("read") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    assert len(connecting.made) == 3
    pool.close()


def test_a_server_that_is_away_is_an_error_at_once_and_takes_no_place() -> None:
    def refuse() -> Connection:
        raise StoreUnavailable("It is away.")

    pool = ConnectionPool(refuse, most=1)
    for _ in range(3):
        began_s = time.monotonic()
        with pytest.raises(StoreUnavailable, match=r"^It is away\.$"), pool.borrowed("read"):
            pass
        assert time.monotonic() - began_s < 1


def test_when_all_are_lent_the_next_waits_for_one_to_come_back(connecting: Counting) -> None:
    pool = ConnectionPool(connecting, most=1)
    order: list[str] = []

    def borrow() -> None:
        with pool.borrowed("read"):
            order.append("second")

    with pool.borrowed("read"):
        thread = threading.Thread(target=borrow)
        thread.start()
        time.sleep(0.1)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    assert len(connecting.made) == 1
    pool.close()


def test_a_borrower_that_waits_too_long_gets_the_reason(connecting: Counting) -> None:
    pool = ConnectionPool(connecting, most=1, wait_s=0.05)
    with pool.borrowed("read"), pytest.raises(StoreUnavailable, match="are busy"), pool.borrowed("read"):
        pass
    pool.close()


def test_a_closed_pool_lends_nothing_and_takes_back_what_is_lent(connecting: Counting) -> None:
    pool = ConnectionPool(connecting)
    borrowed = pool.borrowed("read")
    connection = borrowed.__enter__()
    closing = threading.Thread(target=pool.close, args=(10.0,))
    closing.start()
    while not pool._closed:
        time.sleep(0.001)
    with pytest.raises(StoreUnavailable, match="has been closed"), pool.borrowed("read"):
        pass
    assert connection.execute("SELECT 1").fetchone() == (1,)  # what is at work may finish
    borrowed.__exit__(None, None, None)
    closing.join(5)
    assert not closing.is_alive()
    assert connection.closed


def test_closing_frees_a_thread_that_waits_for_a_server_which_hangs(servers: Callable[..., EmbeddedServer]) -> None:
    server = servers()
    pool = ConnectionPool(Counting(server.start()))
    failed: list[str] = []
    process = None

    def read() -> None:
        nonlocal process
        try:
            with pool.borrowed("read") as connection:
                process = psutil.Process(process_of(connection))
                os.kill(process.pid, signal.SIGSTOP)
                connection.execute("SELECT 1")
        except StoreUnavailable as error:
            failed.append(str(error))

    thread = threading.Thread(target=read)
    thread.start()
    try:
        while process is None or process.status() != psutil.STATUS_STOPPED:
            time.sleep(0.01)
        pool.close(0.1)
        thread.join(5)
        assert not thread.is_alive()
    finally:
        process.send_signal(signal.SIGCONT)
    assert failed
    assert failed[0].startswith("Could not read: ")
