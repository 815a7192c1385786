"""
The horizontal axis: the slots in view, and panning, zooming and jumping among them. Pure.

The axis counts slots (see `app.market.interval`): the candle of slot s covers the positions s - 0.5 to s + 0.5. The
state is a width in logical pixels, the pixels per slot, and the position at the right edge, which a resize keeps.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.market.interval import Interval

DEFAULT_BAR_PX = 7.0
WIDEST_BAR_PX = 120.0
RIGHT_MARGIN_PX = 48.0
_FEWEST_IN_VIEW = 3  # candles that dragging cannot move out of view
_SLACK_SLOTS = 300  # can always be in view at once, so that a short series can still be zoomed out


@dataclass(slots=True)
class TimeScale:
    """
    ``right`` is the slot position at the right edge; ``bar_px`` the width of one slot in logical pixels.

    ``first`` and ``last`` are the slots of the series' ends, which panning and zooming stay close to.
    """

    width_px: float = 800.0
    bar_px: float = DEFAULT_BAR_PX
    right: float = 0.0
    first: int = 0
    last: int = 0

    @property
    def span(self) -> float:
        """The number of slots in view, fractions included."""
        return self.width_px / self.bar_px

    @property
    def left(self) -> float:
        return self.right - self.span

    @property
    def centre(self) -> float:
        return self.right - self.span / 2

    def x_of(self, position: float) -> float:
        """Return the distance of a slot position from the left edge, in logical pixels."""
        return (position - self.left) * self.bar_px

    def position_at(self, x: float) -> float:
        """Return the slot position at a distance from the left edge, in logical pixels."""
        return self.left + x / self.bar_px

    def shows_last(self) -> bool:
        """Whether the last candle's middle is in view."""
        return self.left <= self.last <= self.right

    def centre_on(self, position: float) -> None:
        self.right = position + self.span / 2

    def show_latest(self) -> None:
        """Put the last candle near the right edge, with room beside it."""
        self.right = self.last + 0.5 + min(RIGHT_MARGIN_PX, self.width_px / 4) / self.bar_px

    def show_first(self) -> None:
        """Put the first candle near the left edge."""
        self.right = self.first - 0.5 + self.span - min(RIGHT_MARGIN_PX, self.width_px / 4) / self.bar_px
        self._stay_near()

    def show_between(self, left: float, right: float) -> None:
        """Fill the view with these slot positions; beyond the limits of a candle's width, centre on them."""
        self.bar_px = self._possible(self.width_px / max(right - left, 1e-9))
        self.centre_on((left + right) / 2)

    def pan(self, pixels: float) -> None:
        """Move the candles to the right by logical pixels; a few always stay in view."""
        before = self.right
        self.right -= pixels / self.bar_px
        low, high = self._ends()
        # After a jump the view may be far outside of the candles loaded so far: then it may only come closer.
        self.right = min(max(self.right, min(low, before)), max(high, before))

    def zoom(self, factor: float, x: float) -> None:
        """Make candles ``factor`` times as wide, within limits, about ``x``, logical pixels from the left edge."""
        anchor, was_near = self.position_at(x), self._is_near()
        self.bar_px = self._possible(self.bar_px * factor)
        self.right = anchor + (self.width_px - x) / self.bar_px
        if was_near:
            self._stay_near()

    def _possible(self, bar_px: float) -> float:
        narrowest = self.width_px / max(_SLACK_SLOTS, 1.5 * (self.last - self.first + 1))
        return min(max(bar_px, narrowest), WIDEST_BAR_PX)

    def _is_near(self) -> bool:
        low, high = self._ends()
        return low <= self.right <= high

    def _stay_near(self) -> None:
        low, high = self._ends()
        self.right = min(max(self.right, low), high)

    def _ends(self) -> tuple[float, float]:
        """Return the lowest and the highest position allowed at the right edge."""
        keep = min(_FEWEST_IN_VIEW, self.last - self.first + 1)
        return self.first - 0.5 + keep, self.last + 0.5 - keep + self.span


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
