"""What must be true of a database that recorded the tape, whatever happened to it meanwhile."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby, zip_longest

from psycopg import sql

from app.market.coverage import IdRanges
from app.market.trade import Trade
from storage.postgres.connection import Connection
from tests.soak.recorder.tape import all_of, distinct_of_round

_TRADES = """
    SELECT s.name, t.trade_id, extract(epoch FROM t.time) * 1000000, t.price * 100000000, t.quantity * 100000000,
        t.is_buyer_maker
    FROM trades t JOIN symbols s ON s.id = t.symbol_id ORDER BY s.name COLLATE "C", t.trade_id
"""

_ROLLUP_DIFFERENCES = """
    WITH folded AS (
        SELECT symbol_id, date_bin({length}, time, timestamptz '2000-01-03 00:00:00+00') AS open_time,
            (array_agg(price ORDER BY trade_id))[1] AS open, max(price) AS high, min(price) AS low,
            (array_agg(price ORDER BY trade_id DESC))[1] AS close, sum(quantity) AS volume,
            sum(price * quantity) AS quote_volume, count(*) AS trades,
            coalesce(sum(quantity) FILTER (WHERE NOT is_buyer_maker), 0) AS taker_buy_volume,
            coalesce(sum(price * quantity) FILTER (WHERE NOT is_buyer_maker), 0) AS taker_buy_quote_volume,
            min(trade_id) AS first_trade_id, max(trade_id) AS last_trade_id
        FROM trades GROUP BY 1, 2
    ), held AS (
        SELECT symbol_id, open_time, open, high, low, close, volume, quote_volume, trades, taker_buy_volume,
            taker_buy_quote_volume, first_trade_id, last_trade_id
        FROM {rollup}
    )
    SELECT 'missing or wrong', count(*) FROM (TABLE folded EXCEPT TABLE held) AS d
    UNION ALL SELECT 'not of its trades', count(*) FROM (TABLE held EXCEPT TABLE folded) AS d
"""


def missing_of_rounds(connection: Connection, seed: int, rounds: Iterable[int]) -> list[Trade]:
    """Return the trades of those rounds that are not held."""
    wanted = {(trade.symbol, trade.trade_id): trade for number in rounds for trade in distinct_of_round(seed, number)}
    for symbol in {symbol for symbol, _ in wanted}:
        ids = [trade_id for name, trade_id in wanted if name == symbol]
        held = connection.execute(
            "SELECT t.trade_id FROM trades t JOIN symbols s ON s.id = t.symbol_id"
            " WHERE s.name = %s AND t.trade_id BETWEEN %s AND %s",
            (symbol, min(ids), max(ids)),
        )
        for (trade_id,) in held:
            wanted.pop((symbol, trade_id), None)
    return list(wanted.values())


def differences(connection: Connection, seed: int, rounds: int) -> list[str]:
    """Compare everything held with the first ``rounds`` of the tape; return each difference in words."""
    connection.execute("SET statement_timeout = 0")
    return [
        *_wrong_trades(connection, seed, rounds),
        *_wrong_coverage(connection, seed, rounds),
        *wrong_rollups(connection),
    ]


def _wrong_trades(connection: Connection, seed: int, rounds: int) -> Iterator[str]:
    with connection.transaction(), connection.cursor("tape") as cursor:
        cursor.itersize = 20_000
        cursor.execute(_TRADES)
        for held, expected in zip_longest(cursor, all_of(seed, rounds)):
            trade = Trade(held[0], *(int(value) for value in held[1:5]), held[5]) if held is not None else None
            if trade != expected:
                yield f"the trades differ first where {expected} should be: {trade} is held"
                return


def _wrong_coverage(connection: Connection, seed: int, rounds: int) -> Iterator[str]:
    rows = connection.execute(
        "SELECT s.name, c.first_trade_id, c.last_trade_id FROM coverage c JOIN symbols s ON s.id = c.symbol_id"
        ' ORDER BY s.name COLLATE "C", 2'
    ).fetchall()
    held = {name: [(first, last) for _, first, last in ranges] for name, ranges in groupby(rows, lambda row: row[0])}
    for symbol, trades in groupby(all_of(seed, rounds), lambda trade: trade.symbol):
        expected = list(IdRanges((trade.trade_id, trade.trade_id) for trade in trades))
        if held.get(symbol) != expected:
            yield f"the coverage of {symbol} is not that of its ids"


def wrong_rollups(connection: Connection) -> Iterator[str]:
    """Fold every rollup again from the trades, by SQL of its own, and yield what differs."""
    tables = connection.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^rollup_[0-9]+[smhd]$' ORDER BY 1"
    ).fetchall()
    if not tables:
        yield "there are no rollups"
    for (table,) in tables:
        query = sql.SQL(_ROLLUP_DIFFERENCES).format(
            rollup=sql.Identifier(table), length=sql.Literal(table.removeprefix("rollup_").replace("m", "min"))
        )
        for kind, count in connection.execute(query):
            if count:
                yield f"{table}: {count} candles are {kind}"
