"""
Brings the candles of a range into a file: from the store, and what is not stored from the exchange.

The range is gone through window by window, so a year of seconds takes no more memory than a day of them. As long as all
of it is stored, it is read as one stream of columns, a batch ahead of the writing. Where the first candle lacks, or
knows prices and volume alone as those of many files do, the windows are of at most four answers of the exchange: one is
read, what it lacks is fetched and stored (`CandleHistory.published`), and it is written before the next one is read.
Once the exchange is given up, or where nothing is to be fetched, the rest is read as one stream.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from app.concurrency.background import in_background
from app.live.charts.candle_history import CandleHistory, saved_interval
from app.live.charts.page_loader import missing_slots, plan
from app.live.transfers.batch_stream import BatchStream
from app.live.transfers.exchange_patience import ExchangePatience
from app.live.transfers.file_work import to_its_end
from app.live.transfers.report import Delivery, Lack, TransferReport
from app.market.candle import lacks_amounts
from app.market.candle_request import CandleRequest, candle_file_name
from app.market.columns.candle_columns import columns_of, flags, open_times, prices_alone, slots_of
from app.market.coverage import IdRanges
from app.market.indicators.chosen import ChosenIndicator
from app.market.indicators.range_values import RangeValues
from app.market.interval import SECOND_US, kline_interval_for
from app.market.ports.clock import Clock
from app.market.ports.files import ExportFile
from app.market.ports.storage import CandleStore
from app.market.precedence import add_better

_WINDOW_KLINES = 4_000
_PUBLISHED_WITHIN_US = 60 * SECOND_US  # after its end; a kline missing then is one that the exchange does not have


Lacking = Callable[[int, int], Sequence[tuple[int, int]]]


def all_of(first: int, last: int) -> Sequence[tuple[int, int]]:
    """Return the run of slots as it is: all of them are missing."""
    return [(first, last)]


class TransferProgress(NamedTuple):
    """``done`` of ``total`` candles; ``waits_because``: one sentence while the exchange does not answer."""

    done: int
    total: int
    waits_because: str = ""


class TransferOutcome(NamedTuple):
    """What was delivered, and the file it is in; None for a stream."""

    report: TransferReport
    path: Path | None


class _Window(NamedTuple):
    """
    The candles of the slots ``first`` to ``last``, as columns, oldest first, and why those not among them are missing.
    """

    first: int
    last: int
    candles: Any
    lack: Lack


class CandleTransfer:
    """
    One export; call `run` once, on the loop.

    ``clock`` is the exchange's, as far as that is known. ``on_progress`` is called on the loop, once per window.
    ``indicators`` are columns besides those of candles. ``lacking`` is given the first and last of a run of slots
    without a complete candle, and returns the runs that count as missing, both ends inclusive; by default all do.
    ``first_slot``: candles from there on are written, too, and neither counted nor missed.

    Raises:
        UsageError: If an indicator needs too many candles of that interval.
    """

    def __init__(
        self,
        request: CandleRequest,
        history: CandleHistory,
        store: CandleStore,
        clock: Clock,
        on_progress: Callable[[TransferProgress], None] = lambda _: None,
        indicators: Sequence[ChosenIndicator] = (),
        lacking: Lacking = all_of,
        first_slot: int | None = None,
    ) -> None:
        self._request = request
        self._lacking = lacking
        self._interval = request.interval
        self._history = history
        self._store = store
        self._clock = clock
        self._on_progress = on_progress
        self._patience = ExchangePatience(clock, self._note_progress)
        self._delivery = Delivery(request)
        self._listed_us: int | None = None
        self._first_listed_slot: int | None = None  # None: not known
        self._done = 0
        self._first_written = request.slots.start if first_slot is None else first_slot
        self._values = RangeValues(indicators, request.interval, request.slots[0]) if indicators else None

    async def run(self, file: ExportFile, version: str, suffix: str = "csv") -> TransferOutcome:
        """
        Write the candles into ``file`` and finish it. Cancelled or failed, it leaves no file.

        ``suffix`` ends the name of a file that has none yet.

        Raises:
            UsageError: If no candle lies in the range.
            StoreError: If the database cannot be read.
            FileError: If the file cannot be written.
        """
        try:
            self._request.check()
            self._note_progress()
            async with aclosing(self._windows()) as windows:
                async for window in windows:
                    await self._deliver(window, file)
            report = self._delivery.report(self._patience.gave_up, self._listed_us)
            start_us, end_us = report.given or (self._request.start_us, self._request.end_us)
            name = candle_file_name(self._request.symbol, self._interval, start_us, end_us, suffix)
            path = await to_its_end(partial(file.finish, name, report.facts(version)))
        finally:
            file.discard()
        return TransferOutcome(report, path)

    async def _windows(self) -> AsyncGenerator[_Window, None]:
        slots = self._request.slots
        # The values of indicators need candles before the range.
        slot, last = self._first_written if self._values is None else self._values.first_slot, slots[-1]
        if self._request.fetch:
            # Nothing is to be had of what has not begun.
            last_begun = min(last, self._interval.slot(self._clock.now_us()))
            async with aclosing(self._fetching(slot, last_begun)) as windows:
                async for window in windows:
                    yield window
                    slot = window.last + 1
        async with aclosing(self._stored(slot, last)) as windows:
            async for window in windows:
                yield window

    async def _fetching(self, slot: int, last: int) -> AsyncGenerator[_Window, None]:
        """Yield the slots with what is stored and what the exchange has, until it is given up."""
        while slot <= last and not self._patience.gave_up:
            async with aclosing(self._whole(slot, last)) as windows:
                async for window in windows:
                    yield window
                    slot = window.last + 1
            if self._first_listed_slot is not None and slot < self._first_listed_slot:
                # The exchange has nothing before the listing, but an import may have brought candles.
                async with aclosing(self._stored(slot, min(self._first_listed_slot - 1, last))) as windows:
                    async for window in windows:
                        yield window
                        slot = window.last + 1
            is_lacking = True
            while slot <= last and is_lacking and not self._patience.gave_up:
                window, is_lacking = await self._fetched(slot, min(slot + self._slots_at_once - 1, last))
                yield window
                slot = window.last + 1

    async def _whole(self, slot: int, last: int) -> AsyncGenerator[_Window, None]:
        """Yield the slots from the first on as long as everything available for them is stored."""
        fetched = await self._fetched_ranges()
        async with aclosing(self._batches(slot, last)) as batches:
            async for batch in batches:
                opens_us = open_times(batch)
                fitting = slots_of(self._interval, opens_us) == np.arange(slot, slot + len(opens_us))
                fitting &= flags(batch, "closed") & flags(batch, "complete")
                for at in np.flatnonzero(fitting & prices_alone(batch)).tolist():
                    open_us = int(opens_us[at])
                    fitting[at] = not fetched.missing(open_us, self._interval.next_open_us(open_us) - 1)
                whole = int(np.argmin(fitting)) if not fitting.all() else len(fitting)
                if whole:
                    yield _Window(slot, slot + whole - 1, batch.slice(0, whole), Lack.ABSENT)
                if whole < len(fitting):
                    return
                slot += whole

    @property
    def _slots_at_once(self) -> int:
        klines_each = self._interval.length_us // kline_interval_for(self._interval).length_us
        return max(1, _WINDOW_KLINES // max(1, klines_each))

    async def _fetched(self, first: int, last: int) -> tuple[_Window, bool]:
        """Return these slots with what is stored and what the exchange has, and whether anything was not stored."""
        symbol, interval, store = self._request.symbol, self._interval, self._store
        open_us = interval.slot_open_us
        # Ranges first: klines saved between the two reads are then requested twice at worst, never taken for absent.
        fetched = await self._fetched_ranges()
        read = partial(store.candles, symbol, interval, start_us=open_us(first), end_us=open_us(last + 1))
        stored = await in_background(read, "read-candles")
        known = {candle.open_time_us: candle for candle in stored}
        lacking = missing_slots(interval, first, last, stored, fetched)
        # A stored empty candle lies between adjoining ids. The store prefers it to the kline, once that is saved, too.
        add = partial(add_better, known, empty_is_proven=True)
        for start_us, end_us in plan(interval, first, lacking).requests:
            published = partial(self._history.published, symbol, interval, start_us, end_us, add)
            await self._patience.answer(published)
        if lacking and not self._patience.gave_up:
            first_lacking = known.get(open_us(lacking[0]))
            if first_lacking is None or lacks_amounts(first_lacking):
                await self._find_listing()
        lack = Lack.NOT_FETCHED if self._patience.gave_up else Lack.ABSENT
        candles = [known[at] for at in sorted(known)]
        return _Window(first, last, await in_background(partial(columns_of, candles), "make-columns"), lack), bool(
            lacking
        )

    async def _fetched_ranges(self) -> IdRanges:
        """Return the times for which the exchange was asked before."""
        read = partial(self._store.fetched_klines, self._request.symbol, saved_interval(self._interval))
        return await in_background(read, "read-kline-ranges")

    async def _find_listing(self) -> None:
        if self._first_listed_slot is None:
            self._listed_us = await self._patience.answer(partial(self._history.find_listing, self._request.symbol))
            if not self._patience.gave_up:
                after_all = self._request.slots[-1] + 1
                self._first_listed_slot = after_all if self._listed_us is None else self._interval.slot(self._listed_us)

    async def _stored(self, slot: int, last: int) -> AsyncGenerator[_Window, None]:
        """Yield the slots as they are stored, all in one snapshot."""
        if slot > last:
            return
        lack = Lack.NOT_FETCHED if self._request.fetch else Lack.NOT_STORED
        async with aclosing(self._batches(slot, last)) as batches:
            async for batch in batches:
                reached = self._interval.slot(int(open_times(batch)[-1]))
                yield _Window(slot, reached, batch, lack)
                slot = reached + 1
        if slot <= last:
            yield _Window(slot, last, columns_of([]), lack)

    async def _batches(self, first: int, last: int) -> AsyncGenerator[Any, None]:
        """Yield what is stored of these slots, none of it empty, all in one snapshot."""
        open_us = self._interval.slot_open_us
        stream = BatchStream(
            self._store.iter_candle_columns(
                self._request.symbol, self._interval, start_us=open_us(first), end_us=open_us(last + 1)
            )
        )
        try:
            while (batch := await stream.next()) is not None:
                if batch.num_rows:
                    yield batch
        finally:
            await stream.close()

    async def _deliver(self, window: _Window, file: ExportFile) -> None:
        """Write the window's candles, and note those that are missing."""
        rows, interval, begin = window.candles, self._interval, self._request.slots[0]
        if self._values is not None:
            rows = await in_background(partial(self._with_values, window), "calculate-indicators")
        opens_us = open_times(rows)
        slots, closed, complete = slots_of(interval, opens_us), flags(rows, "closed"), flags(rows, "complete")
        is_wanted = closed | self._request.include_open
        is_wanted_here = is_wanted & (slots >= self._first_written)
        delivered = rows if is_wanted_here.all() else rows.filter(is_wanted_here)
        # An open candle that was asked for is not missing while its time runs.
        running = slots >= interval.slot(self._clock.now_us())
        having = slots[complete | (is_wanted & running)]
        edges = np.concatenate(([max(window.first, begin) - 1], having[having >= begin], [window.last + 1]))
        for at in np.flatnonzero(np.diff(edges) > 1).tolist():
            for first, last in self._lacking(int(edges[at]) + 1, int(edges[at + 1]) - 1):
                self._note_missing(first, last, window.lack)
        before = int(np.count_nonzero(is_wanted_here & (slots < begin)))
        self._delivery.note(delivered.slice(before))
        await to_its_end(partial(file.write, delivered))
        self._done = max(0, window.last - begin + 1)
        self._note_progress()

    def _with_values(self, window: _Window) -> Any:
        """Return the window's candles with the values of the indicators. Blocks."""
        assert self._values is not None
        rows = window.candles
        is_listing = rows.num_rows > 0 and (
            rows.column("first_trade_id")[0].as_py() in (0, 1)
            or self._interval.slot(int(open_times(rows)[0])) == self._first_listed_slot
        )
        return self._values.with_values(rows, is_listing=is_listing)

    def _note_missing(self, first: int, last: int, lack: Lack) -> None:
        """Note these slots, with the reason that fits each: what has no candle yet lacks it whatever was asked."""
        first_listed = self._first_listed_slot
        if first_listed is not None and first < first_listed:
            self._delivery.note_missing(first, min(last, first_listed - 1), Lack.NOT_LISTED)
            first = first_listed
        margin_us = _PUBLISHED_WITHIN_US if lack is Lack.ABSENT else 0
        not_over = max(first, self._interval.slot(self._clock.now_us() - margin_us))
        if first <= min(last, not_over - 1):
            self._delivery.note_missing(first, min(last, not_over - 1), lack)
        if not_over <= last:
            self._delivery.note_missing(not_over, last, Lack.NOT_OVER)

    def _note_progress(self, waits_because: str = "") -> None:
        self._on_progress(TransferProgress(self._done, len(self._request.slots), waits_because))
