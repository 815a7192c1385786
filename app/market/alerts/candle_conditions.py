"""
Conditions on candles: their volume while they are open, and indicators where they end.

Alerts of one interval share its candles, those of one indicator its values, as a chart would show them: empty candles
count, with the close before them and no volume.
"""

from __future__ import annotations

import math
from collections import deque

from app.market.alerts import reasons
from app.market.alerts.alert import Direction, IndicatorCrosses, VolumeExceeds
from app.market.builder import CandleBuilder
from app.market.candle import Candle, empty_candle
from app.market.indicators.chosen import ChosenIndicator
from app.market.indicators.values import IndicatorValues
from app.market.interval import Interval
from app.market.series.series import CandleSeries
from app.market.trade import Trade
from app.market.units import E8

_MOST_VOLUMES = 1000
_MOST_EMPTY = 100_000  # empty candles that are inserted between two trades


class CandleConditions:
    """The candle conditions of one symbol and one ``interval``; `met` takes its trades in id order."""

    def __init__(self, symbol: str, interval: Interval) -> None:
        self._interval = interval
        self._builder = CandleBuilder(interval)
        self._series = CandleSeries(symbol, interval)
        self._open_us: int | None = None
        self._end_us = 0
        self._kept_us = 0  # the builder knows the candles from here on
        self._volumes = deque[int](maxlen=_MOST_VOLUMES)
        self._volume_e8 = 0
        self._exceeding: dict[int, VolumeExceeds] = {}
        # The least volume that meets a waiting condition in the open candle, by alert; met ones are gone.
        self._wanted: list[tuple[int, int]] = []
        self._crossing: dict[int, IndicatorCrosses] = {}
        self._crossed_at: dict[int, int] = {}  # the row at whose end each met one crossed last
        self._values: dict[tuple[str, ...], IndicatorValues] = {}

    def seed(self, candles: list[Candle]) -> None:
        """Begin with closed candles of successive slots, oldest first, which end before the first trade."""
        for candle in candles:
            self._close(candle)

    def add(self, alert_id: int, condition: VolumeExceeds | IndicatorCrosses) -> None:
        """Wait for a condition. A volume that is exceeded already does not meet it in this candle."""
        if isinstance(condition, VolumeExceeds):
            self._exceeding[alert_id] = condition
            least = self._least_volume(condition)
            if least is not None and least > self._volume_e8:
                self._want(alert_id, least)
        else:
            self._crossing[alert_id] = condition

    def discard(self, alert_id: int) -> None:
        """Wait no longer for that alert's condition; nothing happens if none waits."""
        self._exceeding.pop(alert_id, None)
        self._crossing.pop(alert_id, None)
        self._wanted = [one for one in self._wanted if one[1] != alert_id]

    def met(self, trade: Trade) -> list[tuple[int, Direction]]:
        """Return the alerts whose condition this trade meets, and the way the volume or the indicator went."""
        found = list[tuple[int, Direction]]()
        if self._open_us is None:
            self._begin(trade.time_us)
        elif trade.time_us >= self._end_us:
            found = self._end_candles(trade.time_us)
        open_us = self._builder.add(trade)
        if open_us != self._open_us:
            self._add_late(open_us, trade)
            return found
        self._volume_e8 += trade.quantity_e8
        while self._wanted and self._wanted[-1][0] <= self._volume_e8:
            found.append((self._wanted.pop()[1], Direction.UP))
        return found

    def reason(self, alert_id: int) -> str:
        """Say by which figures an alert's condition was met by the newest trade."""
        if (exceeding := self._exceeding.get(alert_id)) is not None:
            total = sum(self._volumes[-index] for index in range(1, exceeding.candles + 1))
            return reasons.of_volume(self._volume_e8, total / exceeding.candles)
        condition, row = self._crossing[alert_id], self._crossed_at[alert_id]
        before, now = (self._value(condition.indicator, each) for each in (row - 1, row))
        if isinstance(condition.target, float):
            return reasons.of_indicator(condition.indicator.name, before, now, "", condition.target)
        other = self._value(condition.target, row)
        return reasons.of_indicator(condition.indicator.name, before, now, condition.target.name, other)

    def _begin(self, time_us: int) -> None:
        """Open the candle of the first trade; the slots since the last seeded candle were empty."""
        self._open_us = self._interval.open_time_us(time_us)
        self._end_us = self._interval.next_open_us(time_us)
        if len(self._series):
            last = self._series.bar(-1)
            self._close_empty(empty_candle(last.open_time_us, round(last.close * E8)), self._open_us)
        self._begin_volume()

    def _end_candles(self, time_us: int) -> list[tuple[int, Direction]]:
        """End the open candle and the empty ones until ``time_us``; return the indicator conditions they meet."""
        assert self._open_us is not None
        ended = self._builder.candle(self._open_us)
        assert ended is not None
        first = len(self._series)
        self._close(ended)
        self._open_us = self._interval.open_time_us(time_us)
        self._end_us = self._interval.next_open_us(time_us)
        self._close_empty(ended, self._open_us)
        self._kept_us = ended.open_time_us
        self._builder.forget_before(self._kept_us)
        self._begin_volume()
        return self._crossed(first) if self._crossing else []

    def _add_late(self, open_us: int, trade: Trade) -> None:
        """Add a trade to the candle before the open one: ids and times can cross within a millisecond."""
        back = self._interval.slot(self._open_us or 0) - self._interval.slot(open_us)
        late = self._builder.candle(open_us)
        if late is not None and open_us >= self._kept_us and back <= min(len(self._volumes), len(self._series)):
            self._volumes[-back] += trade.quantity_e8
            self._series.upsert(late._replace(closed=True))

    def _close(self, candle: Candle) -> None:
        self._series.upsert(candle._replace(closed=True, complete=True))
        self._volumes.append(candle.volume_e8)

    def _close_empty(self, before: Candle, open_us: int) -> None:
        """Append the empty candles between ``before`` and the one that opens at ``open_us``."""
        first = self._interval.slot(before.open_time_us) + 1
        end = self._interval.slot(open_us)
        for slot in range(max(first, end - _MOST_EMPTY), end):
            self._close(empty_candle(self._interval.slot_open_us(slot), before.close_e8))

    def _begin_volume(self) -> None:
        self._volume_e8 = 0
        self._wanted = []
        for alert_id, condition in self._exceeding.items():
            if (least := self._least_volume(condition)) is not None:
                self._want(alert_id, least)

    def _want(self, alert_id: int, least_e8: int) -> None:
        self._wanted.append((least_e8, alert_id))
        self._wanted.sort(reverse=True)

    def _least_volume(self, condition: VolumeExceeds) -> int | None:
        """Return the least volume above the multiple of the mean; None while there are too few candles."""
        if len(self._volumes) < condition.candles:
            return None
        total = sum(self._volumes[-index] for index in range(1, condition.candles + 1))
        return total * condition.multiple_e8 // (condition.candles * E8) + 1

    def _crossed(self, first_row: int) -> list[tuple[int, Direction]]:
        """Return the alerts whose indicators cross at the end of a candle from ``first_row`` on, each once."""
        found = dict[int, Direction]()
        for alert_id, condition in self._crossing.items():
            for row in range(max(first_row, 1), len(self._series)):
                before, now = self._difference(condition, row - 1), self._difference(condition, row)
                if before < 0 <= now and condition.direction is not Direction.DOWN:
                    found[alert_id], self._crossed_at[alert_id] = Direction.UP, row
                elif before > 0 >= now and condition.direction is not Direction.UP:
                    found[alert_id], self._crossed_at[alert_id] = Direction.DOWN, row
        return list(found.items())

    def _difference(self, condition: IndicatorCrosses, row: int) -> float:
        """Return how far the indicator is above its target at a row; NaN, which crosses nothing, where unknown."""
        left = self._value(condition.indicator, row)
        target = condition.target
        return left - (target if isinstance(target, float) else self._value(target, row))

    def _value(self, chosen: ChosenIndicator, row: int) -> float:
        values = self._values.get(chosen.columns)
        if values is None:
            values = self._values[chosen.columns] = IndicatorValues(chosen.indicator, chosen.settings)
        values.follow(self._series)
        return float(values.column(chosen.indicator.outputs[0].name)[row]) if len(values) else math.nan
