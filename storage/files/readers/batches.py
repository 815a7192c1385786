"""
Rows as columns of integers, and those as batches.

`TradeColumns` and its kin are what every format ends in. `RowConverter` makes them of rows of cells, one by one: the
slow way that reads everything and says what is wrong with a row. `storage.files.readers.arrow_columns` makes them of
typed columns at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.market.candle import Candle, CandleSource
from app.market.errors import UsageError
from app.market.interval import Interval
from app.market.ports.row_files import (
    AggTradeBatch,
    CandleBatch,
    Ints,
    QuoteBatch,
    RefusedRow,
    RowBatch,
    RowKind,
    TradeBatch,
)
from storage.files.readers.cells import (
    Cell,
    to_decimal,
    to_e8,
    to_price_e8,
    to_size_e8,
    to_taker_sold,
    to_time_us,
    to_truth,
    to_whole,
)
from storage.files.readers.identity import Identity, owner
from storage.files.readers.layout import Layout
from storage.files.readers.names import symbol_name

DAY_MS = 86_400_000
_QUOTE_FIELDS = ("time_us", "bid_e8", "ask_e8", "bid_size_e8", "ask_size_e8")
_SOURCES = {source.value: source for source in CandleSource} | {"klines": CandleSource.KLINE}


class NumberedRow(NamedTuple):
    """A row of a file: its number from 1, its cells, and the row as it stands; None: its cells are that."""

    number: int
    cells: Sequence[Cell]
    text: str | None = None


class RowConverter:
    """Makes batches of rows, each row by itself."""

    def __init__(self, layout: Layout, identity: Identity) -> None:
        self._layout = layout
        self._identity = identity
        self._symbols: dict[str, str] = {}
        self._intervals: dict[str, Interval] = {}
        convert: dict[RowKind, Callable[[Sequence[Cell]], Any]] = {
            RowKind.TRADES: self._trade,
            RowKind.AGGTRADES: self._agg_trade,
            RowKind.KLINES: self._candle,
            RowKind.CANDLES: self._candle,
            RowKind.QUOTES: self._quote,
        }
        self._convert = convert[layout.kind]

    def batches(self, rows: Iterable[NumberedRow]) -> Iterator[RowBatch]:
        """Yield a batch for each symbol, and interval, among the rows, in the order in which they appear."""
        groups: dict[tuple[str, Interval | None], tuple[list[Any], list[int], list[RefusedRow]]] = {}
        latest = (self._identity.symbol or "", self._identity.interval)
        for row in rows:
            try:
                key = self._key(row.cells)
                if key is None:
                    continue
                value = self._convert_for(key, row.cells)
            except ValueError as error:
                groups.setdefault(latest, ([], [], []))[2].append(RefusedRow(row.number, str(error), _text(row)))
            else:
                values, numbers, _ = groups.setdefault(key, ([], [], []))
                values.append(value)
                numbers.append(row.number)
                latest = key
        for (symbol, interval), (values, numbers, refused) in groups.items():
            yield _row_batch(self._layout.kind, symbol, interval, values, np.array(numbers, np.int64), tuple(refused))

    def _key(self, cells: Sequence[Cell]) -> tuple[str, Interval | None] | None:
        """Return whose row it is; None if the user asked for another symbol."""
        if len(cells) != self._layout.width:
            raise ValueError(f"has {len(cells)} columns instead of {self._layout.width}")
        symbol, interval = self._identity.symbol, self._identity.interval
        if "symbol" in self._layout.columns:
            named = self._symbol(cells[self._layout.columns["symbol"]])
            symbol = owner(named, self._layout.kind, self._identity)
            if symbol is None:
                return None
        if symbol is None:
            raise ValueError("does not say which symbol it is of: give --symbol")
        if "interval" in self._layout.columns:
            interval = self._interval(cells[self._layout.columns["interval"]])
        return symbol, interval

    def _convert_for(self, key: tuple[str, Interval | None], cells: Sequence[Cell]) -> Any:
        self._key_interval = key[1]
        return self._convert(cells)

    def _symbol(self, cell: Cell) -> str:
        text = "" if cell is None else str(cell)
        found = self._symbols.get(text)
        if found is None:
            try:
                found = self._symbols[text] = symbol_name(text)
            except UsageError as error:
                raise ValueError(f"symbol: {error}") from None
        return found

    def _interval(self, cell: Cell) -> Interval:
        text = str(cell)
        found = self._intervals.get(text)
        if found is None:
            try:
                found = self._intervals[text] = Interval.parse(text)
            except UsageError as error:
                raise ValueError(f"interval: {error}") from None
        return found

    def _value(self, name: str, convert: Callable[[Cell], object], cells: Sequence[Cell]) -> Any:
        try:
            return convert(cells[self._layout.columns[name]])
        except ValueError as error:
            raise ValueError(f"{name} {error}") from None

    def _maker(self, cells: Sequence[Cell]) -> Any:
        if "is_buyer_maker" in self._layout.columns:
            return self._value("is_buyer_maker", to_truth, cells)
        return self._value("side", to_taker_sold, cells) is not self._layout.side_of_maker

    def _trade(self, cells: Sequence[Cell]) -> Any:
        return (
            self._value("trade_id", to_whole, cells),
            self._value("time", to_time_us, cells),
            self._value("price", to_price_e8, cells),
            self._value("quantity", to_e8, cells),
            self._maker(cells),
        )

    def _agg_trade(self, cells: Sequence[Cell]) -> Any:
        first = self._value("first_trade_id", to_whole, cells)
        last = self._value("last_trade_id", to_whole, cells)
        if last < first:
            raise ValueError(f"last_trade_id is before first_trade_id: {last}")
        return (
            self._value("agg_id", to_whole, cells),
            self._value("time", to_time_us, cells),
            self._value("price", to_price_e8, cells),
            self._value("quantity", to_e8, cells),
            first,
            last,
            self._maker(cells),
        )

    def _quote(self, cells: Sequence[Cell]) -> Any:
        day_us, has = self._layout.day_us, self._layout.columns.keys()
        if day_us is None:
            time_us = self._value("time", to_time_us, cells)
        else:
            time_us = day_us + 1_000 * self._value("time", _to_ms_of_day, cells)
        return (
            time_us,
            self._value("bid", to_price_e8, cells),
            self._value("ask", to_price_e8, cells),
            *(self._value(name, to_size_e8, cells) if name in has else 0 for name in ("bid_size", "ask_size")),
        )

    def _candle(self, cells: Sequence[Cell]) -> Any:
        interval = self._key_interval
        if interval is None:
            raise ValueError("does not say how long its candle is: give the interval")
        has = self._layout.columns.keys()

        def optional(name: str, convert: Callable[[Cell], object], default: object) -> Any:
            return self._value(name, convert, cells) if name in has else default

        def optional_id(name: str) -> Any:
            cell = cells[self._layout.columns[name]] if name in has else None
            is_empty = cell in (None, "", -1, "-1") or cell != cell  # pandas writes NaN where there is none
            return None if is_empty else self._value(name, to_whole, cells)

        if "open_time" in has:
            open_us = self._value("open_time", to_time_us, cells)
        else:
            open_us = interval.open_time_us(self._value("close_time", to_time_us, cells) - 1)
        volume = self._value("volume", _to_volume_e8, cells)
        fields = (
            open_us,
            *(self._value(name, to_price_e8, cells) for name in ("open", "high", "low", "close")),
            volume,
            optional("quote_volume", _to_e16, 0),
            optional("trades", to_whole, 1 if volume else 0),
            optional("taker_buy_volume", _to_volume_e8, 0),
            optional("taker_buy_quote_volume", _to_e16, 0),
            optional_id("first_trade_id"),
            optional_id("last_trade_id"),
            optional("closed", to_truth, True),
            optional("complete", to_truth, True),
            optional("source", to_source, CandleSource.KLINE),
        )
        candle = Candle._make(fields)
        if reason := candle_fault(candle, interval):
            raise ValueError(reason)
        return candle


def candle_fault(candle: Candle, interval: Interval) -> str:
    """Return what no candle of that interval can be; empty if nothing."""
    if interval.open_time_us(candle.open_time_us) != candle.open_time_us:
        return f"open_time is not when a candle of {interval} opens"
    if (
        not candle.low_e8
        <= min(candle.open_e8, candle.close_e8)
        <= max(candle.open_e8, candle.close_e8)
        <= candle.high_e8
    ):
        return "open or close is outside of low to high"
    if candle.taker_buy_volume_e8 > candle.volume_e8:
        return "taker_buy_volume is more than volume"
    return ""


def _text(row: NumberedRow) -> str:
    return row.text if row.text is not None else ",".join("" if cell is None else str(cell) for cell in row.cells)


def _row_batch(
    kind: RowKind,
    symbol: str,
    interval: Interval | None,
    values: Sequence[Any],
    numbers: Ints,
    refused: tuple[RefusedRow, ...],
) -> RowBatch:
    if kind in (RowKind.KLINES, RowKind.CANDLES):
        # Rows of which none could be used have no interval; it says nothing then.
        rows = len(values) + len(refused)
        return CandleBatch(symbol, rows, interval or _ANY_INTERVAL, tuple(values), refused, numbers)
    if kind is RowKind.QUOTES:
        columns = zip(*values, strict=True) if values else [()] * 5
        return quote_batch(symbol, [np.array(column, dtype=np.int64) for column in columns], numbers, refused)
    *integers, makers = zip(*values, strict=True) if values else [()] * (5 if kind is RowKind.TRADES else 7)
    arrays = [np.array(column, dtype=np.int64) for column in integers]
    return column_batch(kind, symbol, arrays, np.array(makers, dtype=np.bool_), numbers, refused)


def column_batch(
    kind: RowKind,
    symbol: str,
    integers: Sequence[Ints],
    maker: NDArray[np.bool_],
    numbers: Ints,
    refused: tuple[RefusedRow, ...] = (),
) -> RowBatch:
    """Return the batch of ``integers``: id, time, price, quantity and, for aggTrades, the first and last trade's id."""
    rows = len(maker) + len(refused)
    identifier, time_us, price_e8, quantity_e8, *ends = integers
    if kind is RowKind.TRADES:
        return TradeBatch(symbol, rows, identifier, time_us, price_e8, quantity_e8, maker, refused, numbers)
    first, last = ends
    return AggTradeBatch(symbol, rows, identifier, time_us, price_e8, quantity_e8, first, last, maker, refused, numbers)


