"""
Prices that cross the lines and paths of drawings, and time that reaches their moments.

Lines rise and fall with time, so there is no order to look prices up in. Instead a box is kept: a span of time and of
prices around the newest trade through which no line runs, but for those that are near it. As long as trades stay
inside, they are compared with these alone, however many lines there are; a trade that leaves it is compared with all.
"""

from __future__ import annotations

from collections.abc import Iterator

from app.market.alerts.alert import Direction, DrawingCrosses
from app.market.alerts.drawn_parts import DrawnMoment

_BOX_US = 1_000_000
_BACK_US = 10_000  # times of trades cross within milliseconds
_ENDLESS = 1 << 80


class LineCrossings:
    """The conditions on drawings of one symbol; `met` takes its trades in id order."""

    def __init__(self) -> None:
        self._conditions: dict[int, DrawingCrosses] = {}
        self._before: tuple[int, int] | None = None
        # Only lines of `_near` run through it, and `_before` is inside; without a box no price is between the two.
        self._from_us = self._until_us = 0
        self._low_e8 = self._high_e8 = 0
        self._near: dict[int, DrawingCrosses] = {}

    def add(self, alert_id: int, condition: DrawingCrosses) -> None:
        """Wait for a condition."""
        self._conditions[alert_id] = condition
        self._low_e8 = self._high_e8 = 0

    def discard(self, alert_id: int) -> None:
        """Wait no longer for that alert's condition; nothing happens if none waits."""
        self._conditions.pop(alert_id, None)
        self._near.pop(alert_id, None)

    def follow(self, other: LineCrossings) -> None:
        """Go on after the last trade of ``other``, if this has seen none yet."""
        if self._before is None:
            self._before = other._before
            self._low_e8 = self._high_e8 = 0

    def met(self, time_us: int, price_e8: int) -> list[tuple[int, Direction]]:
        """Return the alerts whose drawing this trade crosses, and the way the price went."""
        is_inside = self._low_e8 < price_e8 < self._high_e8 and self._from_us <= time_us <= self._until_us
        before, self._before = self._before, (time_us, price_e8)
        waiting = self._near if is_inside else self._conditions
        if not waiting:
            return []
        found = list[tuple[int, Direction]]()
        if before is not None:
            for alert_id, condition in waiting.items():
                if direction := _crossed(condition, before, self._before):
                    found.append((alert_id, direction))
        if not is_inside:
            self._make_box(time_us, price_e8)
        return found

    def _moments(self) -> Iterator[DrawnMoment]:
        for condition in self._conditions.values():
            for part in condition.lines:
                if isinstance(part, DrawnMoment):
                    yield part

    def _make_box(self, time_us: int, price_e8: int) -> None:
        from_us, until_us = time_us - _BACK_US, time_us + _BOX_US
        for moment in self._moments():
            if moment.time_us <= time_us:
                from_us = max(from_us, moment.time_us)
            else:
                until_us = min(until_us, moment.time_us - 1)
        self._from_us, self._until_us = from_us, until_us
        low_e8, high_e8 = -_ENDLESS, _ENDLESS
        self._near = {}
        for alert_id, condition in self._conditions.items():
            for line in condition.lines:
                bounds = line.bounds_e8(from_us, until_us)
                if bounds is None:
                    continue
                lowest_e8, highest_e8 = bounds
                if highest_e8 < price_e8:
                    low_e8 = max(low_e8, highest_e8)
                elif lowest_e8 > price_e8:
                    high_e8 = min(high_e8, lowest_e8)
                else:
                    self._near[alert_id] = condition
        self._low_e8, self._high_e8 = low_e8, high_e8


def _crossed(condition: DrawingCrosses, before: tuple[int, int], now: tuple[int, int]) -> Direction | None:
    """Return the way in which a price went through the first line that it crosses; None if it crosses none."""
    for line in condition.lines:
        way = line.went(before, now)
        if way > 0 and condition.direction is not Direction.DOWN:
            return Direction.UP
        if way < 0 and condition.direction is not Direction.UP:
            return Direction.DOWN
    return None
