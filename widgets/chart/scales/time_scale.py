"""
The horizontal axis: the slots in view, and panning, zooming and jumping among them. Pure.

Slots number all time (see `app.market.interval`): the candle of slot s covers the slot positions s - 0.5 to s + 0.5.
The axis has its own positions, in which closed time is left out (see `OpenAxis`); for a market that never closes both
are one. The state is a width in logical pixels, the pixels per slot, and the axis position at the right edge. What
comes from outside and goes there is in slots.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.market.calendar.open_axis import PLAIN_AXIS, OpenAxis
from app.market.interval import Interval

DEFAULT_BAR_PX = 7.0
WIDEST_BAR_PX = 120.0
RIGHT_MARGIN_PX = 48.0
_FEWEST_IN_VIEW = 3  # candles that dragging cannot move out of view
_SLACK_SLOTS = 300  # can always be in view at once, so that a short series can still be zoomed out


@dataclass(slots=True)
class TimeScale:
    """
    ``right`` is the axis position at the right edge; ``bar_px`` the width of one slot in logical pixels.

    ``first`` and ``last`` are the slots of the series' ends, which panning and zooming stay close to. ``axis``: which
    slots are left out; change it by `take_axis`. ``is_shown``: whether a frame has shown it.
    """

    width_px: float = 800.0
    bar_px: float = DEFAULT_BAR_PX
    right: float = 0.0
    first: int = 0
    last: int = 0
    axis: OpenAxis = PLAIN_AXIS
    is_shown: bool = False

    @property
    def span(self) -> float:
        """The number of slots in view, fractions included and closed ones not."""
        return self.width_px / self.bar_px

    @property
    def left(self) -> float:
        """The axis position at the left edge."""
        return self.right - self.span

    @property
    def centre(self) -> float:
        """The slot position under the centre."""
        return self.axis.slot_position(self.right - self.span / 2)

    @property
    def edges(self) -> tuple[float, float]:
        """The slot positions at the left and the right edge."""
        return self.axis.slot_position(self.left), self.axis.slot_position(self.right)

    def x_of(self, position: float) -> float:
        """Return the distance of a slot position from the left edge, in logical pixels."""
        return (self.axis.at(position) - self.left) * self.bar_px

    def xs_of(self, positions: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Return the distances of many slot positions from the left edge, in logical pixels."""
        return np.asarray((self.axis.all_at(positions) - self.left) * self.bar_px, np.float64)

    def position_at(self, x: float) -> float:
        """Return the slot position at a distance from the left edge, in logical pixels."""
        return self.axis.slot_position(self.left + x / self.bar_px)

    def slot_at(self, x: float) -> int:
        """Return the slot on the axis whose middle is nearest to a distance from the left edge, in logical pixels."""
        return int(self.axis.slot_position(round(self.left + x / self.bar_px)))

    def slot_beside(self, slot: int, by: int) -> int:
        """Return the slot that many places on the axis after a slot, or before it."""
        return self.axis.beside(slot, by)

    def count(self, first: int, last: int) -> int:
        """Return how many places on the axis the slots ``first`` to ``last`` have, inclusive; 0 or less if reversed."""
        return round(self.axis.at(last + 0.5) - self.axis.at(first - 0.5))

    def take_axis(self, axis: OpenAxis, kept: float) -> None:
        """Leave other slots out; the slot position ``kept`` stays where it is in the view."""
        if axis is not self.axis:
            beyond = self.right - self.axis.at(kept)
            self.axis = axis
            self.right = axis.at(kept) + beyond

    def shows_last(self) -> bool:
        """Whether the last candle's middle is in view."""
        return self.left <= self.axis.at(self.last) <= self.right

    def centre_on(self, position: float) -> None:
        """Put a slot position under the centre."""
        self.right = self.axis.at(position) + self.span / 2

    def resize(self, width_px: float) -> None:
        """
        Take another width, logical pixels. The right edge stays; before the first frame, the centre.

        More than the usual room beside a last candle in view keeps its share of the width, else a narrow view would
        have no candles.
        """
        if not self.is_shown:
            middle = self.right - self.span / 2
            self.width_px = width_px
            self.right = middle + self.span / 2
            return
        room_px, share = self.room_beside(self.last), width_px / self.width_px
        has_more_room = self.shows_last() and room_px > RIGHT_MARGIN_PX + 1
        self.width_px = width_px
        if has_more_room:
            self.show_last(self.last, max(RIGHT_MARGIN_PX, room_px * share))

    def show_latest(self) -> None:
        """Put the last candle near the right edge, with room beside it."""
        self.show_last(self.last, min(RIGHT_MARGIN_PX, self.width_px / 4))

    def show_last(self, last: int, room_px: float) -> None:
        """Put a slot near the right edge, with so much room beside it, in logical pixels."""
        self.right = self.axis.at(last) + 0.5 + room_px / self.bar_px

    def room_beside(self, last: int) -> float:
        """Return the room between a slot and the right edge, in logical pixels."""
        return (self.right - self.axis.at(last) - 0.5) * self.bar_px

    def show_first(self) -> None:
        """Put the first candle near the left edge."""
        room_px = min(RIGHT_MARGIN_PX, self.width_px / 4)
        self.right = self.axis.at(self.first) - 0.5 + self.span - room_px / self.bar_px
        self._stay_near()

    def show_between(self, left: float, right: float) -> None:
        """Fill the view with these slot positions; beyond the limits of a candle's width, centre on them."""
        left, right = self.axis.at(left), self.axis.at(right)
        self.bar_px = self._possible(self.width_px / max(right - left, 1e-9))
        self.right = (left + right) / 2 + self.span / 2

    def pan(self, pixels: float) -> None:
        """Move the candles to the right by logical pixels; a few always stay in view."""
        before = self.right
        self.right -= pixels / self.bar_px
        low, high = self._ends()
        # After a jump the view may be far outside of the candles loaded so far: then it may only come closer.
        self.right = min(max(self.right, min(low, before)), max(high, before))

    def zoom(self, factor: float, x: float) -> None:
        """Make candles ``factor`` times as wide, within limits, about ``x``, logical pixels from the left edge."""
        anchor, was_near = self.left + x / self.bar_px, self._is_near()
        self.bar_px = self._possible(self.bar_px * factor)
        self.right = anchor + (self.width_px - x) / self.bar_px
        if was_near:
            self._stay_near()

    def _possible(self, bar_px: float) -> float:
        narrowest = self.width_px / max(_SLACK_SLOTS, 1.5 * self._candles)
        return min(max(bar_px, narrowest), WIDEST_BAR_PX)

    def _is_near(self) -> bool:
        low, high = self._ends()
        return low <= self.right <= high

    def _stay_near(self) -> None:
        low, high = self._ends()
        self.right = min(max(self.right, low), high)

    def _ends(self) -> tuple[float, float]:
        """Return the lowest and the highest axis position allowed at the right edge."""
        keep = min(_FEWEST_IN_VIEW, self._candles)
        return self.axis.at(self.first) - 0.5 + keep, self.axis.at(self.last) + 0.5 - keep + self.span

    @property
    def _candles(self) -> float:
        """How many places the series has on the axis."""
        return self.axis.at(self.last) - self.axis.at(self.first) + 1


def position_of(interval: Interval, time_us: float) -> float:
    """Return the slot position of a time, UTC microseconds; a candle opens half a slot before its number."""
    slot = interval.slot(int(time_us))
    opened = interval.slot_open_us(slot)
    return slot - 0.5 + (time_us - opened) / (interval.slot_open_us(slot + 1) - opened)


def time_at(interval: Interval, position: float) -> int:
    """Return the time at a slot position, UTC microseconds: the inverse of `position_of`."""
    slot = int((position + 0.5) // 1)
    opened = interval.slot_open_us(slot)
    return opened + round((position + 0.5 - slot) * (interval.slot_open_us(slot + 1) - opened))
