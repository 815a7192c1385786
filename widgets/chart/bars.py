"""
The bars: candles in the upper pane, volume in the lower one, each over its share of the grid.

Each pane is one item that paints all its bars as rectangles (see `pixels`), a colour at a time. `candle_shapes` is pure
and tells where: wicks one logical pixel wide, centred on bodies of odd width, all bodies of a frame equally wide; where
a bar is too narrow for that, bars touch.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pyqtgraph import GraphicsObject
from PySide6.QtCore import QRect, QRectF
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QStyleOptionGraphicsItem, QWidget

from app.market.series import COMPLETE, BarColumns
from widgets.chart.pixels import DevicePixels, RectBuffer
from widgets.chart.scene import Scene

Pixels = NDArray[np.int32]
_TOUCHING_PX = 2.0
_BODY_SHARE = 0.82
_OUTSIDE_PX = 4


class Columns(NamedTuple):
    """Where bars stand, in device pixels, both ends inclusive."""

    body_left: Pixels
    body_right: Pixels
    wick_left: Pixels
    wick_right: Pixels


def bar_columns(bars: BarColumns, left: float, pane: QRect, slot_px: float, line_px: int) -> Columns:
    """Return the columns of ``bars`` in a pane that begins at slot position ``left``, with ``slot_px`` to a slot."""
    start = pane.left() + (bars.slot - (left + 0.5)) * slot_px
    if bars.span > 1 or slot_px < _TOUCHING_PX:
        first = np.floor(start).astype(np.int32)
        end = np.maximum(np.floor(start + bars.span * slot_px).astype(np.int32) - 1, first)
        return Columns(first, end, first, end)
    wick_px = min(line_px, max(1, int(slot_px / 4)))
    beside = max(0, int((slot_px * _BODY_SHARE - wick_px) / 2))
    wick_left = np.floor(start + (slot_px - wick_px) / 2 + 0.5).astype(np.int32)
    wick_right = wick_left + np.int32(wick_px - 1)
    return Columns(wick_left - np.int32(beside), wick_right + np.int32(beside), wick_left, wick_right)


def rows_of(values: NDArray[np.float64], high: float, value_px: float, pane: QRect) -> Pixels:
    """Return the device pixel rows of values, ``high`` being at the pane's top; kept close to the pane."""
    rows = pane.top() + (high - values) * value_px
    np.clip(rows, pane.top() - _OUTSIDE_PX, pane.top() + pane.height() + _OUTSIDE_PX, out=rows)
    return np.rint(rows).astype(np.int32)


class _Pane(GraphicsObject):  # type: ignore[misc]
    """An item that paints one pane, in the view's coordinates."""

    def __init__(self, scene: Scene) -> None:
        super().__init__()
        self.setFlag(self.GraphicsItemFlag.ItemUsesExtendedStyleOption)
        self._scene = scene
        self._buffer = RectBuffer()

    @property
    def _rect(self) -> QRectF:
        raise NotImplementedError

    def boundingRect(self) -> QRectF:
        return self._rect

    def paint(self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None) -> None:
        if self._rect.isEmpty():
            return
        pixels = DevicePixels(painter)
        pane = pixels.rect(self._rect)
        painter.setClipRect(pane)
        self._paint_grid(painter, pixels, pane)
        bars = self._scene.bars
        if len(bars.slot):
            slot_px = self._scene.time.bar_px * pixels.scale
            columns = bar_columns(bars, self._scene.time.left, pane, slot_px, pixels.line)
            self._paint_bars(painter, pane, bars, columns)
        pixels.logical()

    def _paint_grid(self, painter: QPainter, pixels: DevicePixels, pane: QRect) -> None:
        scene, line = self._scene, pixels.line
        for tick in scene.time_ticks:
            x = pixels.hairline(pane.left() + scene.time.x_of(tick.slot) * pixels.scale)
            painter.fillRect(x, pane.top(), line, pane.height(), scene.colours.grid)

    def _paint_bars(self, painter: QPainter, pane: QRect, bars: BarColumns, columns: Columns) -> None:
        raise NotImplementedError


class CandlePane(_Pane):
    """Candles over the price grid."""

    @property
    def _rect(self) -> QRectF:
        return self._scene.layout.price

    def _paint_grid(self, painter: QPainter, pixels: DevicePixels, pane: QRect) -> None:
        super()._paint_grid(painter, pixels, pane)
        scene, line = self._scene, pixels.line
        for tick in scene.price_ticks:
            y = pixels.hairline(scene.price_y(tick.price) * pixels.scale + pixels.dy)
            painter.fillRect(pane.left(), y, pane.width(), line, scene.colours.grid)

    def _paint_bars(self, painter: QPainter, pane: QRect, bars: BarColumns, columns: Columns) -> None:
        view = self._scene.price
        value_px = pane.height() / (view.high - view.low)
        top, bottom, open_, close = (
            rows_of(values, view.high, value_px, pane) for values in (bars.high, bars.low, bars.open, bars.close)
        )
        body_top = np.minimum(open_, close)
        body_bottom = np.maximum(np.maximum(open_, close) - 1, body_top)
        wick_bottom = np.maximum(bottom - 1, body_bottom)
        rising, complete = bars.close >= bars.open, (bars.flags & COMPLETE) > 0
        for is_rising, is_complete, rows in _groups(rising, complete):
            colour = self._scene.colours.candles[is_rising][is_complete]
            count = int(rows.sum())
            wick, body = (columns.wick_left[rows], columns.wick_right[rows]), None
            self._buffer.draw(painter, colour, wick[0], top[rows], wick[1], wick_bottom[rows], count)
            if columns.body_left is not columns.wick_left:
                body = columns.body_left[rows], columns.body_right[rows]
                self._buffer.draw(painter, colour, body[0], body_top[rows], body[1], body_bottom[rows], count)


class VolumePane(_Pane):
    """Volume, faint, in the colours of the candles above."""

    @property
    def _rect(self) -> QRectF:
        return self._scene.layout.volume

    def _paint_bars(self, painter: QPainter, pane: QRect, bars: BarColumns, columns: Columns) -> None:
        value_px = pane.height() / self._scene.volume_high
        top = rows_of(bars.volume, self._scene.volume_high, value_px, pane)
        floor = pane.top() + pane.height() - 1
        # However small, a volume shows; none does not.
        top = np.minimum(top, np.where(bars.volume > 0, floor, floor + 1)).astype(np.int32)
        rising, complete = bars.close >= bars.open, (bars.flags & COMPLETE) > 0
        for is_rising, is_complete, rows in _groups(rising, complete):
            colour = self._scene.colours.volumes[is_rising][is_complete]
            left, right = columns.body_left[rows], columns.body_right[rows]
            self._buffer.draw(painter, colour, left, top[rows], right, floor, len(left))


def _groups(rising: NDArray[np.bool_], complete: NDArray[np.bool_]) -> list[tuple[bool, bool, NDArray[np.bool_]]]:
    groups = [(True, True, rising & complete), (False, True, ~rising & complete)]
    if not complete.all():
        groups += [(True, False, rising & ~complete), (False, False, ~rising & ~complete)]
    return groups
