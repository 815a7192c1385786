"""
Shading of every other local day, or of every other session of a market that closes, with the date at each open.

For candles shorter than a day, and days and sessions wide enough to distinguish.
"""

from __future__ import annotations

from collections.abc import Hashable
from datetime import date
from functools import lru_cache
from typing import cast

from PySide6.QtCore import QRect, QRectF
from PySide6.QtGui import QPainter

from app.market.calendar.calendar import Calendar, Session
from app.market.interval import Interval
from widgets.chart.painting.device_pixels import DevicePixels
from widgets.chart.painting.scene import Scene, SessionName
from widgets.chart.scales.time_marks import day_edges
from widgets.chart.scales.time_scale import TimeScale
from widgets.chart.scales.time_text import MONTHS, WEEKDAYS
from widgets.chart.scales.zones import Zone

_DAY_S = 86_400
_NARROWEST_DAY_PX = 12.0
_BLOCK_US = 32 * _DAY_S * 1_000_000  # one cache entry of sessions
_ROOM_PX, _FROM_BOTTOM_PX = 6.0, 11.0

Band = tuple[float, float]


def day_bands(interval: Interval, time_scale: TimeScale, zone: Zone) -> list[tuple[float, float]]:
    """Return start and end of the shaded days in view, as slot positions; panning does not change the choice."""
    if interval.months or interval.seconds >= _DAY_S:
        return []
    if _DAY_S / interval.seconds * time_scale.bar_px < _NARROWEST_DAY_PX:
        return []
    edges = day_edges(interval, *time_scale.edges, zone)
    following = [slot for _, slot in edges[1:]]
    return [(start - 0.5, end - 0.5) for (day, start), end in zip(edges, following, strict=False) if day % 2]


def session_bands(
    interval: Interval, time_scale: TimeScale, calendar: Calendar
) -> tuple[list[Band], list[SessionName]]:
    """Return the shaded sessions in view, as slot positions, and the names of all; panning changes no choice."""
    if interval.months or interval.seconds >= _DAY_S:
        return [], []
    if _DAY_S / interval.seconds / time_scale.axis.slots_per_position * time_scale.bar_px < _NARROWEST_DAY_PX:
        return [], []
    left, right = time_scale.edges
    start_us, end_us = interval.slot_open_us(int(left) - 1), interval.slot_open_us(int(right) + 2)
    bands: list[Band] = []
    names: dict[date, SessionName] = {}
    for block in range(start_us // _BLOCK_US, end_us // _BLOCK_US + 1):
        for session in _sessions(cast("Hashable", calendar), block):
            if session.start_us is None or session.end_us is None or session.date in names:
                continue
            if session.start_us < end_us and session.end_us > start_us:
                # From the candle that the open falls into.
                ends = (interval.slot(session.start_us) - 0.5, interval.slot(session.end_us - 1) + 0.5)
                names[session.date] = SessionName(*ends, _name(session))
                if session.date.toordinal() % 2:
                    bands.append(ends)
    return bands, list(names.values())


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


def paint_session_names(painter: QPainter, pixels: DevicePixels, scene: Scene) -> None:
    """Paint each session's name at its open, low in the price pane, if it fits. The painter is in logical pixels."""
    if not scene.session_names:
        return
    style, pane = scene.styles.tiny, scene.price.rect
    middle = pane.bottom() - _FROM_BOTTOM_PX * scene.styles.scale
    texts = []
    for name in scene.session_names:
        left, right = scene.time_scale.x_of(name.left), scene.time_scale.x_of(name.right)
        width = style.width(name.text) + 2 * _ROOM_PX
        if right - left >= width and right > 0 and left + width <= pane.width():
            # The name of a session that began left of the view stays in view with it.
            texts.append((name.text, min(max(left, 0.0), right - width) + _ROOM_PX, middle))
    style.draw_all(painter, pixels, texts, scene.colours.dim)


def _name(session: Session) -> str:
    day = session.date
    text = f"{WEEKDAYS[day.weekday()]} {day.day} {MONTHS[day.month - 1]}"
    notes = session.notes or ("half day" if session.is_half_day else "")
    return f"{text} · {notes}" if notes else text


@lru_cache(maxsize=64)
def _sessions(calendar: Hashable, block: int) -> list[Session]:
    return cast("Calendar", calendar).sessions(block * _BLOCK_US, (block + 1) * _BLOCK_US)
