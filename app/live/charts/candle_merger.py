"""
Merges pages of history and live candles into one chart's series.

Every candle enters the series here, so one place holds the promises: a candle never goes back to fewer trades while it
claims to be complete, and empty candles stand only where no trade is known to be missing. When one turns out to be
missing, they are marked incomplete. What to load is the loaders' decision; which of two candles counts,
`app.market.precedence` decides.

In the series an open candle may be ``complete``, too: then none of its trades until now is known to be missing. Only a
closed one claims that no trade is missing at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from app.live.charts.live_candles import LiveCandle
from app.market.calendar.calendar import Calendar
from app.market.calendar.closed_slots import open_slots
from app.market.candle import Candle, CandleSource, empty_candle, is_whole_so_far
from app.market.interval import Interval
from app.market.precedence import Rank, rank
from app.market.series.series import CLOSED, COMPLETE, FROM_AGGTRADES, NOT_FROM_TRADES, Bar, CandleSeries
from app.market.units import E8, E16

# Candles; a shorter run is put one by one, because slicing it for numpy costs more than it saves.
_FEW = 8


class CandleMerger:
    """
    Writes one chart's ``series``; nothing else does.

    Attributes:
        newest: the last candle, or None while there is none.
        join_us: the live join (UTC microseconds). From its candle on, only live candles are merged. None while no live
            trades are joined.
        calendar: when the market is open; None: always. May be set at any time.
    """

    def __init__(self, symbol: str, interval: Interval) -> None:
        self.interval = interval
        self.series = CandleSeries(symbol, interval)
        self.newest: Candle | None = None
        self.join_us: int | None = None
        self.calendar: Calendar | None = None
        self._page: dict[int, Candle] = {}  # the last part of a page, by open time

    def __len__(self) -> int:
        return len(self.series)

    @property
    def first_us(self) -> int:
        """The oldest candle's open time (UTC microseconds). The series must not be empty."""
        return int(self.series.column("open_time_us")[0])

    def has(self, open_us: int) -> bool:
        """Whether the series has a candle with that open time."""
        slots, slot = self.series.slots, self.interval.slot(open_us)
        at = int(np.searchsorted(slots, slot))
        return at < len(slots) and int(slots[at]) == slot

    def merge_page(self, page: Sequence[Candle], *, watched: bool = False) -> None:
        """
        Merge a page, oldest first, up to the live join's candle; a better candle of the series stays.

        A page is given in parts, and each part repeats the earlier ones. Candles that the last part had are skipped.
        ``watched``: the feed delivers the symbol's trades, so a stored candle that is open is about to be joined.
        """
        before, self._page = self._page, {candle.open_time_us: candle for candle in page}
        new = [candle for candle in page if before.get(candle.open_time_us) is not candle]
        for run in self._better_runs(new):
            self.series.merge(_so_far(run, watched))
            if self.newest is None or run[-1].open_time_us >= self.newest.open_time_us:
                self.newest = run[-1]  # as it came: if it closes before the live join replaces it, it lacks its end

    def prepend(self, candles: Sequence[Candle]) -> int:
        """Add the candles, oldest first, that are older than all of the series; return how many were added."""
        return self.series.prepend(candles)

    def set_begins(self, *, begins: bool) -> None:
        """Record whether the oldest candle is the symbol's first; see `CandleSeries.set_begins`."""
        self.series.set_begins(begins=begins)

    def add_missing(self, page: Sequence[Candle]) -> int:
        """Add the candles of a page whose open times the series lacks; return how many were added."""
        places = np.searchsorted(self.series.column("open_time_us"), [candle.open_time_us for candle in page])
        known = self.series.column("open_time_us").take(places, mode="clip") if len(self.series) else places * 0 - 1
        new: dict[int, list[Candle]] = {}  # the runs of new candles, by the place they belong to
        for candle, at, there in zip(page, places.tolist(), known.tolist(), strict=True):
            if there != candle.open_time_us:
                new.setdefault(at, []).append(candle)
        for run in new.values():
            self.series.merge(_so_far(run, watched=False))
        return sum(map(len, new.values()))

    def put_all(self, candles: Sequence[LiveCandle]) -> None:
        """Merge live candles by rising open time, as `put` would each; long runs are merged at once."""
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
        """Merge a live candle; ``follows``: no trade is missing between the candle before and this one."""
        newest = self.newest
        if newest is not None and candle.open_time_us > newest.open_time_us:
            self._close_newest()
            if follows:
                self.fill_before(candle.open_time_us)
        elif newest is not None and follows:
            self._fill_gap_before(candle)
        if not follows:
            self._mark_incomplete_before(candle)
        chosen = self._chosen(candle, 0 if newest is None else newest.open_time_us)
        if chosen is None:
            return
        self.series.upsert(chosen)
        if self.newest is None or chosen.open_time_us >= self.newest.open_time_us:
            self.newest = chosen

    def fill_before(self, end_us: int) -> bool:
        """
        Close the newest candle and add the empty ones that open before ``end_us`` (UTC microseconds).

        Returns False and adds nothing if the newest candle ends before the live join: trades may lie in between.
        """
        newest = self.newest
        if newest is None or self.join_us is None:
            return False
        slot = self.interval.slot(newest.open_time_us)
        if not self._reaches_join(slot, self.join_us):
            return False
        self._close_newest()
        for empty in open_slots(self.calendar, self.interval, slot + 1, self.interval.slot(end_us - 1) + 1):
            self.newest = empty_candle(self.interval.slot_open_us(empty), newest.close_e8)
            self.series.upsert(self.newest)
        return True

    def _reaches_join(self, slot: int, join_us: int) -> bool:
        """Whether no slot lies between that one and the live join in which the market is open."""
        between = open_slots(self.calendar, self.interval, slot + 1, self.interval.slot(join_us))
        return next(between, None) is None

    def carry_close_forward(self, last: Candle) -> None:
        """Set the price of the empty candles after ``last``, the last with a trade, which a late trade may change."""
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

    def last_traded_before(self, time_us: int) -> int:
        """Return the open time of the last candle with trades before ``time_us``, or ``time_us`` if there is none."""
        end = self.series.index_at_slot(self.interval.slot(time_us) - 1) + 1
        traded = np.flatnonzero(self.series.column("trades")[:end])
        return int(self.series.column("open_time_us")[traded[-1]]) if len(traded) else time_us

    def first_incomplete(self, since_us: int) -> int | None:
        """Return the open time of the oldest incomplete candle that opens at or after ``since_us``, or None."""
        times_us = self.series.column("open_time_us")
        begin = int(np.searchsorted(times_us, since_us))
        incomplete = np.flatnonzero(self.series.column("flags")[begin:] & COMPLETE == 0)
        return int(times_us[begin + incomplete[0]]) if len(incomplete) else None

    def _better_runs(self, candles: Sequence[Candle]) -> list[list[Candle]]:
        """Return the runs of candles older than the live join that are at least as good as those of the series."""
        if self.join_us is not None:
            live_open_us = self.interval.open_time_us(self.join_us)
            candles = [candle for candle in candles if candle.open_time_us < live_open_us]
        if not len(self.series):
            return [list(candles)] if candles else []
        opens, trades = self.series.column("open_time_us"), self.series.column("trades")
        places = np.searchsorted(opens, [candle.open_time_us for candle in candles]).tolist()
        ranks = self._ranks(places)
        runs: list[list[Candle]] = [[]]
        expected = len(opens)
        for candle, at, known in zip(candles, places, ranks, strict=True):
            if at > expected and (trades[expected:at].any() or self._is_in_page(opens[expected:at])):
                # `CandleSeries.merge` replaces all between a run's ends. The page lacks what was traded here, or had
                # it in its last part, so a new run must begin behind it.
                runs.append([])
            here = at < len(opens) and opens[at] == candle.open_time_us
            expected = at + here
            if here and known > rank(candle):
                runs.append([])
            else:
                runs[-1].append(candle)
        return [run for run in runs if run]

    def _is_in_page(self, opens_us: NDArray[np.int64]) -> bool:
        return not self._page.keys().isdisjoint(opens_us.tolist())

    def _ranks(self, places: Sequence[int]) -> Iterator[Rank]:
        """
        Return the `rank` of the series' candles at these rows; a row past the end stands for the last.

        Computed from columns: building a `Bar` per row would dominate the merging of a page.
        """
        flags = self.series.column("flags").take(places, mode="clip")
        trades, volume, quote_volume = (
            self.series.column(name).take(places, mode="clip") for name in ("trades", "volume", "quote_volume")
        )
        complete, closed = flags & COMPLETE > 0, flags & CLOSED > 0
        proven = complete & closed & (flags & NOT_FROM_TRADES == 0) & (trades > 0)
        whole = np.where(closed, 2 * complete, 1)
        authority = np.where((whole == 2) & (flags & FROM_AGGTRADES == 0), 1 + proven, 0)
        knows_all = (volume == 0) | (quote_volume > 0)
        columns = whole, authority, knows_all, trades, closed
        return zip(*(column.tolist() for column in columns), strict=True)

    def _put_run(self, run: list[Candle]) -> None:
        """Merge adjacent candles; the first of them is in the series already."""
        last, newest_us = run[-1].open_time_us, self.newest.open_time_us if self.newest is not None else 0
        chosen: list[Candle] = []
        for candle in run:
            one = self._chosen(candle, max(last, newest_us))
            if one is None:
                self.series.merge(chosen)
                chosen = []
            else:
                chosen.append(one)
        self.series.merge(chosen)
        if chosen and last >= newest_us:
            self.newest = chosen[-1]

    def _chosen(self, candle: Candle, newest_us: int) -> Candle | None:
        """
        Return the candle to write for a live ``candle``, or None if the series keeps its own.

        The series may know more: its kline counts trades that the feed missed, or has not delivered yet. Then it stays.
        If trades are missing, the result is that kline, marked incomplete, with the live prices added. A candle that
        opens before ``newest_us`` is closed.
        """
        # Closed and complete: a later trade is held, and with it every trade of the candle.
        if not (candle.complete and candle.closed):
            at = self.series.index_at_slot(self.interval.slot(candle.open_time_us))
            known = self.series.bar(at) if at >= 0 else None
            if known is not None and known.open_time_us == candle.open_time_us and known.trades > candle.trades:
                # A broker counts prices that its stream leaves out, so more of them are no sign of later ones.
                is_counted = candle.complete and candle.source is not CandleSource.TICKS
                return None if is_counted else _with_live_prices(known, candle)
            if not candle.closed and candle.open_time_us < newest_us:
                return candle._replace(closed=True)
        return candle

    def _fill_gap_before(self, candle: Candle) -> None:
        """Add the empty candles just before ``candle``, or mark them complete again: no trade is missing there now."""
        slot = self.interval.slot(candle.open_time_us)
        at = self.series.index_at_slot(slot - 1)
        if at < 0 or self.join_us is None:
            return
        before = self.series.bar(at)
        while at > 0 and not (before.trades or before.complete):
            at -= 1
            before = self.series.bar(at)
        if before.slot < slot - 1 and self._reaches_join(before.slot, self.join_us):
            for empty in open_slots(self.calendar, self.interval, before.slot + 1, slot):
                self.series.upsert(empty_candle(self.interval.slot_open_us(empty), round(before.close * E8)))

    def _mark_incomplete_before(self, candle: Candle) -> None:
        """Mark the candles just before ``candle`` incomplete, back to the live join or to one that trades prove."""
        at = self.series.index_at_slot(self.interval.slot(candle.open_time_us) - 1)
        while at >= 0 and self.join_us is not None and (bar := self.series.bar(at)).complete:
            if self.interval.next_open_us(bar.open_time_us) <= self.join_us:
                break
            if bar.trades and bar.source is not CandleSource.MIXED:
                break
            self.series.mark_incomplete(at)
            if bar.trades:
                break
            at -= 1

    def _close_newest(self) -> None:
        newest = self.newest
        if newest is not None and not newest.closed:
            # A kline that was open when it was loaded may lack its last trades, so it may not pass for a closed one.
            source = CandleSource.MIXED if newest.source is CandleSource.KLINE else newest.source
            self.newest = newest._replace(closed=True, source=source)
            self.series.upsert(self.newest)


def _so_far(run: Sequence[Candle], watched: bool) -> Sequence[Candle]:
    """Return the run; its last candle, if it is open, is complete if that is so until now."""
    if run[-1].closed or not (watched or run[-1].source is CandleSource.KLINE):
        return run
    return [*run[:-1], run[-1]._replace(complete=is_whole_so_far(run))]


def _with_live_prices(known: Bar, candle: Candle) -> Candle:
    """
    Return the known candle with the live prices added, incomplete.

    Its counts stay: how many of the live trades they include is not known.
    """
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
