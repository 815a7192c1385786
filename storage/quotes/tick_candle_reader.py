"""
Reads ticks and their candles of one symbol, inside one transaction.

A page of candles begins or ends after as many rows of a rollup as its candles have where there are ticks all the time.
So time without ticks, as a weekend, costs nothing however long it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from psycopg import sql

from app.market.coverage import IdRanges
from app.market.interval import Interval
from app.market.quotes.tick import PriceSide, Tick
from app.market.quotes.tick_candle import PriceBar, SideBar, TickCandle
from storage.postgres.connection import Connection
from storage.quotes import fetched_ranges
from storage.quotes.restored_days import is_whole_day, whole_days
from storage.quotes.side_sql import fold_side
from storage.quotes.tick_columns import EXACT
from storage.quotes.tick_sql import FINEST, ROLLUPS, TICKS, fold, in_range_of, sources_for
from storage.rollups.time_sql import RowSource, microseconds

_ALL_START_US, _ALL_END_US = 0, 4_102_444_800_000_000  # 1970 to 2100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_US = 86_400_000_000
_EVERYTHING = 1 << 40
_PART_CANDLES = 4_000  # of 5 s: some hours, some ten thousand ticks

_AT_ROW = """
    SELECT {open_us} FROM {table} WHERE {in_range}
    ORDER BY open_time {order} OFFSET %(skipped)s LIMIT 1
"""
_TICKS = sql.SQL(
    """
    SELECT {exact} FROM quotes WHERE {in_range}
    ORDER BY time, place
    """
).format(exact=EXACT, in_range=in_range_of(TICKS))

_TICKS_AFTER = sql.SQL(
    """
    SELECT {exact} FROM quotes
    WHERE {in_range} AND (time > timestamptz 'epoch' + %(after_us)s * interval '1 microsecond' OR place > %(place)s)
    ORDER BY time, place LIMIT %(limit)s
    """
).format(exact=EXACT, in_range=in_range_of(TICKS))
NEWEST = sql.SQL(
    """
    SELECT symbol, {last_us}, last_place
    FROM symbols s CROSS JOIN LATERAL (
        SELECT last_time, last_place FROM {table} WHERE symbol_id = s.id ORDER BY open_time DESC LIMIT 1
    ) AS newest
    WHERE symbol = ANY(%s)
    """
).format(last_us=microseconds("last_time"), table=sql.Identifier(FINEST.table))
"""Each symbol's newest tick by time and place, from its candle: one index lookup per symbol."""


