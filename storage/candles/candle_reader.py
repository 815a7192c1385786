"""
Reads the candles of one symbol and interval, inside one transaction.

It finds which slots can hold a candle and fetches, for a window of them, what `storage.candles.candle_precedence` needs
to finish it: the candles with trades, the klines, and of what lies outside only the nearest candle on each side. So a
page costs the same however long the history is. Time is counted in slots of the interval (`Interval.slot`).
`storage.candles.store` owns the connection and its snapshot.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import starmap
from typing import Any

from app.market.candle import Candle
from app.market.coverage import IdRanges
from app.market.interval import SECOND_US, Interval
from storage.candles import column_query, klines
from storage.candles.candle_precedence import merged
from storage.postgres.connection import Connection
from storage.postgres.symbol_ids import symbol_id_of
from storage.rollups import candle_sql
from storage.rollups.trade_times import nearest_time
from storage.schema import id_ranges
from storage.schema.retention_record import trades_kept_from

_ALL_START_US, _ALL_END_US = 0, 4_102_444_800 * SECOND_US  # 1970 to 2100
_BEFORE_ALL_SLOTS = -(10**15)
_WINDOW_GROWTH = 4  # few windows across a long stretch that has fewer candles than were asked for


class SymbolCandleReader:
    """
    Reads the candles of one symbol and interval; with ``from_trades`` all of them from the trades, none from rollups.

    All calls belong to one transaction: the coverage and the stored klines are read once and kept. Every method may
    raise psycopg.Error. All times are UTC microseconds.
    """

    def __init__(
        self, connection: Connection, symbol_id: int, interval: Interval, *, from_trades: bool = False
    ) -> None:
        self._connection = connection
        self._symbol_id = symbol_id
        self.interval = interval
        self._source = candle_sql.TRADES if from_trades else candle_sql.sources_for(interval)[0]
        self._fold = candle_sql.fold_trades(interval) if from_trades else candle_sql.fold(interval)
        # Before this time retention may have dropped trades whose ids are still in the coverage: candles made of those
        # left over would look complete. Candles made of rollups, which stay, have no such limit.
        kept_from_us = trades_kept_from(connection) if self._source.is_moments else None
        self._floor_us = 0 if kept_from_us is None else interval.next_open_us(kept_from_us - 1)

    @classmethod
    def open(
        cls, connection: Connection, symbol: str, interval: Interval, *, from_trades: bool = False
    ) -> SymbolCandleReader | None:
        """Return a reader; None if nothing of the symbol was ever stored."""
        symbol_id = symbol_id_of(connection, symbol)
        return None if symbol_id is None else cls(connection, symbol_id, interval, from_trades=from_trades)

    @cached_property
    def held(self) -> IdRanges:
        """The ids that are not missing."""
        return id_ranges.read(self._connection, id_ranges.COVERAGE, self._symbol_id)

    @cached_property
    def _kline_intervals(self) -> list[Interval]:
        return klines.stored_intervals(self._connection, self._symbol_id, self.interval)

    @cached_property
    def _last_kline_us(self) -> int | None:
        found = klines.nearest(self._connection, self._symbol_id, self._kline_intervals, _ALL_END_US, before=True)
        return max(found, default=None)

    @property
    def has_only_own_klines(self) -> bool:
        """Whether no klines of another interval are stored that add up to candles of this one."""
        return not self._kline_intervals or self._kline_intervals == [self.interval]

    def lacks_trades(self, start_us: int) -> bool:
        """Whether candles from ``start_us`` on are made of trades that retention may have dropped."""
        return self._source.is_moments and start_us < self._floor_us

    def traded_candles(self, start_us: int, end_us: int) -> list[Candle]:
        """Return the candles with a trade; see `app.market.ports.storage.CandleReader.traded_candles`."""
        start_us = self.interval.open_time_us(max(start_us, _ALL_START_US))
        end_us = self.interval.next_open_us(min(end_us, _ALL_END_US) - 1)
        if start_us >= end_us:
            return []
        before, after = self._nearest_candle(start_us, before=True), self._nearest_candle(end_us, before=False)
        return [candle for candle in (before, *self._folded(start_us, end_us), after) if candle is not None]

    def klines(self, start_us: int, end_us: int) -> list[Candle]:
        """Return the candles of ``[start_us, end_us)`` that stored klines make up in full, oldest first."""
        found = klines.read(self._connection, self._symbol_id, self.interval, self._kline_intervals, start_us, end_us)
        return [found[open_us] for open_us in sorted(found)]

    def newest(self, start_us: int | None, end_us: int | None, limit: int | None, now_us: int | None) -> list[Candle]:
        """Return the candles that open in ``[start_us, end_us)``, oldest first; with ``limit`` the newest of them."""
        bounds = self.bounds(start_us, end_us, now_us)
        if bounds is None:
            return []
        first, last = bounds
        if limit is None:
            return self.window(first, last, now_us)
        size, end, found = limit, last, list[Candle]()
        while end >= first and len(found) < limit:
            begin = max(first, end - size + 1)
            window = self.window(begin, end, now_us)
            found = window + found
            if window and window[0].open_time_us == self.interval.slot_open_us(begin):
                end = begin - 1
            else:
                # It begins in a stretch of missing trades, which may be of any length: go on at the last candle before.
                end = self._last_slot_before(begin)
            size *= _WINDOW_GROWTH
        return found[-limit:]

    def parts(self, start_us: int | None, end_us: int | None, now_us: int | None, size: int) -> Iterator[list[Candle]]:
        """Yield the candles that open in ``[start_us, end_us)`` in parts of at most ``size``, oldest first."""
        bounds = self.bounds(start_us, end_us, now_us)
        if bounds is None:
            return
        slot, last = bounds
        while slot <= last:
            end = min(slot + size - 1, last)
            part = self.window(slot, end, now_us)
            if part:
                yield part
            # An empty part may begin a long stretch of missing trades: go on at the first candle after it.
            slot = end + 1 if part else max(end + 1, self.first_slot_from(end + 1, last))

    def neighbours(self, first: int, last: int) -> tuple[Candle | None, Candle | None]:
        """Return the nearest candles with trades before the slot ``first`` and after the slot ``last``."""
        open_us = self.interval.slot_open_us
        return (
            self._nearest_candle(open_us(first), before=True),
            self._nearest_candle(open_us(last + 1), before=False),
        )

    def has_aggregated(self, first: int, last: int) -> bool:
        """Whether a candle of aggregated trades is stored in these slots."""
        query = """
            SELECT EXISTS (
                SELECT FROM klines WHERE symbol_id = %s AND seconds = %s AND months = %s AND source = 'aggtrades'
                    AND open_time >= timestamptz 'epoch' + %s * interval '1 microsecond'
                    AND open_time < timestamptz 'epoch' + %s * interval '1 microsecond'
            )
        """
        interval, open_us = self.interval, self.interval.slot_open_us
        bounds = (*klines.key_of(interval), open_us(first), open_us(last + 1))
        row = self._connection.execute(query, (self._symbol_id, *bounds)).fetchone()
        return row == (True,)

    def has_trades(self, first: int, last: int) -> bool:
        """Whether a trade lies in the slots ``first`` to ``last``."""
        traded_us = self._nearest_trade(self.interval.slot_open_us(first), before=False)
        return traded_us is not None and traded_us < self.interval.slot_open_us(last + 1)

    def traded_columns(self, first: int, last: int) -> Any:
        """Return the candles with a trade in these slots, as `storage.candles.column_query.traded_columns`."""
        start_us, end_us = self.interval.slot_open_us(first), self.interval.slot_open_us(last + 1)
        start_us = min(max(start_us, self._floor_us), end_us)
        return column_query.traded_columns(self._connection, self._symbol_id, self.interval, start_us, end_us)

    def kline_columns(self, first: int, last: int) -> Any:
        """Return the stored klines of these slots, as `storage.candles.column_query.kline_columns`."""
        start_us, end_us = self.interval.slot_open_us(first), self.interval.slot_open_us(last + 1)
        return column_query.kline_columns(self._connection, self._symbol_id, self.interval, start_us, end_us)

    def bounds(self, start_us: int | None, end_us: int | None, now_us: int | None) -> tuple[int, int] | None:
        """Return the first and last slot that can hold a candle of ``[start_us, end_us)``, or None."""
        earliest = self._nearest(_ALL_START_US, before=False)
        latest = self._nearest(_ALL_END_US, before=True)
        if earliest is None or latest is None:
            return None
        slot = self.interval.slot
        first, last = slot(earliest), slot(max(latest, now_us or latest))
        if start_us is not None:
            # A candle belongs to the range by its open time: one that began earlier and reaches into it does not.
            first = max(first, slot(min(max(start_us, _ALL_START_US), _ALL_END_US) - 1) + 1)
        if end_us is not None:
            last = min(last, slot(min(max(end_us, _ALL_START_US), _ALL_END_US) - 1))
        return first, last

    def window(self, first: int, last: int, now_us: int | None) -> list[Candle]:
        """Return the finished candles of the slots ``first`` to ``last``; see `candle_precedence.merged`."""
        open_us = self.interval.slot_open_us
        start_us, end_us = open_us(first), open_us(last + 1)
        before = self._nearest_candle(start_us, before=True)
        after = self._nearest_candle(end_us, before=False)
        return merged(
            self.interval,
            self.held,
            before=before,
            traded=self._folded(start_us, end_us),
            after=after,
            # One slot more: a kline just before the window is newer than a trade long before it.
            klines=klines.read(
                self._connection, self._symbol_id, self.interval, self._kline_intervals, open_us(first - 1), end_us
            ),
            last_kline_us=self._last_kline_us,
            first=first,
            last=last,
            now_us=now_us,
        )

    def _folded(self, start_us: int, end_us: int) -> list[Candle]:
        """Return the candles with a trade that open in ``[start_us, end_us)``; both are open times."""
        start_us = max(start_us, self._floor_us)
        if start_us >= end_us:
            return []
        rows = self._connection.execute(
            self._fold,
            {"symbol_id": self._symbol_id, "start_us": start_us, "end_us": end_us},
            # See `storage.rollups.trade_times`: a prepared query of trades is planned over all partitions.
            prepare=False if self._source.is_moments else None,
        )
        return list(starmap(Candle, rows.fetchall()))

    def _nearest_candle(self, at_us: int, *, before: bool) -> Candle | None:
        """Return the candle with a trade that is nearest to ``at_us``, a candle's open time."""
        traded_us = self._nearest_trade(at_us, before=before)
        if traded_us is None:
            return None
        open_us = self.interval.open_time_us(traded_us)
        return self._folded(open_us, self.interval.next_open_us(open_us))[0]

    def _last_slot_before(self, slot: int) -> int:
        at_us = self._nearest(self.interval.slot_open_us(slot), before=True)
        return _BEFORE_ALL_SLOTS if at_us is None else self.interval.slot(at_us)

    def first_slot_from(self, slot: int, last: int) -> int:
        """Return the first slot from ``slot`` on that may hold a candle; the one after ``last`` if there is none."""
        at_us = self._nearest(self.interval.slot_open_us(slot), before=False)
        return last + 1 if at_us is None else self.interval.slot(at_us)

    def _nearest(self, at_us: int, *, before: bool) -> int | None:
        """Return the time of the nearest trade or kline before ``at_us``, or from it on; as exact as its source is."""
        traded_us = self._nearest_trade(at_us, before=before)
        times = [] if traded_us is None else [traded_us]
        times += klines.nearest(self._connection, self._symbol_id, self._kline_intervals, at_us, before=before)
        if not times:
            return None
        nearest: int = max(times) if before else min(times)
        return nearest

    def _nearest_trade(self, at_us: int, *, before: bool) -> int | None:
        """Return the time of the nearest trade, or of the rollup candle that holds it."""
        return nearest_time(
            self._connection, self._source, self._symbol_id, at_us, before=before, floor_us=self._floor_us
        )
