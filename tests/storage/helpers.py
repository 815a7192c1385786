"""Helpers of the storage tests that speak the domain: record, stored, held, folded."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import sql

from app.market.builder import CandleBuilder, finish
from app.market.candle import Candle
from app.market.coverage import IdRanges
from app.market.interval import Interval
from app.market.trade import Trade
from storage.candles.store import PostgresStore
from storage.postgres.connection import Connection, Edition, connect, facts_of
from storage.schema.editions import timescale_schema
from storage.timescale.edition_setup import set_up_edition
from storage.trades.trade_writer import TRADE_ROWS
from storage.writing.batch_writer import BatchWriter

START_US = 1_723_161_255_342_000  # a Thursday, 5 s before a minute begins
PATIENCE_S = 30.0


class World:
    """A writer and a store on one database."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.writer = BatchWriter(self.connect, TRADE_ROWS)
        self.store = PostgresStore(self.connect)

    def connect(self) -> Connection:
        return connect(self.url)

    def record(self, trades: Sequence[Trade]) -> None:
        """Store the trades, and wait until they are."""
        assert self.writer.put(trades)
        assert self.writer.drain(PATIENCE_S)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.connect() as connection:
            return connection.execute(query).fetchall()

    def close(self) -> None:
        self.writer.close(PATIENCE_S)
        self.store.close()


def some_trades(count: int, *, symbol: str = "BTCUSDT", first_id: int = 100, seed: int = 1) -> list[Trade]:
    """Return trades with consecutive ids, some milliseconds apart."""
    dice = random.Random(seed)
    time_us = START_US
    trades = []
    for trade_id in range(first_id, first_id + count):
        time_us += dice.randrange(40_000)
        price, quantity = dice.randrange(1, 10**13), dice.randrange(1, 10**12)
        trades.append(Trade(symbol, trade_id, time_us, price, quantity, dice.random() < 0.5))
    return trades


def held_of(trades: Iterable[Trade]) -> IdRanges:
    return IdRanges((trade.trade_id, trade.trade_id) for trade in trades)


def compress(connection: Connection, table: str = "trades") -> bool:
    """Compress all of trades, or quotes, as Community's policy does in time; False where nothing ever compresses."""
    if facts_of(connection).edition is not Edition.TIMESCALE_COMMUNITY:
        return False
    set_up_edition(connection)
    compress_chunks(connection, table)
    return True


def compress_chunks(connection: Connection, table: str) -> None:
    """Compress every chunk of a hypertable that is set up for it."""
    statement = sql.SQL("SELECT {0}.compress_chunk(chunk, true) FROM {0}.show_chunks({1}) AS chunk")
    connection.execute(statement.format(timescale_schema(connection), sql.Literal(table)))


def folded(trades: Iterable[Trade], interval: Interval, now_us: int | None = None) -> list[Candle]:
    """Return the candles of distinct trades as the live path makes them."""
    trades = list(trades)
    builder = CandleBuilder(interval)
    for trade in trades:
        builder.add(trade)
    return finish(builder.candles(), interval, held_of(trades), now_us=now_us)


def stored(store: PostgresStore, symbol: str = "BTCUSDT") -> list[Trade]:
    return store.trades(symbol, 0, 2**62)
