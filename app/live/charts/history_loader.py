"""
Loading the past of a chart where it is looked at: before its first candle, in its holes, far away.

A page at a time; what is being loaded is not asked for again, and nothing is loaded for a chart that is closed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from app.live.charts.candle_history import CandleHistory
from app.live.charts.candle_merger import CandleMerger
from app.live.charts.date_jump import DateJump, JumpPage, candles_around
from app.live.charts.page_loader import PAGE, Page, load_page
from app.market.candle import Candle
from app.market.coverage import IdRanges
from app.market.interval import Interval


class RequestedSlots:
    """Remembers which slots were asked for: what an outage left out is not asked for again and again."""

    def __init__(self) -> None:
        self._asked = IdRanges()

    def forget(self) -> None:
        """Let everything be asked for again."""
        self._asked = IdRanges()

    def note_requested(self, first: int, last: int) -> None:
        """Note that all there is from slot ``first`` to ``last`` is there."""
        self._asked.add_range(first, last)

    def last(self, slots: NDArray[np.int64], first: int, last: int) -> tuple[int, int] | None:
        """
        Return the newest run of slots in ``first``..``last``, inclusive, that is neither in ``slots`` nor asked for.

        ``slots`` rise. None: there is no such run.
        """
        if last < first:
            return None
        low, high = np.searchsorted(slots, [first, last + 1])
        present = slots[low:high]
        if len(present) == last - first + 1:
            return None
        edges = np.concatenate(([first - 1], present, [last + 1]))
        for at in np.flatnonzero(np.diff(edges) > 1)[::-1].tolist():
            unasked = self._asked.missing(int(edges[at]) + 1, int(edges[at + 1]) - 1)
            if unasked:
                return unasked[-1]
        return None


_MOST_PAGES = 4
_MOST_AT_ONCE = 3 * PAGE  # more would hold up a frame when they are brought in
_FAR = 5 * PAGE  # slots that are not worth loading for what lies beyond them
_SLICE = 500  # candles that are brought in at once; a frame may come between two slices


class HistoryLoader:
    """
    Brings older candles into ``shown``. ``now_us`` returns the exchange's time, UTC microseconds.

    ``on_change`` is called when some came, ``on_failure`` with a sentence when what is looked at could not be loaded in
    full, and with none when that is over. ``is_loading`` while a page is; ``failed``: the last page before the first
    candle was not whole.
    """

    def __init__(
        self,
        symbol: str,
        interval: Interval,
        history: CandleHistory,
        merger: CandleMerger,
        *,
        now_us: Callable[[], int],
        on_change: Callable[[], None],
        on_failure: Callable[[str], None],
    ) -> None:
        self.symbol = symbol
        self.interval = interval
        self.is_loading = False
        self.failed = False
        self._told = False  # that a hole could not be filled
        self._history = history
        self._merger = merger
        self._now_us = now_us
        self._on_change = on_change
        self._on_failure = on_failure
        self._wanted_us: int | None = None  # how far back older candles are asked for
        self._begins = False
        self._requests: set[asyncio.Task[Page]] = set()
        self._requested = RequestedSlots()
        self._closed = False

    def close(self) -> None:
        """Ask for nothing more."""
        self._closed = True
        for request in self._requests:
            request.cancel()

    def restart(self, newest: Page) -> None:
        """Let holes be asked for again: ``newest``, the page of the latest candles, was just read."""
        merger, candles = self._merger, newest.candles
        adjoins = not len(merger) or not candles or candles[0].open_time_us <= merger.first_us
        self._begins = newest.begins and adjoins
        if self._begins:
            merger.set_begins(begins=True)
        self._requested.forget()

    def reaches(self, time_us: int) -> bool:
        """Whether there is nothing older to load after ``time_us``, or nothing to begin from."""
        if self._begins or not len(self._merger.series):
            return True
        return self.interval.slot(time_us) >= int(self._merger.series.slots[0])

    async def load_older(self, back_to_us: int | None = None) -> int:
        """
        Prepend a page of candles before the first, and more as far as ``back_to_us`` (UTC microseconds).

        Returns how many came. While it goes on another call returns at once, and only says how far it should go.
        """
        if back_to_us is not None:
            self._wanted_us = min(back_to_us, self._wanted_us or back_to_us)
        added = 0
        while not (self.is_loading or self._begins or self._closed) and len(self._merger.series):
            first_us = self._merger.first_us
            page = await self._older_page()
            prepended, left = await self._prepend(page, first_us)
            added += prepended
            if self._closed or left is not None:
                return added + self._insert(left or [])  # the chart was sent farther back meanwhile
            self._begins = page.begins or not (prepended or page.failure)
            self._merger.set_begins(begins=self._begins)
            if self.failed or page.failure:
                self.failed = bool(page.failure)
                self._on_failure(page.failure)
            if not prepended or page.failure or self._wanted_us is None or self.reaches(self._wanted_us):
                break
        return added

    def wants(self, start_us: int, end_us: int) -> bool:
        """Whether `look_at` would load anything for ``[start_us, end_us)``. Cheap: call it whenever the view moves."""
        if self._merger.newest is None or self.is_loading or self._closed:
            return False
        return not self.reaches(start_us) or self._lacks(start_us, end_us) is not None

    async def look_at(self, start_us: int, end_us: int) -> None:
        """
        Load what the series lacks of ``[start_us, end_us)``, wherever that is.

        What adjoins the candles there are is loaded from them on; what is far from all of them by itself, and the
        candles between are left for when they are looked at.
        """
        if not len(self._merger.series):
            return
        first, slot = int(self._merger.series.slots[0]), self.interval.slot
        if slot(end_us) < first - _FAR:
            found = await self._go_to((start_us + end_us) // 2, slot(end_us) - slot(start_us))
            self._tell(found.failure)
        elif not self.reaches(start_us):
            await self.load_older(start_us)
        else:
            await self.ensure(start_us, end_us)

    async def ensure(self, start_us: int, end_us: int) -> None:
        """
        Load what the series lacks of ``[start_us, end_us)`` between its candles, or before them.

        The newest first, a few pages at the most, each asked for once.
        """
        for _ in range(_MOST_PAGES):
            missing = self._lacks(start_us, end_us)
            if missing is None or self.is_loading or self._closed:
                return
            first, last = missing
            limit = min(max(PAGE, last - first + 1), _MOST_AT_ONCE)
            page = await self._page(self.interval.slot_open_us(last + 1), limit)
            if page.failure or self._closed:
                self._tell(page.failure)
                return
            begin = last - limit + 1
            if page.candles:  # a page may be shorter than asked for
                begin = min(max(begin, self.interval.slot(page.candles[0].open_time_us)), last)
            self._requested.note_requested(begin, last)
            self._insert(page.candles)
            self._tell("")

    async def go_to(self, time_us: int, slots: int = PAGE) -> DateJump:
        """
        Load the candles around a time, ``slots`` of them or a page, and none of those in between.

        Does nothing where they are there. Safe to cancel.
        """
        return (await self._go_to(time_us, slots)).jump

    async def _go_to(self, time_us: int, slots: int) -> JumpPage:
        newest = self.interval.slot(self._now_us())
        if len(self._merger.series) and self._merger.newest is not None:
            newest = self.interval.slot(self._merger.newest.open_time_us)
        slots = min(max(slots, PAGE), _MOST_AT_ONCE)
        middle = min(self.interval.slot(time_us), newest)
        near = middle - slots // 4, min(middle + slots // 4, newest)
        if (
            len(self._merger.series)
            and self._requested.last(self._merger.series.slots, *near) is None
            and not self._is_hole(*near)
        ):
            return JumpPage(DateJump(time_us))
        found = await candles_around(
            self.interval, time_us, newest, slots, self._request, lambda: self._history.find_listing(self.symbol)
        )
        if not self._closed and found.candles:
            self._insert(found.candles)
            if found.asked is not None:
                self._requested.note_requested(*found.asked)
            if found.begins and found.candles[0].open_time_us <= self._merger.first_us:
                self._begins = True
                self._merger.set_begins(begins=True)
        return found

    def _tell(self, failure: str) -> None:
        """Tell why a hole that is looked at stays one; and that it no longer does, where that was told before."""
        if (failure or self._told) and not self._closed:
            self._told = bool(failure)
            self._on_failure(failure)

    async def _prepend(self, page: Page, first_us: int) -> tuple[int, Sequence[Candle] | None]:
        """
        Bring in a page that ends before ``first_us``, the first candle, the youngest slice first.

        Returns how many came; and None, or, where another candle became the first meanwhile, those left over.
        """
        prepended = 0
        self.is_loading = True
        try:
            for end in range(len(page.candles), 0, -_SLICE):
                if self._closed or self._merger.first_us != first_us:
                    return prepended, page.candles[:end]
                prepended += self._merger.prepend(page.candles[max(end - _SLICE, 0) : end])
                first_us = self._merger.first_us
                self._on_change()
                await asyncio.sleep(0)
        finally:
            self.is_loading = False
        return prepended, None if self._merger.first_us == first_us else []

    def _lacks(self, start_us: int, end_us: int) -> tuple[int, int] | None:
        if self._merger.newest is None:
            return None
        # What is younger than the newest candle comes from trades alone.
        last = min(self.interval.slot(end_us - 1), self.interval.slot(self._merger.newest.open_time_us))
        return self._requested.last(self._merger.series.slots, self.interval.slot(start_us), last)

    def _is_hole(self, first: int, last: int) -> bool:
        """Whether the series has not one candle there."""
        low, high = np.searchsorted(self._merger.series.slots, [first, last + 1])
        return bool(low == high)

    async def _older_page(self) -> Page:
        first_us = self._merger.first_us
        wanted = 0 if self._wanted_us is None else self.interval.slot(first_us) - self.interval.slot(self._wanted_us)
        return await self._page(first_us, min(max(PAGE, wanted), _MOST_AT_ONCE))

    async def _page(self, end_us: int, limit: int = PAGE) -> Page:
        """Return the page before ``end_us``; no other is loaded meanwhile but by `go_to`."""
        self.is_loading = True
        try:
            return await self._request(end_us, limit)
        finally:
            self.is_loading = False

    async def _request(self, end_us: int, limit: int) -> Page:
        """Return the page before ``end_us``, an empty one where this is closed meanwhile."""
        request = asyncio.ensure_future(load_page(self._history, self.symbol, self.interval, end_us, limit=limit))
        self._requests.add(request)
        try:
            await asyncio.wait({request})
            return Page([]) if request.cancelled() else request.result()
        finally:
            request.cancel()
            self._requests.discard(request)

    def _insert(self, candles: Sequence[Candle]) -> int:
        added = 0 if self._closed else self._merger.add_missing(candles)
        if added:
            self._on_change()
        return added
