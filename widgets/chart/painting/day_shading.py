"""Shading of every other local day, for candles shorter than a day and days wide enough to tell apart."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF
from PySide6.QtGui import QPainter

from app.market.interval import Interval
from widgets.chart.painting.device_pixels import DevicePixels
from widgets.chart.painting.scene import Scene
from widgets.chart.scales.time_marks import day_edges
from widgets.chart.scales.time_scale import TimeScale
from widgets.chart.scales.zones import Zone

_DAY_S = 86_400
_NARROWEST_DAY_PX = 12.0


def day_bands(interval: Interval, time_scale: TimeScale, zone: Zone) -> list[tuple[float, float]]:
    """Return start and end of the shaded days in view, as slot positions; panning does not change the choice."""
    if interval.months or interval.seconds >= _DAY_S:
        return []
    if _DAY_S / interval.seconds * time_scale.bar_px < _NARROWEST_DAY_PX:
        return []
    edges = day_edges(interval, *time_scale.edges, zone)
    following = [slot for _, slot in edges[1:]]
    return [(start - 0.5, end - 0.5) for (day, start), end in zip(edges, following, strict=False) if day % 2]


def paint_days(painter: QPainter, pixels: DevicePixels, scene: Scene, area: QRect) -> None:
    """Shade the days within ``area``, in device pixels."""
    for start, end in scene.day_bands:
        left, right = (round(area.left() + scene.time_scale.x_of(at) * pixels.scale) for at in (start, end))
        left, right = max(left, area.left()), min(right, area.left() + area.width())
        if right > left:
            painter.fillRect(left, area.top(), right - left, area.height(), scene.colours.shade)


def fill_ground(painter: QPainter, scene: Scene, rect: QRectF) -> None:
    """Fill a rectangle of the panes, logical pixels, with the background, including shaded days."""
    painter.fillRect(rect, scene.colours.background)
    for start, end in scene.day_bands:
        left, right = scene.time_scale.x_of(start), scene.time_scale.x_of(end)
        band = QRectF(left, rect.top(), right - left, rect.height())
        if not (shaded := band & rect).isEmpty():
            painter.fillRect(shaded, scene.colours.shade)
