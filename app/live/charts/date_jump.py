"""
Candles around any moment of the past, without those in between: what going to a date loads.

It is bounded: two pages and one request for the listing at the most, however far back.
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
    Where a jump leads: to ``time_us`` (UTC microseconds), the asked one, or the candle next to it where it has none.

    ``begins``: the symbol is younger than what was asked for. ``failure``: one sentence why there is nothing to show;
    then ``time_us`` is None.
    """

    time_us: int | None
    begins: bool = False
    failure: str = ""


class JumpPage(NamedTuple):
    """What was found around a time; ``asked``: of these slots, both inclusive, all that there is."""

    jump: DateJump
    candles: Sequence[Candle] = ()
    asked: tuple[int, int] | None = None
    begins: bool = False  # nothing is older than the first of the candles
    failure: str = ""  # why there may be more, where a source could not be read


LoadPage = Callable[[int, int], Awaitable[Page]]
"""Loads the page of so many slots (the second) that ends before a time (the first)."""


async def candles_around(
    interval: Interval,
    time_us: int,
    newest: int,
    slots: int,
    load: LoadPage,
    find_listing: Callable[[], Awaitable[int | None]],
) -> JumpPage:
    """Return the candles of about ``slots`` slots around a time, none after slot ``newest``."""
    first, last = _stretch(interval, time_us, newest, slots)
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
        first, last = _stretch(interval, time_us, newest, slots)
        page = await load(interval.slot_open_us(last + 1), last - first + 1)
    if not page.candles:
        return _nothing(page)
    opened, closed = page.candles[0].open_time_us, page.candles[-1].open_time_us
    reached = min(max(time_us, opened), interval.next_open_us(closed) - 1)
    begin = min(max(first, interval.slot(opened)), last)  # a page may be shorter than asked for
    asked = None if page.failure else (begin, last)
    jump = DateJump(reached, begins or (page.begins and time_us < opened))
    return JumpPage(jump, page.candles, asked, page.begins, page.failure)


def _nothing(page: Page) -> JumpPage:
    return JumpPage(DateJump(None, failure=page.failure or "There are no candles at that time."), failure=page.failure)


def _stretch(interval: Interval, time_us: int, newest: int, slots: int) -> tuple[int, int]:
    middle = interval.slot(time_us)
    last = min(middle + slots // 2, newest)
    return last - slots + 1, last
