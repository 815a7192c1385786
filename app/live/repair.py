"""
Fetching the trades that were missed.

The repairer takes the gaps the recorder found, asks the exchange for them by id, newest gap first, and gives what comes
back to the recorder like any other trade. Ids the exchange passes over, answering with a later one, do not exist there;
they are noted and never asked for again. When the exchange is away a gap waits; a refusal ends the attempt for that
gap, and so do repeated answers that end before the gap does: the exchange may not have caught up with its own stream.
"""

from __future__ import annotations

import logging

from app.live.recorder import Recorder
from app.market.coverage import TradeGap
from app.market.errors import FeedDisconnected, FeedRejected, MalformedMessage
from app.market.ports import Clock, TradeHistory

logger = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.25
_WAIT_S = 5.0
_PAGE = 1000
_TRIES = 5


class Repairer:
    """Repairs gaps until cancelled. ``repairing`` names the symbols being worked on."""

    def __init__(self, recorder: Recorder, history: TradeHistory, clock: Clock) -> None:
        self._recorder = recorder
        self._history = history
        self._clock = clock
        self._queue: list[TradeGap] = []
        self._short_answers = 0
        self.repaired = 0

    @property
    def repairing(self) -> set[str]:
        """The symbols with a gap in the queue."""
        return {gap.symbol for gap in self._queue}

    async def run(self) -> None:
        """Work for ever."""
        moves = self._recorder.moves
        while True:
            if moves != self._recorder.moves:
                moves = self._recorder.moves
                self._queue.clear()
            self._queue.extend(self._recorder.take_gaps())
            if not self._queue:
                await self._clock.sleep(_LOOK_EVERY_S)
                continue
            gap = self._queue[-1]
            try:
                if not await self._repair(gap) and self._may_try_again(gap):
                    await self._clock.sleep(_WAIT_S)
                    continue
            except FeedDisconnected as error:
                logger.info("repair of %d %s trades waits: %s", gap.missing, gap.symbol, error)
                await self._clock.sleep(error.retry_after_s or _WAIT_S)
                continue
            except (FeedRejected, MalformedMessage) as error:
                logger.warning("repair of %d %s trades given up: %s", gap.missing, gap.symbol, error)
            if moves == self._recorder.moves:
                self._queue.remove(gap)
            self._short_answers = 0

    def _may_try_again(self, gap: TradeGap) -> bool:
        self._short_answers += 1
        if self._short_answers < _TRIES:
            return True
        logger.warning("repair of %d %s trades given up: the answers end before them", gap.missing, gap.symbol)
        return False

    async def _repair(self, gap: TradeGap) -> bool:
        """Fetch what is missing of the gap; False where the exchange's answer ended before it."""
        tracker, moves = self._recorder.tracker(gap.symbol), self._recorder.moves
        if tracker is None:
            return True
        for first, last in reversed(tracker.held().missing(gap.first_trade_id, gap.last_trade_id)):
            next_id = first
            while next_id <= last:
                # One more than wanted: only a later trade proves that the exchange has none with an id it leaves out.
                limit = min(_PAGE, last - next_id + 2)
                page = await self._history.trades_from(gap.symbol, next_id, limit=limit)
                if self._recorder.tracker(gap.symbol) is not tracker or self._recorder.moves != moves:
                    return True  # no longer recorded, or for another database
                wanted = [trade for trade in page if next_id <= trade.trade_id <= last]
                self.repaired += await self._recorder.ingest(wanted)
                if not page:
                    return False
                reached = page[-1].trade_id
                for absent_first, absent_last in tracker.held().missing(next_id, min(reached, last)):
                    logger.warning("%s: the exchange has no trades %d to %d", gap.symbol, absent_first, absent_last)
                    tracker.note_absent(absent_first, absent_last)
                next_id = max(reached, next_id) + 1
        logger.info("%s: trades %d to %d repaired", gap.symbol, gap.first_trade_id, gap.last_trade_id)
        return True
