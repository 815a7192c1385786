"""
Recording: every live trade to the database once, and to the charts that listen.

The recorder takes events from the feed. It keeps one `SymbolTracker` per symbol, which knows the missing trades, hands
new trades to the outbox, and passes everything on to the `MarketSnapshot`. It runs on the loop, and waits only for a
full outbox. Fetching missing trades is `app.live.repair`'s work.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Sequence

from app.live.environment.clocks import ExchangeClock
from app.live.outbox.backlog import OutboxListener
from app.live.outbox.outbox import Outbox
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
    Records the chosen symbols. Give `receive` to `TradeFeed.run`. All methods on the loop.

    ``repair_trades``: the largest gap that is fetched without being asked for; 0: none is. ``is_losing``: received
    trades have to be given up now. ``database_changes`` counts changes of the database. ``delay`` is the smoothed delay
    of trades, in milliseconds. ``on_event`` is called with each new trade, live or fetched, and each quote and day;
    it must be quick. ``on_trade_of`` has, by symbol, a function that is called with each new trade of it, too.
    """

    def __init__(
        self,
        exchange_clock: ExchangeClock,
        market_snapshot: MarketSnapshot,
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
        self.outbox = Outbox(queue_trades, listener, plural="trades", spool=spool, clock=clock)
        self.delay = Smoothed()
        self.measures = Measures(exchange_clock)
        self.trades_received = 0
        self.database_changes = 0
        self.repair_trades = repair_trades
        self.is_losing = False
        self.on_event: Callable[[MarketEvent], None] | None = None
        self.on_trade_of: dict[str, Callable[[Trade], None]] = {}
        self._exchange_clock = exchange_clock
        self._market_snapshot = market_snapshot
        self._trackers: dict[str, SymbolTracker] = {}

    @property
    def symbols(self) -> list[str]:
        """The symbols recorded, in the order they were added."""
        return list(self._trackers)

    def set_symbols(self, symbols: Collection[str]) -> None:
        """Record these symbols from now on, and forget everything about the others."""
        chosen = set(symbols)
        for symbol in [symbol for symbol in self._trackers if symbol not in chosen]:
            del self._trackers[symbol]
        for symbol in symbols:
            if symbol not in self._trackers:
                self._trackers[symbol] = SymbolTracker(symbol)

    def tracker(self, symbol: str) -> SymbolTracker | None:
        """Return the tracker of a symbol; None if it is not recorded."""
        return self._trackers.get(symbol)

    # The database

    def start(self) -> None:
        """Open the spool; call `close`, or the outbox's ``finish``, at the end."""
        self.outbox.start()

    def attach(self, writer: TradeWriter | None, *, recording: bool = True) -> None:
        """Store through this writer from now on; None while there is no database. See `Outbox.attach`."""
        if writer is not None:
            writer.on_stored(self.measures.note_stored)
        self.outbox.attach(writer, recording=recording)

    def change_database(self, left: Sequence[Trade]) -> None:
        """
        Prepare for another database, before `attach` names its writer.

        Trades received so far are not its concern, with two exceptions: ``left``, which the old database did not store,
        and trades that wait in the outbox or on disk.
        """
        self.outbox.put_first(left)
        kept: dict[str, IdRanges] = {}
        for trade in self.outbox.waiting_rows():
            kept.setdefault(trade.symbol, IdRanges()).add(trade.trade_id)
        for symbol, tracker in self._trackers.items():
            tracker.change_database(kept.get(symbol, IdRanges()) | self.outbox.spooled(symbol))
        self.database_changes += 1

    def note_stored(self, symbol: str, stored: IdRanges, absent: IdRanges | None = None) -> None:
        """Take in all ids of a symbol that the database holds, and which of them it knows to be absent."""
        tracker = self._trackers.get(symbol)
        if tracker is not None:
            tracker.note_stored(stored | self.outbox.spooled(symbol), absent)

    async def drain(self) -> None:
        """Hand all received trades to the database, if it is at work; it still has to commit them."""
        await self.outbox.drain()

    def close(self) -> None:
        """Hand nothing over any more; waiting trades stay waiting."""
        self.outbox.close()

    # Trades

    def receive(self, event: MarketEvent, received_us: int) -> Awaitable[None] | None:
        """Take one event from the feed (an `EventHandler`)."""
        if type(event) is Trade:
            return self._receive_trade(event, received_us)
        self._market_snapshot.note(event)
        if self.on_event is not None:
            self.on_event(event)
        return None

    async def ingest(self, trades: Collection[Trade]) -> int:
        """Take in trades fetched from the exchange; return how many were new."""
        new = 0
        for trade in trades:
            tracker = self._trackers.get(trade.symbol)
            if tracker is None:
                continue
            is_new = tracker.add(trade, live=False) or tracker.ids.regain(trade.trade_id)
            new += is_new
            if is_new and self.on_event is not None:
                self.on_event(trade)
            if is_new and (take := self.on_trade_of.get(trade.symbol)) is not None:
                take(trade)
            if not self.outbox.put(trade):
                await self.outbox.make_room()
        return new

    async def note_newest(self, trade: Trade) -> None:
        """Take in the newest trade of a symbol, which the feed did not deliver; trades before it are missing."""
        tracker = self._trackers.get(trade.symbol)
        last = None if tracker is None else tracker.ids.newest
        if tracker is None or (last is not None and trade.trade_id <= last):
            return
        await self.ingest([trade])
        self._market_snapshot.note(trade)
        if last is not None and trade.trade_id > last + 1:
            self._on_gap(tracker, TradeGap(trade.symbol, last + 1, trade.trade_id - 1), trade)

    def gaps(self) -> int:
        """Return how many gaps all symbols have together."""
        return sum(tracker.missing_ids().range_count() for tracker in self._trackers.values())

    def missing(self) -> int:
        """Return how many trades of all symbols are missing."""
        return sum(tracker.missing() for tracker in self._trackers.values())

    def unstored(self) -> int:
        """Return how many received trades no database was given: those that wait, and those given up."""
        lost = sum(tracker.ids.lost.count() for tracker in self._trackers.values())
        return lost + self.outbox.waiting

    def _receive_trade(self, trade: Trade, received_us: int) -> Awaitable[None] | None:
        tracker = self._trackers.get(trade.symbol)
        if tracker is None:
            return None
        is_first = tracker.awaits_feed
        gap = tracker.received.missing_before(trade)
        if not tracker.add(trade):
            return self._put(trade)  # so that the database compares it with the one it holds
        if is_first:
            gap = _gap_before(tracker, trade)
        if gap is not None:
            self._on_gap(tracker, gap, trade)
        self.trades_received += 1
        self._exchange_clock.note_event(trade.time_us)
        delay_us = self._exchange_clock.delay_us(trade.time_us, received_us)
        if delay_us is not None:
            self.delay.add(delay_us / 1_000)
            self.measures.received.add(delay_us / 1e6)
        self._market_snapshot.note(trade)
        if self.on_event is not None:
            self.on_event(trade)
        if self.on_trade_of and (take := self.on_trade_of.get(trade.symbol)) is not None:
            take(trade)
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
        if gap.missing > self.repair_trades:  # nobody fetches it unasked, so the window would stay incomplete
            tracker.restart_window(trade)

    # The outbox reports

    def _on_lost(self, trades: list[Trade]) -> None:
        self.is_losing = True
        for trade in trades:
            tracker = self._trackers.get(trade.symbol)
            if tracker is not None:
                tracker.ids.lose(trade.trade_id, trade.trade_id)

    def _on_recovered(self) -> None:
        self.is_losing = False

    def _on_spool_changed(self) -> None:
        """Count trades found on disk as held; candles that were incomplete may be complete now."""
        for tracker in self._trackers.values():
            tracker.note_stored(tracker.ids.stored | self.outbox.spooled(tracker.symbol), tracker.absent)
            tracker.ids.filled += 1

    def _on_spool_lost(self, lost: dict[str, IdRanges]) -> None:
        for symbol, ids in lost.items():
            tracker = self._trackers.get(symbol)
            if tracker is not None:
                for first, last in ids:
                    tracker.ids.lose(first, last)


def _gap_before(tracker: SymbolTracker, trade: Trade) -> TradeGap | None:
    """Return the gap between the stored trades and ``trade``, the first from the feed; None if there is none."""
    found = tracker.missing_ids().range_of(trade.trade_id - 1)
    return None if found is None else TradeGap(tracker.symbol, *found)
