"""The rows of the table `symbols` as values, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import sql

from app.market.symbol import Symbol
from storage.postgres.connection import Connection
from storage.postgres.symbol_ids import add_symbols, broker_and_name, symbol_ids_of

COLUMNS = sql.SQL(
    """
    symbol, base, quote, trunc(tick_size * 100000000)::bigint, trunc(step_size * 100000000)::bigint,
    coalesce(status, ''), coalesce(exchange, ''), coalesce(asset_class, ''), coalesce(calendar, ''),
    coalesce(time_zone, ''), first_date, last_date
    """
)

# Unchanged symbols are left alone: the exchange has thousands, and each update writes a new version of the row. What a
# description leaves out stays as an earlier one had it.
_SAVE = """
    INSERT INTO symbols AS known (broker, name, base, quote, tick_size, step_size, status, exchange, asset_class,
        calendar, time_zone, first_date, last_date, active)
    SELECT broker, name, base, quote, tick / 100000000.0, step / 100000000.0, status, nullif(exchange, ''),
        nullif(asset_class, ''), nullif(calendar, ''), nullif(time_zone, ''), first_date, last_date, active
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::numeric[], %s::numeric[], %s::text[], %s::text[],
        %s::text[], %s::text[], %s::text[], %s::date[], %s::date[], %s::boolean[])
        AS given (broker, name, base, quote, tick, step, status, exchange, asset_class, calendar, time_zone, first_date,
            last_date, active)
    ORDER BY broker, name
    ON CONFLICT (broker, name) DO UPDATE SET base = excluded.base, quote = excluded.quote,
        tick_size = excluded.tick_size, step_size = excluded.step_size, status = excluded.status,
        exchange = coalesce(excluded.exchange, known.exchange),
        asset_class = coalesce(excluded.asset_class, known.asset_class),
        calendar = coalesce(excluded.calendar, known.calendar),
        time_zone = coalesce(excluded.time_zone, known.time_zone),
        first_date = coalesce(excluded.first_date, known.first_date),
        last_date = coalesce(excluded.last_date, known.last_date), active = excluded.active
    WHERE (known.base, known.quote, known.tick_size, known.step_size, known.status, known.active)
            IS DISTINCT FROM (excluded.base, excluded.quote, excluded.tick_size, excluded.step_size, excluded.status,
                excluded.active)
        OR (known.exchange, known.asset_class, known.calendar, known.time_zone, known.first_date, known.last_date)
            IS DISTINCT FROM (coalesce(excluded.exchange, known.exchange),
                coalesce(excluded.asset_class, known.asset_class), coalesce(excluded.calendar, known.calendar),
                coalesce(excluded.time_zone, known.time_zone), coalesce(excluded.first_date, known.first_date),
                coalesce(excluded.last_date, known.last_date))
"""


def symbol_of_row(row: Sequence[Any]) -> Symbol:
    """Return the symbol of a row with `COLUMNS`."""
    name, base, quote, tick, step, *rest = row
    return Symbol(name, base, quote, int(tick), int(step), *rest)


def save(connection: Connection, symbols: Sequence[Symbol]) -> None:
    """Insert or update these symbols; of several by one name the last counts. Raises psycopg.Error."""
    rows = [
        (
            *broker_and_name(one.name),
            one.base,
            one.quote,
            one.tick_size_e8,
            one.step_size_e8,
            one.status,
            one.exchange,
            one.asset_class,
            one.calendar,
            one.time_zone,
            one.first_date,
            one.last_date,
            one.is_trading,
        )
        for one in {symbol.name: symbol for symbol in symbols}.values()
    ]
    # First, because an update on a conflict has to name one index, and two are unique: see `add_symbols`.
    names = {one.name for one in symbols}
    add_symbols(connection, names - symbol_ids_of(connection, names).keys())
    connection.execute(_SAVE, [list(column) for column in zip(*rows, strict=True)])
