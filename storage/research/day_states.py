"""
The state of each day of a symbol: a short text that changes when the day's candles change.

So a program that keeps rows of windows finds the days that a repair or an import changed, without reading candles. For
trades the state holds the day's own candle and the ids around it; for quotes the day's ticks and the fetched times; for
stored klines their number and the versions of their rows.
Every function takes a connection and may raise psycopg.Error.
"""

from __future__ import annotations

from datetime import date, timedelta

from app.market.symbol import has_trades
from storage.postgres.connection import Connection
from storage.postgres.symbol_ids import symbol_id_of

DayStates = dict[date, str]

_TRADES = """
    SELECT (r.open_time AT TIME ZONE 'UTC')::date, concat_ws(' ', r.trades, r.first_trade_id, r.last_trade_id,
        (SELECT count(*) FROM coverage c WHERE c.symbol_id = r.symbol_id
            AND c.first_trade_id <= r.last_trade_id + 1 AND c.last_trade_id >= r.first_trade_id - 1),
        (SELECT count(*) FROM coverage c WHERE c.symbol_id = r.symbol_id
            AND r.last_trade_id + 1 BETWEEN c.first_trade_id AND c.last_trade_id),
        (SELECT count(*) || '/' || coalesce(sum(a.last_trade_id - a.first_trade_id), 0) FROM absent_trades a
            WHERE a.symbol_id = r.symbol_id
            AND a.first_trade_id <= r.last_trade_id + 1 AND a.last_trade_id >= r.first_trade_id - 1))
    FROM rollup_1d r WHERE r.symbol_id = %s
"""
_TICKS = """
    SELECT (r.open_time AT TIME ZONE 'UTC')::date, concat_ws(' ', r.ticks, r.first_time, r.last_time,
        (SELECT string_agg(concat_ws('-', extract(epoch FROM greatest(f.first_time, r.open_time)),
                extract(epoch FROM least(f.end_time, r.open_time + interval '1 day 1 minute'))), ',' ORDER BY f)
            FROM fetched_quotes f WHERE f.symbol_id = r.symbol_id
            AND f.first_time < r.open_time + interval '1 day 1 minute' AND f.end_time > r.open_time))
    FROM quote_rollup_1d r WHERE r.symbol_id = %s
"""
_PUBLISHED = """
    SELECT (open_time AT TIME ZONE 'UTC')::date, concat_ws('/', count(*), sum(xmin::text::bigint))
    FROM {} WHERE symbol_id = %s AND months = 0 AND seconds <= 60 GROUP BY 1
"""
_CHANGES = """
    SELECT concat_ws(' ', n_tup_ins, n_tup_upd, n_tup_del, n_live_tup) FROM pg_stat_user_tables
    WHERE schemaname = current_schema() AND relname = %s
"""


class DayStateReader:
    """Reads the states over one connection, and counts klines again only after some have changed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._published: dict[str, tuple[str, DayStates]] = {}

    def read(self, symbol: str) -> DayStates:
        """Return the state of every day (UTC) with candles; a day between without any has that of the day before."""
        symbol_id = symbol_id_of(self._connection, symbol)
        if symbol_id is None:
            return {}
        found: DayStates = dict(
            self._connection.execute(_TRADES if has_trades(symbol) else _TICKS, (symbol_id,)).fetchall()
        )
        for day, state in self._of_published(symbol, symbol_id).items():
            found[day] = f"{found.get(day, '')} {state}"
        return _filled(found)

    def _of_published(self, symbol: str, symbol_id: int) -> DayStates:
        table = "klines" if has_trades(symbol) else "quote_klines"
        row = self._connection.execute(_CHANGES, (table,)).fetchone()
        changes = "" if row is None else str(row[0])
        known, states = self._published.get(symbol, ("", DayStates()))
        if not changes or changes != known:
            states = dict(self._connection.execute(_PUBLISHED.format(table).encode(), (symbol_id,)).fetchall())
            self._published[symbol] = (changes, states)
        return states


def _filled(found: DayStates) -> DayStates:
    filled: DayStates = {}
    for day in sorted(found):
        if filled:
            before, state = next(reversed(filled.items()))
            for number in range(1, (day - before).days):
                filled[before + timedelta(days=number)] = f"- {state}"
        filled[day] = found[day]
    return filled
