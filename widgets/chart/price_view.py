"""Which prices are in view: fitted to the candles in view, or as the user stretched them. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.market.series import BarColumns

_TOP_MARGIN_PX = 56.0  # the legend's rows stay clear of candles
_BOTTOM_MARGIN_PX = 24.0


@dataclass(slots=True)
class PriceView:
    """Prices ``low`` to ``high`` (always low < high) fill the pane's height; ``auto``: fitted at every change."""

    low: float = 0.0
    high: float = 1.0
    auto: bool = True

    def fit(self, bars: BarColumns, height_px: float, smallest_step: float) -> None:
        """Fit the bars in view, with margins; without bars nothing changes."""
        if not self.auto or not len(bars.slot):
            return
        low, high = float(bars.low.min()), float(bars.high.max())
        # Equal prices still need a height: some steps, or what a double can tell apart at that size.
        least = max(10 * smallest_step, abs(high) * 1e-7)
        if high - low < least:
            middle = (high + low) / 2
            low, high = middle - least / 2, middle + least / 2
        room = height_px - _TOP_MARGIN_PX - _BOTTOM_MARGIN_PX
        if room < height_px / 3:
            top, bottom = (high - low) / 4, (high - low) / 8
        else:
            top, bottom = ((high - low) * margin / room for margin in (_TOP_MARGIN_PX, _BOTTOM_MARGIN_PX))
        self.low, self.high = low - bottom, high + top

    def stretch(self, factor: float) -> None:
        """Show ``factor`` times as much price, about the middle; from now on by hand."""
        middle, half = (self.low + self.high) / 2, (self.high - self.low) / 2 * factor
        if half > abs(middle) * 1e-12 and half < 1e15:
            self.low, self.high, self.auto = middle - half, middle + half, False

    def shift(self, share: float) -> None:
        """Move up by a share of the height shown."""
        by = (self.high - self.low) * share
        self.low, self.high = self.low + by, self.high + by


def volume_top(bars: BarColumns) -> float:
    """Return the volume at the top of its pane: the largest in view, rounded up so as not to change each tick."""
    largest = float(bars.volume.max()) if len(bars.slot) else 0.0
    if largest <= 0.0:
        return 1.0
    step = 10.0 ** (np.floor(np.log10(largest)) - 1)
    return float(np.ceil(largest / step) * step)
