"""
The tables `trading_sessions` and `session_gaps`: rows as values, and back.

Every function takes a connection and may raise psycopg.Error. Times are UTC microseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from psycopg import sql

from app.market.calendar.calendar import MINUTE_US, Session
from app.market.calendar.session_gaps import SessionGap
from app.market.calendar.session_rows import SessionRow
from storage.postgres.connection import Connection
from storage.rollups.time_sql import microseconds

_SAVE_SESSIONS = """
    INSERT INTO trading_sessions AS known
    SELECT exchange, session_date, timestamptz 'epoch' + start_us * interval '1 microsecond',
        timestamptz 'epoch' + end_us * interval '1 microsecond', minutes, is_half_day, is_holiday, notes
    FROM unnest(%s::text[], %s::date[], %s::bigint[], %s::bigint[], %s::integer[], %s::boolean[], %s::boolean[],
        %s::text[]) AS given (exchange, session_date, start_us, end_us, minutes, is_half_day, is_holiday, notes)
    ORDER BY exchange, session_date
    ON CONFLICT (exchange, session_date) DO UPDATE SET session_start = excluded.session_start,
        session_end = excluded.session_end, total_minutes = excluded.total_minutes,
        is_half_day = excluded.is_half_day, is_holiday = excluded.is_holiday, notes = excluded.notes
    WHERE known IS DISTINCT FROM excluded
"""
_DROP_SESSIONS = """
    DELETE FROM trading_sessions
    WHERE exchange = %s AND session_date BETWEEN %s AND %s AND session_date <> ALL(%s)
"""
_SESSIONS = sql.SQL(
    """
    SELECT session_date, {start}, {end}, total_minutes, is_half_day, is_holiday, notes FROM trading_sessions
    WHERE exchange = %s ORDER BY session_date
    """
).format(start=microseconds("session_start"), end=microseconds("session_end"))
_GAPS = """
    SELECT session_date, (prior_close * 100000000)::bigint, (current_open * 100000000)::bigint FROM session_gaps
    WHERE symbol = %s ORDER BY session_date
"""
_SAVE_GAPS = """
    INSERT INTO session_gaps AS known (symbol, session_date, prior_close, current_open)
    SELECT %s, session_date, close / 100000000.0, open / 100000000.0
    FROM unnest(%s::date[], %s::numeric[], %s::numeric[]) AS given (session_date, close, open)
    ORDER BY session_date
    ON CONFLICT (symbol, session_date) DO UPDATE SET prior_close = excluded.prior_close,
        current_open = excluded.current_open
    WHERE (known.prior_close, known.current_open) IS DISTINCT FROM (excluded.prior_close, excluded.current_open)
"""


def save_sessions(connection: Connection, rows: Sequence[SessionRow]) -> None:
    """Make the table hold these sessions of one calendar, by rising date, and no others between their dates."""
    if rows:
        days = [one.session_date for one in rows]
        connection.execute(_SAVE_SESSIONS, [list(column) for column in zip(*rows, strict=True)])
        connection.execute(_DROP_SESSIONS, (rows[0].exchange, days[0], days[-1], days))


def read_sessions(connection: Connection, exchange: str) -> list[Session]:
    """Return the sessions of a calendar by its name, by rising date."""
    return [
        Session(day, start_us, end_us, minutes * MINUTE_US, *rest)
        for day, start_us, end_us, minutes, *rest in connection.execute(_SESSIONS, (exchange,))
    ]


def count_sessions(connection: Connection, exchange: str) -> int:
    """Return how many sessions of a calendar the table holds."""
    row = connection.execute("SELECT count(*) FROM trading_sessions WHERE exchange = %s", (exchange,)).fetchone()
    return row[0] if row else 0


def calendar_rows(connection: Connection, exchange: str) -> list[SessionRow]:
    """Return the rows of a calendar by its name, by rising date."""
    return [SessionRow(exchange, *row) for row in connection.execute(_SESSIONS, (exchange,))]


def read_gaps(connection: Connection, symbol: str) -> list[SessionGap]:
    """Return the gaps of a symbol, by rising date."""
    return [SessionGap(symbol, *row) for row in connection.execute(_GAPS, (symbol,))]


def save_gaps(connection: Connection, symbol: str, gaps: Sequence[SessionGap], after: date | None) -> int:
    """Make the table hold these gaps of a symbol after a date, or at all; return how many it then holds of it."""
    connection.execute(
        "DELETE FROM session_gaps WHERE symbol = %s AND (%s::date IS NULL OR session_date > %s::date)"
        " AND session_date <> ALL(%s)",
        (symbol, after, after, [one.session_date for one in gaps]),
    )
    columns = [[one.session_date for one in gaps], [one.prior_close_e8 for one in gaps]]
    connection.execute(_SAVE_GAPS, (symbol, *columns, [one.current_open_e8 for one in gaps]))
    row = connection.execute("SELECT count(*) FROM session_gaps WHERE symbol = %s", (symbol,)).fetchone()
    return row[0] if row else 0


def last_gap(connection: Connection, symbol: str) -> date | None:
    """Return the date of a symbol's latest gap."""
    row = connection.execute("SELECT max(session_date) FROM session_gaps WHERE symbol = %s", (symbol,)).fetchone()
    return row[0] if row else None
