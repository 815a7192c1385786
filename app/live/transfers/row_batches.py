"""
The batches of a file as the database takes them best: large, and each row with its number in the file. Pure.

Readers give what a block of the file holds, a few thousand rows. Stored like that, a transaction would cost more than
its rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from app.market.candle import Candle
from app.market.errors import FileError
from app.market.ports.row_files import AggTradeBatch, Ints, RefusedRow, RowBatch, TradeBatch
from app.market.quotes.side_candle import SideCandle
from app.market.units import format_e8

LARGEST = 80_000  # rows; larger batches gain nothing and take memory
_COLUMNS = ("trade_id", "time_us", "price_e8", "quantity_e8", "is_buyer_maker")


@dataclass(frozen=True, slots=True)
class NumberedTrades:
    """Trades of one symbol, and the number in the file of each. ``rows``: read for them, ``unread`` included."""

    batch: TradeBatch
    numbers: Ints
    rows: int
    unread: tuple[RefusedRow, ...]

    def refused_row(self, place: int, reason: str) -> RefusedRow:
        """Return the trade at that place in the batch, refused."""
        return RefusedRow(int(self.numbers[place]), reason, trade_text(self.batch, place))


class RowNumbers:
    """Counts the rows of one file, batch by batch, to know the number of each."""

    def __init__(self) -> None:
        self._read = 0

    def of(self, batch: RowBatch, count: int) -> Ints:
        """Return the numbers of the batch's ``count`` usable rows; call it once for each batch, in their order."""
        first = self._read + 1
        self._read += batch.rows
        if batch.numbers is not None:
            return batch.numbers
        numbers = np.arange(first, first + batch.rows)
        if batch.refused:
            numbers = np.setdiff1d(numbers, [row.number for row in batch.refused], assume_unique=True)
        # One more than there are lines where a quoted field holds a line break: near enough for a person to find it.
        return numbers[:count] if len(numbers) >= count else np.arange(first, first + count)


def collected(batches: Iterable[TradeBatch], largest: int = LARGEST) -> Iterator[NumberedTrades]:
    """
    Yield the trades of the batches, in their order, in batches of one symbol of ``largest`` rows or a little more.
    Refused rows count: a file may have no others.

    A FileError is raised once what was read before it has been yielded.
    """
    numbers = RowNumbers()
    waiting: list[tuple[TradeBatch, Ints]] = []
    try:
        for batch in batches:
            if waiting and waiting[0][0].symbol != batch.symbol:
                yield _joined(waiting)
                waiting = []
            waiting.append((batch, numbers.of(batch, len(batch.trade_id))))
            if sum(one.rows for one, _ in waiting) >= largest:
                yield _joined(waiting)
                waiting = []
    except FileError:
        if waiting:
            yield _joined(waiting)
        raise
    if waiting:
        yield _joined(waiting)


def _joined(parts: list[tuple[TradeBatch, Ints]]) -> NumberedTrades:
    first, numbers = parts[0]
    unread = tuple(row for batch, _ in parts for row in batch.refused)
    rows = sum(batch.rows for batch, _ in parts)
    if len(parts) == 1:
        return NumberedTrades(first, numbers, rows, unread)
    columns: dict[str, Any] = {name: np.concatenate([getattr(one, name) for one, _ in parts]) for name in _COLUMNS}
    batch = replace(first, rows=rows, refused=(), numbers=None, **columns)
    return NumberedTrades(batch, np.concatenate([some for _, some in parts]), rows, unread)


def trade_text(batch: TradeBatch, place: int) -> str:
    """Return a trade as a row of text: id, price, quantity, time (µs), whether the buyer was the maker."""
    amounts = [format_e8(int(batch.price_e8[place])), format_e8(int(batch.quantity_e8[place]))]
    return ",".join([str(batch.trade_id[place]), *amounts, *_end(batch, place)])


def agg_trade_text(batch: AggTradeBatch, place: int) -> str:
    """Return an aggregated trade as a row of text, in the order of the exchange's archive."""
    amounts = [format_e8(int(batch.price_e8[place])), format_e8(int(batch.quantity_e8[place]))]
    ids = [str(batch.first_trade_id[place]), str(batch.last_trade_id[place])]
    return ",".join([str(batch.agg_id[place]), *amounts, *ids, *_end(batch, place)])


def candle_text(candle: Candle) -> str:
    """Return a candle as a row of text: open time (µs), open, high, low, close, volume."""
    return ",".join([str(candle.open_time_us), *map(format_e8, candle[1:6])])


def side_candle_text(candle: SideCandle) -> str:
    """Return a candle of bid or ask as a row of text: open time (µs), open, high, low, close, volume."""
    return ",".join([str(candle.open_time_us), *map(format_e8, (*candle.bar, candle.volume_e8))])


def _end(batch: TradeBatch | AggTradeBatch, place: int) -> list[str]:
    return [str(batch.time_us[place]), "true" if batch.is_buyer_maker[place] else "false"]
