"""
Keeps what the program knows of missing trades in step with the database.

At the start, and every half minute while anything is missing, `CoverageSync` reads the ids that the database holds:
another program may have stored trades that are missing here. A failed read is repeated until it works, because without
it nobody knows what is missing. Ids found to be absent from the exchange are written to the database, for all programs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from functools import partial

from app.concurrency.background import in_background
from app.live.recording.recorder import Recorder
from app.market.errors import StoreError
from app.market.ports.clock import Clock
from app.market.ports.database import OpenedDatabase
from app.market.ports.storage import CoverageStore

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
        self._unread: set[str] = set()  # symbols whose coverage could not be read

    async def load(self, symbols: Collection[str]) -> set[str]:
        """Read the coverage of these symbols; return those for which that worked. Logs failures."""
        database = self._database()
        if database is None or database.read_only_reason or not symbols:
            return set()  # nothing is recorded: gaps of another program are not repaired here
        store: CoverageStore = database.store
        # Trades that move from disk to the database during the reads would be in neither answer.
        spooled = {symbol: self._recorder.outbox.spooled(symbol) for symbol in symbols}
        try:
            held = await in_background(partial(store.coverage_of, symbols), "read-coverage")
            absent = await in_background(partial(store.absent_of, symbols), "read-coverage")
        except StoreError as error:
            level = logging.DEBUG if self._unread.issuperset(symbols) else logging.WARNING
            logger.log(level, "the stored trades are not known: %s", error)
            self._unread.update(symbols)
            return set()
        if database is not self._database():
            return set()
        self._unread.difference_update(symbols)
        for symbol, ranges in held.items():
            self._recorder.note_stored(symbol, ranges | spooled[symbol], absent[symbol])
        return set(held)

    async def save(self) -> None:
        """Write absent ids to the database; those it does not take are written the next time. Logs failures."""
        database = self._database()
        if database is None or database.read_only_reason:
            return
        try:
            for symbol in self._recorder.symbols:
                await self._save_absent(database, symbol)
        except StoreError as error:
            logger.info("absent trades not noted yet: %s", error)

    async def run(self) -> None:
        """Read and write until cancelled."""
        read_s = self._clock.monotonic_s()
        while True:
            await self._clock.sleep(_SAVE_EVERY_S)
            await self.save()
            self._unread.intersection_update(self._recorder.symbols)
            if self._clock.monotonic_s() - read_s >= (_READ_AGAIN_S if self._unread else _READ_EVERY_S):
                read_s = self._clock.monotonic_s()
                await self.load([symbol for symbol in self._recorder.symbols if self._is_doubtful(symbol)])

    async def _save_absent(self, database: OpenedDatabase, symbol: str) -> None:
        store: CoverageStore = database.store
        tracker = self._recorder.tracker(symbol)
        absent = list(tracker.ids.absent_unsaved) if tracker is not None else []
        if tracker is None or not absent:
            return
        await in_background(partial(store.save_absent, symbol, absent), "save-absent")
        if database is self._database():  # a database chosen meanwhile has not stored them
            for first, last in absent:
                tracker.ids.note_absent_saved(first, last)

    def _is_doubtful(self, symbol: str) -> bool:
        """Whether the database may hold more trades of a symbol than we know of."""
        tracker = self._recorder.tracker(symbol)
        return symbol in self._unread or (tracker is not None and bool(tracker.missing_ids()))
