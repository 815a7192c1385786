"""
.bi5 files as an import reads them: an hour of ticks, all that Dukascopy has of it, or its own candles of bid or ask.

An hour without ticks is an empty file, and an answer. See `app.market.ports.row_files`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from app.brokers.dukascopy.disk import CandleFile, StrayFile, TickFile, find_files
from app.brokers.dukascopy.locations import interval_of
from app.market.errors import UsageError
from app.market.ports.quote_history import HOUR_US
from app.market.ports.row_files import QuoteBatch, ReadingOptions, RefusedFile, RowFile, RowKind, SideCandleBatch


class TickRowFile:
    """An hour of ticks; see `app.market.ports.row_files.RowFile`."""

    table = ""
    kind = RowKind.QUOTES

    def __init__(self, file: TickFile) -> None:
        self.path = file.path
        self.symbol = file.symbol
        self._file = file
        self._is_read = False

    def batches(self) -> Iterator[QuoteBatch]:
        """See `app.market.ports.row_files.RowFile`."""
        ticks = self._file.ticks()
        self._is_read = True
        start_us = self._file.start_us
        columns = (ticks.time_us, ticks.bid_e8, ticks.ask_e8, ticks.bid_size_e8, ticks.ask_size_e8)
        yield QuoteBatch(self.symbol, len(ticks), *columns, whole=(start_us, start_us + HOUR_US))

    def progress(self) -> float:
        """See `app.market.ports.row_files.RowFile`."""
        return float(self._is_read)

    def shortfall(self) -> str | None:
        """See `app.market.ports.row_files.RowFile`."""
        return None


class CandleRowFile:
    """The candles of one side, of a day, a month or a year; see `app.market.ports.row_files.RowFile`."""

    table = ""
    kind = RowKind.CANDLES

    def __init__(self, file: CandleFile) -> None:
        self.path = file.path
        self.symbol = file.bucket.symbol
        self._file = file
        self._is_read = False

    def batches(self) -> Iterator[SideCandleBatch]:
        """See `app.market.ports.row_files.RowFile`."""
        candles, bucket = self._file.candles(), self._file.bucket
        self._is_read = True
        yield SideCandleBatch(self.symbol, len(candles), interval_of(bucket.length), bucket.side, tuple(candles))

    def progress(self) -> float:
        """See `app.market.ports.row_files.RowFile`."""
        return float(self._is_read)

    def shortfall(self) -> str | None:
        """See `app.market.ports.row_files.RowFile`."""
        return None


def open_bi5(path: Path, options: ReadingOptions) -> RowFile | RefusedFile:
    """Open a .bi5 file, of which the folders tell the symbol and the time."""
    try:
        (found,) = find_files(path)
    except UsageError as error:
        return RefusedFile(path, str(error))
    if isinstance(found, StrayFile):
        return RefusedFile(path, found.reason)
    symbol = found.bucket.symbol if isinstance(found, CandleFile) else found.symbol
    if options.symbol not in (None, symbol):
        return RefusedFile(path, f"{path} holds {symbol} by its folders, not {options.symbol}: leave out --symbol.")
    return CandleRowFile(found) if isinstance(found, CandleFile) else TickRowFile(found)
