"""
One recorded symbol while the program runs: its trade ids, and its last hours by second.

The ids (`app.live.recording.tracked_ids`) tell what is missing. The seconds are what a chart joins: everything older it
takes from klines and the database.
"""

from __future__ import annotations

from collections.abc import Callable

from app.live.recording.tracked_ids import TrackedIds
from app.market.builder import CandleBuilder
from app.market.candle import CandleSource
from app.market.coverage import IdRanges, SymbolCoverage, TradeGap
from app.market.interval import SECOND_US, Interval
from app.market.trade import Trade

ONE_SECOND = Interval.parse("1s")
_KEPT_US = 2 * 3_600 * SECOND_US
# With hundreds of symbols, seconds that no chart shows would be most of the memory; a new chart takes klines instead.
_KEPT_UNSEEN_US = 600 * SECOND_US
_PRUNE_EVERY_US = 60 * SECOND_US

TradeListener = Callable[[Trade], None]


class SymbolTracker:
    """
    Follows the trades of one symbol. All methods on the loop.

    ``recent`` holds 1 s candles of every trade received from ``window_start_us`` on (a whole second, UTC microseconds;
    None before the first trade), for two hours while a chart listens, else for ten minutes. After a gap too large to be
    fetched the window starts again behind it (`restart_window`), which raises ``generation``.

    ``ids`` and ``received``, its ids that came in this run, tell what is missing. ``last_trade`` is the trade with the
    highest id, ``total`` the number of trades received. ``awaits_feed``: no trade from the feed has come yet for the
    database in use. ``listeners`` are called with each new trade.

    ``source``: that of candles of these trades. ``join_step_us``: the window begins at a multiple of it.

    ``is_watched``: the connection has been live without a break since the newest trade, or since the exchange named it
    as its newest. Only then does a silence prove that there was no trade. ``breaks`` counts the ends of that.
    """

    def __init__(
        self, symbol: str, *, source: CandleSource = CandleSource.TRADES, join_step_us: int = SECOND_US
    ) -> None:
        self.symbol = symbol
        self.source = source
        self.ids = TrackedIds()
        self.received = SymbolCoverage(symbol, self.ids.received)
        self.awaits_feed = True
        self.is_watched = False
        self.breaks = 0
        self.generation = 0
        self.recent = CandleBuilder(ONE_SECOND)
        self.window_start_us: int | None = None
        self.listeners: list[TradeListener] = []
        self.last_trade: Trade | None = None
        self.total = 0
        self._join_step_us = join_step_us
        self._prune_at_us = 0

    def add(self, trade: Trade, *, live: bool = True) -> bool:
        """Take in one trade, from the feed or (``live`` False) fetched to fill a gap; return False for a repeat."""
        if not self.ids.add(trade.trade_id):
            return False
        self.total += 1
        if live:
            self.awaits_feed = False
            self.is_watched = True
        if self.last_trade is None or trade.trade_id > self.last_trade.trade_id:
            self.last_trade = trade
        if self.window_start_us is None:
            if not live:
                return True  # an old gap filled before the feed began: the trades that follow it were not received
            # The second in which listening began is known only in part; the next one is known whole.
            self.window_start_us = self._next_join_us(trade)
        if trade.time_us >= self.window_start_us:
            self.recent.add(trade)
        # Also a trade from before the window: a chart that joined long ago still counts it.
        for listener in self.listeners:
            listener(trade)
        if trade.time_us >= self._prune_at_us:
            self._prune_at_us = trade.time_us + _PRUNE_EVERY_US
            self._prune(trade.time_us - (_KEPT_US if self.listeners else _KEPT_UNSEEN_US))
        return True

    def note_break(self) -> None:
        """Note that the connection is not live: what follows the newest trade is unknown until another one comes."""
        self.is_watched = False
        self.breaks += 1

    def restart_window(self, trade: Trade) -> None:
        """Start the window behind ``trade``: there are gaps before it that will not be filled soon."""
        self.window_start_us = self._next_join_us(trade)
        self.recent = CandleBuilder(ONE_SECOND)
        self.generation += 1

    def note_stored(self, stored: IdRanges, absent: IdRanges | None = None) -> None:
        """
        Take in all ids that the database holds, and which of them it knows to be absent.

        The window lacks trades that another program stored in a gap: it starts again, and charts read the database.
        """
        if self.ids.note_stored(stored, absent) and self.last_trade is not None:
            self.restart_window(self.last_trade)

    def change_database(self, kept: IdRanges) -> None:
        """Start with another database, which is about to be given ``kept``; charts notice nothing."""
        self.ids.change_database(kept)
        self.awaits_feed = not kept

    # Shorthands for readers

    @property
    def absent(self) -> IdRanges:
        """The ids for which the exchange itself has no trades; not to be changed."""
        return self.ids.absent

    @property
    def changes(self) -> int:
        """Grows with everything that may change the missing ids."""
        return self.ids.changes

    @property
    def filled(self) -> int:
        """Grows when candles that were incomplete may be complete now; see `TrackedIds`."""
        return self.ids.filled

    def held(self) -> IdRanges:
        """Return the ids held, not to be changed; see `TrackedIds.held`."""
        return self.ids.held()

    def missing_ids(self) -> IdRanges:
        """Return the missing ids, not to be changed; see `TrackedIds.missing`."""
        return self.ids.missing()

    def missing(self) -> int:
        """Return how many trades are missing."""
        return self.ids.missing_count()

    def gaps(self) -> tuple[TradeGap, ...]:
        """Return the gaps of `missing_ids`, oldest first."""
        return tuple(TradeGap(self.symbol, first, last) for first, last in self.ids.missing())

    def _next_join_us(self, trade: Trade) -> int:
        return trade.time_us // self._join_step_us * self._join_step_us + self._join_step_us

    def _prune(self, before_us: int) -> None:
        if self.window_start_us is not None and before_us > self.window_start_us:
            self.window_start_us = before_us // self._join_step_us * self._join_step_us
            self.recent.forget_before(self.window_start_us)
