"""
What an import needs of a file it reads; `storage.files` implements it, one reader for each format.

A file is read in batches, each of one symbol, in the order of the file. Amounts are integers from the start: a price
that 1e-8 units cannot hold to the digit is a refused row, never a rounded one. Reading blocks: call it from a worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from app.market.candle import Candle
from app.market.interval import Interval
from app.market.quotes.side_candle import SideCandle
from app.market.quotes.tick import PriceSide

Ints = NDArray[np.int64]


class RowKind(StrEnum):
    """What the rows of a file are."""

    TRADES = "trades"
    AGGTRADES = "aggtrades"  # trades of one time, price and side added up: never the trades with those ids
    KLINES = "klines"  # candles that the exchange published
    CANDLES = "candles"  # candles of any other origin
    QUOTES = "quotes"  # bid and ask with their time


class RefusedRow(NamedTuple):
    """A row that cannot be used: its number in the file, from 1 without the header, why, and the row as it stands."""

    number: int
    reason: str
    text: str


@dataclass(frozen=True, slots=True)
class TradeBatch:
    """
    Trades of one symbol as equally long columns, in the file's order; see `app.market.trade.Trade` for the units.

    ``rows``: how many rows of the file were read for it, refused ones included. ``numbers``: each trade's number in the
    file; None: the rows of this batch follow those of the batches before, without a break.
    """

    symbol: str
    rows: int
    trade_id: Ints
    time_us: Ints
    price_e8: Ints
    quantity_e8: Ints
    is_buyer_maker: NDArray[np.bool_]
    refused: tuple[RefusedRow, ...] = ()
    numbers: Ints | None = None


@dataclass(frozen=True, slots=True)
class AggTradeBatch:
    """
    Aggregated trades of one symbol as columns: each stands for the trades ``first_trade_id`` to ``last_trade_id``.
    ``rows`` and ``numbers``: see `TradeBatch`.

    Source: Binance spot "Aggregate Trade Streams", GET /api/v3/aggTrades.
    """

    symbol: str
    rows: int
    agg_id: Ints
    time_us: Ints
    price_e8: Ints
    quantity_e8: Ints
    first_trade_id: Ints
    last_trade_id: Ints
    is_buyer_maker: NDArray[np.bool_]
    refused: tuple[RefusedRow, ...] = ()
    numbers: Ints | None = None


@dataclass(frozen=True, slots=True)
class CandleBatch:
    """Candles of one symbol and interval, in the file's order. ``rows`` and ``numbers``: see `TradeBatch`."""

    symbol: str
    rows: int
    interval: Interval
    candles: tuple[Candle, ...]
    refused: tuple[RefusedRow, ...] = ()
    numbers: Ints | None = None


@dataclass(frozen=True, slots=True)
class QuoteBatch:
    """
    Quotes of one symbol as columns, in the file's order; see `app.market.quotes.tick.Tick` for the units. ``rows`` and
    ``numbers``: see `TradeBatch`.

    The file does not say the place of a quote among those of its time: whoever reads all batches counts it.
    ``whole``: the batch has all quotes that the source has of ``[start, end)``, UTC microseconds; there may be none.
    """

    symbol: str
    rows: int
    time_us: Ints
    bid_e8: Ints
    ask_e8: Ints
    bid_size_e8: Ints
    ask_size_e8: Ints
    refused: tuple[RefusedRow, ...] = ()
    numbers: Ints | None = None
    whole: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class SideCandleBatch:
    """
    Candles of bid or of ask as their broker published them, all of a file, oldest first; there may be none.

    ``rows`` and ``numbers``: see `TradeBatch`.
    """

    symbol: str
    rows: int
    interval: Interval
    side: PriceSide
    candles: tuple[SideCandle, ...]
    refused: tuple[RefusedRow, ...] = ()
    numbers: Ints | None = None


RowBatch = TradeBatch | AggTradeBatch | CandleBatch | QuoteBatch | SideCandleBatch


class ReadingOptions(NamedTuple):
    """
    What the user says of the files, where name and content do not.

    ``columns``: from our name of a column (``time``, ``price``, ``open``, …) to the file's; it counts before what is
    recognised.
    """

    symbol: str | None = None
    kind: RowKind | None = None
    interval: Interval | None = None
    columns: Mapping[str, str] | None = None


class RowFile(Protocol):
    """
    A file whose kind is known, opened for one reading.

    ``path`` is what the user named, or a file in the folder that the user named. A file that holds rows of several
    kinds, or an archive of several tables, is several RowFiles with one path, one after the other. ``table`` then tells
    them apart: a sheet, a member of an archive, a kind of rows; else it is empty. ``symbol`` is None where rows name
    their own.
    """

    @property
    def path(self) -> Path: ...

    @property
    def table(self) -> str: ...

    @property
    def kind(self) -> RowKind: ...

    @property
    def symbol(self) -> str | None: ...

    def batches(self) -> Iterator[RowBatch]:
        """
        Yield the rows; memory is that of a batch, whatever the size of the file.

        Raises:
            FileError: If the file ends early, is damaged, or is not what it says; what was yielded before stays good.
        """

    def progress(self) -> float:
        """Return how much of the file has been read, 0 to 1."""

    def shortfall(self) -> str | None:
        """
        Return what the file lacks of what its name promises, as one sentence; None if nothing seems to be missing.

        Call it after the last batch. It is a doubt, not a proof: the exchange may have been closed.
        """


def named(sentence: str, path: Path, table: str) -> str:
    """Return a sentence about a file as one about a table of it."""
    return sentence.replace(str(path), f"{path} ({table})", 1) if table else sentence


class RefusedFile(NamedTuple):
    """A file, or a table of it, of which nothing can be used, and why, in one sentence that names it."""

    path: Path
    reason: str


OpenRows = Callable[[Path, ReadingOptions, Callable[[], bool]], Iterator[RowFile | RefusedFile]]
"""
Finds what can be read at a path, which the user named: the file, or the files in the folder, by name.

Each `RowFile` is opened by its ``batches``, so that many wait without a file descriptor. Once the function, the last
argument, returns True, what still reads a file's bytes ends soon with a FileError.
"""


def never() -> bool:
    """Return False: nobody stops the reading."""
    return False
