"""
The candles that a chart shows, and how others come in.

Pages of the past and live candles meet here. What replaces a candle knows at least as much as it, so none goes back;
empty candles are there only where nothing says that trades are missing, and are doubted when something does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from app.live.charts.live_candles import LiveCandle
from app.market.candle import Candle, CandleSource, empty_candle
from app.market.interval import Interval
from app.market.precedence import rank
from app.market.series.series import CLOSED, COMPLETE, FROM_BOTH, FROM_KLINE, Bar, CandleSeries
from app.market.units import E8, E16

_FEW = 8


class CandleMerger:
    """
    Brings candles into ``series``. ``newest`` is the last of them, None while there is none.

    ``seam_us``: from then on (UTC microseconds) live candles are brought in; None while there are none.
    """

    def __init__(self, symbol: str, interval: Interval) -> None:
        self.interval = interval
        self.series = CandleSeries(symbol, interval)
        self.newest: Candle | None = None
        self.seam_us: int | None = None
        self._page: dict[int, Candle] = {}  # what came with the last part of a page

    def __len__(self) -> int:
        return len(self.series)

    @property
    def first_us(self) -> int:
        """When the oldest candle opens; there must be one."""
        return int(self.series.column("open_time_us")[0])

    def has(self, open_us: int) -> bool:
        """Whether there is a candle that opens then."""
        slots, slot = self.series.slots, self.interval.slot(open_us)
        at = int(np.searchsorted(slots, slot))
        return at < len(slots) and int(slots[at]) == slot

    def show(self, page: Sequence[Candle]) -> None:
        """
        Bring in a page, oldest first, as far as it is older than the seam; what is known better stays.

        A page comes in parts, each with those before: what came with the last one is passed over.
        """
        before, self._page = self._page, {candle.open_time_us: candle for candle in page}
        news = [candle for candle in page if before.get(candle.open_time_us) is not candle]
        for run in self._news(news):
            self.series.merge(run)
            if self.newest is None or run[-1].open_time_us >= self.newest.open_time_us:
                self.newest = run[-1]

    def insert(self, page: Sequence[Candle]) -> int:
        """Add the candles of a page that the series lacks; return how many."""
        places = np.searchsorted(self.series.column("open_time_us"), [candle.open_time_us for candle in page])
        known = self.series.column("open_time_us").take(places, mode="clip") if len(self.series) else places * 0 - 1
        new: dict[int, list[Candle]] = {}  # the runs of new candles, by the place they belong to
        for candle, at, there in zip(page, places.tolist(), known.tolist(), strict=True):
            if there != candle.open_time_us:
                new.setdefault(at, []).append(candle)
        for run in new.values():
            self.series.merge(run)
        return sum(map(len, new.values()))

    def put_all(self, candles: Sequence[LiveCandle]) -> None:
        """Bring in candles by rising open time, as `put` would one by one; many that follow each other in one go."""
        slots = [self.interval.slot(live.candle.open_time_us) for live in candles]
        adjoining = enumerate(pairwise(slots), 1)
        ends = [at for at, (slot, following) in adjoining if following != slot + 1 or not candles[at].follows]
        for begin, end in pairwise([0, *ends, len(candles)]):
            run = candles[begin:end]
            for candle, follows in run if len(run) <= _FEW else run[:1]:
                self.put(candle, follows=follows)
            if len(run) > _FEW:
                self._put_run([live.candle for live in run])

    def put(self, candle: Candle, *, follows: bool = True) -> None:
        """Bring in a candle; ``follows``: no trade is missing between the one before and this one."""
        newest = self.newest
        if newest is not None and candle.open_time_us > newest.open_time_us:
            self._close_newest()
            if follows:
                self.fill_before(candle.open_time_us)
        elif newest is not None and follows:
            self._fill_hole_before(candle)
        if not follows:
            self._doubt_before(candle)
        if self._goes_back(candle):
            return
        if newest is not None and candle.open_time_us < newest.open_time_us and not candle.closed:
            candle = candle._replace(closed=True)
        self.series.upsert(candle)
        if self.newest is None or candle.open_time_us >= self.newest.open_time_us:
            self.newest = candle

    def fill_before(self, end_us: int) -> bool:
        """
        Close the newest candle and add the empty ones that open before ``end_us``.

        False, and nothing added, where the newest is older than the seam's candle: what lies between is not known.
        """
        newest = self.newest
        if newest is None or self.seam_us is None:
            return False
        slot = self.interval.slot(newest.open_time_us)
        if slot < self.interval.slot(self.seam_us) - 1:
            return False
        self._close_newest()
        while (open_us := self.interval.slot_open_us(slot := slot + 1)) < end_us:
            self.newest = empty_candle(open_us, newest.close_e8)
            self.series.upsert(self.newest)
        return True

    def carry_on(self, last: Candle) -> None:
        """Give the empty candles after ``last``, the last with a trade, its price: it may have come late."""
        newest = self.newest
        if newest is None or newest.trades or newest.open_time_us <= last.open_time_us:
            return
        at = self.series.index_at_slot(self.interval.slot(last.open_time_us)) + 1
        while at < len(self.series) and not self.series.bar(at).trades:
            bar = self.series.bar(at)
            empty = empty_candle(bar.open_time_us, last.close_e8, closed=bar.closed, complete=bar.complete)
            self.series.upsert(empty)
            if bar.open_time_us == newest.open_time_us:
                self.newest = empty
            at += 1

    def traded_before(self, time_us: int) -> int:
        """Return when the last candle with trades before that time opens; that time where there is none."""
        end = self.series.index_at_slot(self.interval.slot(time_us) - 1) + 1
        traded = np.flatnonzero(self.series.column("trades")[:end])
        return int(self.series.column("open_time_us")[traded[-1]]) if len(traded) else time_us

    def first_incomplete(self, since_us: int) -> int | None:
        """Return when the oldest incomplete candle opens that opens at or after a time, or None."""
        times_us = self.series.column("open_time_us")
        begin = int(np.searchsorted(times_us, since_us))
        incomplete = np.flatnonzero(self.series.column("flags")[begin:] & COMPLETE == 0)
        return int(times_us[begin + incomplete[0]]) if len(incomplete) else None

    def _news(self, candles: Sequence[Candle]) -> list[list[Candle]]:
        """Return the runs of candles that are as good as those of the series in their place; live ones are left out."""
        if self.seam_us is not None:
            seam_us = self.interval.open_time_us(self.seam_us)
            candles = [candle for candle in candles if candle.open_time_us < seam_us]
        if not len(self.series):
            return [list(candles)] if candles else []
        opens, trades = self.series.column("open_time_us"), self.series.column("trades")
        places = np.searchsorted(opens, [candle.open_time_us for candle in candles]).tolist()
        ranks = self._ranks(places)
        runs: list[list[Candle]] = [[]]
        expected = len(opens)
        for candle, at, known in zip(candles, places, ranks, strict=True):
            if at > expected and (trades[expected:at].any() or self._is_in_page(opens[expected:at])):
                runs.append([])  # the page has none for what was traded there, or brought it with its last part
            here = at < len(opens) and opens[at] == candle.open_time_us
            expected = at + here
            if here and known > rank(candle):
                runs.append([])
            else:
                runs[-1].append(candle)
        return [run for run in runs if run]

    def _is_in_page(self, opens_us: NDArray[np.int64]) -> bool:
        return not self._page.keys().isdisjoint(opens_us.tolist())

    def _ranks(self, places: Sequence[int]) -> Iterator[tuple[bool, bool, int, bool]]:
        """Return what `rank` says of the candles at these places, the last for those behind the end; all at once."""
        flags = self.series.column("flags").take(places, mode="clip")
        trades = self.series.column("trades").take(places, mode="clip")
        complete, closed = flags & COMPLETE > 0, flags & CLOSED > 0
        proven = complete & closed & (flags & (FROM_KLINE | FROM_BOTH) == 0) & (trades > 0)
        return zip(complete.tolist(), proven.tolist(), trades.tolist(), closed.tolist(), strict=True)

    def _put_run(self, run: list[Candle]) -> None:
        """Bring in adjacent candles of which the first is in the series already."""
        last, newest_us = run[-1].open_time_us, self.newest.open_time_us if self.newest is not None else 0
        better: list[Candle] = []
        for candle in run:
            if self._goes_back(candle):
                self.series.merge(better)
                better = []
            elif not candle.closed and candle.open_time_us < max(last, newest_us):
                better.append(candle._replace(closed=True))
            else:
                better.append(candle)
        self.series.merge(better)
        if better and last >= newest_us:
            self.newest = better[-1]

    def _goes_back(self, candle: Candle) -> bool:
        """
        Whether the series has more in its place: a kline of trades that we missed, or that the stream is yet to bring.
        That one stays; where trades are missing it goes on by those that are heard, and is marked incomplete.
        """
        if candle.complete and candle.closed:
            return False  # a later trade proves it
        at = self.series.index_at_slot(self.interval.slot(candle.open_time_us))
        if at < 0 or (known := self.series.bar(at)).open_time_us != candle.open_time_us:
            return False
        if known.trades <= candle.trades:
            return False
        if not candle.complete:
            doubted = _doubted(known, candle)
            self.series.upsert(doubted)
            if self.newest is not None and self.newest.open_time_us == candle.open_time_us:
                self.newest = doubted
        return True

    def _fill_hole_before(self, candle: Candle) -> None:
        """Add, or believe again, the empty candles just before ``candle``: no trade is missing there any more."""
        slot = self.interval.slot(candle.open_time_us)
        at = self.series.index_at_slot(slot - 1)
        if at < 0 or self.seam_us is None:
            return
        before = self.series.bar(at)
        while at > 0 and not (before.trades or before.complete):
            at -= 1
            before = self.series.bar(at)
        if self.interval.slot(self.seam_us) - 1 <= before.slot < slot - 1:
            for empty in range(before.slot + 1, slot):
                self.series.upsert(empty_candle(self.interval.slot_open_us(empty), round(before.close * E8)))

    def _doubt_before(self, candle: Candle) -> None:
        """Mark what is since the seam, just before ``candle``, and not proven by trades: some are missing there."""
        at = self.series.index_at_slot(self.interval.slot(candle.open_time_us) - 1)
        while at >= 0 and self.seam_us is not None and (bar := self.series.bar(at)).complete:
            if self.interval.next_open_us(bar.open_time_us) <= self.seam_us:
                break
            if bar.trades and bar.source is not CandleSource.MIXED:
                break
            self.series.doubt(at)
            if bar.trades:
                break
            at -= 1

    def _close_newest(self) -> None:
        newest = self.newest
        if newest is not None and not newest.closed:
            # Of a kline that was open when it was loaded, nobody has said that it is all there is.
            source = CandleSource.MIXED if newest.source is CandleSource.KLINE else newest.source
            self.newest = newest._replace(closed=True, source=source)
            self.series.upsert(self.newest)


def _doubted(known: Bar, candle: Candle) -> Candle:
    """Return a kline with the prices that trades heard since have; how many they lack in common nobody knows."""
    return candle._replace(
        open_e8=round(known.open * E8),
        high_e8=max(round(known.high * E8), candle.high_e8),
        low_e8=min(round(known.low * E8), candle.low_e8),
        volume_e8=round(known.volume * E8),
        quote_volume_e16=round(known.quote_volume * E16),
        trades=known.trades,
        taker_buy_volume_e8=round(known.taker_buy_volume * E8),
        taker_buy_quote_volume_e16=round(known.taker_buy_quote_volume * E16),
        first_trade_id=None,
        last_trade_id=None,
        closed=known.closed or candle.closed,
        complete=False,
        source=CandleSource.MIXED,
    )
