"""
Holds candles counted from the stored trades against the exchange's, window by window.

The exchange's candles are the stored klines; those that are not stored are fetched, and kept as a chart keeps them. A
window has no more candles than four answers of the exchange, and its trades are read in pieces of about a third of a
second, so memory does not grow with the range.

A candle that may lack trades, by the ids, and equals the exchange's all the same is proved by that: the first one of an
imported day. If it differs, the difference says nothing, and the candle counts as not compared. A trade that the
database believes to hold and has lost does show, as a difference.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from enum import Enum, auto
from functools import partial
from itertools import groupby
from typing import NamedTuple

from app.concurrency.background import in_background
from app.live.charts.candle_history import CandleHistory, saved_interval
from app.live.charts.page_loader import plan
from app.live.transfers.candle_transfer import TransferProgress
from app.live.transfers.exchange_patience import ExchangePatience
from app.live.transfers.report import minute
from app.market.builder import finish
from app.market.candle import Candle, CandleSource, combine
from app.market.candle_request import CandleRequest
from app.market.comparison import FieldDifference, differences
from app.market.interval import SECOND_US, Interval, kline_interval_for
from app.market.ports.clock import Clock
from app.market.ports.storage import ComparedStore

_WINDOW_KLINES = 4_000
SETTLED_US = 60 * SECOND_US  # after its end a kline is final
_PIECE_S = 0.3
_FIRST_PIECE_US, _LONGEST_PIECE_US = 600 * SECOND_US, 7 * 86_400 * SECOND_US
_GROWTH = 4
# Longer candles are added up from these: one statement never has more than an hour of trades in one group.
_PARTS = tuple(Interval.parse(name) for name in ("1h", "1m", "1s"))


class Uncompared(Enum):
    """Why a candle was not compared."""

    TRADES_MISSING = auto()
    NOT_FETCHED = auto()  # the exchange did not answer
    ABSENT = auto()  # the exchange has no candle there
    NOT_OVER = auto()  # it has not ended yet, or has only just


class ComparisonReport(NamedTuple):
    """
    The outcome. ``compared``: the candles held against the exchange's, ``differing`` those of them that differ.

    ``missing``: the times that could not be compared, disjoint and rising, ends exclusive, UTC microseconds;
    ``uncompared`` counts their candles, ``reasons`` says why, in whole sentences.
    """

    request: CandleRequest
    compared: int
    differing: int
    missing: list[tuple[int, int]]
    uncompared: int
    reasons: list[str]

    @property
    def lack(self) -> str:
        """Return how many candles could not be compared, the first one's time, and why; empty if all were."""
        if not self.missing:
            return ""
        total, first = len(self.request.slots), minute(self.missing[0][0])
        if total == 1:
            return " ".join([f"The candle at {first} could not be compared.", *self.reasons])
        number = f"{self.uncompared:,} of {total:,} candles could not be compared; the first is {first}."
        return " ".join([number, *self.reasons])


