"""
Rolling windows: a candle for every minute, each over the same number of minutes before its end.

All of it is arithmetic on columns, so that years of minutes take a second: extremes over spans that double, sums as
differences of running totals in 32-bit limbs, which are exact. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.market.candle import CandleSource
from app.market.columns.arrow import arrow
from app.market.columns.candle_columns import PRICE_COLUMNS, flags, open_times, schema
from app.market.columns.wide_decimals import Halves, array_of_halves, decimal_array, halves_of
from app.market.file_columns import MINUTE_INDEX
from app.market.interval import ORIGIN_US

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MINUTE_US = 60_000_000

IsClosed = Callable[[Ints], Bools]
"""Returns whether the market is closed throughout each of these minutes (open times, UTC microseconds, rising)."""

_FAR = 50_000  # minutes without a candle, over which no array is stretched

_SUMS = ("volume", "quote_volume", "taker_buy_volume", "taker_buy_quote_volume")
_IDS = ("first_trade_id", "last_trade_id")
_LIMB = np.uint64(32)
_LIMB_BITS = np.uint64(0xFFFF_FFFF)


def rolling_schema() -> Any:
    """Return the Arrow schema of rolling windows: that of candles, then ``minute_index``."""
    return schema().append(arrow().field(MINUTE_INDEX, arrow().int32()))


def minute_index(end_us: Ints, length: int) -> Ints:
    """Return the minutes from 2000-01-03T00:00Z to these times (UTC microseconds), modulo ``length``."""
    index: Ints = (end_us - ORIGIN_US) // MINUTE_US % length
    return index


def rolling_windows(minutes: Any, length: int) -> Any:
    """
    Return the windows of ``length`` minutes that lie between the first and the last of ``minutes``, oldest first.

    ``minutes``: a batch of candles of one minute (`app.market.columns.candle_columns.schema`), by rising open time;
    minutes may be missing. The result has `rolling_schema`; ``open_time`` is a window's start, and one begins every
    minute. A window adds up its minutes as a candle of that length does, so windows of index 0 equal these candles to
    the digit. It is complete if it has all its minutes and all are complete. A window without any minute has no row.

    Raises:
        ValueError: If ``length`` is not positive.
    """
    if length < 1:
        raise ValueError("a window has at least one minute")
    opens_us = open_times(minutes)
    first_us = int(opens_us[0]) if len(opens_us) else 0
    count = int((opens_us[-1] - first_us) // MINUTE_US) + 2 - length if len(opens_us) else 0
    return _counted_windows(first_us, minutes, length, count)


def windows_between(minutes: Any, length: int, first_us: int, count: int) -> Any:
    """
    Return the ``count`` windows of which the first starts at ``first_us``, as `rolling_windows` does.

    ``minutes`` may reach beyond these windows. A window may begin or end with a missing minute.
    """
    opens_us = open_times(minutes)
    ends_us = first_us + np.array([0, count + length - 1]) * MINUTE_US
    begin, end = np.searchsorted(opens_us, ends_us).tolist()
    return _counted_windows(first_us, minutes.slice(begin, end - begin), length, count if end > begin else 0)


def _counted_windows(first_us: int, minutes: Any, length: int, count: int, is_closed: IsClosed | None = None) -> Any:
    known = minutes.schema.append(arrow().field(MINUTE_INDEX, arrow().int32()))
    if count < 1:
        return arrow().RecordBatch.from_pylist([], schema=known)
    windows = _Windows(minutes, first_us, length, count, is_closed)
    batch = arrow().RecordBatch.from_arrays(windows.columns(), schema=known)
    return batch if bool(windows.is_held.all()) else batch.filter(arrow().array(windows.is_held))


def stream_windows(minutes: Iterable[Any], length: int) -> Iterator[Any]:
    """
    Yield the `rolling_windows` of minutes that come in batches; the memory is that of a batch and of one window.

    Quickest with batches of some ten thousand minutes, whose columns fit the processor's cache.
    """
    stream = WindowStream(length)
    for batch in minutes:
        yield from stream.add(batch)


class WindowStream:
    """
    The windows of minutes that come in batches by rising time; the memory is that of a batch and of one window.

    ``start_us``: when the first window starts, also where its first minute is missing; None: with the first minute.
    ``is_closed``: minutes in which the market is closed are not missing. Minutes may have further decimal columns after
    the columns of `app.market.columns.candle_columns.schema`: these are added up, too, and unknown (null) if one of the
    minutes is unknown.
    """

    def __init__(self, length: int, start_us: int | None = None, is_closed: IsClosed | None = None) -> None:
        self._length = length
        self._next_us = start_us
        self._is_closed = is_closed
        self._kept: Any = None

    def add(self, minutes: Any) -> Iterator[Any]:
        """Yield the windows that end with the last of these minutes, or before and are new; read it to its end."""
        opens_us = open_times(minutes)
        far = np.flatnonzero(np.diff(opens_us) > (self._length + _FAR) * MINUTE_US) + 1
        for begin, end in pairwise([0, *far.tolist(), len(opens_us)]):
            if begin < end:
                yield from self._add(minutes.slice(begin, end - begin))

    def rest(self, end_us: int) -> Iterator[Any]:
        """Yield the windows that end later, at ``end_us`` at most: those that cover missing minutes, but not only."""
        if self._kept is not None:
            last_us = int(open_times(self._kept)[-1]) + self._length * MINUTE_US
            yield from self._until(min(end_us, last_us), self._kept)

    def _add(self, minutes: Any) -> Iterator[Any]:
        pa = arrow()
        first_us, last_us = (int(open_times(minutes)[at]) for at in (0, -1))
        if self._kept is not None and first_us - int(open_times(self._kept)[-1]) > _FAR * MINUTE_US:
            yield from self.rest(first_us)
        if self._kept is not None:
            minutes = pa.Table.from_batches([self._kept, minutes]).combine_chunks().to_batches()[0]
        elif self._next_us is None:
            self._next_us = first_us
        else:  # a window of missing minutes alone has no row
            self._next_us = max(self._next_us, first_us - (self._length - 1) * MINUTE_US)
        yield from self._until(last_us + MINUTE_US, minutes)

    def _until(self, end_us: int, minutes: Any) -> Iterator[Any]:
        assert self._next_us is not None
        first_us = self._next_us
        count = (end_us - first_us) // MINUTE_US + 1 - self._length
        if count > 0:
            self._next_us += count * MINUTE_US
        at = int(np.searchsorted(open_times(minutes), self._next_us))
        self._kept = minutes.slice(at) if at < minutes.num_rows else None
        if count > 0:
            begin = int(np.searchsorted(open_times(minutes), first_us))
            windows = _counted_windows(first_us, minutes.slice(begin), self._length, count, self._is_closed)
            if windows.num_rows:
                yield windows


class _Windows:
    """
    The ``count`` windows from ``first_us`` on, one every minute, over the rows of ``minutes``.

    A window is a run of rows, ``[begin, end)``. Minutes without a trade count only where no other is in the window.
    """

    def __init__(self, minutes: Any, first_us: int, length: int, count: int, is_closed: IsClosed | None) -> None:
        places = (open_times(minutes) - first_us) // MINUTE_US
        self._minutes, self._places, self._length, self._count = minutes, places, length, count
        self._first_us, self._is_closed = first_us, is_closed
        first = np.arange(count, dtype=np.int64)
        self._is_dense = len(places) == count + length - 1
        self._begin = first if self._is_dense else np.searchsorted(places, first)
        self._end = first + length if self._is_dense else np.searchsorted(places, first + length)
        self.is_held: Bools = self._end > self._begin
        trades = minutes.column("trades").to_numpy()
        has_volume, has_quote_volume = (_are_set(minutes.column(name)) for name in ("volume", "quote_volume"))
        traded: Bools = (trades > 0) | has_volume
        self._is_bare: Bools = self._sum_of_small((has_volume & ~has_quote_volume).astype(np.int64)) > 0
        self._traded_rows = np.flatnonzero(traded)
        # Of each window the run of rows that were traded in, as numbers among `_traded_rows`.
        before = np.concatenate(([0], np.cumsum(traded)))
        self._from, self._until = before[self._begin], before[self._end]
        self._is_traded: Bools = self._until > self._from

    def columns(self) -> list[Any]:
        """Return the columns of the windows; rows of windows that are not held are undefined."""
        pa, known = arrow(), self._minutes.schema
        starts_us = self._first_us + np.arange(self._count, dtype=np.int64) * MINUTE_US
        columns = {
            "open_time": pa.array(starts_us, known.field("open_time").type),
            "closed": pa.array(flags(self._minutes, "closed")[self._last_row()]),
            "complete": pa.array(self._are_complete()),
            "source": self._sources(),
            "trades": pa.array(self._sum_of_small(self._minutes.column("trades").to_numpy())),
        }
        columns |= {name: decimal_array(one, known.field(name).type) for name, one in self._prices().items()}
        for name in _SUMS:
            low, high = self._sum(name)
            if name != "volume":  # of a minute with prices and volume alone nobody knows the others
                low, high = np.where(self._is_bare, np.uint64(0), low), np.where(self._is_bare, 0, high)
            columns[name] = array_of_halves((low, high), known.field(name).type)
        columns |= {name: self._ids(name) for name in _IDS}
        columns |= {field.name: self._known_sum(field) for field in known if field.name not in columns}
        index = minute_index(starts_us + self._length * MINUTE_US, self._length)
        return [*(columns[name] for name in known.names), pa.array(index.astype(np.int32))]

    def _first_row(self) -> Ints:
        """Return the row that opens each window: the first traded one, else the first."""
        return self._chosen(self._from, self._begin)

    def _last_row(self) -> Ints:
        """Return the last row of each window."""
        return np.maximum(self._end - 1, 0)

    def _last_traded_row(self) -> Ints:
        return self._chosen(self._until - 1, self._end - 1)

    def _chosen(self, traded: Ints, otherwise: Ints) -> Ints:
        if not len(self._traded_rows):
            return np.clip(otherwise, 0, self._minutes.num_rows - 1)
        rows = self._traded_rows.take(traded, mode="clip")
        return np.clip(np.where(self._is_traded, rows, otherwise), 0, self._minutes.num_rows - 1)

    def _prices(self) -> dict[str, Ints]:
        prices = {name: halves_of(self._minutes.column(name))[0].view(np.int64) for name in PRICE_COLUMNS}
        first, last = self._first_row(), self._last_traded_row()
        found = {"open": prices["open"][first], "close": prices["close"][last]}
        for name, fold in (("high", np.maximum), ("low", np.minimum)):
            # In a window without a trade all four prices are the close before it.
            extreme = self._extreme(prices[name], fold)
            found[name] = np.where(self._is_traded, extreme, prices[name][first])
        return found

    def _extreme(self, values: Ints, fold: np.ufunc) -> Ints:
        """Return the extreme of ``values`` over the traded rows of each window; anything where there is none."""
        neutral = np.iinfo(np.int64).min if fold is np.maximum else np.iinfo(np.int64).max
        grid = np.full(self._count + self._length - 1, neutral, dtype=np.int64)
        grid[self._places[self._traded_rows]] = values[self._traded_rows]
        return _extremes(grid, self._length, fold)

    def _known_sum(self, field: Any) -> Any:
        """Return the sums of an amount that may be unknown; a sum with an unknown part is unknown."""
        column = self._minutes.column(field.name)
        unknown = np.asarray(column.is_null())
        valid = self._sum_of_small(unknown.astype(np.int64)) == 0 if unknown.any() else None
        return array_of_halves(self._sum_of_halves(*halves_of(column), ~unknown), field.type, valid)

    def _sum(self, name: str) -> Halves:
        return self._sum_of_halves(*halves_of(self._minutes.column(name)))

    def _sum_of_halves(self, low: NDArray[np.uint64], high: Ints, known: Bools | None = None) -> Halves:
        if known is not None and not known.all():
            low, high = np.where(known, low, np.uint64(0)), np.where(known, high, 0)
        if not high.any() and int(low.max()) < (1 << 63) // len(low):
            return self._sum_of_small(low), np.zeros(self._count, dtype=np.int64)
        limbs = (low & _LIMB_BITS, low >> _LIMB, high.view(np.uint64) & _LIMB_BITS, high.view(np.uint64) >> _LIMB)
        carry, sums = np.zeros(self._count, dtype=np.uint64), list[NDArray[np.uint64]]()
        for limb in limbs:
            # A running total of 32-bit numbers fits 64 bits up to four billion rows. Most high limbs are zero.
            total = self._sum_of_small(limb) + carry if limb.any() else carry
            sums.append(total & _LIMB_BITS)
            carry = total >> _LIMB
        return sums[0] | (sums[1] << _LIMB), (sums[2] | (sums[3] << _LIMB)).view(np.int64)

    def _sum_of_small(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the sum of each window; the total of all values must fit their type."""
        running = np.zeros(len(values) + 1, dtype=values.dtype)
        np.cumsum(values, out=running[1:])
        total: NDArray[Any]
        if self._is_dense:
            total = running[self._length :] - running[: -self._length]
        else:
            total = running[self._end] - running[self._begin]
        return total

    def _are_complete(self) -> Bools:
        are_whole = flags(self._minutes, "complete")
        if self._is_closed is None or self._is_dense:
            return np.asarray(self._sum_of_small(are_whole.astype(np.int64)) == self._length)
        grid_us = self._first_us + np.arange(self._count + self._length - 1, dtype=np.int64) * MINUTE_US
        is_whole = self._is_closed(grid_us)
        is_whole[self._places] = are_whole
        running = np.concatenate(([0], np.cumsum(is_whole)))
        return np.asarray(running[self._length :] - running[: -self._length] == self._length)

    def _ids(self, name: str) -> Any:
        column = self._minutes.column(name)
        rows = self._first_row() if name == "first_trade_id" else self._last_traded_row()
        known = np.asarray(column.is_valid())[rows]
        ids = column.fill_null(-1).to_numpy()[rows] if column.null_count else column.to_numpy()[rows]
        return arrow().array(ids, mask=~known)

    def _sources(self) -> Any:
        """Return the source of the traded rows of each window, ``mixed`` where they have several."""
        encoded = self._minutes.column("source").dictionary_encode()
        names, codes = encoded.dictionary.to_pylist(), encoded.indices.to_numpy().astype(np.int64)
        if len(names) == 1:
            return arrow().array(names * self._count)
        first = codes[self._first_row()]
        low, high = self._extreme(codes, np.minimum), self._extreme(codes, np.maximum)
        is_mixed = self._is_traded & (low != high)
        chosen = np.where(is_mixed, len(names), first).astype(np.int32)
        return arrow().DictionaryArray.from_arrays(chosen, [*names, CandleSource.MIXED.value]).dictionary_decode()


def _are_set(column: Any) -> Bools:
    """Return whether each number of a decimal column is not zero."""
    low, high = halves_of(column)
    is_set: Bools = (low != 0) | (high != 0)
    return is_set


def _extremes(values: Ints, length: int, fold: np.ufunc) -> Ints:
    """Return ``fold`` over each ``length`` neighbours of ``values``: over twice as many in each step."""
    folded, span = values, 1
    while 2 * span <= length:
        folded = fold(folded[:-span], folded[span:])
        span *= 2
    rest = length - span  # below the span, so that two overlapping spans are the window
    return fold(folded[:-rest], folded[rest:]) if rest else folded
