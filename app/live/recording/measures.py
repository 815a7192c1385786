"""
Measurements taken where they happen, because no part keeps them: delays, batches, paints.

`app.observability` reads everything else that the metrics show from the parts themselves, once a second. Times are
seconds. Delays count from the exchange's time of a trade, corrected for skew; before the skew is known none is counted.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from app.live.environment.clocks import ExchangeClock
from app.market.trade import Trade


class Rate:
    """Turns a running total into a rate per second, smoothed over a few updates."""

    def __init__(self) -> None:
        self._total: float | None = None
        self._at_s = 0.0
        self.per_second = 0.0

    def update(self, total: float, at_s: float) -> float:
        """Take in the total as of ``at_s`` (monotonic seconds) and return the rate."""
        if self._total is not None and at_s > self._at_s:
            now = max(total - self._total, 0.0) / (at_s - self._at_s)
            self.per_second += 0.5 * (now - self.per_second)
            if self.per_second < 0.05:  # else it would approach zero for minutes
                self.per_second = 0.0
        self._total, self._at_s = total, at_s
        return self.per_second


class Smoothed:
    """An exponentially smoothed value with a half-life of about 14 additions; None before the first."""

    def __init__(self) -> None:
        self.value: float | None = None

    def add(self, value: float) -> None:
        self.value = value if self.value is None else self.value + 0.05 * (value - self.value)


DELAY_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.5, 5.0, 10.0, 60.0, 300.0)
LOOP_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
BATCH_BOUNDS_S = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BATCH_BOUNDS_TRADES = (1, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000)


class Distribution:
    """
    A histogram that one thread adds to and others read.

    ``counts[i]`` is the number of values up to ``bounds[i]`` and above the bound before; one more count is for values
    above all bounds. ``total`` is the sum of the values.
    """

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.total = 0.0

    @property
    def count(self) -> int:
        """How many values were added."""
        return sum(self.counts)

    def add(self, value: float) -> None:
        """Count one value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value


class Measures:
    """
    The measurements of one recorder.

    ``received``, ``stored`` and ``painted`` are delays of live trades: until they arrived, until they were committed,
    until the chart showed them. ``batch_trades`` and ``batch_s``: size and duration of each committed batch.
    ``loop_s``: how late the loop ran work that was due.
    """

    def __init__(self, clock: ExchangeClock) -> None:
        self.received = Distribution(DELAY_BOUNDS_S)
        self.stored = Distribution(DELAY_BOUNDS_S)
        self.painted = Distribution(DELAY_BOUNDS_S)
        self.batch_trades = Distribution(BATCH_BOUNDS_TRADES)
        self.batch_s = Distribution(BATCH_BOUNDS_S)
        self.loop_s = Distribution(LOOP_BOUNDS_S)
        self._clock = clock
        self._newest: dict[str, int] = {}  # the newest id stored of each symbol

    def note_stored(self, trades: Sequence[Trade], took_s: float) -> None:
        """
        Count a batch committed just now; called in the writer's thread.

        Only trades newer than any stored before count as delayed: the others were fetched later, to fill a gap.
        """
        self.batch_trades.add(len(trades))
        self.batch_s.add(took_s)
        now_us = self._clock.corrected_us()
        if now_us is None:
            return
        newest, add = self._newest, self.stored.add
        for trade in trades:
            if trade.trade_id > newest.get(trade.symbol, -1):
                newest[trade.symbol] = trade.trade_id
                add(max(now_us - trade.time_us, 0) / 1e6)


class PaintWatch:
    """
    Measures the delay from a trade to the paint that first shows it.

    The chart takes changes into its next frame, and Qt paints that when it can. ``frames`` is always the number of
    frames the chart has finished so far.
    """

    def __init__(self, clock: ExchangeClock, painted: Distribution) -> None:
        self._clock = clock
        self._painted = painted
        self._unpainted: list[tuple[int, Trade]] = []  # the frames done when each trade came, and the trade
        self._last: Trade | None = None

    def reset(self, newest: Trade | None) -> None:
        """Start with another chart, whose candles already include ``newest``."""
        self._unpainted.clear()
        self._last = newest

    def note_change(self, newest: Trade | None, frames: int) -> None:
        """Note that the chart has received all trades up to ``newest``."""
        if newest is None or newest is self._last:
            return
        self._last = newest
        if self._unpainted and self._unpainted[-1][0] == frames:
            self._unpainted.pop()
        self._unpainted.append((frames, newest))

    def note_paint(self, frames: int) -> None:
        """Note that the chart was painted just now: count the delay of the newest trade it shows."""
        shown: Trade | None = None
        while self._unpainted and self._unpainted[0][0] < frames:
            shown = self._unpainted.pop(0)[1]
        now_us = self._clock.corrected_us()
        if shown is not None and now_us is not None:
            self._painted.add(max(now_us - shown.time_us, 0) / 1e6)
