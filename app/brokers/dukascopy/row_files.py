"""
.bi5 files as an import reads them: an hour of ticks, all that Dukascopy has of it, or its own candles of bid or ask.

A file is named by the end of its path: ``EURUSD/2019/01/04/08h_ticks.bi5``, months from zero. An hour without ticks is
an empty file, and an answer. See `app.market.ports.row_files`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from app.brokers.dukascopy import bi5
from app.brokers.dukascopy.instruments import known_point_e8
from app.brokers.dukascopy.locations import Bucket, TickBucket, bucket_of_path
from app.market.errors import FileError, MalformedMessage, UsageError
from app.market.ports.row_files import QuoteBatch, ReadingOptions, RefusedFile, RowFile, RowKind, SideCandleBatch

Rows = TypeVar("Rows")


class Bi5File:
    """A .bi5 file, read as one batch; see `app.market.ports.row_files.RowFile`."""

    table = ""

    def __init__(self, path: Path, bucket: Bucket) -> None:
        self.path = path
        self.symbol = bucket.symbol
        self.kind = RowKind.QUOTES if isinstance(bucket, TickBucket) else RowKind.CANDLES
        self._bucket = bucket
        self._is_read = False

    def batches(self) -> Iterator[QuoteBatch | SideCandleBatch]:
        """See `app.market.ports.row_files.RowFile`."""
        batch = self._batch()
        self._is_read = True
        yield batch

    def progress(self) -> float:
        """See `app.market.ports.row_files.RowFile`."""
        return float(self._is_read)

    def shortfall(self) -> str | None:
        """See `app.market.ports.row_files.RowFile`."""
        return None

    def _batch(self) -> QuoteBatch | SideCandleBatch:
        bucket = self._bucket
        if isinstance(bucket, TickBucket):
            ticks = self._read(lambda body, point_e8: bi5.decode_ticks(body, self.symbol, bucket.start_us, point_e8))
            columns = (ticks.time_us, ticks.bid_e8, ticks.ask_e8, ticks.bid_size_e8, ticks.ask_size_e8)
            return QuoteBatch(self.symbol, len(ticks), *columns, whole=(bucket.start_us, bucket.end_us))
        candles = self._read(lambda body, point_e8: bi5.decode_candles(body, bucket.start_us, point_e8))
        return SideCandleBatch(self.symbol, len(candles), bucket.interval, bucket.side, tuple(candles))

    def _read(self, decode: Callable[[bytes, int], Rows]) -> Rows:
        point_e8 = known_point_e8(self.symbol)
        if point_e8 is None:
            raise FileError(
                f"{self.path} cannot be used: how many decimal places prices of {self.symbol} have is not known."
            )
        try:
            return decode(self.path.read_bytes(), point_e8)
        except OSError as error:
            raise FileError(f"{self.path} cannot be read ({error.strerror}).") from error
        except MalformedMessage as error:
            raise FileError(f"{self.path} cannot be used: {error}.") from error


def open_bi5(path: Path, options: ReadingOptions) -> RowFile | RefusedFile:
    """Open a .bi5 file; its folders name the symbol and the time."""
    try:
        # These folders may lie above the folder that the user named.
        bucket = bucket_of_path(path.absolute().as_posix())
    except UsageError as error:
        return RefusedFile(path, str(error))
    symbol = bucket.symbol
    if options.symbol not in (None, symbol):
        return RefusedFile(path, f"{path} holds {symbol} by its folders, not {options.symbol}: leave out --symbol.")
    return Bi5File(path, bucket)
