"""
The candles of one chart, as columns.

Model, not view: knows no widget. A `CandleSeries` belongs to one symbol and one interval for its whole life; a switch
makes a new one, so old figures never stand under a new name. Figures are float64, for drawing: each is the double
nearest to the exact amount, in whole units of the asset. Who may write is not decided here: see `CandleMerger`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from operator import eq, truediv
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.market.candle import Candle, CandleSource, has_taker_sides
from app.market.interval import Interval
from app.market.series.change_log import ChangeLog, Span
from app.market.series.columns import SeriesColumns
from app.market.series.detail_levels import DetailLevels
from app.market.units import E8, E16

CLOSED, COMPLETE, FROM_KLINE, FROM_BOTH, FROM_AGGTRADES, TAKER_SIDES, FROM_TICKS = 1, 2, 4, 8, 16, 32, 64
NOT_FROM_TRADES = FROM_KLINE | FROM_BOTH | FROM_AGGTRADES | FROM_TICKS

_SOURCE_FLAGS = {
    CandleSource.TRADES: 0,
    CandleSource.KLINE: FROM_KLINE,
    CandleSource.MIXED: FROM_BOTH,
    CandleSource.AGGTRADES: FROM_AGGTRADES,
    CandleSource.TICKS: FROM_TICKS,
}

_COLUMNS: dict[str, type] = {
    "slot": np.int64,
    "open_time_us": np.int64,
    "open": np.float64,
    "high": np.float64,
    "low": np.float64,
    "close": np.float64,
    "volume": np.float64,
    "quote_volume": np.float64,
    "trades": np.int64,
    "taker_buy_volume": np.float64,
    "taker_buy_quote_volume": np.float64,
    "first_trade_id": np.int64,
    "last_trade_id": np.int64,
    "flags": np.uint8,
}

_FIGURES = tuple(name for name in _COLUMNS if name not in {"slot", "open_time_us", "flags"})


class Bar(NamedTuple):
    """One candle of a series, in whole units of the assets; ids are -1 if there are none. See `Candle`."""

    slot: int
    open_time_us: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float
    trades: int
    taker_buy_volume: float
    taker_buy_quote_volume: float
    first_trade_id: int
    last_trade_id: int
    closed: bool
    complete: bool
    source: CandleSource


class BarColumns(NamedTuple):
    """
    Bars between two slots, as columns for drawing; valid until the series' next change.

    Each bar covers ``span`` slots from ``slot`` on. ``flags`` holds the flags that all its candles have.
    """

    span: int
    slot: NDArray[np.int64]
    open: NDArray[np.float64]
    high: NDArray[np.float64]
    low: NDArray[np.float64]
    close: NDArray[np.float64]
    volume: NDArray[np.float64]
    flags: NDArray[np.uint8]
    taker_buy_volume: NDArray[np.float64]


class CandleSeries:
    """
    Candles by rising open time, each open time once. A slot may have no candle.

    Attributes:
        revision: rises with every change; a view compares it with the revision it has drawn.
        shape_revision: rises only when bars other than the last change or move.
        begins: whether the first candle is the symbol's first; see `set_begins`.
    """

    def __init__(self, symbol: str, interval: Interval) -> None:
        self.symbol = symbol
        self.interval = interval
        self.revision = 0
        self.shape_revision = 0
        self.begins = False
        self._columns = SeriesColumns(_COLUMNS)
        self._levels = DetailLevels(self._columns)
        self._log = ChangeLog()

    def __len__(self) -> int:
        return len(self._columns)

    def column(self, name: str) -> NDArray[Any]:
        """Return a view of one column, oldest first; valid until the next change."""
        return self._columns[name]

    @property
    def slots(self) -> NDArray[np.int64]:
        """The slot numbers, rising."""
        return self._columns["slot"]

    def bar(self, index: int) -> Bar:
        """
        Return the bar at ``index``, negative from the end.

        Raises:
            IndexError: If there is none.
        """
        length = len(self)
        if not -length <= index < length:
            raise IndexError(index)
        at = self._columns.start + index % length
        values = [array[at].item() for array in self._columns.arrays.values()]
        flags = values.pop()
        return Bar._make((*values, bool(flags & CLOSED), bool(flags & COMPLETE), _source(flags)))

    def changed_since(self, revision: int) -> list[Span] | None:
        """Return the spans of slots changed after ``revision``, rising and disjoint; None: take everything."""
        return self._log.since(revision)

    def set_begins(self, *, begins: bool) -> None:
        """Set whether the first candle is the symbol's first, so that calculations may begin with it."""
        if begins != self.begins:
            self.begins = begins
            if len(self):
                first = int(self.slots[0])
                self._changed(Span(first, first, 0), shape=True)

    def index_at_slot(self, slot: float) -> int:
        """Return the index of the last bar at or before ``slot``; -1 if there is none."""
        return int(np.searchsorted(self.slots, np.floor(slot), side="right")) - 1

    def bars_between(self, first_slot: int, last_slot: int, level: int = 0) -> BarColumns:
        """Return the bars that touch slots ``first_slot`` to ``last_slot``, inclusive; 2**``level`` slots per bar."""
        columns = self._levels.level(level)
        blocks = columns["slot"]
        rows = slice(
            int(np.searchsorted(blocks, first_slot >> level)),
            int(np.searchsorted(blocks, last_slot >> level, side="right")),
        )
        slots = blocks[rows] << level if level else blocks[rows]
        return BarColumns(1 << level, slots, *(columns[name][rows] for name in BarColumns._fields[2:]))

    def replace(self, candles: Sequence[Candle]) -> None:
        """Replace all candles by these, given by rising open time."""
        self._columns.clear(2 * len(candles))
        self._columns.splice(0, 0, len(candles))
        self._fill(0, candles)
        self._replaced()

    def replace_columns(self, open_times_us: NDArray[np.int64], **figures: NDArray[Any]) -> None:
        """
        Replace all candles by columns, which are copied; five times faster than `replace`.

        ``open_times_us``: rising open times of the interval (UTC microseconds), each once. ``figures``: columns of that
        length by their names in `Bar`, amounts in whole units. Open, high, low and close are required; others default
        to 0, ids to -1. All candles are closed and complete, as if built from trades.

        Raises:
            ValueError: If a column is unknown, missing or of another length; nothing has changed then.
        """
        wrong = [name for name, column in figures.items() if name not in _FIGURES or len(column) != len(open_times_us)]
        missing = sorted({"open", "high", "low", "close"} - figures.keys())
        if wrong or missing:
            raise ValueError(f"give columns of equal length by their names in Bar (wrong: {wrong}, missing: {missing})")
        count = len(open_times_us)
        self._columns.clear(2 * count)
        self._columns.splice(0, 0, count)
        self._columns["open_time_us"][:] = open_times_us
        self._columns["slot"][:] = slots_of(self.interval, self._columns["open_time_us"])
        self._columns["flags"][:] = CLOSED | COMPLETE | (TAKER_SIDES if "taker_buy_volume" in figures else 0)
        for name, column in {"first_trade_id": -1, "last_trade_id": -1, **figures}.items():
            self._columns[name][:] = column
        self._replaced()

    def merge(self, candles: Sequence[Candle]) -> None:
        """Replace all candles from the first to the last of these, given by rising open time, by these."""
        if not candles:
            return
        opens = self.column("open_time_us")
        at = int(np.searchsorted(opens, candles[0].open_time_us))
        end = int(np.searchsorted(opens, candles[-1].open_time_us, side="right"))
        self._columns.splice(at, end - at, len(candles))
        self._fill(at, candles)
        span = self._span(at, len(candles), len(candles) - (end - at))
        self._levels.touch(span.first, span.last)
        self._changed(span, shape=True)

    def prepend(self, candles: Iterable[Candle]) -> int:
        """
        Add candles before the first, given by rising open time; skip those that are not older.

        Returns how many were added.
        """
        first_us = int(self.column("open_time_us")[0]) if len(self) else None
        older = [candle for candle in candles if first_us is None or candle.open_time_us < first_us]
        if not older:
            return 0
        self._columns.splice(0, 0, len(older))
        self._fill(0, older)
        span = self._span(0, len(older), len(older))
        self._levels.touch(span.first, span.last)
        self._changed(span, shape=True)
        return len(older)

    def upsert(self, candle: Candle) -> None:
        """Change the candle of that open time, or add it. Constant time at the end."""
        columns = self._columns
        length = len(columns)
        at = length
        if length:
            last_us = columns.arrays["open_time_us"][columns.end - 1]
            if candle.open_time_us == last_us:
                at = length - 1
            elif candle.open_time_us < last_us:
                at = int(np.searchsorted(columns["open_time_us"], candle.open_time_us))
        is_new = at == length or bool(columns["open_time_us"][at] != candle.open_time_us)
        if is_new:
            columns.splice(at, 0, 1)
        slot = self.interval.slot(candle.open_time_us)
        self._write(columns.start + at, slot, candle)
        self._levels.touch(slot, slot)
        self._changed(Span(slot, slot, int(is_new)), shape=at < len(columns) - 1)

    def mark_incomplete(self, index: int) -> None:
        """Clear ``complete`` of the candle at ``index``, 0 for the oldest."""
        columns = self._columns
        columns.arrays["flags"][columns.start + index] &= 0xFF & ~COMPLETE
        slot = int(self.slots[index])
        self._levels.touch(slot, slot)
        self._changed(Span(slot, slot, 0), shape=index < len(columns) - 1)

    def _span(self, row: int, count: int, grown: int) -> Span:
        return Span(int(self.slots[row]), int(self.slots[row + count - 1]), grown)

    def _replaced(self) -> None:
        self._levels.reset()
        self.revision += 1
        self.shape_revision += 1
        self._log.forget(self.revision)

    def _changed(self, span: Span, *, shape: bool) -> None:
        self.revision += 1
        if shape:
            self.shape_revision += 1
        self._log.note(self.revision, span)

    def _write(self, row: int, slot: int, candle: Candle) -> None:
        data = self._columns.arrays
        data["slot"][row] = slot
        data["open_time_us"][row] = candle.open_time_us
        data["open"][row] = candle.open_e8 / E8
        data["high"][row] = candle.high_e8 / E8
        data["low"][row] = candle.low_e8 / E8
        data["close"][row] = candle.close_e8 / E8
        data["volume"][row] = candle.volume_e8 / E8
        data["quote_volume"][row] = candle.quote_volume_e16 / E16
        data["trades"][row] = candle.trades
        data["taker_buy_volume"][row] = candle.taker_buy_volume_e8 / E8
        data["taker_buy_quote_volume"][row] = candle.taker_buy_quote_volume_e16 / E16
        data["first_trade_id"][row] = -1 if candle.first_trade_id is None else candle.first_trade_id
        data["last_trade_id"][row] = -1 if candle.last_trade_id is None else candle.last_trade_id
        data["flags"][row] = _flags(candle)

    def _fill(self, at: int, candles: Sequence[Candle]) -> None:
        """Write rows from ``at`` on, column by column: several times faster than row by row."""
        if not candles:
            return
        rows = slice(at, at + len(candles))
        figures: Any = Candle._make(zip(*candles, strict=True))  # columns instead of figures
        written = {name: read(getattr(figures, field)) for name, (field, read) in _READERS.items()}
        written["slot"] = slots_of(self.interval, written["open_time_us"])
        written["flags"] = _flags_of(figures, written)
        for name, column in written.items():
            self._columns[name][rows] = column


