"""
Which pieces a download is made of: months and days from the archive, the rest from the exchange. Pure.

A day is asked of the archive once it is over, a month if all of its days are wanted. Times are UTC microseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from app.market.coverage import IdRanges
from app.market.interval import SECOND_US, Interval
from app.market.ports.archive import DAY_US, ArchiveFile

_MONTH = Interval.parse("1M")


class Piece(NamedTuple):
    """
    What is wanted of ``symbol`` in ``[start_us, end_us)``: trades, or klines of ``interval``.

    ``file``: where it is to be had from; None: from the exchange itself.
    """

    symbol: str
    interval: Interval | None
    start_us: int
    end_us: int
    file: ArchiveFile | None = None

    @property
    def what(self) -> str:
        """``trades`` or the interval."""
        return "trades" if self.interval is None else self.interval.name

    @property
    def length_us(self) -> int:
        """How much of the market it is, in microseconds."""
        return self.end_us - self.start_us

    @property
    def days(self) -> list[Piece]:
        """The same from files of days, newest first; empty unless it is from a month's file."""
        if self.file is None or not self.file.is_month:
            return []
        return [self._of_day(day_us) for day_us in range(self.end_us - DAY_US, self.start_us - 1, -DAY_US)]

    def _of_day(self, day_us: int) -> Piece:
        end_us = day_us + DAY_US
        return Piece(
            self.symbol, self.interval, day_us, end_us, ArchiveFile(self.symbol, self.interval, day_us, end_us)
        )


def plan(
    symbol: str,
    interval: Interval | None,
    start_us: int,
    end_us: int,
    known: IdRanges,
    *,
    now_us: int,
    from_archive: bool,
    whole_days: bool,
) -> list[Piece]:
    """
    Return the pieces of ``[start_us, end_us)`` that are not in ``known`` (microseconds), newest first.

    ``whole_days``: a day of which only a part is wanted comes from the exchange; else its file is used all the same.
    """
    days: dict[int, Piece] = {}
    rest: list[Piece] = []
    for first_us, last_us in known.missing(start_us, end_us - 1):
        for begin_us, until_us in _days_of(first_us, last_us + 1):
            day_us = begin_us - begin_us % DAY_US
            is_whole = until_us - begin_us == DAY_US
            if from_archive and day_us + DAY_US <= now_us and (is_whole or not whole_days):
                file = ArchiveFile(symbol, interval, day_us, day_us + DAY_US)
                before = days.get(day_us)  # wanted in two parts
                begin_us = begin_us if before is None else before.start_us
                days[day_us] = Piece(symbol, interval, begin_us, until_us, file)
            elif rest and rest[-1].end_us == begin_us:
                rest[-1] = rest[-1]._replace(end_us=until_us)
            else:
                rest.append(Piece(symbol, interval, begin_us, until_us))
    return sorted([*_with_months(days), *rest], key=lambda piece: piece.start_us, reverse=True)


def whole_months(start_us: int, end_us: int) -> Iterator[tuple[int, int]]:
    """Yield the months that lie in ``[start_us, end_us)`` as a whole, oldest first."""
    month_us = _MONTH.next_open_us(start_us - 1)
    while (next_us := _MONTH.next_open_us(month_us)) <= end_us:
        yield month_us, next_us
        month_us = next_us


def _days_of(start_us: int, end_us: int) -> Iterable[tuple[int, int]]:
    while start_us < end_us:
        until_us = min(end_us, start_us - start_us % DAY_US + DAY_US)
        yield start_us, until_us
        start_us = until_us


def _with_months(days: dict[int, Piece]) -> list[Piece]:
    """Return the pieces with a month in place of its days where all of them are wanted as a whole."""
    wanted = {day_us for day_us, piece in days.items() if piece.end_us - piece.start_us == DAY_US}
    pieces = dict(days)
    for month_us, next_us in whole_months(min(wanted, default=0), max(wanted, default=-DAY_US) + DAY_US):
        of_month = range(month_us, next_us, DAY_US)
        if wanted.issuperset(of_month):
            some = pieces[month_us]
            for day_us in of_month:
                del pieces[day_us]
            file = ArchiveFile(some.symbol, some.interval, month_us, next_us)
            pieces[month_us] = Piece(some.symbol, some.interval, month_us, next_us, file)
    return list(pieces.values())


def moment(time_us: int) -> str:
    """Return ``2026-11-28`` for a midnight, else ``2026-11-28T22:44``, with seconds where there are any; UTC."""
    when = datetime.fromtimestamp(time_us // SECOND_US, UTC)
    if time_us % DAY_US == 0:
        return when.strftime("%Y-%m-%d")
    return when.strftime("%Y-%m-%dT%H:%M:%S" if when.second else "%Y-%m-%dT%H:%M")
