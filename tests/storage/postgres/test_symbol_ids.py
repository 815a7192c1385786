"""Numbers of symbols, given by several programs at once."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psycopg
import pytest

from app.market.symbol import Symbol
from storage.candles import symbol_rows
from storage.postgres.connection import Connection, connect
from storage.postgres.symbol_ids import add_symbols, known_symbols
from tests.storage.helpers import PATIENCE_S

NAMES = [f"oanda:S{number}" for number in range(150)]


def save_symbol(connection: Connection, name: str) -> None:
    symbol_rows.save(connection, [Symbol(name, "EUR", "USD")])


@pytest.mark.parametrize(
    "ways",
    [
        [lambda connection, name: add_symbols(connection, [name])] * 4,
        [save_symbol] * 2 + [lambda connection, name: add_symbols(connection, [name])] * 2,
    ],
    ids=["add", "add and save"],
)
def test_a_symbol_that_several_programs_add_at_once_is_there_once(
    url: str, ways: list[Callable[[Connection, str], None]]
) -> None:
    together = threading.Barrier(len(ways))
    failed: list[psycopg.Error] = []

    def work(way: Callable[[Connection, str], None]) -> None:
        with connect(url) as connection:
            for name in NAMES:
                together.wait(PATIENCE_S)
                try:
                    way(connection, name)
                except psycopg.Error as error:
                    failed.append(error)

    threads = [threading.Thread(target=work, args=(way,)) for way in ways]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with connect(url) as connection:
        assert known_symbols(connection) == set(NAMES)