class SymbolTickReader:
    """Reads one symbol's ticks and candles; every method may raise psycopg.Error. All times are UTC microseconds."""

    def __init__(self, connection: Connection, symbol: str, symbol_id: int, kept_from_us: int | None) -> None:
        self._connection = connection
        self._symbol = symbol
        self._symbol_id = symbol_id
        self._kept_from_us = kept_from_us

    def ticks(self, start_us: int, end_us: int) -> Iterator[list[Tick]]:
        """Yield the stored ticks of ``[start_us, end_us)`` by time and place, those of a few hours at a time."""
        for part in self._tick_ranges(max(start_us, _ALL_START_US), min(end_us, _ALL_END_US), _PART_CANDLES):
            yield [Tick(self._symbol, *row) for row in self._connection.execute(_TICKS, part, prepare=False)]

    def after(self, time_us: int, place: int, limit: int) -> list[Tick]:
        """Return the first ``limit`` ticks after a time and place, in that order."""
        found: list[Tick] = []
        start_us = max(time_us, _ALL_START_US, self._kept_from_us or _ALL_START_US)
        # A candle has at least one tick, unless retention dropped it, so the first part nearly always suffices.
        for part in self._tick_ranges(start_us, _ALL_END_US, limit):
            values = {**part, "after_us": time_us, "place": place, "limit": limit - len(found)}
            found += [Tick(self._symbol, *row) for row in self._connection.execute(_TICKS_AFTER, values, prepare=False)]
            if len(found) >= limit:
                break
        return found

    def newest(
        self, interval: Interval, start_us: int | None, end_us: int | None, limit: int | None
    ) -> list[TickCandle]:
        """Return the candles that open in ``[start_us, end_us)``, oldest first; with ``limit`` the newest of them."""
        rows = self._newest_rows(interval, start_us, end_us, limit, partial(fold, interval))
        return [_candle(row) for row in rows]

    def newest_of_side(
        self, interval: Interval, side: PriceSide, start_us: int | None, end_us: int | None, limit: int | None
    ) -> list[SideBar]:
        """Return the same of one price."""
        return self._newest_rows(interval, start_us, end_us, limit, partial(fold_side, interval, side))

    def fetched(self) -> IdRanges:
        """Return the times of which all ticks of the source are stored."""
        return fetched_ranges.read(self._connection, self._symbol_id)

    def _newest_rows(
        self,
        interval: Interval,
        start_us: int | None,
        end_us: int | None,
        limit: int | None,
        query: Callable[..., sql.Composed],
    ) -> list[Any]:
        """Return the rows of a query as `fold` makes it, oldest first; with ``limit`` the newest of them."""
        found: list[Any] = []  # newest first
        for first_us, after_us in self._ranges(interval, start_us, end_us, newest=True):
            if limit is None:
                found += self._rows(interval, query(newest=True), first_us, after_us, _EVERYTHING)
            else:
                found += self._newest_page(interval, query(newest=True), first_us, after_us, limit - len(found))
                if len(found) == limit:
                    break
        return found[::-1]

    def _newest_page(
        self, interval: Interval, query: sql.Composed, first_us: int, after_us: int, limit: int
    ) -> list[Any]:
        """Return at most ``limit`` rows of the range, newest first, by reading little more than they are made of."""
        rows, passed = _usual_rows(interval, limit), 0
        found: list[Any] = []
        while first_us < after_us:
            edge_us = max(first_us, self._page_edge(interval, first_us, after_us, rows, newest=True))
            found += self._rows(interval, query, edge_us, after_us, limit - len(found))
            if len(found) == limit:
                break
            # Rows that are cut by the edges of candles, or hold few ticks: go on before them.
            after_us, passed = edge_us, passed + rows
            rows = passed * (limit - len(found)) * 9 // (8 * max(len(found), limit // 4, 1)) + 1
        return found

    def parts(
        self, interval: Interval, start_us: int | None, end_us: int | None, size: int
    ) -> Iterator[list[TickCandle]]:
        """Yield the same candles in parts of at most ``size``, oldest first."""
        for first_us, after_us in self._ranges(interval, start_us, end_us, newest=False):
            while first_us < after_us:
                edge_us = self._page_edge(interval, first_us, after_us, _usual_rows(interval, size), newest=False)
                rows = self._rows(interval, fold(interval, newest=False), first_us, edge_us, size)
                part = [_candle(row) for row in rows]
                if part:
                    yield part
                first_us = interval.next_open_us(part[-1].open_time_us) if len(part) == size else edge_us

    def _ranges(
        self, interval: Interval, start_us: int | None, end_us: int | None, *, newest: bool
    ) -> Iterator[tuple[int, int]]:
        """
        Yield the ranges in which candles can be made, the newest or the oldest first: of each the open times of its
        first candle and of the first one after it.

        That is one range, unless candles need ticks and retention has dropped some.
        """
        start_us = max(_ALL_START_US if start_us is None else start_us, _ALL_START_US)
        end_us = min(_ALL_END_US if end_us is None else end_us, _ALL_END_US)
        kept_from_us = self._kept_from_us if sources_for(interval)[0].is_moments else None
        kept_us = start_us if kept_from_us is None else max(start_us, kept_from_us)
        if newest and kept_us < end_us:
            yield _opens(interval, kept_us, end_us)
        if kept_from_us is not None:  # a candle of the ticks that are left of others would look whole
            dropped_to_us = min(end_us, kept_from_us)
            days = whole_days(self._connection, self._symbol_id, start_us, dropped_to_us, newest=newest)
            for first_us, until_us in days:
                first_us, after_us = _opens(interval, first_us, until_us)
                day_us = -(-until_us // _DAY_US) * _DAY_US
                if after_us > day_us and not self._is_whole(day_us, kept_from_us):
                    after_us = interval.open_time_us(day_us)  # the last one reaches into dropped ticks
                yield first_us, after_us
        if not newest and kept_us < end_us:
            yield _opens(interval, kept_us, end_us)

    def _is_whole(self, day_us: int, kept_from_us: int) -> bool:
        return day_us >= kept_from_us or is_whole_day(self._connection, self._symbol_id, day_us)

    def _page_edge(self, interval: Interval, first_us: int, after_us: int, rows: int, *, newest: bool) -> int:
        """Return the open time at which a page of so many rollup rows, the newest or oldest, begins or ends."""
        source = _paged(interval)
        at_us = self._row(source, first_us - first_us % source.length_us, after_us, rows, newest=newest)
        if newest:
            return first_us if at_us is None else interval.open_time_us(at_us)
        return after_us if at_us is None else max(interval.open_time_us(at_us), interval.next_open_us(first_us))

    def _row(self, source: RowSource, start_us: int, end_us: int, skipped: int, *, newest: bool) -> int | None:
        """Return the open time of a rollup row of the range, after so many others; None if there are no more."""
        query = sql.SQL(_AT_ROW).format(
            open_us=microseconds("open_time"),
            table=sql.Identifier(source.table),
            in_range=in_range_of(source),
            order=sql.SQL("DESC" if newest else "ASC"),
        )
        row = self._connection.execute(query, {**self._range(start_us, end_us), "skipped": skipped}).fetchone()
        return None if row is None else row[0]

    def _rows(
        self, interval: Interval, query: sql.Composed, first_us: int, after_us: int, limit: int
    ) -> list[tuple[int, ...]]:
        values = {**self._range(first_us, after_us), "limit": limit}
        # A prepared query of ticks would be planned over all partitions.
        prepare = False if sources_for(interval)[0].is_moments else None
        return self._connection.execute(query, values, prepare=prepare).fetchall()

    def _tick_ranges(self, start_us: int, end_us: int, candles: int) -> Iterator[dict[str, Any]]:
        """
        Yield the parts of ``[start_us, end_us)`` with ticks, in order, each of at most ``candles`` of the finest.

        Their bounds come from the candles, so that a query of ticks has two near ends.
        """
        while start_us < end_us:
            first_us = self._row(FINEST, start_us - start_us % FINEST.length_us, end_us, 0, newest=False)
            if first_us is None:
                return
            after_us = self._row(FINEST, first_us, end_us, candles, newest=False)
            until_us = end_us if after_us is None else after_us
            yield self._range(max(start_us, first_us), until_us)
            start_us = until_us

    def _range(self, start_us: int, end_us: int) -> dict[str, Any]:
        start, end = (_EPOCH + timedelta(microseconds=each) for each in (start_us, end_us))
        return {"symbol_id": self._symbol_id, "start": start, "end": end}


def _opens(interval: Interval, start_us: int, end_us: int) -> tuple[int, int]:
    """Return the open times of the first candle that begins in ``[start_us, end_us)``, and of the first one after."""
    # A candle belongs to the range by its open time: one that began earlier and reaches into it does not.
    return interval.next_open_us(start_us - 1), interval.next_open_us(end_us - 1)


def _candle(row: tuple[int, ...]) -> TickCandle:
    open_us, bo, bh, bl, bc, ao, ah, al, ac, mh, ml, ticks, bids, asks, first_us, first, last_us, last = row
    mid = PriceBar((bo + ao) // 2, mh, ml, (bc + ac) // 2)
    return TickCandle(
        open_us,
        PriceBar(bo, bh, bl, bc),
        PriceBar(ao, ah, al, ac),
        mid,
        ticks,
        bids,
        asks,
        (first_us, first),
        (last_us, last),
    )


def _paged(interval: Interval) -> RowSource:
    """Return the rollup by whose rows pages are cut: the one whose rows are about as long as the candles."""
    # Few rows to pass, and nearly as many candles as rows of that length, however sparse the ticks are.
    longest_us = 2 * interval.length_us
    return next((one for one in reversed(ROLLUPS) if one.length_us <= longest_us), FINEST)


def _usual_rows(interval: Interval, candles: int) -> int:
    """Return how many rows of that rollup so many candles have where there are ticks all the time."""
    longest_us = interval.length_us * 31 // 30 if interval.months else interval.length_us
    rows = -(-candles * longest_us // _paged(interval).length_us)
    return max(1, rows * 3 // 2 if longest_us < FINEST.length_us else rows)  # not every second has a tick
