"""The vertical axis of one pane: the values in view, fitted to the bars or stretched by hand. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from math import log10
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.market.series.series import BarColumns

_TINY = 1e-300  # stands in for values of zero and below, which have no logarithm
_LEAST_LOG, _MOST_LOG = 1e-12, 100.0  # powers of ten


class Margins(NamedTuple):
    """The room that a fitted axis leaves above and below the values, in logical pixels."""

    top_px: float
    bottom_px: float
    bottom_share: float = 0.0  # added to bottom_px, as a share of the height

    def scaled(self, scale: float) -> Margins:
        """Return the margins for text ``scale`` times as large."""
        return Margins(self.top_px * scale, self.bottom_px * scale, self.bottom_share)


class ScaleMode(Enum):
    """How values are spread over the height; the enum's values are stored on disk."""

    LINEAR = "linear"
    LOG = "logarithmic"
    PERCENT = "percent"


@dataclass(slots=True)
class ValueScale:
    """
    Values ``low`` to ``high`` (always low < high) fill a height; with ``auto`` on, every frame fits them.

    ``inverted``: low values are at the top. ``grounded``: ``low`` is the ground that columns stand on, which stretching
    keeps. ``base``: the value that percents count from. A logarithmic axis is linear while its low end is zero or
    below, as an indicator's may be.
    """

    low: float = 0.0
    high: float = 1.0
    auto: bool = True
    grounded: bool = False
    mode: ScaleMode = ScaleMode.LINEAR
    inverted: bool = False
    base: float = 0.0

    @property
    def is_log(self) -> bool:
        return self.mode is ScaleMode.LOG and self.low > 0

    @property
    def is_percent(self) -> bool:
        return self.mode is ScaleMode.PERCENT and self.base > 0

    @property
    def ends(self) -> tuple[float, float]:
        """The ends in the units of the height: on a logarithmic axis, logarithms to base 10."""
        return (log10(self.low), log10(self.high)) if self.is_log else (self.low, self.high)

    def share_of(self, value: float) -> float:
        """Return the position of a value as a share of the height: 0 at the top, 1 at the bottom."""
        low, high = self.ends
        spread = log10(max(value, _TINY)) if self.is_log else value
        share = (high - spread) / (high - low)
        return 1 - share if self.inverted else share

    def shares_of(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return `share_of` many values, in a new array that the caller may change."""
        low, high = self.ends
        spread = np.log10(np.maximum(values, _TINY)) if self.is_log else values
        factor = 1.0 / (high - low)
        return (spread - low) * factor if self.inverted else (high - spread) * factor

    def value_at(self, share: float) -> float:
        """Return the value at a share of the height: the inverse of `share_of`."""
        low, high = self.ends
        up = share if self.inverted else 1 - share
        return _value(low + up * (high - low), is_log=self.is_log)

    def percent_of(self, value: float) -> float:
        """Return a value as percent above ``base``, which must be positive."""
        return (value / self.base - 1) * 100

    def fit(self, low: float, high: float, height_px: float, margins: Margins, least: float = 0.0) -> None:
        """Fit ``low`` to ``high``, at least ``least`` apart, between the margins, unless the user set the range."""
        if not self.auto or not (np.isfinite(low) and np.isfinite(high)):
            return
        # Equal values still need a height: a few ticks, or the precision of a double at that size.
        least = max(least, abs(high) * 1e-7, 1e-12)
        if high - low < least:
            middle = (high + low) / 2
            # At most half of the price: a logarithmic axis cannot have a low end below zero.
            reach = min(least / 2, middle / 2) if self.mode is ScaleMode.LOG and middle > 0 else least / 2
            low, high = (low, low + least) if self.grounded else (middle - reach, middle + reach)
        is_log = self.mode is ScaleMode.LOG and low > 0
        bottom, top = (log10(low), log10(high)) if is_log else (low, high)
        under, over = self._margins(top - bottom, height_px, margins)
        self.low, self.high = _value(bottom - under, is_log=is_log), _value(top + over, is_log=is_log)

    def show(self, low: float, high: float) -> None:
        """Set the range by hand, from ``low`` or the ground to ``high``; an extreme range is ignored."""
        low = self.low if self.grounded else low
        if np.isfinite(low) and np.isfinite(high) and abs(low) * 1e-12 < high - low < 1e15:
            self.low, self.high, self.auto = low, high, False

    def stretch(self, factor: float) -> None:
        """Set the range by hand to ``factor`` times the present one, about its middle or from the ground up."""
        low, high = self.ends
        middle, half = (low + high) / 2, (high - low) / 2 * factor
        fits = _LEAST_LOG < half < _MOST_LOG if self.is_log else abs(middle) * 1e-12 < half < 1e15
        if fits:
            low = low if self.grounded else middle - half
            self._show(low, low + 2 * half)
            self.auto = False

    def shift(self, share: float) -> None:
        """Move the values down by a share of the height, as dragging does; a grounded axis stays."""
        if not self.grounded:
            low, high = self.ends
            by = (high - low) * (-share if self.inverted else share)
            self._show(low + by, high + by)

    def _margins(self, span: float, height_px: float, margins: Margins) -> tuple[float, float]:
        """Return the values to add below and above ``span`` for the margins."""
        below_px = margins.bottom_px + margins.bottom_share * height_px
        room = height_px - margins.top_px - below_px
        # In a low pane the fixed margins would squeeze the values to nothing: they become shares of the span.
        if room < height_px / 3:
            below, above = 0.0 if self.grounded else span / 8, span / 4
        else:
            below, above = span * below_px / room, span * margins.top_px / room
        return (above, below) if self.inverted else (below, above)

    def _show(self, low: float, high: float) -> None:
        is_log = self.is_log
        if not is_log or -_MOST_LOG < low < high < _MOST_LOG:
            self.low, self.high = _value(low, is_log=is_log), _value(high, is_log=is_log)


def _value(spread: float, *, is_log: bool) -> float:
    return float(10.0**spread) if is_log else spread


def volume_top(bars: BarColumns) -> float:
    """Return the top of a volume axis: the largest volume in view, rounded up so that not every trade changes it."""
    largest = float(bars.volume.max()) if len(bars.slot) else 0.0
    if largest <= 0.0:
        return 1.0
    step = 10.0 ** (np.floor(np.log10(largest)) - 1)
    return float(np.ceil(largest / step) * step)