class CandleComparison:
    """
    One comparison; call `run` once, on the loop.

    ``clock`` is the exchange's, as far as that is known. ``on_differences`` is called on the loop, oldest first, once
    per window that has any; ``on_progress`` several times per window. Nothing is fetched unless ``request.fetch``.
    """

    def __init__(
        self,
        request: CandleRequest,
        history: CandleHistory,
        store: ComparedStore,
        clock: Clock,
        on_differences: Callable[[list[FieldDifference]], None],
        on_progress: Callable[[TransferProgress], None] = lambda _: None,
    ) -> None:
        self._request = request
        self._interval = request.interval
        self._part = part_of(request.interval)
        self._history = history
        self._store = store
        self._clock = clock
        self._on_differences = on_differences
        self._on_progress = on_progress
        self._patience = ExchangePatience(clock, self._note_progress)
        if not request.fetch:
            self._patience.gave_up = "nothing was to be fetched"
        self._piece_us = _FIRST_PIECE_US
        self._done = 0
        self._compared = self._differing = 0
        self._missing: list[tuple[int, int]] = []
        self._reasons: Counter[Uncompared] = Counter()

    async def run(self) -> ComparisonReport:
        """
        Compare the whole range and return the outcome.

        Raises:
            StoreError: If the database cannot be read.
        """
        slots = self._request.slots
        klines_each = self._interval.length_us // kline_interval_for(self._interval).length_us
        size = max(1, _WINDOW_KLINES // max(1, klines_each))
        for first in range(slots.start, slots.stop, size):
            await self._compare(first, min(first + size, slots.stop) - 1)
            self._done = min(first + size, slots.stop) - slots.start
            self._note_progress()
        return ComparisonReport(
            self._request,
            self._compared,
            self._differing,
            self._missing,
            self._reasons.total(),
            self._sentences(),
        )

    async def _compare(self, first: int, last: int) -> None:
        open_us = self._interval.slot_open_us
        made = {one.open_time_us: one for one in await self._made(first, last)}
        klines = await self._klines(first, last, sorted(made))
        found = list[FieldDifference]()
        for slot in range(first, last + 1):
            at_us = open_us(slot)
            mine, theirs = made.get(at_us), klines.get(at_us)
            differing = [] if mine is None or theirs is None else differences(mine, theirs)
            if mine is None or theirs is None or (differing and not mine.complete):
                self._note_uncompared(slot, self._why(slot, mine))
                continue
            self._compared += 1
            self._differing += bool(differing)
            found += differing
        if found:
            self._on_differences(found)

    async def _made(self, first: int, last: int) -> list[Candle]:
        """Return the candles of these slots, counted from the trades, empty and incomplete ones included."""
        symbol, open_us = self._request.symbol, self._interval.slot_open_us
        at_us, end_us = open_us(first), open_us(last + 1)
        # Ids first: trades stored between the two reads are then in a candle that may lack some, for all we know.
        held = await in_background(partial(self._store.coverage, symbol), "read-coverage")
        parts = dict[int, Candle]()
        while at_us < end_us:
            to_us = min(max(self._part.open_time_us(at_us + self._piece_us), self._part.next_open_us(at_us)), end_us)
            began_s = time.monotonic()
            read = partial(self._store.recounted_candles, symbol, self._part, at_us, to_us)
            parts |= {one.open_time_us: one for one in await in_background(read, "read-trades")}
            took_s = max(time.monotonic() - began_s, 1e-3)
            self._piece_us = min(_LONGEST_PIECE_US, int(self._piece_us * min(_GROWTH, _PIECE_S / took_s)))
            at_us = to_us
            self._done = self._interval.slot(at_us) - self._request.slots.start
            self._note_progress()
        traded = _added_up([parts[at] for at in sorted(parts)], self._interval)
        return [one for one in finish(traded, self._interval, held) if open_us(first) <= one.open_time_us < end_us]

    async def _klines(self, first: int, last: int, wanted: Sequence[int]) -> dict[int, Candle]:
        """Return the exchange's closed candles by open time; those not stored are fetched where they are ``wanted``."""
        if not wanted:
            return {}
        symbol, interval, store = self._request.symbol, self._interval, self._store
        open_us = interval.slot_open_us
        # Ranges first: klines saved between the two reads are then requested twice at worst, never taken for absent.
        fetched = await in_background(
            partial(store.fetched_klines, symbol, saved_interval(interval)), "read-kline-ranges"
        )
        read = partial(store.klines, symbol, interval, open_us(first), open_us(last + 1))
        known = dict[int, Candle]()

        def keep(candles: list[Candle]) -> None:
            for one in candles:
                # Candles of aggregated trades lie beside the klines, and are none of the exchange's.
                if one.closed and one.source is CandleSource.KLINE:
                    known.setdefault(one.open_time_us, one)

        keep(await in_background(read, "read-klines"))

        lacking = [
            interval.slot(at)
            for at in wanted
            if at not in known and self._is_final(at) and fetched.missing(at, interval.next_open_us(at) - 1)
        ]
        for start_us, end_us in plan(interval, first, lacking).requests:
            await self._patience.answer(
                partial(self._history.published, symbol, interval, start_us, end_us, keep),
            )
        return {at: one for at, one in known.items() if self._is_final(at)}

    def _is_final(self, open_us: int) -> bool:
        return self._interval.next_open_us(open_us) + SETTLED_US <= self._clock.now_us()

    def _why(self, slot: int, mine: Candle | None) -> Uncompared:
        if not self._is_final(self._interval.slot_open_us(slot)):
            return Uncompared.NOT_OVER
        if mine is None or not mine.complete:
            return Uncompared.TRADES_MISSING
        return Uncompared.NOT_FETCHED if self._patience.gave_up else Uncompared.ABSENT

    def _note_uncompared(self, slot: int, why: Uncompared) -> None:
        start_us, end_us = self._interval.slot_open_us(slot), self._interval.slot_open_us(slot + 1)
        if self._missing and self._missing[-1][1] == start_us:
            start_us, _ = self._missing.pop()
        self._missing.append((start_us, end_us))
        self._reasons[why] += 1

    def _sentences(self) -> list[str]:
        sentences = {
            Uncompared.TRADES_MISSING: "Trades are missing there",
            Uncompared.NOT_FETCHED: f"The exchange's candles were not fetched: {self._patience.gave_up.rstrip('.')}",
            Uncompared.ABSENT: "The exchange has no candles there",
            Uncompared.NOT_OVER: "Not over yet",
        }
        found = [(sentence, self._reasons[why]) for why, sentence in sentences.items() if self._reasons[why]]
        if len(found) == 1:
            return [f"{found[0][0]}."]
        return [f"{sentence} ({count:,})." for sentence, count in found]

    def _note_progress(self, waits_because: str = "") -> None:
        self._on_progress(TransferProgress(self._done, len(self._request.slots), waits_because))


def part_of(interval: Interval) -> Interval:
    """Return the interval whose candles are counted from trades to make those of ``interval``: an hour at most."""
    if interval.length_us <= _PARTS[0].length_us:
        return interval
    return next(part for part in _PARTS if part.tiles(interval))


def _added_up(parts: Sequence[Candle], interval: Interval) -> list[Candle]:
    """Return the candles of ``interval`` that these, oldest first, add up to."""
    groups = groupby(parts, key=lambda one: interval.open_time_us(one.open_time_us))
    return [combine(open_us, list(group)) for open_us, group in groups]
