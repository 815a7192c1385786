"""
Loads the history of one chart that its view needs: before the first candle, between candles, or far back.

Loads one page at a time and requests no slot twice until the newest page is loaded again. `page_loader` gets a page
from store and exchange, `CandleMerger` writes it into the series; this module decides which pages, and when.
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
from app.market.calendar.calendar import Calendar
from app.market.calendar.closed_slots import NO_SLOTS, SlotRanges, closed_slots
from app.market.calendar.spans import without
from app.market.candle import Candle
from app.market.coverage import IdRanges
from app.market.interval import Interval


class RequestedSlots:
    """Remembers the slots requested, so that slots without a candle, as of an outage, are not requested for ever."""

    def __init__(self) -> None:
        self._slots = IdRanges()

    def forget(self) -> None:
        """Let every slot be requested again."""
        self._slots = IdRanges()

    def note_requested(self, first: int, last: int) -> None:
        """Note that all candles there are from slot ``first`` to ``last``, inclusive, have been loaded."""
        self._slots.add_range(first, last)

    def last_not_requested(
        self, slots: NDArray[np.int64], first: int, last: int, closed: SlotRanges = NO_SLOTS
    ) -> tuple[int, int] | None:
        """
        Return the newest run of slots in ``first``..``last``, inclusive, neither in ``slots`` nor requested, or None.

        ``slots``: those of the series, rising. ``closed``: those in which the market is closed, never returned.
        """
        if last < first:
            return None
        low, high = np.searchsorted(slots, [first, last + 1])
        present = slots[low:high]
        if len(present) == last - first + 1:
            return None
        edges = np.concatenate(([first - 1], present, [last + 1]))
        gaps = np.column_stack((edges[:-1] + 1, edges[1:]))[np.diff(edges) > 1]
        for start, end in without(gaps, closed)[::-1].tolist():
            unrequested = self._slots.missing(start, end - 1)
            if unrequested:
                return unrequested[-1]
        return None


_MOST_PAGES = 4
_MOST_AT_ONCE = 3 * PAGE  # candles; merging more would hold up a frame
_FAR = 5 * PAGE  # slots; a view farther back than that is loaded by itself, without the candles in between
_SLICE = 500  # candles merged at once; a frame may come between two slices


class HistoryLoader:
    """
    Loads older candles and gives them to ``merger``. ``now_us`` returns the exchange's time (UTC microseconds).

    ``on_change`` is called when candles were merged; ``on_failure`` with a sentence when visible candles could not be
    loaded in full, and with an empty one when that is over. ``calendar``: when the market is open; None: always.

    Attributes:
        calendar: as given; may be set later, too.
        is_loading: whether a page is being loaded.
        failed: whether the last page before the first candle was incomplete.
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
        calendar: Calendar | None = None,
    ) -> None:
        self.symbol = symbol
        self.interval = interval
        self.is_loading = False
        self.failed = False
        self._reported = False  # that visible candles could not be loaded
        self._history = history
        self._merger = merger
        self.calendar = calendar
        self._now_us = now_us
        self._on_change = on_change
        self._on_failure = on_failure
        self._wanted_us: int | None = None  # how far back `load_older` should go
        self._begins = False
        self._requests: set[asyncio.Task[Page]] = set()
        self._requested = RequestedSlots()
        self._closed = False

    def close(self) -> None:
        """Cancel requests and make no more."""
        self._closed = True
        for request in self._requests:
            request.cancel()

    def restart(self, newest: Page) -> None:
        """Let every slot be requested again: ``newest``, the page of the latest candles, was just loaded."""
        merger, candles = self._merger, newest.candles
        adjoins = not len(merger) or not candles or candles[0].open_time_us <= merger.first_us
        self._begins = newest.begins and adjoins
        if self._begins:
            merger.set_begins(begins=True)
        self._requested.forget()

    def reaches(self, time_us: int) -> bool:
        """Whether ``time_us`` needs no older candles: there are none, or the series is empty or begins before."""
        if self._begins or not len(self._merger.series):
            return True
        return self.interval.slot(time_us) >= int(self._merger.series.slots[0])

    async def load_older(self, back_to_us: int | None = None) -> int:
        """
        Add a page of candles before the first, and more back to ``back_to_us`` (UTC microseconds).

        Returns how many were added. A call while another goes on only extends how far that one goes, and returns 0.
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
                return added + self._insert(left or [])  # a jump added older candles meanwhile
            self._begins = page.begins or not (prepended or page.failure)
            self._merger.set_begins(begins=self._begins)
            if self.failed or page.failure:
                self.failed = bool(page.failure)
                self._on_failure(page.failure)
            if not prepended or page.failure or self._wanted_us is None or self.reaches(self._wanted_us):
                break
        return added

    def lacks_candles(self, start_us: int, end_us: int) -> bool:
        """Whether `load_view` would load anything for that range. Cheap enough for every move of the view."""
        if self._merger.newest is None or self.is_loading or self._closed:
            return False
        return not self.reaches(start_us) or self._not_requested(start_us, end_us) is not None

    async def load_view(self, start_us: int, end_us: int) -> None:
        """
        Load the candles that the series lacks in ``[start_us, end_us)``, UTC microseconds, wherever that is.

        Near the first candle, all candles from there on are loaded. A range far before it is loaded by itself; the
        candles in between wait until the view comes to them.
        """
        if not len(self._merger.series):
            return
        first, slot = int(self._merger.series.slots[0]), self.interval.slot
        if slot(end_us) < first - _FAR:
            found = await self._jump_to((start_us + end_us) // 2, slot(end_us) - slot(start_us))
            self._report(found.failure)
        elif not self.reaches(start_us):
            await self.load_older(start_us)
        else:
            await self.ensure(start_us, end_us)

    async def ensure(self, start_us: int, end_us: int) -> None:
        """
        Load the candles that the series lacks in ``[start_us, end_us)`` between its candles, or before them.

        Newest first and at most a few pages, each requested once.
        """
        for _ in range(_MOST_PAGES):
            missing = self._not_requested(start_us, end_us)
            if missing is None or self.is_loading or self._closed:
                return
            first, last = missing
            limit = min(max(PAGE, last - first + 1), _MOST_AT_ONCE)
            page = await self._page(self.interval.slot_open_us(last + 1), limit)
            if page.failure or self._closed:
                self._report(page.failure)
                return
            begin = last - limit + 1
            if page.candles:  # a page may be shorter than requested
                begin = min(max(begin, self.interval.slot(page.candles[0].open_time_us)), last)
            self._requested.note_requested(begin, last)
            self._insert(page.candles)
            self._report("")

    async def jump_to(self, time_us: int, slots: int = PAGE) -> DateJump:
        """
        Load the candles around a time, ``slots`` of them or a page, and none between them and the others.

        Does nothing if they are loaded already. Safe to cancel.
        """
        return (await self._jump_to(time_us, slots)).jump

    async def _jump_to(self, time_us: int, slots: int) -> JumpPage:
        newest = self.interval.slot(self._now_us())
        if len(self._merger.series) and self._merger.newest is not None:
            newest = self.interval.slot(self._merger.newest.open_time_us)
        slots = min(max(slots, PAGE), _MOST_AT_ONCE)
        middle = min(self.interval.slot(time_us), newest)
        near = middle - slots // 4, min(middle + slots // 4, newest)
        if len(self._merger.series) and self._last_not_requested(*near) is None and not self._is_empty(*near):
            end_us = self.interval.next_open_us(self.interval.slot_open_us(newest))
            return JumpPage(DateJump(min(time_us, end_us - 1)))
        found = await candles_around(
            self.interval, time_us, newest, slots, self._request, lambda: self._history.find_listing(self.symbol)
        )
        if not self._closed and found.candles:
            self._insert(found.candles)
            if found.requested is not None:
                self._requested.note_requested(*found.requested)
            if found.begins and found.candles[0].open_time_us <= self._merger.first_us:
                self._begins = True
                self._merger.set_begins(begins=True)
        return found

    def _report(self, failure: str) -> None:
        """Report why visible candles could not be loaded, or clear that report."""
        if (failure or self._reported) and not self._closed:
            self._reported = bool(failure)
            self._on_failure(failure)

    async def _prepend(self, page: Page, first_us: int) -> tuple[int, Sequence[Candle] | None]:
        """
        Add a page that ends before ``first_us``, the first candle, youngest slice first.

        Returns how many were added, and the candles left over if a jump put another candle first meanwhile, else None.
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

    def _not_requested(self, start_us: int, end_us: int) -> tuple[int, int] | None:
        if self._merger.newest is None:
            return None
        # Younger candles than the newest come from live trades alone.
        last = min(self.interval.slot(end_us - 1), self.interval.slot(self._merger.newest.open_time_us))
        return self._last_not_requested(self.interval.slot(start_us), last)

    def _last_not_requested(self, first: int, last: int) -> tuple[int, int] | None:
        """Return the newest run of open slots, both inclusive, that are neither loaded nor requested, or None."""
        closed = NO_SLOTS if self.calendar is None else closed_slots(self.calendar, self.interval, first, last + 1)
        return self._requested.last_not_requested(self._merger.series.slots, first, last, closed)

    def _is_empty(self, first: int, last: int) -> bool:
        """Whether the series has no candle in these slots, both inclusive."""
        low, high = np.searchsorted(self._merger.series.slots, [first, last + 1])
        return bool(low == high)

    async def _older_page(self) -> Page:
        first_us = self._merger.first_us
        wanted = 0 if self._wanted_us is None else self.interval.slot(first_us) - self.interval.slot(self._wanted_us)
        return await self._page(first_us, min(max(PAGE, wanted), _MOST_AT_ONCE))

    async def _page(self, end_us: int, limit: int = PAGE) -> Page:
        """Load the page before ``end_us``; only `jump_to` may load another meanwhile."""
        self.is_loading = True
        try:
            return await self._request(end_us, limit)
        finally:
            self.is_loading = False

    async def _request(self, end_us: int, limit: int) -> Page:
        """Load the page before ``end_us``; an empty one if this loader is closed meanwhile."""
        request = asyncio.ensure_future(
            load_page(self._history, self.symbol, self.interval, end_us, limit=limit, calendar=self.calendar)
        )
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
