"""A database in memory: a writer that keeps its trades, and a store that folds candles each time they are read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from itertools import groupby
from typing import Any

from app.market.availability import StoredTimes
from app.market.calendar.calendar import Calendar
from app.market.calendar.of_symbol import usual_calendar
from app.market.calendar.session_gaps import SessionGap
from app.market.calendar.session_rows import SessionRow
from app.market.candle import Candle, combine
from app.market.columns.candle_columns import columns_of
from app.market.coverage import IdRanges
from app.market.errors import StoreUnavailable
from app.market.interval import SECOND_US, Interval
from app.market.ports.alerts import WaitingAlerts
from app.market.ports.drawings import AppliedChange, DrawingChange, DrawingNews, StoredDrawing
from app.market.ports.sessions import KeptSessions
from app.market.ports.storage import StoredListener, WriterStatus
from app.market.symbol import Symbol
from app.market.trade import Trade
from tests.live.helpers import folded, near


class FakeWriter:
    """
    A `TradeWriter` that keeps its trades; ``room`` is how many more trades it takes.

    It refuses and leaves behind what the test says.
    """

    def __init__(self, room: int = 1 << 60) -> None:
        self.room = room
        self.reason = ""
        self.refused = 0
        self.left: list[Trade] = []
        self.trades: list[Trade] = []
        self.waits = 0
        self.on_wait: Callable[[], None] = lambda: None
        self.on_commit: StoredListener = lambda trades, took_s: None

    @property
    def ids(self) -> list[int]:
        return [one.trade_id for one in self.trades]

    @property
    def status(self) -> WriterStatus:
        return WriterStatus(self.reason, 0, len(self.trades))

    def on_stored(self, listener: StoredListener) -> None:
        self.on_commit = listener

    def put(self, trades: Sequence[Trade]) -> bool:
        if len(trades) > self.room:
            return False
        self.trades += trades
        self.room -= len(trades)
        self.on_commit(trades, 0.0)
        return True

    async def wait_for_room(self, timeout_s: float) -> bool:
        self.waits += 1
        await asyncio.sleep(0)
        self.on_wait()
        return self.room > 0

    async def flush(self, timeout_s: float) -> bool:
        return True

    def unwritten(self) -> list[Trade]:
        return self.left


class FakeStore:
    """A `MarketStore` over trades in memory; ``failure`` is raised while it is set."""

    def __init__(self, trades: Iterable[Trade] = ()) -> None:
        self.stored = {one.trade_id: one for one in trades}
        self.kept: dict[Interval, dict[int, Candle]] = {}
        self.absent_ids = IdRanges()
        self.announced_repairs: tuple[set[str], set[str], int] = (set(), set(), 0)
        self.others_fetch: set[str] = set()
        self.fetched: dict[Interval, IdRanges] = {}
        self.listed_us = 0
        self.failure: StoreUnavailable | None = None
        self.trade_calls = 0

    def record(self, trades: Iterable[Trade]) -> None:
        """Store these trades."""
        self.stored |= {one.trade_id: one for one in trades}

    def candles(
        self,
        symbol: str,
        interval: Interval,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        limit: int | None = None,
        now_us: int | None = None,
    ) -> list[Candle]:
        self._answer()
        folds = self._folded(interval, end_us, limit, now_us)
        candles = {candle.open_time_us: candle for candle in folds}
        for open_us, kline in self._klines(interval).items():
            if open_us not in candles or not (candles[open_us].complete and candles[open_us].closed):
                candles[open_us] = kline
        found = [
            candles[open_us]
            for open_us in sorted(candles)
            if (start_us is None or open_us >= start_us) and (end_us is None or open_us < end_us)
        ]
        return found if limit is None else found[-limit:]

    def iter_candles(
        self, symbol: str, interval: Interval, *, start_us: int | None = None, end_us: int | None = None
    ) -> Generator[list[Candle], None, None]:
        yield self.candles(symbol, interval, start_us=start_us, end_us=end_us)

    def iter_candle_columns(
        self, symbol: str, interval: Interval, *, start_us: int | None = None, end_us: int | None = None
    ) -> Generator[Any, None, None]:
        yield columns_of(self.candles(symbol, interval, start_us=start_us, end_us=end_us))

    def stored_times(self, symbol: str, interval: Interval) -> StoredTimes:
        self._answer()
        runs = [(self.stored[first].time_us, self.stored[last].time_us) for first, last in self.coverage(symbol)]
        return StoredTimes(tuple(runs), self.fetched_klines(symbol, interval), self.listed_us or None)

    def traded_candles(self, symbol: str, interval: Interval, start_us: int, end_us: int) -> list[Candle]:
        self._answer()
        return [candle for candle in folded(self.stored.values(), interval) if candle.trades]

    def recounted_candles(self, symbol: str, interval: Interval, start_us: int, end_us: int) -> list[Candle]:
        return self.traded_candles(symbol, interval, start_us, end_us)

    def klines(self, symbol: str, interval: Interval, start_us: int, end_us: int) -> list[Candle]:
        self._answer()
        return [one for at, one in sorted(self._klines(interval).items()) if start_us <= at < end_us]

    def _folded(self, interval: Interval, end_us: int | None, limit: int | None, now_us: int | None) -> list[Candle]:
        trades = [self.stored[number] for number in sorted(self.stored)]
        if limit is None or end_us is None or now_us is not None or not trades:
            return folded(trades, interval, now_us=now_us, absent=self.absent_ids)
        last = interval.slot(end_us - 1)
        first = _lowest_of(limit, trades, interval, last)
        return [
            candle
            for candle in folded(near(trades, interval, first, last), interval, absent=self.absent_ids)
            if first <= interval.slot(candle.open_time_us) <= last
        ]

    def _klines(self, interval: Interval) -> dict[int, Candle]:
        """Return the kept klines of this interval, and candles added up from complete shorter ones."""
        whole: dict[int, Candle] = {}
        for length, kept in sorted(self.kept.items(), key=lambda one: one[0].length_us):
            if length == interval:
                whole |= kept
            elif length.tiles(interval):
                known = self.fetched.get(length, IdRanges())
                parts = [kept[open_us] for open_us in sorted(kept)]
                whole |= {
                    open_us: combine(open_us, list(members))
                    for open_us, members in groupby(parts, key=lambda part: interval.open_time_us(part.open_time_us))
                    if not known.missing(open_us, interval.next_open_us(open_us) - 1)
                }
        return whole

    def save_klines(
        self, symbol: str, interval: Interval, klines: Sequence[Candle], fetched: tuple[int, int] | None = None
    ) -> int:
        self._answer()
        kept = self.kept.setdefault(interval, {})
        changed = sum(kept.get(one.open_time_us) != one for one in klines)
        kept.update({kline.open_time_us: kline for kline in klines})
        if fetched is not None:
            self.fetched.setdefault(interval, IdRanges()).add_range(fetched[0], fetched[1] - 1)
        return changed

    def fetched_klines(self, symbol: str, interval: Interval) -> IdRanges:
        self._answer()
        ranges = IdRanges(self.fetched.get(interval, ()))
        if self.listed_us:
            ranges.add_range(0, self.listed_us - 1)
        return ranges

    def save_listing(self, symbol: str, listed_us: int) -> None:
        self._answer()
        self.listed_us = listed_us

    def trades(self, symbol: str, first_trade_id: int, last_trade_id: int) -> list[Trade]:
        self._answer()
        self.trade_calls += 1
        return [one for key, one in sorted(self.stored.items()) if first_trade_id <= key <= last_trade_id]

    def hours_of(self, symbol: str, first_trade_id: int, last_trade_id: int) -> tuple[int, int] | None:
        self._answer()
        times = [one.time_us for one in self.trades(symbol, first_trade_id, last_trade_id)]
        hour_us = 3_600 * SECOND_US
        return (min(times) // hour_us * hour_us, (max(times) // hour_us + 1) * hour_us) if times else None

    def coverage(self, symbol: str) -> IdRanges:
        self._answer()
        return IdRanges([*((key, key) for key in sorted(self.stored)), *self.absent_ids])

    def absent_of(self, symbols: Collection[str]) -> dict[str, IdRanges]:
        self._answer()
        return {symbol: IdRanges(self.absent_ids) for symbol in symbols}

    def save_absent(self, symbol: str, absent: Sequence[tuple[int, int]]) -> None:
        self._answer()
        for first, last in absent:
            self.absent_ids.add_range(first, last)

    def coverage_of(self, symbols: Collection[str]) -> dict[str, IdRanges]:
        return {symbol: self.coverage(symbol) for symbol in symbols}

    def announce_repairs(self, small: Collection[str], whole: Collection[str], largest: int) -> set[str]:
        self._answer()
        self.announced_repairs = (set(small), set(whole), largest)
        return set(self.others_fetch)

    def save_symbols(self, symbols: Sequence[Symbol]) -> None:
        self._answer()

    def symbols(self) -> list[Symbol]:
        self._answer()
        return []

    def calendar_at_once(self, symbol: str) -> Calendar | None:
        return usual_calendar(symbol)

    def calendar_of(self, symbol: str) -> Calendar:
        return usual_calendar(symbol)

    def learn_calendar(self, symbol: str, calendar: Calendar) -> None:
        pass

    def keep_sessions(self, now_us: int, symbols: Sequence[str] = (), *, whole: bool = False) -> list[KeptSessions]:
        return []

    def stored_sessions(self, exchange: str) -> list[SessionRow]:
        return []

    def stored_session_gaps(self, symbol: str) -> list[SessionGap]:
        return []

    def _answer(self) -> None:
        if self.failure is not None:
            raise self.failure


def _lowest_of(limit: int, trades: Sequence[Trade], interval: Interval, last: int) -> int:
    """Return the slot of the oldest of the ``limit`` newest candles of these trades up to the slot ``last``."""
    room, later, bound = limit, -1, last + 1
    for one in reversed(trades):
        slot = interval.slot(one.time_us)
        if slot < bound:
            empty = bound - slot - 1 if later == one.trade_id + 1 else 0
            if empty + 1 >= room:
                return max(slot, bound - room)
            room -= empty + 1
            bound = slot
        later = one.trade_id
    return bound


class NoAlerts:
    """An `AlertStore` without any alerts."""

    def revision(self) -> int:
        return 0

    def waiting(self, symbols: Collection[str]) -> WaitingAlerts:
        return WaitingAlerts({})


class MemoryDrawings:
    """A `DrawingStore` in memory, where nothing is overwritten unseen: one desktop has it."""

    def __init__(self) -> None:
        self.rows: dict[str, StoredDrawing] = {}
        self.revision = 0

    def database_id(self) -> str:
        return "00000000-0000-4000-8000-000000000000"

    def exchange(self, desktop: str, seen: int, changes: Sequence[DrawingChange]) -> DrawingNews:
        applied = []
        for one in changes:
            self.revision += 1
            self.rows[one.drawing_id] = StoredDrawing(
                one.drawing_id, one.symbol, self.revision, one.base_revision, desktop, one.content
            )
            applied.append(AppliedChange(one.change_id, self.revision))
        rows = [one for one in self.rows.values() if one.revision > seen]
        return DrawingNews(self.revision, applied, rows, is_whole=False)


class FakeDatabase:
    """An open `Database` in memory, at first with these trades; its store does not see its writer's trades."""

    def __init__(self, trades: Iterable[Trade] = (), *, writer: FakeWriter | None = None) -> None:
        self.writer = writer or FakeWriter()
        self.store = FakeStore(trades)
        self.alerts = NoAlerts()
        self.drawings = MemoryDrawings()
        self.label = "Embedded PostgreSQL 18.4"
        self.read_only_reason = ""
        self.closed = False

    def close(self, timeout_s: float = 0.0) -> bool:
        self.closed = True
        return True
