"""The price snap: a pointer near a candle's open, high, low or close moves to the nearest of them."""

from __future__ import annotations

from PySide6.QtCore import QPointF

from app.market.series.series import CandleSeries
from widgets.chart.model.pane_layout import PRICE
from widgets.chart.painting.scene import Scene
from widgets.chart.painting.scene_builder import bar_at

_REACH_PX = 32.0  # further away, the pointer means a price of its own


def snap_to_prices(scene: Scene, series: CandleSeries, position: QPointF) -> QPointF:
    """Return a position in the view, moved up or down to the nearest price of the candle there, if one is in reach."""
    pane = scene.pane_at(position.y())
    if not scene.price_snap or pane is None or pane.key != PRICE:
        return position
    bar = bar_at(series, scene.time_scale.slot_at(position.x()))
    if bar is None:
        return position
    heights = [pane.y_of(price) for price in (bar.open, bar.high, bar.low, bar.close)]
    nearest = min(heights, key=lambda y: abs(y - position.y()))
    reached = abs(nearest - position.y()) <= _REACH_PX and pane.rect.top() <= nearest < pane.rect.bottom()
    return QPointF(position.x(), nearest) if reached else position
