"""When trades and klines of a symbol are stored: what `app.market.availability` judges a range by."""

from __future__ import annotations

from heapq import nlargest

from app.market.availability import StoredTimes
from app.market.coverage import IdRanges
from app.market.interval import Interval
from storage.candles import klines
from storage.postgres.connection import Connection
from storage.rollups.trade_times import hours_of, time_of
from storage.schema import id_ranges

MOST_RUNS = 200  # each costs two look-ups, so a symbol with more gaps is reported by its longest runs


def read(connection: Connection, symbol_id: int | None, interval: Interval) -> StoredTimes:
    """Return what is stored of the symbol, for candles of ``interval``. Raises psycopg.Error."""
    if symbol_id is None:
        return StoredTimes()
    covered = id_ranges.read(connection, id_ranges.COVERAGE, symbol_id)
    held = covered - id_ranges.read(connection, id_ranges.ABSENT, symbol_id)
    runs = sorted(nlargest(MOST_RUNS, covered, key=lambda run: run[1] - run[0]))
    traded = []
    for first, last in runs:
        start_us = _time(connection, symbol_id, held.after(first - 1), is_first=True)
        end_us = _time(connection, symbol_id, held.before(last + 1), is_first=False)
        if start_us is not None and first <= 1:
            start_us = interval.open_time_us(start_us) - 1  # no trade is before it
        if start_us is not None and end_us is not None and start_us < end_us:
            traded.append((start_us, end_us))
    known = IdRanges()
    for part in {interval, *klines.stored_intervals(connection, symbol_id, interval)}:
        known |= klines.fetched_ranges(connection, symbol_id, part)
    listing = klines.fetched_ranges(connection, symbol_id, klines.EVERY_INTERVAL).last
    return StoredTimes(tuple(traded), known, None if listing is None else listing + 1)


def _time(connection: Connection, symbol_id: int, trade_id: int | None, *, is_first: bool) -> int | None:
    """Return the time of a trade; of one that retention dropped the hour within which it is certain."""
    if trade_id is None:
        return None
    time_us = time_of(connection, symbol_id, trade_id)
    if time_us is not None:
        return time_us
    hours = hours_of(connection, symbol_id, trade_id, trade_id)
    return None if hours is None else hours[1] if is_first else hours[0]
