"""
The final trades of symbols that stopped trading.

A missing trade shows by the id of a later one. After a halt no later one comes, so `LastTrades` asks the exchange for
everything behind the last trade held. Gaps before that are `app.live.repair.repairer`'s.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from app.live.recording.recorder import Recorder
from app.live.recording.symbol_directory import SymbolDirectory
from app.market.errors import FeedDisconnected, FeedError
from app.market.ports.clock import Clock
from app.market.ports.exchange import TradeSource

logger = logging.getLogger(__name__)

_RETRY_S = 5.0
_PAGE = 1000


class LastTrades:
    """Fetches the final trades of halted symbols into ``recorder``. All methods on the loop."""

    def __init__(self, recorder: Recorder, exchange: TradeSource, directory: SymbolDirectory, clock: Clock) -> None:
        self._recorder = recorder
        self._exchange = exchange
        self._directory = directory
        self._clock = clock

    async def fetch(self, symbols: Iterable[str]) -> None:
        """Fetch the final trades of each symbol that is halted; retry while the exchange cannot be reached."""
        for name in symbols:
            while self._is_halted(name):
                try:
                    await self._fetch_to_the_end(name)
                    break
                except FeedError as error:
                    logger.info("the last trades of %s were not fetched: %s", name, error, extra={"symbol": name})
                    if not isinstance(error, FeedDisconnected):
                        break
                    await self._clock.sleep(error.retry_after_s or _RETRY_S)

    def _is_halted(self, name: str) -> bool:
        """Whether the symbol is recorded and listed, and the exchange said in this run that it does not trade."""
        symbol = self._directory.symbol(name)
        is_recorded = self._recorder.tracker(name) is not None
        return is_recorded and self._directory.is_current and symbol.is_listed and not symbol.is_trading

    async def _fetch_to_the_end(self, name: str) -> None:
        tracker, fetched = self._recorder.tracker(name), 0
        last = None if tracker is None else tracker.held().last
        # No more than a gap may have that is fetched without being asked for: the rest shows once it trades again.
        while last is not None and fetched < self._recorder.repair_trades:
            page = await self._exchange.trades_from(name, last + 1, limit=_PAGE)
            await self._recorder.ingest(page)
            last = page[-1].trade_id if len(page) == _PAGE else None
            fetched += len(page)
