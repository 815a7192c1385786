"""A database opened and closed as the program does it, with real servers and real kills."""

from __future__ import annotations

import os
import re
import signal
import threading
import time
from pathlib import Path

import pytest

from app.market.errors import StoreSchemaMismatch, StoreUnavailable
from app.market.interval import Interval
from app.market.trade import Trade
from storage.database import Database
from storage.postgres.connection import connect
from tests.storage.helpers import PATIENCE_S, folded, held_of, some_trades, stored


def kill_server(database: Database) -> None:
    assert database._server is not None
    assert database._server.home is not None
    pid_file = database._server.home / "cluster" / "postmaster.pid"
    os.kill(int(pid_file.read_text().splitlines()[0]), signal.SIGKILL)


def read_again(database: Database) -> list[Trade]:
    """Read as the program does: a query that the server's death cut short is tried again."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return stored(database.store)
        except StoreUnavailable:
            if time.monotonic() >= deadline:
                raise


def test_what_was_written_is_there_after_a_restart(data_dir: Path) -> None:
    trades = some_trades(250)
    database = Database.open(None, data_dir)
    assert database.facts.label.startswith("Embedded PostgreSQL ")
    assert database.writer.put(trades)
    assert database.close()
    database = Database.open("", data_dir)
    assert stored(database.store) == trades
    assert database.close()


def test_a_server_killed_again_and_again_loses_nothing_that_was_acknowledged(data_dir: Path) -> None:
    trades = some_trades(30_000)
    database = Database.open(None, data_dir)
    try:

        def feed(first: int) -> None:
            for start in range(first, first + 10_000, 50):
                assert database.writer.put(trades[start : start + 50])
                time.sleep(0.002)

        for first in (0, 10_000, 20_000):
            feeder = threading.Thread(target=feed, args=(first,))
            before = database.writer.status.stored
            feeder.start()
            deadline = time.monotonic() + PATIENCE_S
            while database.writer.status.stored <= before and time.monotonic() < deadline:
                time.sleep(0.01)
            kill_server(database)
            acknowledged = database.writer.status.stored
            assert len(read_again(database)) >= acknowledged > before
            feeder.join()
        assert database.writer.drain(PATIENCE_S)
        assert stored(database.store) == trades
        assert database.store.coverage("BTCUSDT") == held_of(trades)
        minute = Interval.parse("1m")
        assert database.store.candles("BTCUSDT", minute) == folded(trades, minute)
    finally:
        assert database.close()


def test_a_failed_opening_is_a_clear_sentence_and_can_be_repeated(data_dir: Path) -> None:
    data_dir.parent.mkdir(exist_ok=True)
    data_dir.write_text("a file where the folder should be")
    with pytest.raises(StoreUnavailable):
        Database.open(None, data_dir)
    data_dir.unlink()
    database = Database.open(None, data_dir)
    with connect(database.url) as connection:
        connection.execute("INSERT INTO schema_version (version, name) VALUES (999, 'of the future')")
    assert database.close()
    with pytest.raises(StoreSchemaMismatch, match="newer"):
        Database.open(None, data_dir)
    users = list((data_dir / "database" / "users").iterdir())
    assert users == []


def test_a_url_opens_a_database_elsewhere(empty_url: str, tmp_path: Path) -> None:
    database = Database.open(empty_url, tmp_path)
    assert re.match(r"(TimescaleDB (Apache|Community) \S+ on )?PostgreSQL \d", database.facts.label)
    assert database.writer.put(some_trades(10))
    assert database.close()
    assert list(tmp_path.iterdir()) == []


def test_nothing_starts_the_embedded_server_of_a_closed_database_again(data_dir: Path) -> None:
    database = Database.open(None, data_dir)
    late = database.store._pool._connect  # as a reader's thread may call it at the very end
    assert database.close()
    with pytest.raises(StoreUnavailable):
        late()
    assert list((data_dir / "database" / "users").iterdir()) == []
