"""
Keeping in step what the program knows of gaps and what the database says of them.

At the start, and now and then while anything is missing, the ids held are read: another program on the same database
may have stored what we miss. What could not be read is read again, or nobody would know what is missing since. What
the exchange was found not to have is written there, for all programs and for ever.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from functools import partial

from app.concurrency.background import in_background
from app.live.recording.database_keeper import OpenedDatabase
from app.live.recording.recorder import Recorder
from app.market.errors import StoreError
from app.market.ports.clock import Clock

logger = logging.getLogger(__name__)

_SAVE_EVERY_S = 0.5
_READ_EVERY_S = 30.0
_READ_AGAIN_S = 5.0


class CoverageSync:
    """All methods on the loop. ``database`` returns the one in use."""

    def __init__(self, recorder: Recorder, database: Callable[[], OpenedDatabase | None], clock: Clock) -> None:
        self._recorder = recorder
        self._database = database
        self._clock = clock
        self._unread: set[str] = set()  # what is held of these symbols the database could not tell

    async def load(self, symbols: Collection[str]) -> set[str]:
        """Read what the database holds of these symbols; return those of which that is known now."""
        database = self._database()
        if database is None or database.read_only_reason or not symbols:
            return set()  # what another program records is no gap of ours
        # What leaves the disk while the database is read is there by then, and may be in neither answer.
        spooled = {symbol: self._recorder.outbox.spooled(symbol) for symbol in symbols}
        try:
            held = await in_background(partial(database.store.coverage_of, symbols), "read-coverage")
            absent = await in_background(partial(database.store.absent_of, symbols), "read-coverage")
        except StoreError as error:
            level = logging.DEBUG if self._unread.issuperset(symbols) else logging.WARNING
            logger.log(level, "what is stored is not known: %s", error)
            self._unread.update(symbols)
            return set()
        if database is not self._database():
            return set()
        self._unread.difference_update(symbols)
        for symbol, ranges in held.items():
            self._recorder.stored(symbol, ranges | spooled[symbol], absent[symbol])
        return set(held)

    async def save(self) -> None:
        """Tell the database what the exchange was found not to have; what it does not take waits for the next time."""
        database = self._database()
        if database is None or database.read_only_reason:
            return
        try:
            for symbol in self._recorder.symbols:
                tracker = self._recorder.tracker(symbol)
                absent = list(tracker.absent_unsaved) if tracker is not None else []
                if tracker is not None and absent:
                    await in_background(partial(database.store.save_absent, symbol, absent), "save-absent")
                    if database is self._database():
                        for first, last in absent:
                            tracker.absent_saved(first, last)
        except StoreError as error:
            logger.info("absent trades not noted yet: %s", error)

    async def run(self) -> None:
        """Keep both in step for ever."""
        read_s = self._clock.monotonic_s()
        while True:
            await self._clock.sleep(_SAVE_EVERY_S)
            await self.save()
            self._unread.intersection_update(self._recorder.symbols)
            if self._clock.monotonic_s() - read_s >= (_READ_AGAIN_S if self._unread else _READ_EVERY_S):
                read_s = self._clock.monotonic_s()
                await self.load([symbol for symbol in self._recorder.symbols if self._is_doubtful(symbol)])

    def _is_doubtful(self, symbol: str) -> bool:
        """Whether the database may know more of a symbol than we do."""
        tracker = self._recorder.tracker(symbol)
        return symbol in self._unread or (tracker is not None and bool(tracker.missing_ids()))
