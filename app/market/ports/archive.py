"""What a broker's archive of past trades and klines offers: a file for each whole day, and for each whole month."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol

from app.market.interval import SECOND_US, Interval

DAY_US = 86_400 * SECOND_US
_MONTH = Interval.parse("1M")


class ArchiveFile(NamedTuple):
    """
    The trades of ``symbol``, or its klines of ``interval``, in one day or one month: ``[start_us, end_us)``.

    ``interval`` is None for trades. Times are UTC microseconds.
    """

    symbol: str
    interval: Interval | None
    start_us: int
    end_us: int

    @property
    def is_month(self) -> bool:
        """Whether it is a month's file; else it is a day's."""
        return self.end_us - self.start_us > DAY_US

    @property
    def name(self) -> str:
        """``BTCUSDT-trades-2024-08-08.zip``: unique in the archive, and what the readers of files go by."""
        kind = "trades" if self.interval is None else self.interval.name
        form = "%Y-%m" if self.is_month else "%Y-%m-%d"
        return f"{self.symbol}-{kind}-{datetime.fromtimestamp(self.start_us // SECOND_US, UTC):{form}}.zip"


def archive_files(symbol: str, interval: Interval | None, start_us: int, end_us: int) -> Iterator[ArchiveFile]:
    """Yield the files that an archive may have of ``[start_us, end_us)``: of each day, and of each month it touches."""
    month_us = _MONTH.open_time_us(start_us)
    while month_us < end_us:
        next_us = _MONTH.next_open_us(month_us)
        yield ArchiveFile(symbol, interval, month_us, next_us)
        month_us = next_us
    for day_us in range(start_us - start_us % DAY_US, end_us, DAY_US):
        yield ArchiveFile(symbol, interval, day_us, day_us + DAY_US)


class MarketArchive(Protocol):
    """An archive, and the folder into which its files are downloaded. On the loop."""

    def has_klines_of(self, interval: Interval) -> bool:
        """Whether the archive has klines of that interval at all."""

    async def download(self, file: ArchiveFile, on_part: Callable[[float], None] = lambda _: None) -> Path | None:
        """
        Return the path of the whole, verified file; None if the archive does not have it.

        A file that lies there already is not asked for. One whose download was interrupted is resumed, also by another
        run. ``on_part`` is called with how much of it is there, 0 to 1.

        Raises:
            FeedDisconnected: Try later; what has arrived is kept.
            FeedRejected: Trying again is useless: the checksum does not fit, whatever is downloaded.
            FileError: The file cannot be written.
        """

    def discard(self, path: Path) -> None:
        """Remove a downloaded file."""

    def discard_parts(self, files: Iterable[ArchiveFile]) -> None:
        """Remove what interrupted downloads left of these files. Blocks; files that cannot be removed stay."""

    def discard_abandoned(self) -> None:
        """
        Remove files untouched for a week: parts of downloads, and files whose archive file is gone.

        Blocks; files that cannot be removed stay.
        """
