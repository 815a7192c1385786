"""
One recorded symbol of ticks while the program runs: its last tick, and for each price its last hours by second.

A chart shows one price of the ticks: bid, ask or mid. To a chart each tick is a trade at that price, of quantity one,
so that the volume counts ticks. The ids of these trades are numbers of this run; nothing stores them.
"""

from __future__ import annotations

from app.live.recording.symbol_tracker import SymbolTracker
from app.market.candle import CandleSource
from app.market.interval import Interval
from app.market.quotes.tick import PriceSide, Tick
from app.market.trade import Trade
from app.market.units import E8

SHORTEST = Interval.parse("5s")
"""The shortest candles that a broker of quotes publishes."""
# A chart that joins at a multiple of it gets what came before from whole candles of the broker.
JOIN_STEP_US = SHORTEST.length_us


class TickTracker:
    """
    Follows the ticks of one symbol. All methods on the loop.

    ``sides``: for each price a tracker that charts listen to. ``last``: the newest tick, with its place. ``total``
    counts the ticks received. ``watched_from_us``: from when on no tick that the stream brought is missing, UTC
    microseconds; None while the stream is away.
    """

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.sides = {
            side: SymbolTracker(symbol, source=CandleSource.TICKS, join_step_us=JOIN_STEP_US) for side in PriceSide
        }
        self.last: Tick | None = None
        self.total = 0
        self.watched_from_us: int | None = None
        self._is_broken = False

    def add(self, tick: Tick) -> Tick | None:
        """
        Take in one tick of the stream; return it with its place, or None for one that came before.

        After a reconnect a stream repeats the newest price. A tick older than the newest keeps the place it has.
        """
        last = self.last
        if last is not None and tick.time_us == last.time_us:
            if (tick.bid_e8, tick.ask_e8) == (last.bid_e8, last.ask_e8):
                return None
            tick = tick._replace(place=last.place + 1)
        self.total += 1
        if last is None or tick.time_us >= last.time_us:
            self.last = tick
        if self.watched_from_us is None:
            # A stream begins with the last price, which may not be the first one of its time.
            self.watched_from_us = tick.time_us + 1
        for side, tracker in self.sides.items():
            trade = Trade(self.symbol, self.total, tick.time_us, tick.price_e8(side), E8, is_buyer_maker=False)
            tracker.add(trade)
            if self._is_broken:
                # What the stream sent meanwhile is lost to it, so the candles around come from elsewhere.
                tracker.restart_window(trade)
        self._is_broken = False
        return tick

    def note_break(self) -> None:
        """Note that the stream is away: what follows the newest tick is unknown until another one comes."""
        self.watched_from_us = None
        self._is_broken = self.last is not None
        for tracker in self.sides.values():
            tracker.note_break()
