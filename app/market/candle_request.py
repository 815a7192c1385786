"""Which candles somebody wants as a file, and the file's name. Pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from app.market.errors import UsageError
from app.market.file_format import file_symbol
from app.market.interval import Interval

ONE_MINUTE = Interval.parse("1m")
_DAY_US = 86_400_000_000


class CandleRequest(NamedTuple):
    """
    The candles of ``symbol`` and ``interval`` whose open times are in ``[start_us, end_us)``, UTC microseconds.

    ``fetch``: what is not stored comes as the exchange's candles. ``include_open``: also the candle that ``end_us``
    cuts off, and one whose end nobody has seen yet.
    """

    symbol: str
    interval: Interval
    start_us: int
    end_us: int
    fetch: bool = True
    include_open: bool = False

    @property
    def slots(self) -> range:
        """The slots of the candles (`Interval.slot`), rising."""
        first = self.interval.slot(self.start_us - 1) + 1
        last = self.interval.slot(self.end_us - 1)
        if not self.include_open and self.interval.slot_open_us(last + 1) > self.end_us:
            last -= 1
        return range(first, last + 1)

    def check(self) -> None:
        """
        Check that a candle lies in the range.

        Raises:
            UsageError: If none does.
        """
        if self.end_us <= self.start_us:
            raise UsageError("The range ends before it begins: nothing was written. Choose a later end.")
        if not self.slots:
            raise UsageError(
                f"No whole candle of {self.interval} lies in that range: nothing was written. Choose a longer one, or "
                "include the open candle."
            )


def window_minutes(interval: Interval) -> int:
    """
    Return how many minutes a rolling window of that length has.

    Raises:
        UsageError: If it is no whole number of them, or has a phase.
    """
    if interval.phase:
        length = interval.with_phase(0)
        raise UsageError(f"Rolling candles begin at every minute: write {length} instead of {interval}.")
    if interval.months or interval.seconds % 60:
        raise UsageError(
            f"A rolling window has whole minutes, and {interval} has not: write a length such as 13m, 60m or 1h."
        )
    return interval.seconds // 60


def window_count(minutes: CandleRequest, interval: Interval) -> int:
    """
    Return how many rolling windows of that length lie in the range of a request of minutes: one starts every minute.

    Raises:
        UsageError: If none does, or the length is no whole number of minutes.
    """
    minutes.check()
    count = len(minutes.slots) + 1 - window_minutes(interval)
    if count < 1:
        raise UsageError(f"No whole window of {interval} lies in that range: nothing was written. Choose a longer one.")
    return count


def whole_candles(
    interval: Interval, start_us: int, end_us: int, now_us: int, *, include_open: bool = False
) -> tuple[int, int]:
    """
    Return a range widened to whole candles, and ended with the newest that there is at ``now_us``.

    That is the last one that has ended or, with ``include_open``, the one that has begun. The range always holds a
    candle. All times are UTC microseconds.
    """
    newest_us = interval.next_open_us(now_us) if include_open else interval.open_time_us(now_us)
    until_us = min(interval.next_open_us(end_us - 1), newest_us)
    return min(interval.open_time_us(start_us), interval.open_time_us(until_us - 1)), until_us


def candle_file_name(symbol: str, interval: Interval, start_us: int, end_us: int, suffix: str = "csv") -> str:
    """Return ``BTCUSDT-1m-20241108-20241109T1200.csv``: the candles and the time they cover, UTC."""
    return file_name(symbol, interval.name, start_us, end_us, suffix)


def file_name(symbol: str, rows: str, start_us: int, end_us: int, suffix: str) -> str:
    """Return the same for any rows: ``BTCUSDT-trades-20241108-20241109.csv``."""
    return f"{file_symbol(symbol)}-{rows}-{_stamp(start_us)}-{_stamp(end_us)}.{suffix}"


def _stamp(time_us: int) -> str:
    seconds = time_us // 1_000_000
    form = "%Y%m%d" if time_us % _DAY_US == 0 else "%Y%m%dT%H%M%S" if seconds % 60 else "%Y%m%dT%H%M"
    return datetime.fromtimestamp(seconds, UTC).strftime(form)