def quote_batch(
    symbol: str, integers: Sequence[Ints], numbers: Ints, refused: tuple[RefusedRow, ...] = ()
) -> QuoteBatch:
    """Return the batch of ``integers``: time, bid, ask, and the sizes of bid and ask."""
    time_us, bid_e8, ask_e8, bid_size_e8, ask_size_e8 = integers
    rows = len(time_us) + len(refused)
    return QuoteBatch(symbol, rows, time_us, bid_e8, ask_e8, bid_size_e8, ask_size_e8, refused, numbers)


def joined(batches: Sequence[RowBatch]) -> list[RowBatch]:
    """Return the batches with neighbours of one symbol and interval made one."""
    groups: list[list[RowBatch]] = []
    for batch in batches:
        if groups and _is_alike(groups[-1][0], batch):
            groups[-1].append(batch)
        else:
            groups.append([batch])
    return [group[0] if len(group) == 1 else _concatenated(group) for group in groups]


def _is_alike(first: RowBatch, second: RowBatch) -> bool:
    if first.symbol != second.symbol:
        return False
    if isinstance(first, CandleBatch) and isinstance(second, CandleBatch):
        return first.interval == second.interval
    return type(first) is type(second)


def _concatenated(group: Sequence[Any]) -> RowBatch:
    first = group[0]
    refused = tuple(row for batch in group for row in batch.refused)
    numbers = np.concatenate([batch.numbers for batch in group])
    if isinstance(first, CandleBatch):
        candles = tuple(candle for batch in group for candle in batch.candles)
        return CandleBatch(first.symbol, len(candles) + len(refused), first.interval, candles, refused, numbers)
    if isinstance(first, QuoteBatch):
        columns = [np.concatenate([getattr(batch, name) for batch in group]) for name in _QUOTE_FIELDS]
        return quote_batch(first.symbol, columns, numbers, refused)
    kind = RowKind.TRADES if isinstance(first, TradeBatch) else RowKind.AGGTRADES
    names = ["trade_id"] if kind is RowKind.TRADES else ["agg_id"]
    names += ["time_us", "price_e8", "quantity_e8"]
    if kind is RowKind.AGGTRADES:
        names += ["first_trade_id", "last_trade_id"]
    columns = [np.concatenate([getattr(batch, name) for batch in group]) for name in names]
    maker = np.concatenate([batch.is_buyer_maker for batch in group])
    return column_batch(kind, first.symbol, columns, maker, numbers, refused)


def _to_ms_of_day(cell: Cell) -> int:
    ms = to_whole(cell)
    if ms >= DAY_MS:
        raise ValueError(f"is no millisecond of a day: {ms}")
    return ms


def _to_volume_e8(cell: Cell) -> int:
    return to_decimal(cell, 8)  # of a month it may need more than 64 bits


def _to_e16(cell: Cell) -> int:
    return to_decimal(cell, 16)


def to_source(cell: Cell) -> CandleSource:
    """Return the source that our own export wrote."""
    # Other programs mean by such a column where they got it from: the candle is as published, then.
    return _SOURCES.get(str(cell).strip().lower(), CandleSource.KLINE)


_ANY_INTERVAL = Interval.parse("1m")
