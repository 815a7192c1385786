"""
Sharing the repairs with other programs on the same database.

What this one fetches is told to them, and what another has set out to fetch, as ``cryptopipe gaps --repair`` does, is
left to it. When it is done, what it stored is read before the rest is fetched here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from app.concurrency.background import in_background
from app.live.recording.database_keeper import OpenedDatabase
from app.live.recording.recorder import Recorder
from app.live.repair.coverage_sync import CoverageSync
from app.live.repair.repairer import Repairer
from app.market.errors import StoreError
from app.market.ports.clock import Clock

logger = logging.getLogger(__name__)

_TELL_EVERY_S = 0.5
_READ_EVERY_S = 5.0


class SharedRepairs:
    """All methods on the loop. ``database`` returns the one in use."""

    def __init__(
        self,
        recorder: Recorder,
        repairer: Repairer,
        settled: CoverageSync,
        database: Callable[[], OpenedDatabase | None],
        clock: Clock,
    ) -> None:
        self._recorder = recorder
        self._repairer = repairer
        self._settled = settled
        self._database = database
        self._clock = clock
        self._told: tuple[object, ...] = ()
        self._read_at_s = 0.0

    async def run(self) -> None:
        """Tell and listen for ever."""
        while True:
            await self._clock.sleep(_TELL_EVERY_S)
            await self.step()

    async def step(self) -> None:
        """Tell what is fetched here where there is anything missing, or was, and leave to others what they fetch."""
        database, repairer = self._database(), self._repairer
        if database is None or database.read_only_reason:
            repairer.wanted.leave_to_others(())
            return
        small, whole = repairer.fetching, repairer.wanted.downloads
        if not self._recorder.missing() and self._told in ((), (database, set(), set())):
            repairer.wanted.leave_to_others(())
            return
        try:
            tell = partial(database.store.announce_repairs, small, whole, self._recorder.repair_trades)
            others = await in_background(tell, "tell-repairs")
        except StoreError as error:
            logger.debug("repairs are not shared: %s", error)
            return
        self._told = database, small, whole
        await self._listen(others)

    async def _listen(self, others: set[str]) -> None:
        now_s = self._clock.monotonic_s()
        before = self._repairer.wanted.left_to_others
        if before - others or (others and now_s >= self._read_at_s):
            self._read_at_s = now_s + _READ_EVERY_S
            await self._settled.load([symbol for symbol in self._recorder.symbols if symbol in before | others])
        for symbol in others - before:
            logger.info("%s: another program fetches what is missing", symbol, extra={"symbol": symbol})
        self._repairer.wanted.leave_to_others(others)
