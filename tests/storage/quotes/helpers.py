"""Helpers of the tests of quotes: ticks, what is stored of them, and what should be."""

from __future__ import annotations

import random
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from psycopg import sql

from app.market.quotes.tick import Tick
from app.market.quotes.tick_candle import PriceBar, TickCandle
from storage.postgres.connection import Connection
from storage.quotes.tick_levels import LEVELS
from storage.quotes.tick_rollups import FIGURES
from tests.tick_candles import candle_of_tick, combine_ticks, with_places

SYMBOL = "oanda:EURUSD"
START_US = 1_398_902_400_000_000 - 7_000_000  # 2014-05-01, less some seconds


def some_ticks(count: int, *, symbol: str = SYMBOL, seed: int = 1, start_us: int = START_US) -> list[Tick]:
    """Return ticks some milliseconds apart, several of which share their time."""
    dice = random.Random(seed)
    time_us = start_us
    ticks = []
    for _ in range(count):
        time_us += dice.choice((0, 1_000, 250_000, 3_000_000))
        bid = dice.randrange(1, 10**10)
        ask = bid + dice.randrange(0, 10**6)
        ticks.append(Tick(symbol, time_us, 0, bid, ask, dice.randrange(10**9), dice.randrange(10**9)))
    return list(with_places(ticks))


def stored_ticks(connection: Connection) -> list[Tick]:
    """Return all ticks, by symbol, time and place."""
    rows = connection.execute(
        "SELECT symbol, (extract(epoch FROM time) * 1000000)::bigint, place, (bid * 100000000)::bigint,"
        " (ask * 100000000)::bigint, (bid_size * 100000000)::bigint, (ask_size * 100000000)::bigint"
        ' FROM quotes JOIN symbols ON id = symbol_id ORDER BY symbol COLLATE "C", time, place'
    )
    return [Tick(*row) for row in rows]


def candles_of(ticks: Iterable[Tick], length_us: int) -> list[TickCandle]:
    """Return what ticks of one symbol, by time and place, add up to: one by one."""
    return [
        combine_ticks(open_us, (candle_of_tick(open_us, tick) for tick in group))
        for open_us, group in groupby(ticks, key=lambda tick: tick.time_us - tick.time_us % length_us)
    ]


def rollups(connection: Connection, table: str) -> dict[str, list[TickCandle]]:
    """Return a level's candles by symbol."""
    figures = [
        f"(extract(epoch FROM {name}) * 1000000)::bigint"
        if name.endswith("_time")
        else name
        if name == "ticks" or name.endswith("_place")
        else f"({name} * 100000000)::bigint"
        for name in ("open_time", *FIGURES)
    ]
    query = sql.SQL("SELECT symbol, {} FROM {} JOIN symbols ON id = symbol_id ORDER BY symbol_id, open_time").format(
        sql.SQL(", ".join(figures)), sql.Identifier(table)
    )
    found: dict[str, list[TickCandle]] = {}
    for symbol, *row in connection.execute(query):
        found.setdefault(symbol, []).append(candle(row))
    return found


def candle(row: list[Any]) -> TickCandle:
    """Return a row of open time, prices and figures in their order as a candle."""
    bars = [PriceBar(*row[start : start + 4]) for start in (1, 5, 9)]
    return TickCandle(row[0], *bars, *row[13:16], (row[16], row[17]), (row[18], row[19]))


def assert_rollups_match(connection: Connection, ticks: Iterable[Tick]) -> None:
    """Hold every level against what the ticks, by symbol, time and place, add up to."""
    by_symbol = {symbol: list(group) for symbol, group in groupby(ticks, key=lambda tick: tick.symbol)}
    for level in LEVELS:
        expected = {symbol: candles_of(group, level.length_us) for symbol, group in by_symbol.items()}
        assert rollups(connection, level.table) == expected, level.table


def clear(connection: Connection) -> None:
    """Empty the tables of quotes."""
    tables = ["quotes", "fetched_quotes", "refused_quotes", "quote_klines", *(level.table for level in LEVELS)]
    connection.execute(f"TRUNCATE {', '.join(tables)}".encode())
