"""
The quotes of a file as the database takes them: in large batches, and each with its place among those of its time.

Quotes have no ids. Those with equal times are distinguished by their order in the file, so a file that is read again
gives the same quotes again. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from app.live.transfers.row_batches import LARGEST, RowNumbers
from app.market.errors import FileError
from app.market.ports.row_files import Ints, QuoteBatch, RefusedRow
from app.market.quotes.tick_columns import TickColumns, places_of
from app.market.units import format_e8

_COLUMNS = ("time_us", "bid_e8", "ask_e8", "bid_size_e8", "ask_size_e8")
_NOT_IN_ORDER = "its time is before that of rows read long before: sort the file by time"


@dataclass(frozen=True, slots=True)
class NumberedTicks:
    """
    Ticks of one symbol by time and place, and the number in the file of each. ``rows``: read for them, ``unread``
    included. ``whole``: see `QuoteBatch`.
    """

    ticks: TickColumns
    numbers: Ints
    rows: int
    unread: tuple[RefusedRow, ...] = ()
    whole: tuple[int, int] | None = None

    def refused_row(self, place: int, reason: str) -> RefusedRow:
        """Return the tick at that place in the batch, refused."""
        return RefusedRow(int(self.numbers[place]), reason, tick_text(self.ticks, place))


class TickPlaces:
    """
    Gives the quotes of one file their places, batch by batch.

    The rows of a batch may be in any order: those of one time keep the order of the file. Of later batches a row whose
    time is before the latest of the batches before is refused, because rows of its time may have gone by.
    """

    def __init__(self) -> None:
        self._latest: dict[str, tuple[int, int]] = {}  # by symbol: the latest time, and how many quotes it has

    def of(self, batch: QuoteBatch, numbers: Ints) -> NumberedTicks:
        """Return the batch's quotes with their places, by time. ``numbers``: those of its usable rows."""
        order = np.argsort(batch.time_us, kind="stable")
        time_us = batch.time_us[order]
        latest_us, held = self._latest.get(batch.symbol, (None, 0))
        late = 0 if latest_us is None else int(np.searchsorted(time_us, latest_us, side="left"))
        late_rows, order, time_us = order[:late], order[late:], time_us[late:]
        place = places_of(time_us)
        if latest_us is not None:
            place[time_us == latest_us] += held
        if len(time_us):
            self._latest[batch.symbol] = int(time_us[-1]), int(place[-1]) + 1
        values = [getattr(batch, name)[order] for name in _COLUMNS[1:]]
        unread = batch.refused
        if late:
            refused = [
                RefusedRow(int(numbers[row]), _NOT_IN_ORDER, _row_text(batch, row)) for row in late_rows.tolist()
            ]
            unread = tuple(sorted([*unread, *refused]))
        ticks = TickColumns(batch.symbol, time_us, place, *values)
        return NumberedTicks(ticks, numbers[order], batch.rows, unread, batch.whole)


def collected_ticks(batches: Iterable[QuoteBatch], largest: int = LARGEST) -> Iterator[NumberedTicks]:
    """
    Yield the ticks of the batches in batches of one symbol, of ``largest`` rows or a little more; a whole time is a
    batch of its own. Refused rows count: a file may have no others.

    A FileError is raised once what was read before it has been yielded.
    """
    numbers, places = RowNumbers(), TickPlaces()
    waiting: list[tuple[QuoteBatch, Ints]] = []
    try:
        for batch in batches:
            if waiting and (waiting[0][0].symbol != batch.symbol or batch.whole is not None):
                yield _joined(waiting, places)
                waiting = []
            waiting.append((batch, numbers.of(batch, len(batch.time_us))))
            if batch.whole is not None or sum(one.rows for one, _ in waiting) >= largest:
                yield _joined(waiting, places)
                waiting = []
    except FileError:
        if waiting:
            yield _joined(waiting, places)
        raise
    if waiting:
        yield _joined(waiting, places)


def _joined(parts: list[tuple[QuoteBatch, Ints]], places: TickPlaces) -> NumberedTicks:
    first, numbers = parts[0]
    if len(parts) == 1:
        return places.of(first, numbers)
    columns: dict[str, Any] = {name: np.concatenate([getattr(one, name) for one, _ in parts]) for name in _COLUMNS}
    refused = tuple(row for batch, _ in parts for row in batch.refused)
    rows = sum(batch.rows for batch, _ in parts)
    joined = replace(first, rows=rows, refused=refused, numbers=None, **columns)
    return places.of(joined, np.concatenate([some for _, some in parts]))


def tick_text(ticks: TickColumns, place: int) -> str:
    """Return a tick as a row of text: time (µs), bid, ask, and their sizes."""
    amounts = (ticks.bid_e8, ticks.ask_e8, ticks.bid_size_e8, ticks.ask_size_e8)
    return ",".join([str(ticks.time_us[place]), *(format_e8(int(column[place])) for column in amounts)])


def _row_text(batch: QuoteBatch, row: int) -> str:
    return ",".join([str(batch.time_us[row]), *(format_e8(int(getattr(batch, name)[row])) for name in _COLUMNS[1:])])