def _flags(candle: Candle) -> int:
    source = _SOURCE_FLAGS[candle.source]
    return CLOSED * candle.closed + COMPLETE * candle.complete + TAKER_SIDES * has_taker_sides(candle) + source


def _source(flags: int) -> CandleSource:
    if flags & FROM_BOTH:
        return CandleSource.MIXED
    if flags & FROM_AGGTRADES:
        return CandleSource.AGGTRADES
    if flags & FROM_TICKS:
        return CandleSource.TICKS
    return CandleSource.KLINE if flags & FROM_KLINE else CandleSource.TRADES


def slots_of(interval: Interval, open_times_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the slots of candles that open at these times (UTC microseconds)."""
    if interval.months:
        return np.fromiter(map(interval.slot, open_times_us.tolist()), np.int64, len(open_times_us))
    # Five times faster than dividing integers, and as exact: times are below 2**53, lengths at least a second.
    slots: NDArray[np.int64] = np.floor((open_times_us - interval.origin_us) / interval.length_us).astype(np.int64)
    return slots


def _flags_of(figures: Any, columns: dict[str, NDArray[Any]]) -> NDArray[Any]:
    """Return what `_flags` gives for each candle, in a fifth of the time; ``columns``: as they are written."""
    volume, trades = columns["volume"] != 0, columns["trades"]
    is_one_price = np.fromiter(map(eq, figures.high_e8, figures.low_e8), bool, len(trades))
    knows_sides = (columns["quote_volume"] != 0) & ((trades > 1) | is_one_price)
    has_sides = (columns["taker_buy_volume"] != 0) | ~volume | knows_sides
    is_one_source = figures.source.count(figures.source[0]) == len(figures.source)
    sources = [_SOURCE_FLAGS[one] for one in (figures.source[:1] if is_one_source else figures.source)]
    closed, complete = np.array(figures.closed, bool), np.array(figures.complete, bool)
    flags: NDArray[Any] = np.array(sources) + CLOSED * closed + COMPLETE * complete + TAKER_SIDES * has_sides
    return flags


def _numbers(values: Sequence[int]) -> NDArray[np.int64]:
    return np.array(values, np.int64)


def _amounts(unit: int) -> Callable[[Sequence[int]], NDArray[np.float64]]:
    def read(values: Sequence[int]) -> NDArray[np.float64]:
        counts = np.array(values, np.float64)
        # Up to 2**53 the count is exact in float64, so only the division rounds. Beyond, int / int rounds once too.
        if len(counts) and counts.max() > _EXACT_IN_FLOAT64:
            return np.fromiter(map(truediv, values, repeat(unit)), np.float64, len(values))
        return counts / unit

    return read


def _ids(values: Sequence[int | None]) -> NDArray[np.int64]:
    if values.count(None) == len(values):  # candles that no trades made
        return np.full(len(values), -1)
    return np.array([-1 if trade_id is None else trade_id for trade_id in values], np.int64)


_EXACT_IN_FLOAT64 = float(1 << 53)
_READERS: dict[str, tuple[str, Callable[[Any], NDArray[Any]]]] = {
    "open_time_us": ("open_time_us", _numbers),
    "open": ("open_e8", _amounts(E8)),
    "high": ("high_e8", _amounts(E8)),
    "low": ("low_e8", _amounts(E8)),
    "close": ("close_e8", _amounts(E8)),
    "volume": ("volume_e8", _amounts(E8)),
    "quote_volume": ("quote_volume_e16", _amounts(E16)),
    "trades": ("trades", _numbers),
    "taker_buy_volume": ("taker_buy_volume_e8", _amounts(E8)),
    "taker_buy_quote_volume": ("taker_buy_quote_volume_e16", _amounts(E16)),
    "first_trade_id": ("first_trade_id", _ids),
    "last_trade_id": ("last_trade_id", _ids),
}
