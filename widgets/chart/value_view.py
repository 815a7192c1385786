"""Which values are in view in one pane: fitted to what is drawn there, or as the user stretched them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.market.series import BarColumns


class Margins(NamedTuple):
    """What a fitted axis leaves free above and below, in logical pixels."""

    top_px: float
    bottom_px: float
    bottom_share: float = 0.0  # besides, of the height


@dataclass(slots=True)
class ValueView:
    """
    Values ``low`` to ``high`` (always low < high) fill a height; ``auto``: fitted at every change.

    ``grounded``: ``low`` is the ground that columns stand on, and stays where the rest is stretched.
    """

    low: float = 0.0
    high: float = 1.0
    auto: bool = True
    grounded: bool = False

    def share_of(self, value: float) -> float:
        """Return how far down a value is: 0 at the top, 1 at the bottom."""
        return (self.high - value) / (self.high - self.low)

    def shares_of(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how far down many values are, in a new array."""
        return (self.high - values) * (1.0 / (self.high - self.low))

    def value_at(self, share: float) -> float:
        """Return the value that far down."""
        return self.high - share * (self.high - self.low)

    def fit(self, low: float, high: float, height_px: float, margins: Margins, least: float = 0.0) -> None:
        """Fit these values, at least ``least`` apart, between the margins; not where the user set the range."""
        if not self.auto or not (np.isfinite(low) and np.isfinite(high)):
            return
        # Equal values still need a height: some steps, or what a double can tell apart at that size.
        least = max(least, abs(high) * 1e-7, 1e-12)
        if high - low < least:
            middle = (high + low) / 2
            low, high = (low, low + least) if self.grounded else (middle - least / 2, middle + least / 2)
        below_px = margins.bottom_px + margins.bottom_share * height_px
        room = height_px - margins.top_px - below_px
        if room < height_px / 3:
            top, bottom = (high - low) / 4, 0.0 if self.grounded else (high - low) / 8
        else:
            top, bottom = ((high - low) * margin_px / room for margin_px in (margins.top_px, below_px))
        self.low, self.high = low - bottom, high + top

    def stretch(self, factor: float) -> None:
        """Show ``factor`` times as much, about the middle (or from the ground up); from now on by hand."""
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2 * factor
        if half > abs(middle) * 1e-12 and half < 1e15:
            low = self.low if self.grounded else middle - half
            self.low, self.high, self.auto = low, low + 2 * half, False

    def shift(self, share: float) -> None:
        """Move up by a share of the height shown; what is grounded stays."""
        if not self.grounded:
            by = (self.high - self.low) * share
            self.low, self.high = self.low + by, self.high + by


def volume_top(bars: BarColumns) -> float:
    """Return the volume that a pane shows in full: the largest in view, rounded up so as not to change each tick."""
    largest = float(bars.volume.max()) if len(bars.slot) else 0.0
    if largest <= 0.0:
        return 1.0
    step = 10.0 ** (np.floor(np.log10(largest)) - 1)
    return float(np.ceil(largest / step) * step)
