"""
Rolling windows: a candle for every minute, each over the same number of minutes before its end.

All of it is arithmetic on columns, so that years of minutes take a second: extremes over spans that double, sums as
differences of running totals in 32-bit limbs, which are exact. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.market.candle import CandleSource
from app.market.columns.arrow import arrow
from app.market.columns.candle_columns import PRICE_COLUMNS, flags, open_times, schema
from app.market.columns.wide_decimals import Halves, array_of_halves, decimal_array, halves_of
from app.market.interval import ORIGIN_US

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MINUTE_US = 60_000_000
MINUTE_INDEX = "minute_index"

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
    minute. A window adds up its minutes as a candle of that length does, so those of index 0 are these candles, to the
    digit. It is complete if all its minutes are there and complete. A window of missing minutes alone has no row.

    Raises:
        ValueError: If ``length`` is not positive.
    """
    if length < 1:
        raise ValueError("a window has at least one minute")
    opens_us = open_times(minutes)
    return _windows_from(int(opens_us[0]) if len(opens_us) else 0, minutes, length)


def windows_between(minutes: Any, length: int, first_us: int, count: int) -> Any:
    """
    Return the ``count`` windows of which the first starts at ``first_us``, as `rolling_windows` does.

    ``minutes`` may reach beyond what these windows cover. They also begin and end where a minute is missing.
    """
    opens_us = open_times(minutes)
    ends_us = first_us + np.array([0, count + length - 1]) * MINUTE_US
    begin, end = np.searchsorted(opens_us, ends_us).tolist()
    return _counted_windows(first_us, minutes.slice(begin, end - begin), length, count if end > begin else 0)


def _windows_from(first_us: int, minutes: Any, length: int) -> Any:
    """Return the windows that start at ``first_us`` or later, as `rolling_windows` does."""
    opens_us = open_times(minutes)
    count = int((opens_us[-1] - first_us) // MINUTE_US) + 2 - length if len(opens_us) else 0
    return _counted_windows(first_us, minutes, length, count)


def _counted_windows(first_us: int, minutes: Any, length: int, count: int) -> Any:
    if count < 1:
        return arrow().RecordBatch.from_pylist([], schema=rolling_schema())
    opens_us = open_times(minutes)
    windows = _Windows(minutes, (opens_us - first_us) // MINUTE_US, length, count)
    starts_us = first_us + np.arange(count, dtype=np.int64) * MINUTE_US
    batch = arrow().RecordBatch.from_arrays(windows.columns(starts_us), schema=rolling_schema())
    return batch if bool(windows.is_held.all()) else batch.filter(arrow().array(windows.is_held))


def stream_windows(minutes: Iterable[Any], length: int) -> Iterator[Any]:
    """
    Yield the `rolling_windows` of minutes that come in batches; the memory is that of a batch and of one window.

    Quickest with batches of some ten thousand minutes, whose columns fit the processor's cache.
    """
    pa = arrow()
    kept, first_us = None, None
    for batch in minutes:
        if not batch.num_rows:
            continue
        joined = batch if kept is None else pa.Table.from_batches([kept, batch]).combine_chunks().to_batches()[0]
        opens_us = open_times(joined)
        windows = _windows_from(int(opens_us[0]) if first_us is None else first_us, joined, length)
        if windows.num_rows:
            yield windows
        # The next window follows the last one, also where its first minute is missing.
        first_us = max(first_us or int(opens_us[0]), int(opens_us[-1]) - (length - 2) * MINUTE_US)
        kept = joined.slice(int(np.searchsorted(opens_us, first_us)))
        kept = kept if kept.num_rows else None


class _Windows:
    """
    ``count`` windows over the rows of ``minutes``, of which row ``i`` is the minute ``places[i]``.

    A window is a run of rows, ``[begin, end)``. Minutes without a trade count only where no other is in the window.
    """

    def __init__(self, minutes: Any, places: Ints, length: int, count: int) -> None:
        self._minutes, self._places, self._length, self._count = minutes, places, length, count
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

    def columns(self, starts_us: Ints) -> list[Any]:
        """Return the columns of `rolling_schema`; those of windows that are not held may hold anything."""
        pa, known = arrow(), schema()
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

    def _sum(self, name: str) -> Halves:
        low, high = halves_of(self._minutes.column(name))
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
        whole = self._sum_of_small(flags(self._minutes, "complete").astype(np.int64))
        complete: Bools = whole == self._length
        return complete

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
