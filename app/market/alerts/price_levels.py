"""
Prices at which alerts wait, kept sorted, so that a trade costs two binary searches however many wait.

A crossing or a range is a set of boundaries between prices. A boundary at ``threshold`` parts the prices below it from
those at or above it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort

from app.market.alerts.alert import Direction, PriceCrosses, PriceInRange

_Entry = tuple[int, int]  # the threshold, and the alert


class PriceLevels:
    """The price conditions of one symbol; `met` takes its trades' prices in id order."""

    def __init__(self) -> None:
        self.before_e8: int | None = None
        """The price before the newest one."""
        self._last_e8: int | None = None
        # From below P to P or above the price passes the threshold P; from above P to P or below, P + 1.
        self._rising: list[_Entry] = []
        self._falling: list[_Entry] = []
        self._ranges: dict[int, PriceInRange] = {}
        self._edges: list[_Entry] = []

    def add(self, alert_id: int, condition: PriceCrosses | PriceInRange) -> None:
        """Wait for a condition; it can be met from the second trade on."""
        if isinstance(condition, PriceInRange):
            self._ranges[alert_id] = condition
            insort(self._edges, (condition.low_e8, alert_id))
            insort(self._edges, (condition.high_e8 + 1, alert_id))
            return
        if condition.direction is not Direction.DOWN:
            insort(self._rising, (condition.price_e8, alert_id))
        if condition.direction is not Direction.UP:
            insort(self._falling, (condition.price_e8 + 1, alert_id))

    def follow(self, other: PriceLevels) -> None:
        """Go on after the last price of ``other``, if this has seen none yet."""
        if self._last_e8 is None:
            self._last_e8 = other._last_e8

    def discard(self, alert_id: int) -> None:
        """Wait no longer for that alert's condition; nothing happens if none waits."""
        self._ranges.pop(alert_id, None)
        for entries in (self._rising, self._falling, self._edges):
            entries[:] = [entry for entry in entries if entry[1] != alert_id]

    def met(self, price_e8: int) -> list[tuple[int, Direction]]:
        """Return the alerts whose condition this price meets, and the way it went."""
        self.before_e8 = before = self._last_e8
        self._last_e8 = price_e8
        if before is None or before == price_e8:
            return []
        if price_e8 > before:
            found = [(alert, Direction.UP) for alert in _passed(self._rising, before, price_e8)]
        else:
            found = [(alert, Direction.DOWN) for alert in _passed(self._falling, price_e8, before)]
        if self._edges:
            low, high = sorted((before, price_e8))
            for alert in dict.fromkeys(_passed(self._edges, low, high)):
                if direction := _entered_or_left(self._ranges[alert], before, price_e8):
                    found.append((alert, direction))
        return found


def _passed(entries: list[_Entry], low_e8: int, high_e8: int) -> list[int]:
    """Return the alerts with a threshold above ``low_e8`` and at or below ``high_e8``."""
    first = bisect_left(entries, (low_e8 + 1,))
    end = bisect_right(entries, (high_e8 + 1,))
    return [alert for _, alert in entries[first:end]]


def _entered_or_left(condition: PriceInRange, before_e8: int, now_e8: int) -> Direction | None:
    was_inside = condition.low_e8 <= before_e8 <= condition.high_e8
    is_inside = condition.low_e8 <= now_e8 <= condition.high_e8
    if was_inside == is_inside or is_inside is not condition.enters:
        return None
    return Direction.UP if now_e8 > before_e8 else Direction.DOWN
