"""
Loads one page of a chart's history from the store and the exchange.

Stored candles are read first and offered as soon as they fill the chart; the exchange is asked only for the rest, in a
bounded number of requests. A slow database is not waited for. If one source fails, the page has the other's candles and
one sentence. `history_loader` decides which pages, `CandleHistory` reads and saves.

A stored candle that lacks trades is held back until the exchange has answered: its kline is on the way, and until then
the candle would show prices known to be wrong, as a month of which only the last days are recorded.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from app.live.charts.candle_history import CandleHistory, StoredPage
from app.market.calendar.calendar import Calendar
from app.market.calendar.closed_slots import closed_slots, first_of_open
from app.market.candle import Candle, CandleSource, has_prices_alone, is_whole_so_far
from app.market.coverage import IdRanges
from app.market.errors import CryptopipeError, FeedError, StoreError
from app.market.interval import Interval, kline_interval_for
from app.market.precedence import add_better
from app.market.series.series import slots_of

_ROWS = 1000  # klines in an answer of the exchange
MOST_REQUESTS = 24
_TICKS = CandleSource.TICKS


class RequestPlan(NamedTuple):
    """
    Requests as ``[start_us, end_us)`` of whole candles (UTC microseconds), oldest first.

    ``first``: the page's first slot, later than requested if the older slots would take too many requests.
    """

    requests: list[tuple[int, int]]
    first: int


def missing_slots(
    interval: Interval,
    first: int,
    last: int,
    candles: Iterable[Candle],
    fetched: IdRanges,
    calendar: Calendar | None = None,
) -> list[int]:
    """
    Return the slots from ``first`` to ``last``, rising, for which the exchange may have more than ``candles``.

    These are slots without a closed and complete candle, or with one that knows prices and volume alone, whose klines
    have not been ``fetched`` (in microseconds) yet, and in which the market is open at some time.
    """
    open_us = interval.slot_open_us
    absent = fetched.missing(open_us(first), open_us(last + 1) - 1) if first <= last else []
    if not absent:
        return []
    # As arrays, for a page has thousands of slots, and the chart waits meanwhile.
    lacking = np.zeros(last + 1 - first, bool)
    for low_us, high_us in absent:
        lacking[interval.slot(low_us) - first : interval.slot(high_us) + 1 - first] = True
    if calendar is not None:
        for start, stop in closed_slots(calendar, interval, first, last + 1).tolist():
            lacking[start - first : stop - first] = False
    enough = [
        one.open_time_us
        for one in candles
        if one.closed and one.complete and (one.source is _TICKS or not has_prices_alone(one))
    ]
    at = slots_of(interval, np.array(enough, np.int64)) - first
    lacking[at[(at >= 0) & (at < len(lacking))]] = False
    slots: list[int] = (np.flatnonzero(lacking) + first).tolist()
    return slots


def plan(interval: Interval, first: int, slots: Sequence[int]) -> RequestPlan:
    """Return the requests for a page from slot ``first`` that lacks ``slots``, rising; if too many, the newest."""
    offered = kline_interval_for(interval)
    per_candle = max(1, round(interval.length_us / offered.length_us))
    at_once = max(1, _ROWS // per_candle)
    pages_each = -(-per_candle // _ROWS)
    spans: list[tuple[int, int]] = []
    for slot in slots:
        if spans and slot < spans[-1][0] + at_once:
            spans[-1] = spans[-1][0], slot
        else:
            spans.append((slot, slot))
    most = max(1, MOST_REQUESTS // pages_each)
    if len(spans) > most:
        spans = spans[-most:]
        first = spans[0][0]
    return RequestPlan([(interval.slot_open_us(begin), interval.slot_open_us(end + 1)) for begin, end in spans], first)


logger = logging.getLogger(__name__)

PAGE = 1000
_ENOUGH_EARLY = 200  # candles; about a screen
_PATIENCE_S = 0.3  # then a page is offered although it does not fill the chart
_STORE_PATIENCE_S = 0.25  # then the exchange is asked without knowing what is stored


class Page(NamedTuple):
    """
    Candles by rising open time.

    ``failure``: one sentence if a source failed, so that some may be missing. ``begins``: the symbol has none before.
    """

    candles: list[Candle]
    failure: str = ""
    begins: bool = False


async def load_page(
    history: CandleHistory,
    symbol: str,
    interval: Interval,
    end_us: int,
    *,
    limit: int = PAGE,
    on_part: Callable[[list[Candle]], None] | None = None,
    calendar: Calendar | None = None,
) -> Page:
    """
    Return the candles of the ``limit`` slots before ``end_us``, or fewer if those would take too many requests.

    ``calendar``: when the market is open; None: always. Slots in which it is closed are neither counted nor requested.

    If these slots have no candles, as after an outage or a delisting, the page ends with the newest candle before them.
    ``on_part`` is called with the candles loaded so far once they fill a chart, or after a short wait for the rest; see
    `presentable` for those held back.
    """
    return await _Loading(history, symbol, interval, end_us, limit, on_part, calendar).run()


def presentable(candles: Sequence[Candle]) -> list[Candle]:
    """Return those of the candles, oldest first, that lack no trades so far: no answer of the exchange changes them."""
    shown = [candle for candle in candles if candle.complete]
    last = candles[-1] if candles else None
    if last is not None and not last.complete and is_whole_so_far(candles):
        shown.append(last)
    return shown


class _Loading:
    """The loading of one page."""

    def __init__(
        self,
        history: CandleHistory,
        symbol: str,
        interval: Interval,
        end_us: int,
        limit: int,
        on_part: Callable[[list[Candle]], None] | None,
        calendar: Calendar | None,
    ) -> None:
        self._history = history
        self._symbol = symbol
        self._interval = interval
        self._limit = limit
        self._on_part = on_part
        self._calendar = calendar
        self._last = first_of_open(calendar, interval, interval.slot(end_us - 1), 1)
        self._first = first_of_open(calendar, interval, self._last, limit)
        self._stored = StoredPage([], IdRanges())
        self._merged: dict[int, Candle] = {}
        self._failure = ""
        self._waited = False

    async def run(self) -> Page:
        loop = asyncio.get_running_loop()
        patience = loop.call_later(_PATIENCE_S, self._offer_soon)
        reading = loop.create_task(self._read())
        try:
            # A day of the lake takes seconds: it is never fetched only because the database was slow to answer.
            patience_s = None if self._history.asks_lake(self._interval) else _STORE_PATIENCE_S
            await asyncio.wait({reading}, timeout=patience_s)
            await self._ask()
            if not reading.done():
                self._offer(whatever=True)
            await reading
        finally:
            patience.cancel()
            reading.cancel()
        candles = self._candles()
        if self._failure:
            return Page(candles, self._failure)
        try:
            if not candles or self._interval.slot(candles[0].open_time_us) < self._first:
                return await self._before()
            return Page(candles, begins=await self._begins(candles[0].open_time_us))
        except FeedError as error:
            logger.info("%s %s: %s", self._symbol, self._interval, error, extra={"symbol": self._symbol})
            return Page(candles, str(error))

    async def _read(self) -> None:
        end_us = self._interval.slot_open_us(self._last + 1)
        try:
            self._stored = await self._history.stored(self._symbol, self._interval, end_us=end_us, limit=self._limit)
        except StoreError as error:
            self._fail(error)
        else:
            self._merge(self._stored.candles)
            self._offer(whatever=self._waited)

    async def _ask(self) -> None:
        interval = self._interval
        slots = missing_slots(
            interval, self._first, self._last, self._stored.candles, self._stored.fetched, self._calendar
        )
        requests, self._first = plan(interval, self._first, slots)
        published = partial(self._history.published, with_cold=True)
        asked = (published(self._symbol, interval, start_us, end_us, self._merge) for start_us, end_us in requests)
        results = await asyncio.gather(*asked, return_exceptions=True)
        for (start_us, end_us), result in zip(requests, results, strict=True):
            if isinstance(result, FeedError):
                whole = {one.open_time_us for one in self._merged.values() if one.closed and one.complete}
                # Without an answer a candle that knows prices and volume alone stays: the page lacks nothing.
                opens_us = map(interval.slot_open_us, range(interval.slot(start_us), interval.slot(end_us)))
                if not whole.issuperset(opens_us):
                    self._fail(result)
            elif result is not None:
                raise result

    async def _begins(self, first_us: int) -> bool:
        """Whether the symbol has nothing before the page's first candle; no request unless the page is short."""
        slot = self._interval.slot(first_us)
        if slot == self._first or min(self._merged) < first_us:
            return False
        if self._is_all(first_us):
            return True
        listed_us = await self._history.find_listing(self._symbol)
        return listed_us is not None and self._interval.slot(listed_us) >= slot

    async def _before(self) -> Page:
        """Load the page that ends with the newest candle before this one: after an outage or a delisting."""
        if not self._merged and not self._stored.fetched.missing(0, self._interval.slot_open_us(self._last + 1) - 1):
            return Page([], begins=True)
        listed_us = await self._history.find_listing(self._symbol)
        if listed_us is None or self._interval.slot(listed_us) >= self._first:
            return Page(self._candles(), begins=not self._merged)
        first_us = self._interval.slot_open_us(self._first)
        end_us: int | None = None
        if self._stored.candles:
            end_us = self._interval.next_open_us(self._stored.candles[-1].open_time_us)
        if end_us is None or self._stored.fetched.missing(end_us, first_us - 1):
            end_us = await self._history.end_before(self._symbol, self._interval, first_us)
        if end_us is None or self._interval.slot(end_us - 1) >= self._first:
            return Page(self._candles(), begins=not self._merged)
        return await load_page(
            self._history,
            self._symbol,
            self._interval,
            end_us,
            limit=self._limit,
            on_part=self._on_part,
            calendar=self._calendar,
        )

    def _merge(self, candles: Iterable[Candle]) -> None:
        add_better(self._merged, candles)
        self._offer(whatever=False)

    def _offer_soon(self) -> None:
        """Offer the candles loaded so far, and stored candles as soon as they are read."""
        self._waited = True
        self._offer(whatever=True)

    def _offer(self, *, whatever: bool) -> None:
        if self._on_part is None:
            return
        candles = self._candles()
        if whatever or (candles and self._fills_a_chart(candles)):
            shown = presentable(candles)
            if shown:
                self._on_part(shown)

    def _candles(self) -> list[Candle]:
        """Return the page's candles so far; if there are none, the older ones that are stored."""
        opens = sorted(self._merged)
        inside = opens[bisect_left(opens, self._interval.slot_open_us(self._first)) :]
        return list(map(self._merged.__getitem__, inside or opens))

    def _fills_a_chart(self, candles: list[Candle]) -> bool:
        """
        Whether the candles reach up to now without a missing slot, and are many or all there are.

        Else the other source's candles would change picture and scale a moment later, so the chart would flash and jump
        at every switch.
        """
        first, last = (self._interval.slot(candle.open_time_us) for candle in (candles[0], candles[-1]))
        slots = last - first + 1
        if self._calendar is not None:
            ranges = closed_slots(self._calendar, self._interval, first, last + 1)
            slots -= int((ranges[:, 1] - ranges[:, 0]).sum())
        whole = slots == len(candles) and is_whole_so_far(candles) and last >= self._last - 1
        return whole and (len(candles) >= _ENOUGH_EARLY or self._is_all(candles[0].open_time_us))

    def _is_all(self, first_us: int) -> bool:
        """Whether the symbol is known to have nothing before ``first_us``."""
        return not self._stored.fetched.missing(0, first_us - 1)

    def _fail(self, error: CryptopipeError) -> None:
        logger.info("%s %s: %s", self._symbol, self._interval, error, extra={"symbol": self._symbol})
        self._failure = str(error)
