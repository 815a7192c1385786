"""
Moves of the price by a percentage within a time.

Alerts of one time share a window. It holds the lowest and the highest price by two queues whose prices rise or fall, so
that a trade costs the same however many are in the window; how far the price is from them is compared with the sorted
percentages.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections import deque

from app.market.alerts import reasons
from app.market.alerts.alert import Direction, PriceMoves
from app.market.units import E8

_HUNDRED_E8 = 100 * E8
_NO_PRICE = 1 << 63  # above all


class PriceMoveWindow:
    """
    The move conditions of one symbol and one ``window_us``; `met` takes its trades in id order.

    A trade whose time is before an earlier one's, which the exchange may send within a millisecond, counts as made at
    that one's time.
    """

    def __init__(self, window_us: int) -> None:
        self._window_us = window_us
        self._now_us = 0
        self._lows = deque[tuple[int, int]]()
        self._highs = deque[tuple[int, int]]()
        self._up = _Reached(1)
        self._down = _Reached(-1)

    def add(self, alert_id: int, condition: PriceMoves) -> None:
        """Wait for a condition; if the price is that far already, it has to come back first."""
        for reached in self._of(condition.direction):
            reached.add((condition.percent_e8, alert_id), self._lows[-1][1] if self._lows else 0)

    def discard(self, alert_id: int) -> None:
        """Wait no longer for that alert's condition; nothing happens if none waits."""
        for reached in self._of(None):
            reached.discard(alert_id)

    def met(self, time_us: int, price_e8: int) -> list[tuple[int, Direction]]:
        """Return the alerts whose condition this trade meets, and the way the price went."""
        if time_us > self._now_us:
            self._now_us = time_us
        now_us = self._now_us
        expired_us = now_us - self._window_us
        lows, highs = self._lows, self._highs
        while lows and lows[-1][1] >= price_e8:
            lows.pop()
        lows.append((now_us, price_e8))
        while lows[0][0] < expired_us:
            lows.popleft()
        while highs and highs[-1][1] <= price_e8:
            highs.pop()
        highs.append((now_us, price_e8))
        while highs[0][0] < expired_us:
            highs.popleft()
        up, down = self._up, self._down
        low_e8, high_e8 = lows[0][1], highs[0][1]
        found = list[tuple[int, Direction]]()
        # Nearly always nothing has changed: neither the extreme, nor how many percentages the price has reached.
        if low_e8 != up.extreme_e8 or not up.least_e8 <= price_e8 < up.end_e8:
            found += [(alert, Direction.UP) for alert in up.move(low_e8, price_e8)]
        if high_e8 != down.extreme_e8 or not down.least_e8 <= price_e8 < down.end_e8:
            found += [(alert, Direction.DOWN) for alert in down.move(high_e8, price_e8)]
        return found

    def reason(self, direction: Direction) -> str:
        """Say how far the newest price is above the lowest of the window, or below the highest, and since when."""
        since_us, extreme_e8 = (self._lows if direction is Direction.UP else self._highs)[0]
        return reasons.of_move(extreme_e8, self._lows[-1][1], self._now_us - since_us)

    def _of(self, direction: Direction | None) -> list[_Reached]:
        return [
            reached
            for way, reached in ((Direction.UP, self._up), (Direction.DOWN, self._down))
            if direction in (None, way)
        ]


class _Reached:
    """
    How many of the sorted percentages the price has reached, up (``sign`` 1) or down (-1) from ``extreme_e8``.

    The number stays the same for prices from ``least_e8`` to below ``end_e8``, as long as the extreme does.
    """

    def __init__(self, sign: int) -> None:
        self._sign = sign
        self._entries: list[tuple[int, int]] = []
        self._count = -1  # before the first trade
        self._price_e8 = 0
        self.extreme_e8 = -1
        self.least_e8 = self.end_e8 = 0

    def add(self, entry: tuple[int, int], price_e8: int) -> None:
        """Wait for a percentage, at the newest price: `move` does not see each."""
        insort(self._entries, entry)
        self._price_e8 = price_e8
        self._recount()

    def discard(self, alert_id: int) -> None:
        self._entries = [entry for entry in self._entries if entry[1] != alert_id]
        self._recount()

    def move(self, extreme_e8: int, price_e8: int) -> list[int]:
        """Take the newest price and the extreme of the window; return the alerts that are reached now and were not."""
        before = self._count
        self.extreme_e8, self._price_e8 = extreme_e8, price_e8
        self._count = 0
        self._recount()
        return [alert for _, alert in self._entries[before : self._count]] if before >= 0 else []

    def _recount(self) -> None:
        if self._count < 0:
            return
        entries, extreme_e8 = self._entries, self.extreme_e8
        # Whole percentages reached, rounded down: p % is reached where price * 100 is that much beyond the extreme.
        distance_e8 = (self._price_e8 - extreme_e8) * self._sign
        percent_e8 = distance_e8 * _HUNDRED_E8 // extreme_e8 if extreme_e8 else 0
        self._count = count = bisect_right(entries, (percent_e8 + 1,))
        nearer_e8 = self._price_of(count - 1) if count else None
        farther_e8 = self._price_of(count) if count < len(entries) and extreme_e8 else None
        if self._sign > 0:
            self.least_e8 = 0 if nearer_e8 is None else nearer_e8
            self.end_e8 = _NO_PRICE if farther_e8 is None else farther_e8
        else:
            self.least_e8 = 0 if farther_e8 is None else farther_e8 + 1
            self.end_e8 = _NO_PRICE if nearer_e8 is None else nearer_e8 + 1

    def _price_of(self, index: int) -> int:
        """Return the price nearest to the extreme at which a percentage is reached."""
        return self.extreme_e8 + self._sign * -(-self._entries[index][0] * self.extreme_e8 // _HUNDRED_E8)
