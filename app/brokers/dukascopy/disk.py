"""
.bi5 files on the disk, as an import takes them: found in a folder, named by their paths, read hour by hour.

A tree may be a whole mirror (``datafeed/EURUSD/2019/01/04/08h_ticks.bi5``, months from zero) or any part of one, as
long as the folders from the symbol down are there. Blocks: call it from a worker thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from app.brokers.dukascopy import bi5
from app.brokers.dukascopy.instruments import known_point_e8
from app.brokers.dukascopy.locations import CandleBucket, TickBucket, bucket_of_path
from app.market.errors import FileError, MalformedMessage, UsageError
from app.market.quotes.side_candle import SideCandle
from app.market.quotes.tick_columns import TickColumns

SUFFIX = ".bi5"


class TickFile(NamedTuple):
    """A file of the ticks of ``symbol`` (``"dukascopy:EURUSD"``) in the hour from ``start_us``, UTC microseconds."""

    path: Path
    symbol: str
    start_us: int

    def ticks(self, point_e8: int | None = None) -> TickColumns:
        """
        Return its ticks.

        ``point_e8``: the instrument's point in 1e-8 units, where its description was read; else it must be one that is
        common knowledge.

        Raises:
            FileError: If the file cannot be read, is damaged, or its prices cannot be known.
        """
        point_e8 = point_e8 or _known(self.path, self.symbol)
        try:
            return bi5.decode_ticks(_bytes(self.path), self.symbol, self.start_us, point_e8)
        except MalformedMessage as error:
            raise FileError(f"{self.path} cannot be used: {error}.") from error


class CandleFile(NamedTuple):
    """A file of published candles of one side."""

    path: Path
    bucket: CandleBucket

    def candles(self, point_e8: int | None = None) -> list[SideCandle]:
        """Return its candles; see `TickFile.ticks`."""
        point_e8 = point_e8 or _known(self.path, self.bucket.symbol)
        try:
            return bi5.decode_candles(_bytes(self.path), self.bucket.start_us, point_e8)
        except MalformedMessage as error:
            raise FileError(f"{self.path} cannot be used: {error}.") from error


class StrayFile(NamedTuple):
    """A .bi5 file of which nothing can be used, and why, in one sentence that names it."""

    path: Path
    reason: str


def is_bi5(path: Path) -> bool:
    """Whether ``path`` is a .bi5 file, or a folder with one somewhere in it."""
    if path.is_dir():
        return next(path.rglob(f"*{SUFFIX}"), None) is not None
    return path.suffix.lower() == SUFFIX


def find_files(path: Path) -> Iterator[TickFile | CandleFile | StrayFile]:
    """Yield the file at ``path``, or those in that folder by symbol and time."""
    files = sorted(path.rglob(f"*{SUFFIX}")) if path.is_dir() else [path]
    for file in files:
        try:
            # The folders that name symbol and time may lie above the folder that was named.
            bucket = bucket_of_path(file.absolute().as_posix())
        except UsageError as error:
            yield StrayFile(file, str(error))
            continue
        if isinstance(bucket, TickBucket):
            yield TickFile(file, bucket.symbol, bucket.start_us)
        else:
            yield CandleFile(file, bucket)


def _known(path: Path, symbol: str) -> int:
    point_e8 = known_point_e8(symbol)
    if point_e8 is None:
        raise FileError(f"{path} cannot be used: how many decimal places prices of {symbol} have is not known.")
    return point_e8


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileError(f"{path} cannot be read ({error.strerror}).") from error
