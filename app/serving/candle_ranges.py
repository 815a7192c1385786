"""
A range of stored candles for an answer: the candles, what is missing, and how long the answer stays valid.

`read_candles` runs in a thread; everything else is pure. A candle belongs to a range by its open time, and both ends
belong to the range.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any, NamedTuple

from app.market.calendar.calendar import Calendar
from app.market.candle import Candle, CandleSource, is_whole_so_far
from app.market.columns.arrow import arrow
from app.market.columns.candle_columns import candles_of, columns_of, flags, open_times, schema, slots_of
from app.market.columns.wide_decimals import floats_of
from app.market.coverage import IdRanges
from app.market.errors import UsageError
from app.market.interval import SECOND_US, Interval
from app.market.ports.database import SeparateStore
from app.market.ports.storage import CandleReader
from app.market.quote_candles.side_candles import known_times
from app.market.quotes.tick import PriceSide
from app.market.symbol import has_trades
from app.serving.stored_market import SETTLES_S, TICKS_SETTLE_S

_FEW = 5_000  # candles up to which reading them one by one is quicker than by columns
MANY_SLOTS = 1 << 17  # from which two connections are worth it
_PART = 2_000  # candles that take a millisecond to become numbers: a window's frames wait for no more
_MOST_MISSING = 200
CLOSED_MAX_AGE_S = 86_400


class CandleQuery(NamedTuple):
    """
    The candles wanted: of ``[start_us, end_us]``, UTC microseconds, the first ``limit``; without a start the last.

    Without an end, until now. ``price``: the price wanted of a symbol without trades.
    """

    symbol: str
    interval: Interval
    start_us: int | None
    end_us: int | None
    limit: int
    price: PriceSide = PriceSide.MID


class TickTimes(NamedTuple):
    """The calendar of a market without trades, and the UTC microseconds in which all its ticks are stored."""

    calendar: Calendar
    fetched: IdRanges


class CandleRange(NamedTuple):
    """
    The stored candles of a query, oldest first, as a table of `app.market.columns.candle_columns`.

    ``missing``: the times ``[start, end)``, UTC microseconds, of candles that are not stored or lack trades, rising;
    the first `_MOST_MISSING` of ``missing_count``. ``is_cut``: there are more than were wanted at most.
    ``is_complete``: nothing is missing, nor cut, and the open candle has all its trades so far. ``max_age_s``: for how
    long the answer holds, 0: not even now.
    """

    table: Any
    missing: list[tuple[int, int]]
    missing_count: int
    is_cut: bool
    is_complete: bool
    max_age_s: int

    def numbers(self, *names: str) -> list[list[Any]]:
        """Return these columns as lists: amounts as float, ``time`` in Unix seconds."""
        return [self._numbers(name) for name in names]

    def parts(self) -> Iterator[CandleRange]:
        """Yield its candles in short parts, as ranges whose other fields are those of the whole."""
        for begin in range(0, self.table.num_rows, _PART):
            yield self._replace(table=self.table.slice(begin, _PART))

    def _numbers(self, name: str) -> list[Any]:
        pa = arrow()
        if name == "time":
            return [time_us // SECOND_US for time_us in open_times(self.table).tolist()]
        column = self.table.column(name)
        if not pa.types.is_decimal(column.type):
            return list(column.to_pylist())
        return list(floats_of(column).tolist())


def read_candles(
    store: SeparateStore, query: CandleQuery, now_us: int, check_deadline: Callable[[], None]
) -> CandleRange:
    """
    Read what the query wants. Blocks.

    Raises:
        UsageError: If it wants bid or ask of a symbol with trades.
        StoreError: If the database cannot be read.
    """
    if not has_trades(query.symbol):
        # Read before the candles: at worst, ticks stored in between count as missing.
        times = TickTimes(store.calendar_of(query.symbol), store.tick_store.fetched_ticks(query.symbol))
        batch, is_cut = _read(store.of_side(query.price), query, now_us, check_deadline)
        return judged(batch, query, now_us, is_cut=is_cut, of_ticks=times)
    if query.price is not PriceSide.MID:
        raise UsageError(f"{query.symbol} has trades, and candles of these alone: leave price={query.price} out.")
    batch, is_cut = _read(store, query, now_us, check_deadline)
    found = judged(batch, query, now_us, is_cut=is_cut)
    if (
        found.missing
        and query.start_us is not None
        and found.missing[0][0] <= query.start_us + query.interval.length_us
    ):
        # Before its listing a symbol has no candles, and none is missing.
        listed_us = store.stored_times(query.symbol, query.interval).listed_us
        if listed_us is not None and listed_us > found.missing[0][0]:
            begin_us = max(query.start_us, query.interval.open_time_us(listed_us))
            found = judged(batch, query._replace(start_us=begin_us), now_us, is_cut=is_cut)
    return found


def passes_for_kline(candle: Candle, held: IdRanges) -> bool:
    """
    Whether a stored candle may be served as a kline, to clients that take every kline for a whole one.

    It may lack trades before the first that is stored, as the first after a listing, or after the last. ``held``: the
    symbol's ids that are stored; a candle that lacks a trade between the first and the last of them does not pass.
    """
    if candle.complete or candle.source is CandleSource.KLINE:
        return True
    first, last = candle.first_trade_id, candle.last_trade_id
    if first is None or last is None:
        return not candle.closed
    run = held.range_of(first)
    if run is None or last > run[1]:
        return False
    return (first > run[0] or run[0] == held.first) and (last < run[1] or run[1] == held.last)


def _read(store: CandleReader, query: CandleQuery, now_us: int, check_deadline: Callable[[], None]) -> tuple[Any, bool]:
    """Return the stored candles as one batch, and whether there are more."""
    symbol, interval, start_us, end_us, limit = query[:5]
    if end_us is not None:
        end_us += 1
    if start_us is None:
        return columns_of(store.candles(symbol, interval, end_us=end_us, limit=limit)), False
    parts, rows = [], 0
    if limit <= _FEW:
        batches = store.iter_candles(symbol, interval, start_us=start_us, end_us=end_us, batch=limit + 1)
        with closing(batches):
            for candles in batches:
                parts.append(columns_of(candles))
                rows += len(candles)
                if rows > limit:
                    break
                check_deadline()
    else:
        parts = _columns(store, query._replace(end_us=end_us), now_us, check_deadline)
        rows = sum(part.num_rows for part in parts)
    pa = arrow()
    table = pa.Table.from_batches(parts, schema=schema()).slice(0, limit).combine_chunks()
    whole = table.to_batches()
    return (whole[0] if whole else columns_of([])), rows > limit


def _columns(store: CandleReader, query: CandleQuery, now_us: int, check_deadline: Callable[[], None]) -> list[Any]:
    """Return the batches of ``[start_us, end_us)``, enough for the limit; of many slots in two halves at once."""
    symbol, interval, start_us, end_us, limit = query[:5]
    assert start_us is not None
    is_over = threading.Event()

    def read(begin_us: int, until_us: int | None) -> list[Any]:
        parts, rows = [], 0
        columns = store.iter_candle_columns(symbol, interval, start_us=begin_us, end_us=until_us)
        with closing(columns):
            for part in columns:
                parts.append(part)
                rows += part.num_rows
                if rows > limit or is_over.is_set():
                    break
                check_deadline()
        return parts

    last_us = now_us if end_us is None else min(end_us, now_us)
    if interval.slot(last_us) - interval.slot(start_us) < MANY_SLOTS:
        return read(start_us, end_us)
    # The database works on a query with one processor. Each half is read over a connection of its own.
    middle_us = interval.open_time_us((start_us + last_us) // 2)
    with ThreadPoolExecutor(1, thread_name_prefix="serve-half") as beside:
        later = beside.submit(read, middle_us, end_us)
        try:
            parts = read(start_us, middle_us)
            return parts if sum(part.num_rows for part in parts) > limit else parts + later.result()
        finally:
            is_over.set()


def judged(
    batch: Any, query: CandleQuery, now_us: int, *, is_cut: bool, of_ticks: TickTimes | None = None
) -> CandleRange:
    """
    Return the range with what is missing in it as of ``now_us``; ``batch`` has the candles read.

    ``of_ticks``: the known times, if the candles are of ticks; a slot of known time without ticks is not missing.
    """
    interval = query.interval
    slots = slots_of(interval, open_times(batch))
    complete = flags(batch, "complete")
    # A candle that ended a moment ago may still be on its way; the open one is not over.
    settles_us = (SETTLES_S if of_ticks is None else TICKS_SETTLE_S) * SECOND_US
    settled = interval.slot(now_us - settles_us) - 1
    end_us = now_us if query.end_us is None else query.end_us
    last = min(interval.slot(end_us), settled)
    first: int | None = None
    if query.start_us is not None:
        first = interval.slot(query.start_us - 1) + 1
    elif len(slots):
        first = int(slots[0])
    wanted = interval.slot(end_us)
    if is_cut and len(slots):
        wanted = int(slots[-1])
        last = min(last, wanted)
    missing = list[tuple[int, int]]()
    if first is not None and first <= last:
        held = IdRanges.of_columns(slots[complete], slots[complete])
        if of_ticks is not None:
            held |= _known_slots(of_ticks, interval, first, last)
        missing = held.missing(first, last)
    is_open = last < wanted
    # Without a start older candles may be imported until there are as many as were wanted.
    is_final = not missing and (is_open or query.start_us is not None or len(slots) == query.limit)
    is_whole = not missing and not is_cut
    if first is None and query.start_us is None:
        is_whole = False  # nothing at all is stored
    if is_whole and len(slots) and int(slots[-1]) > settled:
        if of_ticks is None:
            newest = candles_of(batch.slice(max(batch.num_rows - 2, 0)))
            is_whole = is_whole_so_far(newest)
        else:
            is_whole = _is_watched(of_ticks, interval.slot_open_us(settled + 1), now_us - settles_us)
    open_us = interval.slot_open_us
    return CandleRange(
        batch,
        [(open_us(begin), open_us(end + 1)) for begin, end in missing[:_MOST_MISSING]],
        len(missing),
        is_cut,
        is_whole,
        _max_age_s(interval, now_us, settled, is_open=is_open, is_final=is_final),
    )


def _known_slots(times: TickTimes, interval: Interval, first: int, last: int) -> IdRanges:
    """Return the slots from ``first`` to ``last`` in which the market was closed or every tick is stored."""
    found = IdRanges()
    start_us, end_us = interval.slot_open_us(first), interval.slot_open_us(last + 1)
    for from_us, to_us in known_times(times.calendar, times.fetched, start_us, end_us):
        begin, end = interval.slot(from_us - 1) + 1, interval.slot(to_us + 1)
        if begin < end:
            found.add_range(begin, end - 1)
    return found


def _is_watched(times: TickTimes, start_us: int, end_us: int) -> bool:
    """Whether every tick of ``[start_us, end_us)`` is stored while its market is open."""
    return start_us >= end_us or not known_times(times.calendar, times.fetched, start_us, end_us).missing(
        start_us, end_us - 1
    )


def _max_age_s(interval: Interval, now_us: int, settled: int, *, is_open: bool, is_final: bool) -> int:
    if not is_final:
        return 0  # what is missing may be repaired at any moment
    if is_open:
        if settled < interval.slot(now_us) - 1:
            return 0  # the candle before the open one may still get its last trades
        return (interval.next_open_us(now_us) - now_us) // SECOND_US
    return CLOSED_MAX_AGE_S
