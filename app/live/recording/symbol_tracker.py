"""What is known of one recorded symbol while the program runs: the ids it has, and its last hours by second."""

from __future__ import annotations

from collections.abc import Callable

from app.market.builder import CandleBuilder
from app.market.coverage import IdRanges, SymbolCoverage, TradeGap
from app.market.interval import SECOND_US, Interval
from app.market.trade import Trade

ONE_SECOND = Interval.parse("1s")
_KEPT_US = 2 * 3_600 * SECOND_US
# With hundreds of symbols the seconds nobody looks at would be most of the memory; a chart that comes takes klines.
_KEPT_UNSEEN_US = 600 * SECOND_US
_PRUNE_EVERY_US = 60 * SECOND_US

TradeListener = Callable[[Trade], None]


class SymbolTracker:
    """
    Follows the trades of one symbol.

    From ``window_start_us`` (a whole second, UTC microseconds; None before the first trade) on, ``recent`` holds 1 s
    candles of every trade received, for charts to join: what is older a chart takes from klines and the database. They
    are kept for two hours while a chart listens, else for ten minutes. A
    hole that is too large to be fetched moves the window behind it (`restart_window`) and raises ``generation``.
    ``lost`` are trades received that could not be stored, ``elsewhere`` those received for another database than the
    one in use; ``begins`` until the first trade from the feed for that one. ``absent`` are ids that the exchange itself
    has no trades of, ``absent_unsaved`` those of them that the database is yet to be told. ``filled`` grows with every
    id that came out of order, or turned out not to exist: what was incomplete may be complete now. ``changes`` grows
    with everything that may change what is missing.
    """

    def __init__(self, symbol: str) -> None:
        self.symbol = symbol
        self.received = SymbolCoverage(symbol)
        self.stored_before = IdRanges()
        self.lost = IdRanges()
        self.elsewhere = IdRanges()
        self.absent = IdRanges()
        self.absent_unsaved = IdRanges()
        self._passed_over = IdRanges()  # held without having been received, because they are absent
        self.begins = True
        self.generation = 0
        self.filled = 0
        self.recent = CandleBuilder(ONE_SECOND)
        self.window_start_us: int | None = None
        self.listeners: list[TradeListener] = []
        self.last_trade: Trade | None = None
        self.total = 0
        self._prune_at_us = 0
        self.changes = 0
        # Of what was received or stored, and of what of that is held: None where they are to be put together anew. A
        # trade changes them in place, because with many holes putting together takes milliseconds.
        self._known: IdRanges | None = None
        self._held: IdRanges | None = None
        self._missing: IdRanges | None = None
        self._missing_count = 0

    def add(self, trade: Trade, *, live: bool = True) -> bool:
        """Take in one trade, from the feed or (``live`` False) fetched to fill a gap; False for a repeat."""
        held = self.received.held
        last = held.last
        if not held.add(trade.trade_id) and not self._exists_after_all(trade.trade_id):
            return False
        if last is None or trade.trade_id != last + 1:
            self.filled += 1
        self._hold(trade.trade_id)
        self.total += 1
        self.begins = self.begins and not live
        if self.last_trade is None or trade.trade_id > self.last_trade.trade_id:
            self.last_trade = trade
        if self.window_start_us is None:
            if not live:
                # An old gap filled before the feed began: what follows it was never listened to.
                return True
            # The second in which listening began is known only in part; the next one is known whole.
            self.window_start_us = trade.time_us // SECOND_US * SECOND_US + SECOND_US
        if trade.time_us >= self.window_start_us:
            self.recent.add(trade)
        # Also one from before the window: a chart that joined long ago still counts it.
        for listener in self.listeners:
            listener(trade)
        if trade.time_us >= self._prune_at_us:
            self._prune_at_us = trade.time_us + _PRUNE_EVERY_US
            self._prune(trade.time_us - (_KEPT_US if self.listeners else _KEPT_UNSEEN_US))
        return True

    def restart_window(self, trade: Trade) -> None:
        """Let the window begin after ``trade``: there are holes before it that will not be filled soon."""
        self.window_start_us = trade.time_us // SECOND_US * SECOND_US + SECOND_US
        self.recent = CandleBuilder(ONE_SECOND)
        self.generation += 1

    def stored(self, ranges: IdRanges, absent: IdRanges | None = None) -> None:
        """
        Note what the database holds, and which of that are ids the exchange has no trades of.

        What another program has stored in our place, our window lacks: it begins anew, and charts read the database.
        """
        received = self.received.held
        self.lost -= ranges
        self.absent = self.absent_unsaved | (absent or IdRanges())
        filled = False
        if received.first is not None and received.last is not None:
            holes = received.complement(received.first, received.last)
            filled = bool((holes & ranges) - self.stored_before)
        self.stored_before = ranges
        self._forget()
        if filled and self.last_trade is not None:
            self.restart_window(self.last_trade)

    def lose(self, first: int, last: int | None = None) -> None:
        """Note that received trades, of that id or of all these ids, could not be stored."""
        last = first if last is None else last
        self.lost.add_range(first, last)
        if self._held is not None:
            self._held.remove_range(first, last)
        self._change()

    def regain(self, trade_id: int) -> bool:
        """Note that a trade is about to be stored after all; False where it was neither lost nor elsewhere."""
        if trade_id in self.lost:
            self.lost.remove_range(trade_id, trade_id)
        elif trade_id in self.elsewhere:
            self.elsewhere.remove_range(trade_id, trade_id)
            if self._known is not None:
                self._known.add(trade_id)
        else:
            return False
        if self._held is not None and self._known is not None and trade_id in self._known:
            self._held.add(trade_id)
        self._change()
        return True

    def move(self, kept: IdRanges) -> None:
        """
        Begin anew for another database, of which nothing is known but that it is about to be given ``kept``.

        Charts notice nothing: what was received stays received. What was lost is in no database, and stays lost.
        """
        self.elsewhere = self.received.held - kept - self.lost
        self.stored_before = IdRanges()
        self.absent_unsaved = IdRanges()
        self.begins = not kept
        self._forget()

    def note_absent(self, first: int, last: int) -> None:
        """Remember that the exchange itself has no trades with these ids, whatever became of any that were received."""
        for hole in self.received.held.missing(first, last):
            self._passed_over.add_range(*hole)
        for ids in (self.received.held, self.absent, self.absent_unsaved, self._known, self._held):
            if ids is not None:
                ids.add_range(first, last)
        for ids in (self.lost, self.elsewhere):
            ids.remove_range(first, last)
        self.filled += 1
        self._change()

    def absent_saved(self, first: int, last: int) -> None:
        """Note that the database knows of these ids that there are no trades of them."""
        self.absent_unsaved.remove_range(first, last)

    def held(self) -> IdRanges:
        """
        Return the ids stored before, received and neither lost nor elsewhere, or known not to exist, as one set, which
        is not to be changed and changes with the tracker.
        """
        return self._sets()[1]

    @property
    def newest_id(self) -> int | None:
        """The highest id received or stored before, whatever became of its trade; None where there is none."""
        return max(
            (last for last in (self.received.held.last, self.stored_before.last) if last is not None), default=None
        )

    def missing_ids(self) -> IdRanges:
        """Return every gap from the first trade stored to the last received; not to be changed."""
        if self._missing is None:
            known, held = self._sets()
            # What was received last may be lost, and is missing although nothing stored follows it.
            first, last = known.first, known.last
            self._missing = IdRanges() if first is None or last is None else held.complement(first, last)
            self._missing_count = self._missing.count()
        return self._missing

    def gaps(self) -> tuple[TradeGap, ...]:
        """Return the gaps of `missing_ids`, oldest first."""
        return tuple(TradeGap(self.symbol, first, last) for first, last in self.missing_ids())

    def missing(self) -> int:
        """How many trades all gaps are missing."""
        self.missing_ids()
        return self._missing_count

    def _exists_after_all(self, trade_id: int) -> bool:
        """Note that a trade of this id exists; whether it was only taken to be held because it was absent."""
        if trade_id in self.absent:
            self.absent.remove_range(trade_id, trade_id)
            self.absent_unsaved.remove_range(trade_id, trade_id)
        if trade_id not in self._passed_over:
            return False
        self._passed_over.remove_range(trade_id, trade_id)
        self.elsewhere.remove_range(trade_id, trade_id)
        return True

    def _sets(self) -> tuple[IdRanges, IdRanges]:
        """Return what was received or stored, and what of that is held."""
        if self._known is None or self._held is None:
            self._known = (self.received.held - self.elsewhere) | self.stored_before
            self._held = self._known - self.lost
        return self._known, self._held

    def _hold(self, trade_id: int) -> None:
        known, held = self._known, self._held
        if known is None or held is None:
            self._change()
            return
        is_lost = trade_id in self.lost
        if is_lost or known.last is None or trade_id != known.last + 1:
            self._change()
        known.add(trade_id)
        if not is_lost:
            held.add(trade_id)

    def _forget(self) -> None:
        self._known = self._held = None
        self._change()

    def _change(self) -> None:
        self._missing = None
        self.changes += 1

    def _prune(self, before_us: int) -> None:
        if self.window_start_us is not None and before_us > self.window_start_us:
            self.window_start_us = before_us // SECOND_US * SECOND_US
            self.recent.forget_before(self.window_start_us)
