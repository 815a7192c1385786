"""Ticks as columns, for what handles millions of them; each row is one `Tick`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.market.quotes.tick import Tick

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class TickColumns:
    """
    Ticks of one symbol as equally long columns, by time and place. Units and meaning are those of `Tick`.

    Make them with `tick_columns`, which knows the places.
    """

    symbol: str
    time_us: Ints
    place: Ints
    bid_e8: Ints
    ask_e8: Ints
    bid_size_e8: Ints
    ask_size_e8: Ints

    def __len__(self) -> int:
        return len(self.time_us)

    def __iter__(self) -> Iterator[Tick]:
        """Yield each row as a `Tick`."""
        columns = (self.time_us, self.place, self.bid_e8, self.ask_e8, self.bid_size_e8, self.ask_size_e8)
        for row in zip(*(column.tolist() for column in columns), strict=True):
            yield Tick(self.symbol, *row)


def tick_columns(
    symbol: str, time_us: Ints, bid_e8: Ints, ask_e8: Ints, bid_size_e8: Ints, ask_size_e8: Ints
) -> TickColumns:
    """
    Return ticks in the source's order as columns, each with its place among those of its time.

    Raises:
        ValueError: If a time is earlier than the one before.
    """
    if len(time_us) > 1 and bool((np.diff(time_us) < 0).any()):
        raise ValueError("the times of the ticks do not rise")
    return TickColumns(symbol, time_us, places_of(time_us), bid_e8, ask_e8, bid_size_e8, ask_size_e8)


def columns_of_ticks(symbol: str, ticks: Iterable[Tick]) -> TickColumns:
    """Return these ticks of one symbol, with the places that they have, as columns."""
    rows = [tick[1:] for tick in ticks]
    columns = np.array(rows, dtype=np.int64).reshape(len(rows), 6).T
    return TickColumns(symbol, *(np.ascontiguousarray(column) for column in columns))


def no_ticks(symbol: str) -> TickColumns:
    """Return columns without a row."""
    return columns_of_ticks(symbol, ())


def places_of(time_us: Ints) -> Ints:
    """Return how many ticks before each have the same time; the times rise."""
    rows = np.arange(len(time_us), dtype=np.int64)
    begins = np.concatenate(([True], time_us[1:] != time_us[:-1]))[: len(time_us)]
    return rows - np.maximum.accumulate(np.where(begins, rows, 0)) if len(rows) else rows
