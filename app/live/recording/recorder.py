"""
Recording: every live trade to the database once, and to the charts that listen.

The recorder takes events from the feed, keeps a `SymbolTracker` a symbol, which knows what is missing, and hands fresh
trades to the outbox. Quotes and day tickers go to the `MarketSnapshot`. It runs on the loop and waits for nobody
but a full database queue.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Collection, Sequence

from app.live.environment.clocks import ExchangeClock
from app.live.outbox.backlog import OutboxListener
from app.live.outbox.outbox import TradeOutbox
from app.live.recording.market_snapshot import MarketSnapshot
from app.live.recording.measures import Measures, Smoothed
from app.live.recording.symbol_tracker import SymbolTracker
from app.market.coverage import IdRanges, TradeGap
from app.market.ports.clock import Clock
from app.market.ports.storage import TradeSpool, TradeWriter
from app.market.trade import MarketEvent, Trade

logger = logging.getLogger(__name__)


class Recorder:
    """
    Records the chosen symbols.

    Give `receive` to `TradeFeed.run`. ``repair_trades``: the largest gap that is fetched without being asked for; 0:
    none is. ``is_losing`` while trades received have to be given up. ``moves`` counts changes of the database.
    """

    def __init__(
        self,
        exchange_clock: ExchangeClock,
        board: MarketSnapshot,
        *,
        queue_trades: int,
        repair_trades: int,
        spool: TradeSpool | None = None,
        clock: Clock | None = None,
    ) -> None:
        listener = OutboxListener(
            on_lost=self._on_lost,
            on_recovered=self._on_recovered,
            on_spool_lost=self._on_spool_lost,
            on_spool_changed=self._on_spool_changed,
        )
        self.outbox = TradeOutbox(queue_trades, listener, spool=spool, clock=clock)
        self.delay = Smoothed()
        self.measures = Measures(exchange_clock)
        self.trades_received = 0
        self.moves = 0
        self._exchange_clock = exchange_clock
        self._board = board
        self.repair_trades = repair_trades
        self.is_losing = False
        self._trackers: dict[str, SymbolTracker] = {}

    @property
    def symbols(self) -> list[str]:
        """The symbols recorded, in the order they were added."""
        return list(self._trackers)

    def set_symbols(self, symbols: Collection[str]) -> None:
        """Record these from now on; what is known of the others is forgotten."""
        wanted = set(symbols)
        for symbol in [symbol for symbol in self._trackers if symbol not in wanted]:
            del self._trackers[symbol]
        for symbol in symbols:
            if symbol not in self._trackers:
                self._trackers[symbol] = SymbolTracker(symbol)

    def tracker(self, symbol: str) -> SymbolTracker | None:
        """Return what is known of a recorded symbol."""
        return self._trackers.get(symbol)

    def attach(self, writer: TradeWriter | None, *, recording: bool = True) -> None:
        """Store through this writer from now on; None while there is no database. See `TradeOutbox.attach`."""
        if writer is not None:
            writer.on_stored(self.measures.note_stored)
        self.outbox.attach(writer, recording=recording)

    def move(self, left: Sequence[Trade]) -> None:
        """
        Note that all received so far is the affair of another database than the one attached next, but for ``left``,
        which that one did not store, and what waits in the outbox or on disk.
        """
        self.outbox.put_first(left)
        kept: dict[str, IdRanges] = {}
        for trade in self.outbox.waiting_trades():
            kept.setdefault(trade.symbol, IdRanges()).add(trade.trade_id)
        for symbol, tracker in self._trackers.items():
            tracker.change_database(kept.get(symbol, IdRanges()) | self.outbox.spooled(symbol))
        self.moves += 1

    def stored(self, symbol: str, ranges: IdRanges, absent: IdRanges | None = None) -> None:
        """Note what the database holds of a symbol, and which of those ids the exchange has no trades of."""
        tracker = self._trackers.get(symbol)
        if tracker is not None:
            tracker.note_stored(ranges | self.outbox.spooled(symbol), absent)

    def receive(self, event: MarketEvent, received_us: int) -> Awaitable[None] | None:
        """Take one event from the feed (an `EventHandler`)."""
        if type(event) is Trade:
            return self._receive_trade(event, received_us)
        self._board.note(event)
        return None

    async def ingest(self, trades: Collection[Trade]) -> int:
        """Take in trades fetched from the exchange; return how many were new."""
        new = 0
        for trade in trades:
            tracker = self._trackers.get(trade.symbol)
            if tracker is None:
                continue
            new += tracker.add(trade, live=False) or tracker.ids.regain(trade.trade_id)
            if not self.outbox.put(trade):
                await self.outbox.make_room()
        return new

    async def note_newest(self, trade: Trade) -> None:
        """Take in the newest trade of a symbol, which the feed has not brought: what lies before it is missing."""
        tracker = self._trackers.get(trade.symbol)
        last = None if tracker is None else tracker.ids.newest
        if tracker is None or (last is not None and trade.trade_id <= last):
            return
        await self.ingest([trade])
        self._board.note(trade)
        if last is not None and trade.trade_id > last + 1:
            self._on_gap(tracker, TradeGap(trade.symbol, last + 1, trade.trade_id - 1), trade)

    def start(self) -> None:
        """Begin to look after the spool; call `close`, or the outbox's ``finish``, at the end."""
        self.outbox.start()

    async def drain(self) -> None:
        """Hand all received trades to the database, if it is at work; it still has to commit them."""
        await self.outbox.drain()

    def close(self) -> None:
        """Hand nothing over any more; trades that wait stay waiting."""
        self.outbox.close()

    def gaps(self) -> int:
        """How many gaps all symbols have."""
        return sum(tracker.missing_ids().range_count() for tracker in self._trackers.values())

    def missing(self) -> int:
        """How many trades of all symbols are known to be missing."""
        return sum(tracker.missing() for tracker in self._trackers.values())

    def unstored(self) -> int:
        """How many trades taken in have not been handed to a database: those that wait, and those given up."""
        lost = sum(tracker.ids.lost.count() for tracker in self._trackers.values())
        return lost + self.outbox.waiting

    def _receive_trade(self, trade: Trade, received_us: int) -> Awaitable[None] | None:
        tracker = self._trackers.get(trade.symbol)
        if tracker is None:
            return None
        awaits_feed = tracker.awaits_feed
        gap = tracker.received.missing_before(trade)
        if not tracker.add(trade):
            return self._put(trade)  # for the database to compare with the one it holds
        if awaits_feed:
            gap = _gap_before(tracker, trade)
        if gap is not None:
            self._on_gap(tracker, gap, trade)
        self.trades_received += 1
        self._exchange_clock.note_event(trade.time_us)
        delay_us = self._exchange_clock.delay_us(trade.time_us, received_us)
        if delay_us is not None:
            self.delay.add(delay_us / 1_000)
            self.measures.received.add(delay_us / 1e6)
        self._board.note(trade)
        return self._put(trade)

    def _put(self, trade: Trade) -> Awaitable[None] | None:
        return None if self.outbox.put(trade) else self.outbox.make_room()

    def _on_gap(self, tracker: SymbolTracker, gap: TradeGap, trade: Trade) -> None:
        logger.warning(
            "%s: %d trades missing before id %d",
            gap.symbol,
            gap.missing,
            trade.trade_id,
            extra={
                "symbol": gap.symbol,
                "missing": gap.missing,
                "first_trade_id": gap.first_trade_id,
                "last_trade_id": gap.last_trade_id,
            },
        )
        if gap.missing > self.repair_trades:
            tracker.restart_window(trade)

    def _on_lost(self, trades: list[Trade]) -> None:
        self.is_losing = True
        for trade in trades:
            tracker = self._trackers.get(trade.symbol)
            if tracker is not None:
                tracker.ids.lose(trade.trade_id, trade.trade_id)

    def _on_spool_changed(self) -> None:
        """What waits on disk has been found, or is stored by now: it is not missing, and candles may be complete."""
        for tracker in self._trackers.values():
            tracker.note_stored(tracker.ids.stored | self.outbox.spooled(tracker.symbol), tracker.absent)
            tracker.ids.filled += 1

    def _on_spool_lost(self, lost: dict[str, IdRanges]) -> None:
        for symbol, ids in lost.items():
            tracker = self._trackers.get(symbol)
            if tracker is not None:
                for first, last in ids:
                    tracker.ids.lose(first, last)

    def _on_recovered(self) -> None:
        self.is_losing = False


def _gap_before(tracker: SymbolTracker, trade: Trade) -> TradeGap | None:
    """Return what is missing between the trades stored before and ``trade``, the first from the feed."""
    found = tracker.missing_ids().range_of(trade.trade_id - 1)
    return None if found is None else TradeGap(tracker.symbol, *found)
