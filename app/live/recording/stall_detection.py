"""
Finds trades that the stream did not deliver, of symbols that have gone silent.

Ids prove which trades are missing before a received one, but say nothing about those that follow the newest. So
`StallDetector` looks up every symbol that delivered nothing between two looks in the exchange's rolling day, which has
the id of its newest trade. If that is news, the trade is fetched, and the trades before it are a gap like any other. If
it was made while the symbol's connection was live, the stream has stalled: for this symbol alone, so no watchdog of the
connection notices. If it is no news, the silence is proved: there was no trade, and from there on the symbol is
watched.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Protocol

from app.live.environment.clocks import ExchangeClock
from app.live.recording.recorder import Recorder
from app.market.errors import FeedError
from app.market.ports.clock import Clock
from app.market.ports.exchange import DayTickerSource, TradeSource

logger = logging.getLogger(__name__)

_LOOK_EVERY_S = 30.0
_ON_ITS_WAY_S = 5.0  # the stream may be about to deliver what the day already counts
_NONE = -1


class StallSource(DayTickerSource, TradeSource, Protocol):
    """The roles of an exchange that a `StallDetector` asks."""


class StallDetector:
    """
    Watches the recorded symbols whose connection is live, as ``is_receiving`` says. All methods on the loop.

    ``on_stalled`` is called with the symbols whose streams have stalled; with each of them only once, until its stream
    delivers again.
    """

    def __init__(
        self,
        recorder: Recorder,
        exchange: StallSource,
        clock: Clock,
        exchange_clock: ExchangeClock,
        *,
        is_receiving: Callable[[str], bool],
    ) -> None:
        self.on_stalled: Callable[[list[str]], None] = lambda _: None
        self._recorder = recorder
        self._exchange = exchange
        self._clock = clock
        self._exchange_clock = exchange_clock
        self._is_receiving = is_receiving
        self._newest: dict[str, int] = {}  # the newest id of each symbol at the last look
        self._breaks: dict[str, int] = {}  # and how often its connection had broken by then
        self._looked_us = 0
        self._stalled: set[str] = set()

    async def run(self) -> None:
        """Look every half minute until cancelled."""
        while True:
            await self._clock.sleep(_LOOK_EVERY_S)
            try:
                await self.look()
            except FeedError as error:
                logger.info("silent symbols were not looked up: %s", error)

    async def look(self) -> None:
        """
        Look once.

        Raises:
            FeedError: If the exchange cannot be asked.
        """
        before, self._newest = self._newest, self._newest_ids()
        breaks, self._breaks = self._breaks, {name: self._breaks_of(name) for name in self._newest}
        since_us, self._looked_us = self._looked_us, self._exchange_clock.now_us()
        silent = [name for name, newest in self._newest.items() if before.get(name) == newest]
        self._stalled.intersection_update(silent)
        days = await self._exchange.day_tickers(silent) if silent else []
        reported = {day.symbol: day.last_trade_id for day in days if day.last_trade_id is not None}
        for name in silent:
            # A connection that broke since the last look may not be subscribed again yet.
            if reported.get(name) == self._newest_id(name) and breaks.get(name) == self._breaks_of(name):
                self._note_watched(name)
        behind = [name for name in silent if reported.get(name, _NONE) > self._newest[name]]
        if behind:
            await self._clock.sleep(_ON_ITS_WAY_S)
        stalled: list[str] = []
        try:
            for name in behind:
                if self._newest_id(name) == self._newest[name] and await self._fetch_newest(name) >= since_us:
                    stalled.append(name)
        finally:
            self._report(stalled)

    async def _fetch_newest(self, name: str) -> int:
        """Take in the newest trade; return its time, UTC microseconds, 0 if there is none."""
        # Not by its id: not every host of the exchange serves single trades of the past.
        page = await self._exchange.recent_trades(name, limit=1)
        if not page:
            return 0
        await self._recorder.note_newest(page[0])
        self._newest[name] = page[0].trade_id
        return page[0].time_us

    def _report(self, stalled: Iterable[str]) -> None:
        new = [name for name in stalled if name not in self._stalled]
        self._stalled.update(new)
        for name in new:
            logger.warning("%s: its stream delivers nothing while it trades", name, extra={"symbol": name})
        if new:
            self.on_stalled(new)

    def _newest_ids(self) -> dict[str, int]:
        """Return the newest known id of each symbol whose connection is live."""
        return {name: self._newest_id(name) for name in self._recorder.symbols if self._is_receiving(name)}

    def _note_watched(self, name: str) -> None:
        tracker = self._recorder.tracker(name)
        if tracker is not None:
            tracker.is_watched = True

    def _breaks_of(self, name: str) -> int:
        tracker = self._recorder.tracker(name)
        return _NONE if tracker is None else tracker.breaks

    def _newest_id(self, name: str) -> int:
        tracker = self._recorder.tracker(name)
        return _NONE if tracker is None or tracker.ids.newest is None else tracker.ids.newest
