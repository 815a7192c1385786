"""
Loads the candles around a date, but not those between them and the rest of the chart.

The cost is bounded however far back the date is: at most two pages and one request for the symbol's listing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from app.live.charts.page_loader import Page
from app.market.candle import Candle
from app.market.errors import FeedError
from app.market.interval import Interval


class DateJump(NamedTuple):
    """
    Where a jump leads.

    Attributes:
        time_us: the requested time, or that of the nearest candle if it has none (UTC microseconds). None after a
            failure.
        begins: whether the symbol was listed after the requested time.
        failure: one sentence why there are no candles to show, else empty.
    """

    time_us: int | None
    begins: bool = False
    failure: str = ""


class JumpPage(NamedTuple):
    """The candles around a time; ``requested``: the first and last slot that are fully loaded, or None."""

    jump: DateJump
    candles: Sequence[Candle] = ()
    requested: tuple[int, int] | None = None
    begins: bool = False  # the first of the candles is the symbol's first
    failure: str = ""  # why candles may be missing, else empty


LoadPage = Callable[[int, int], Awaitable[Page]]
"""Loads the page that ends before a time (UTC microseconds, the first argument) and has n slots (the second)."""


async def candles_around(
    interval: Interval,
    time_us: int,
    newest: int,
    slots: int,
    load: LoadPage,
    find_listing: Callable[[], Awaitable[int | None]],
) -> JumpPage:
    """
    Return the candles of about ``slots`` slots around a time, none after slot ``newest``.

    If the symbol was listed only later, return its first candles. Failures are reported in the result.
    """
    first, last = _slots_around(interval, time_us, newest, slots)
    page = await load(interval.slot_open_us(last + 1), last - first + 1)
    begins = page.begins and not page.candles
    if begins or not page.candles:
        try:
            listed_us = await find_listing()
        except FeedError as error:
            return JumpPage(DateJump(None, failure=page.failure or str(error)), failure=page.failure or str(error))
        if listed_us is None or interval.slot(listed_us) <= first:
            return _nothing(page)
        time_us, begins = listed_us, True
        first, last = _slots_around(interval, time_us, newest, slots)
        page = await load(interval.slot_open_us(last + 1), last - first + 1)
    if not page.candles:
        return _nothing(page)
    opened, closed = page.candles[0].open_time_us, page.candles[-1].open_time_us
    reached = min(max(time_us, opened), interval.next_open_us(closed) - 1)
    begin = min(max(first, interval.slot(opened)), last)  # a page may be shorter than requested
    requested = None if page.failure else (begin, last)
    jump = DateJump(reached, begins or (page.begins and time_us < opened))
    return JumpPage(jump, page.candles, requested, page.begins, page.failure)


def _nothing(page: Page) -> JumpPage:
    return JumpPage(DateJump(None, failure=page.failure or "There are no candles at that time."), failure=page.failure)


def _slots_around(interval: Interval, time_us: int, newest: int, slots: int) -> tuple[int, int]:
    middle = interval.slot(time_us)
    last = min(middle + slots // 2, newest)
    return last - slots + 1, last
