"""
Brings the candles of a range into a file: from the store, and what is not stored from the exchange.

The range is gone through window by window, of at most four answers of the exchange, so a year of seconds takes no more
memory than a day of them. A window is read, what it lacks is fetched and stored (`CandleHistory.published`), and it is
written before the next one is read. Once the exchange is given up, or where nothing is to be fetched, the rest is read
as one stream.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from app.concurrency.background import in_background
from app.live.charts.candle_history import CandleHistory, saved_interval
from app.live.charts.page_loader import missing_slots, plan
from app.live.transfers.exchange_patience import ExchangePatience
from app.live.transfers.report import Delivery, Lack, TransferReport
from app.market.candle import Candle
from app.market.candle_columns import columns_of, flags, open_times, slots_of
from app.market.candle_request import CandleRequest, candle_file_name
from app.market.interval import SECOND_US, kline_interval_for
from app.market.ports.clock import Clock
from app.market.ports.files import ExportFile
from app.market.ports.storage import CandleStore
from app.market.precedence import add_better

Result = TypeVar("Result")

_WINDOW_KLINES = 4_000
_PUBLISHED_WITHIN_US = 60 * SECOND_US  # after its end; a kline missing then is one that the exchange does not have


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
    """

    def __init__(
        self,
        request: CandleRequest,
        history: CandleHistory,
        store: CandleStore,
        clock: Clock,
        on_progress: Callable[[TransferProgress], None] = lambda _: None,
    ) -> None:
        self._request = request
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
            path = await _to_its_end(partial(file.finish, name, report.facts(version)))
        finally:
            file.discard()
        return TransferOutcome(report, path)

    async def _windows(self) -> AsyncGenerator[_Window, None]:
        slots = self._request.slots
        slot, last = slots[0], slots[-1]
        if self._request.fetch:
            # Nothing is to be had of what has not begun.
            last_begun = min(last, self._interval.slot(self._clock.now_us()))
            while slot <= last_begun and not self._patience.gave_up:
                window = await self._fetched(slot, min(slot + self._slots_at_once - 1, last_begun))
                yield window
                slot = window.last + 1
        async with aclosing(self._stored(slot, last)) as windows:
            async for window in windows:
                yield window

    @property
    def _slots_at_once(self) -> int:
        klines_each = self._interval.length_us // kline_interval_for(self._interval).length_us
        return max(1, _WINDOW_KLINES // max(1, klines_each))

    async def _fetched(self, first: int, last: int) -> _Window:
        """Return these slots with what is stored and what the exchange has; more slots, if they were before listing."""
        symbol, interval, store = self._request.symbol, self._interval, self._store
        open_us = interval.slot_open_us
        if self._first_listed_slot is not None and first < self._first_listed_slot:
            return _Window(
                first, min(self._first_listed_slot - 1, self._request.slots[-1]), columns_of([]), Lack.NOT_LISTED
            )
        # Ranges first: klines saved between the two reads are then requested twice at worst, never taken for absent.
        fetched = await in_background(
            partial(store.fetched_klines, symbol, saved_interval(interval)), "read-kline-ranges"
        )
        read = partial(store.candles, symbol, interval, start_us=open_us(first), end_us=open_us(last + 1))
        stored = await in_background(read, "read-candles")
        known = {candle.open_time_us: candle for candle in stored}
        lacking = missing_slots(interval, first, last, stored, fetched)
        for start_us, end_us in plan(interval, first, lacking).requests:
            published = partial(self._history.published, symbol, interval, start_us, end_us, partial(add_better, known))
            await self._patience.answer(published)
        if lacking and open_us(lacking[0]) not in known and not self._patience.gave_up:
            await self._find_listing()
        lack = Lack.NOT_FETCHED if self._patience.gave_up else Lack.ABSENT
        return _Window(
            first,
            last,
            await in_background(partial(columns_of, [known[at] for at in sorted(known)]), "write-candles"),
            lack,
        )

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
        open_us = self._interval.slot_open_us
        batches = self._store.iter_candles(
            self._request.symbol, self._interval, start_us=open_us(slot), end_us=open_us(last + 1)
        )
        stream = _CandleStream(batches)
        try:
            while (batch := await in_background(stream.read, "read-candles")) is not None:
                if not batch.num_rows:
                    continue
                reached = self._interval.slot(int(open_times(batch)[-1]))
                yield _Window(slot, reached, batch, lack)
                slot = reached + 1
        finally:
            await in_background(stream.close, "read-candles")
        if slot <= last:
            yield _Window(slot, last, columns_of([]), lack)

    async def _deliver(self, window: _Window, file: ExportFile) -> None:
        """Write the window's candles, and note those that are missing."""
        rows, interval = window.candles, self._interval
        opens_us = open_times(rows)
        slots, closed, complete = slots_of(interval, opens_us), flags(rows, "closed"), flags(rows, "complete")
        is_wanted = closed | self._request.include_open
        delivered = rows if is_wanted.all() else rows.filter(is_wanted)
        # An open candle that was asked for is not missing while its time runs.
        running = slots >= interval.slot(self._clock.now_us())
        having = slots[complete | (is_wanted & running)]
        edges = np.concatenate(([window.first - 1], having, [window.last + 1]))
        for at in np.flatnonzero(np.diff(edges) > 1).tolist():
            self._note_missing(int(edges[at]) + 1, int(edges[at + 1]) - 1, window.lack)
        self._delivery.note(delivered)
        await _to_its_end(partial(file.write, delivered))
        self._done = window.last - self._request.slots[0] + 1
        self._note_progress()

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


async def _to_its_end(work: Callable[[], Result]) -> Result:
    """Do ``work`` on the file in a thread; if cancelled, wait for its end all the same, so that none uses the file."""
    working = asyncio.ensure_future(in_background(work, "write-candles"))
    try:
        return await asyncio.shield(working)
    finally:
        await asyncio.wait({working})


class _CandleStream:
    """Reads batches of candles as columns, in whichever thread; closing it waits for a read under way."""

    def __init__(self, batches: Generator[list[Candle], None, None]) -> None:
        self._batches = batches
        self._lock = threading.Lock()

    def read(self) -> Any:
        """Return the next batch, None after the last. Blocks."""
        with self._lock:
            batch = next(self._batches, None)
        return None if batch is None else columns_of(batch)

    def close(self) -> None:
        """Give back the connection. Blocks."""
        with self._lock:
            self._batches.close()
