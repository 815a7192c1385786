"""The layers of the series itself: its prices, in the chosen style, and its volume."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.market.series.series import TAKER_SIDES, BarColumns, CandleSeries
from widgets.chart.model.chart_style import PriceStyle
from widgets.chart.model.derived_bars import DerivedBars, closes_only, heikin_ashi
from widgets.chart.painting.pane import VisibleBars
from widgets.chart.painting.pane_brush import PaneBrush
from widgets.chart.painting.price_styles import groups, paint_area, paint_bars, paint_candles, paint_hollow, paint_line
from widgets.chart.painting.scene import NO_BARS
from widgets.chart.scales.value_scale import ValueScale, volume_top

_RULES = {PriceStyle.HEIKIN_ASHI: heikin_ashi, PriceStyle.LINE: closes_only, PriceStyle.AREA: closes_only}
_PAINTS = {
    PriceStyle.CANDLES: paint_candles,
    PriceStyle.HOLLOW: paint_hollow,
    PriceStyle.BARS: paint_bars,
    PriceStyle.HEIKIN_ASHI: paint_candles,
    PriceStyle.LINE: paint_line,
    PriceStyle.AREA: paint_area,
}
_UNDERLAID_HEIGHT = 6.0  # volume behind the prices fills one part in so many of the pane


class PriceBars:
    """The series' prices, in one `PriceStyle`."""

    title = "the prices"

    def __init__(self) -> None:
        self._bars = NO_BARS
        self._derived: DerivedBars | None = None
        self._style = PriceStyle.CANDLES
        self._line_px: float | None = None

    def set_line_width(self, width_px: float | None) -> None:
        """Draw a line of closes so wide, in logical pixels; None: as usual."""
        self._line_px = width_px

    def set_style(self, style: PriceStyle) -> None:
        """Draw in that style from the next frame on."""
        if style is not self._style:
            self._style = style
            self._derived = DerivedBars(_RULES[style]) if style in _RULES else None

    def update(self, series: CandleSeries, visible: VisibleBars, height_px: float) -> None:
        # One bar early: a line starts there, and a hollow candle takes its colour from the close before.
        first = visible.first_slot - visible.bars.span
        if self._derived is not None:
            self._derived.follow(series)
            self._bars = self._derived.bars_between(first, visible.last_slot + visible.bars.span, visible.level)
        elif self._style is PriceStyle.HOLLOW:
            self._bars = series.bars_between(first, visible.last_slot, visible.level)
        else:
            self._bars = visible.bars

    def extent(self) -> tuple[float, float] | None:
        bars = self._bars
        return (float(bars.low.min()), float(bars.high.max())) if len(bars.slot) else None

    def paint_behind(self, brush: PaneBrush) -> None:
        """Paint nothing: prices lie above the grid."""

    def paint(self, brush: PaneBrush) -> None:
        # The other styles need the bar before: for the colour of a hollow candle, for the start of a line.
        each_alone = self._style in (PriceStyle.CANDLES, PriceStyle.HEIKIN_ASHI, PriceStyle.BARS)
        bars = brush.candles_exposed(self._bars) if each_alone else brush.bars_exposed(self._bars)
        if self._style is PriceStyle.LINE and self._line_px is not None:
            paint_line(brush, bars, self._line_px)
        else:
            _PAINTS[self._style](brush, bars)


class SpreadBand:
    """
    The spread of a symbol without trades: the band between the closes of its candles of bid and of ask.

    ``series``: those of bid and ask, of the interval shown; None draws nothing.
    """

    title = "the spread"

    def __init__(self) -> None:
        self.series: tuple[CandleSeries, CandleSeries] | None = None
        self._bars = NO_BARS
        self._asks: NDArray[np.float64] = NO_BARS.close

    def update(self, series: CandleSeries, visible: VisibleBars, height_px: float) -> None:
        self._bars, self._asks = NO_BARS, NO_BARS.close
        if self.series is None:
            return
        bid, ask = self.series
        if (bid.symbol, bid.interval) != (series.symbol, series.interval):
            return
        first = visible.first_slot - visible.bars.span  # one bar early: the band starts there
        bids, asks = (each.bars_between(first, visible.last_slot, visible.level) for each in (bid, ask))
        if np.array_equal(bids.slot, asks.slot):
            self._bars, self._asks = bids, asks.close
        else:  # for a moment, while only one of them has loaded a page
            _, at, other = np.intersect1d(bids.slot, asks.slot, assume_unique=True, return_indices=True)
            self._bars = BarColumns._make((bids.span, *(column[at] for column in bids[1:])))
            self._asks = asks.close[other]

    def extent(self) -> tuple[float, float] | None:
        if not len(self._asks):
            return None
        return float(self._bars.close.min()), float(self._asks.max())

    def paint_behind(self, brush: PaneBrush) -> None:
        rows = brush.rows_exposed(self._bars)
        bars = BarColumns._make((self._bars.span, *(column[rows] for column in self._bars[1:])))
        if len(bars.slot):
            brush.band_between(brush.colours.spread, bars, bars.close, self._asks[rows])

    def paint(self, brush: PaneBrush) -> None:
        """Paint nothing: the band lies below the grid and the prices."""


class Volume:
    """
    Volume as faint columns, coloured by their candles' direction or, with ``takers``, split into taker buys and sells.

    A candle of which only prices and volume are known cannot be split: its column keeps the colour of its direction.

    ``underlaid``: behind the prices of another pane, in its lowest sixth, on a value scale of its own.
    """

    title = "the volume"

    def __init__(self, *, underlaid: bool = False) -> None:
        self.takers = False
        self._bars = NO_BARS
        self._value_scale = ValueScale(grounded=True) if underlaid else None

    @property
    def value_scale(self) -> ValueScale | None:
        """Its own scale when it stands behind the prices; None when it uses the pane's."""
        return self._value_scale

    def update(self, series: CandleSeries, visible: VisibleBars, height_px: float) -> None:
        self._bars = visible.bars
        if self._value_scale is not None:
            self._value_scale.high = volume_top(self._bars) * _UNDERLAID_HEIGHT

    def extent(self) -> tuple[float, float] | None:
        return None if self._value_scale is not None else (0.0, volume_top(self._bars))

    def paint_behind(self, brush: PaneBrush) -> None:
        """Paint nothing: columns lie above the grid."""

    def paint(self, brush: PaneBrush) -> None:
        bars, colours = brush.bars_exposed(self._bars), brush.colours.volumes
        rects, shown = brush.column_rects(bars, bars.volume, value_scale=self._value_scale)
        for rising, complete, rows in groups(bars):
            if not self.takers:
                brush.fill(colours[rising][complete], rects.take((rows & shown).nonzero()[0], axis=0))
                continue
            is_split = rows & (bars.flags & TAKER_SIDES > 0)
            for colour, chosen in ((rising, rows & ~is_split), (False, is_split)):
                brush.fill(colours[colour][complete], rects.take((chosen & shown).nonzero()[0], axis=0))
            brush.columns_from(
                colours[True][complete], bars, bars.taker_buy_volume, where=is_split, value_scale=self._value_scale
            )
