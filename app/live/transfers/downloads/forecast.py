"""
How much of a download is stored already, and the bar that shows it. Only the database is asked.

The bar's slots are seconds. Pieces are fetched newest first, so what is left while it runs is the oldest part.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from app.live.transfers.downloads.held_times import TimesStore, known_times
from app.market.availability import Origin, Stretch
from app.market.coverage import IdRanges
from app.market.interval import SECOND_US, Interval

Span = tuple[int, int]
"""A half-open range of seconds since 1970, UTC."""


class Forecast(NamedTuple):
    """One symbol's range, and the parts of it that are ``missing``: rising, without overlaps."""

    symbol: str
    span: Span
    missing: tuple[Span, ...]

    @property
    def missing_s(self) -> int:
        """The seconds of the market to be fetched."""
        return sum(end - start for start, end in self.missing)


def forecast(store: TimesStore, symbol: str, interval: Interval | None, start_us: int, end_us: int) -> Forecast:
    """
    Return what a download of that range, in UTC microseconds, has to fetch; ``interval`` is None for trades.

    A second is missing if a part of it is. Blocks; raises StoreError.
    """
    known = known_times(store, symbol, interval, start_us, end_us)
    missing = IdRanges((first // SECOND_US, last // SECOND_US) for first, last in known.missing(start_us, end_us - 1))
    span = start_us // SECOND_US, -(-end_us // SECOND_US)
    return Forecast(symbol, span, tuple((first, last + 1) for first, last in missing))


def stretches(
    span: Span, missing: Sequence[Span], stored: Origin, *, share: float = 0.0, lacking: Iterable[Span] = ()
) -> list[Stretch]:
    """
    Return the stretches of a bar over ``span``: ``stored``, to be fetched, or unavailable (``lacking``).

    ``share``: how much of what was missing is stored by now, 0 to 1.
    """
    start, end = span
    left_s = round((1.0 - share) * sum(last - first for first, last in missing))
    parts: list[tuple[int, int, Origin]] = []
    for first, last in missing:
        until = min(last, first + left_s)
        left_s -= until - first
        if until > first:
            parts.append((first, until, Origin.FETCH))
    parts += [(max(first, start), min(last, end), Origin.NOWHERE) for first, last in lacking]
    found, at = list[Stretch](), start
    for first, until, origin in sorted(parts):
        first = max(first, at)
        if until <= first:
            continue
        if first > at:
            found.append(Stretch(at, first - 1, stored))
        found.append(Stretch(first, until - 1, origin))
        at = until
    if at < end:
        found.append(Stretch(at, end - 1, stored))
    return found
