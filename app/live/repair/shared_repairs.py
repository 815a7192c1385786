"""
Agrees with other programs on the same database on who fetches what.

`SharedRepairs` announces the repairs of this program, and leaves to another program the symbols it repairs as a whole,
as ``cryptopipe gaps --repair`` does. When the other is done, the trades it stored are read before the rest is fetched
here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from app.concurrency.background import in_background
from app.live.recording.recorder import Recorder
from app.live.repair.coverage_sync import CoverageSync
from app.live.repair.repairer import Repairer
from app.market.errors import StoreError
from app.market.ports.clock import Clock
from app.market.ports.database import OpenedDatabase
from app.market.ports.storage import RepairAnnouncements

logger = logging.getLogger(__name__)

_ANNOUNCE_EVERY_S = 0.5
_READ_EVERY_S = 5.0


class SharedRepairs:
    """All methods on the loop. ``database`` returns the one in use."""

    def __init__(
        self,
        recorder: Recorder,
        repairer: Repairer,
        coverage_sync: CoverageSync,
        database: Callable[[], OpenedDatabase | None],
        clock: Clock,
    ) -> None:
        self._recorder = recorder
        self._repairer = repairer
        self._coverage_sync = coverage_sync
        self._database = database
        self._clock = clock
        self._announced: tuple[object, ...] = ()
        self._read_at_s = 0.0

    async def run(self) -> None:
        """Announce and listen until cancelled."""
        while True:
            await self._clock.sleep(_ANNOUNCE_EVERY_S)
            await self.step()

    async def step(self) -> None:
        """Announce the repairs of this program, and leave to others what they announce; logs failures."""
        database, repairer = self._database(), self._repairer
        if database is None or database.read_only_reason:
            repairer.plan.leave_to_others(())
            return
        small, whole = repairer.fetching, repairer.plan.downloads
        # With nothing missing there is nothing to announce, unless an earlier announcement is to be withdrawn.
        if not self._recorder.missing() and self._announced in ((), (database, set(), set())):
            repairer.plan.leave_to_others(())
            return
        announcements: RepairAnnouncements = database.store
        announce = partial(announcements.announce_repairs, small, whole, self._recorder.repair_trades)
        try:
            others = await in_background(announce, "announce-repairs")
        except StoreError as error:
            logger.debug("repairs are not shared: %s", error)
            return
        self._announced = database, small, whole
        await self._leave_to(others)

    async def _leave_to(self, others: set[str]) -> None:
        """Leave these symbols to other programs; read what they have stored, now and then and when they are done."""
        now_s = self._clock.monotonic_s()
        before = self._repairer.plan.left_to_others
        if before - others or (others and now_s >= self._read_at_s):
            self._read_at_s = now_s + _READ_EVERY_S
            await self._coverage_sync.load([symbol for symbol in self._recorder.symbols if symbol in before | others])
        for symbol in others - before:
            logger.info("%s: another program fetches the missing trades", symbol, extra={"symbol": symbol})
        self._repairer.plan.leave_to_others(others)
