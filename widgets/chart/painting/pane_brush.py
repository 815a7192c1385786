"""
The brush that layers paint with: figures over slots and values, drawn into one pane without a Python loop per bar.

Bars arrive as `BarColumns` at the detail level that the pixels allow, and every figure is right at every level: where a
bar stands for many values, a line covers all between the lowest and the highest. Everything except slanted lines is
whole rectangles in device pixels (see `device_pixels`). The brush knows scales and colours, not the scene: layers of
any origin can use it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import cast

import numpy as np
import pyqtgraph as pg
from numpy.typing import ArrayLike, NDArray
from PySide6.QtCore import QRect, QRectF, Qt
from PySide6.QtGui import QBrush, QColor, QLinearGradient, QPainter, QPolygonF, QRegion

from app.market.series.series import BarColumns
from widgets.chart.model.line_style import LineDash, dash_bars, dash_segments
from widgets.chart.painting.bar_geometry import BarEdges, Pixels, bar_edges, middles, rows_of
from widgets.chart.painting.colours import Colours
from widgets.chart.painting.device_pixels import DevicePixels, RectBuffer, stroke, stroke_pieces
from widgets.chart.scales.time_scale import TimeScale
from widgets.chart.scales.value_scale import ValueScale

Values = NDArray[np.float64]
_REACH_PX = 2  # how far a figure may stand out of its bar's slot: half a line's width, and rounding
_FEW_BARS = 8  # painted faster than found to be above or below what is exposed
_AREA_OPACITIES = (0.34, 0.03)  # at the pane's top and bottom


class PaneBrush:
    """
    Paints into one pane during one paint; ``rect`` is the pane and ``exposed`` what is painted, in logical pixels.

    Attributes:
        area: the pane, in device pixels. line: a hairline's width in device pixels. scale: device pixels per logical
            pixel. colours: the theme's.
    """

    def __init__(
        self,
        painter: QPainter,
        pixels: DevicePixels,
        buffer: RectBuffer,
        *,
        rect: QRectF,
        exposed: QRegion,
        time_scale: TimeScale,
        value_scale: ValueScale,
        colours: Colours,
    ) -> None:
        self._painter, self._pixels, self._buffer = painter, pixels, buffer
        self._time_scale, self._value_scale = time_scale, value_scale
        self.area, self.line, self.scale, self.colours = pixels.rect(rect), pixels.line, pixels.scale, colours
        self._slot_px = time_scale.bar_px * pixels.scale
        self._edges: tuple[tuple[int, ...], BarEdges] | None = None
        self._rect = rect
        within = rect.toAlignedRect()
        self._exposed = exposed & within
        self._shows_all = self._exposed.rectCount() == 1 and self._exposed.boundingRect().contains(within)

    @property
    def is_inverted(self) -> bool:
        """Whether high values are at the bottom of the pane."""
        return self._value_scale.inverted

    def rows_exposed(self, bars: BarColumns) -> slice:
        """Return the rows of the bars within this paint, with one more at either end, as lines come from there."""
        if self._shows_all:
            return slice(0, len(bars.slot))
        first, last = self._rows_within(bars, self._exposed.boundingRect())
        return slice(max(first - 1, 0), last + 1)

    def bars_exposed(self, bars: BarColumns) -> BarColumns:
        """Return the bars of `rows_exposed`."""
        rows = self.rows_exposed(bars)
        return bars if self._shows_all else BarColumns._make((bars.span, *(column[rows] for column in bars[1:])))

    def candles_exposed(self, bars: BarColumns) -> BarColumns:
        """
        Return only the bars of which this paint may show a part. For figures that draw each bar alone, low to high.

        A new price exposes a line across the whole pane, a pixel high: most candles above or below need no paint.
        """
        if self._shows_all:
            return bars
        shown = np.zeros(len(bars.slot), np.bool_)
        for rect in cast("Iterable[QRect]", self._exposed):
            first, end = self._rows_within(bars, rect)
            rows = slice(first, end)
            if end - first <= _FEW_BARS or rect.height() >= self._rect.height() - 1:
                shown[rows] = True
            else:
                low, high = self._values_within(rect)
                shown[rows] |= (bars.low[rows] <= high) & (bars.high[rows] >= low)
        at = shown.nonzero()[0]
        return BarColumns._make((bars.span, *(column.take(at) for column in bars[1:])))

    def _rows_within(self, bars: BarColumns, rect: QRect) -> tuple[int, int]:
        """Return the rows of the bars within a rectangle, logical pixels, as first and end."""
        time_scale = self._time_scale
        left, right = (
            time_scale.position_at(rect.left() - _REACH_PX),
            time_scale.position_at(rect.right() + 1 + _REACH_PX),
        )
        first, last = bars.slot.searchsorted((left - bars.span, right + 1)).tolist()
        return first, last

    def _values_within(self, rect: QRect) -> tuple[float, float]:
        """Return the lowest and the highest value within a rectangle, logical pixels."""
        top, height = self._rect.top(), max(self._rect.height(), 1.0)
        one, other = (
            self._value_scale.value_at((y - top) / height)
            for y in (rect.top() - _REACH_PX, rect.top() + rect.height() + _REACH_PX)
        )
        return min(one, other), max(one, other)

    def bar_edges(self, bars: BarColumns) -> BarEdges:
        """Return the bars' columns, in device pixels, left to right."""
        # All layers draw bars of one series, so ends, count and span identify the slots: the layers share one result.
        slots = bars.slot
        slots_key = (bars.span, len(slots), *slots[:1].tolist(), *slots[-1:].tolist())
        if self._edges is None or self._edges[0] != slots_key:
            self._edges = slots_key, bar_edges(bars, self._time_scale, self.area, self.scale, self.line)
        return self._edges[1]

    def rows(self, values: Values, value_scale: ValueScale | None = None) -> Pixels:
        """Return the rows of values in device pixels, on the pane's scale or another. Values must not be NaN."""
        return rows_of(values, value_scale or self._value_scale, self.area)

    def rects(self, colour: QColor, x1: ArrayLike, y1: ArrayLike, x2: ArrayLike, y2: ArrayLike, count: int) -> None:
        """Fill ``count`` rectangles in device pixels, corners inclusive. Each side: array or scalar."""
        self._buffer.draw(self._painter, colour, x1, y1, x2, y2, count)

    def fill(self, colour: QColor, rects: Pixels) -> None:
        """Fill rectangles in device pixels, given as rows of left, top, right, bottom, corners inclusive."""
        self._buffer.fill(self._painter, colour, rects)

    def columns_from(
        self,
        colour: QColor,
        bars: BarColumns,
        values: Values,
        *,
        base: float = 0.0,
        where: NDArray[np.bool_] | None = None,
        value_scale: ValueScale | None = None,
    ) -> None:
        """
        Draw a column from ``base`` to each value, as wide as a candle's body; ``where`` selects bars.

        Any value other than ``base`` is at least a pixel high; NaN draws nothing.
        """
        rects, shown = self.column_rects(bars, values, base=base, value_scale=value_scale)
        self.fill(colour, rects[shown if where is None else shown & where])

    def column_rects(
        self, bars: BarColumns, values: Values, *, base: float = 0.0, value_scale: ValueScale | None = None
    ) -> tuple[Pixels, NDArray[np.bool_]]:
        """Return the rectangles of columns, for `fill`, and a mask of those to draw; see `columns_from`."""
        shown, edges = np.isfinite(values) & (values != base), self.bar_edges(bars)
        rows = self.rows(np.append(np.where(shown, values, base), base), value_scale)
        tops, ground = rows[:-1], rows[-1]
        rects = np.empty((len(values), 4), np.int32)
        rects[:, 0], rects[:, 2] = edges.body_left, edges.body_right
        np.minimum(tops, ground - (values > base), out=rects[:, 1])
        np.maximum(np.maximum(tops, ground) - 1, rects[:, 1], out=rects[:, 3])
        return rects, shown

    def line_through(
        self,
        colour: QColor,
        bars: BarColumns,
        width_px: float = 1.5,
        *,
        value_scale: ValueScale | None = None,
        begins: NDArray[np.bool_] | None = None,
        dash: LineDash = LineDash.SOLID,
    ) -> None:
        """
        Draw a line through the bars' closes; NaN breaks it. Highs and lows must be those of the same values.

        ``begins``: bars that start a new line, such as a session's first. Ignored where a bar stands for several slots.
        A line with a ``dash`` needs all bars in view, not only the exposed ones.
        """
        width = max(1.0, width_px * self.scale)
        pattern = dash.pattern(width)
        if bars.span > 1:
            self._thick_columns(colour, bars, round(width), value_scale, pattern)
            return
        xs, ys = middles(self.bar_edges(bars)), self._exact_rows(bars.close, value_scale)
        for run in runs_of(np.isfinite(ys), begins):
            if pattern is None:
                stroke(self._painter, colour, polygon_of(xs[run], ys[run]), width)
            else:
                pieces = dash_segments(xs[run], ys[run], bars.slot[run], pattern)
                stroke_pieces(self._painter, colour, self._pieces_exposed(pieces, width), width)
        self._painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _pieces_exposed(self, pieces: Values, width: float) -> Values:
        if self._shows_all:
            return pieces
        within, reach = self._exposed.boundingRect(), _REACH_PX * self.scale + width
        left = self.area.left() + (within.left() - self._rect.left()) * self.scale - reach
        right = self.area.left() + (within.right() + 1 - self._rect.left()) * self.scale + reach
        return pieces[(pieces[:, 2] >= left) & (pieces[:, 0] <= right)]

    def band_between(self, colour: QColor, bars: BarColumns, low: Values, high: Values | float) -> None:
        """Fill between two lines over the same bars, or between a line and one value; NaN leaves a break."""
        xs = middles(self.bar_edges(bars))
        tops, floors = self._exact_rows(np.broadcast_to(high, low.shape)), self._exact_rows(low)
        self._fill(colour, xs, tops, floors)

    def area_below(self, colour: QColor, bars: BarColumns) -> None:
        """Fill from the line through the bars' closes to the pane's bottom, fading out; NaN leaves a break."""
        floor, fading = self.area.top() + self.area.height() - 1, self._fading(colour)
        if bars.span > 1:
            known, edges = np.isfinite(bars.close), self.bar_edges(bars)
            top = np.minimum(self.rows(bars.high[known]), self.rows(bars.low[known]))
            left, right = edges.body_left[known], edges.body_right[known]
            self._buffer.draw(self._painter, fading, left, top, right, floor, len(top))
            return
        xs, tops = middles(self.bar_edges(bars)), self._exact_rows(bars.close)
        self._fill(fading, xs, tops, np.full(len(xs), floor + 1.0))

    def _fading(self, colour: QColor) -> QBrush:
        gradient = QLinearGradient(0, self.area.top(), 0, self.area.top() + self.area.height())
        for position, opacity in enumerate(_AREA_OPACITIES):
            faint = QColor(colour)
            faint.setAlphaF(opacity)
            gradient.setColorAt(position, faint)
        return QBrush(gradient)

    def paint_by(self, call: Callable[[QPainter, DevicePixels], object]) -> None:
        """Have a call paint what is no figure over bars. It finds and leaves the painter in device pixels."""
        call(self._painter, self._pixels)

    def dots_at(self, colour: QColor, bars: BarColumns, values: Values, size_px: float = 3.0) -> None:
        """Draw a square dot at each value, no wider than its bar; NaN draws nothing."""
        shown = np.isfinite(values)
        side = max(1, min(round(size_px * self.scale), int(self._slot_px * bars.span)))
        left = np.rint(middles(self.bar_edges(bars))[shown] - side / 2).astype(np.int32)
        top = self.rows(values[shown]) - np.int32(side // 2)
        self.rects(colour, left, top, left + (side - 1), top + (side - 1), len(left))

    def _fill(self, colour: QColor | QBrush, xs: Values, tops: Values, floors: Values) -> None:
        self._painter.setPen(Qt.PenStyle.NoPen)
        self._painter.setBrush(colour)
        for run in runs_of(np.isfinite(tops) & np.isfinite(floors)):
            self._painter.drawPolygon(self._closed(xs[run], tops[run], floors[run]))

    def _closed(self, xs: Values, tops: Values, floors: Values) -> QPolygonF:
        return polygon_of(np.concatenate((xs, xs[::-1])), np.concatenate((tops, floors[::-1])))

    def _exact_rows(self, values: Values, value_scale: ValueScale | None = None) -> Values:
        """Return unrounded rows, clipped near the pane: Qt's strokes become slow and wrong far outside of it."""
        height = self.area.height()
        return self.area.top() + np.clip((value_scale or self._value_scale).shares_of(values), -10.0, 11.0) * height

    def _thick_columns(
        self,
        colour: QColor,
        bars: BarColumns,
        width: int,
        value_scale: ValueScale | None,
        pattern: tuple[float, float] | None,
    ) -> None:
        known = np.isfinite(bars.close)
        before = np.where(known[:-1], bars.close[:-1], bars.open[1:])
        if pattern is not None:
            known &= dash_bars(bars.slot, bars.span, self._slot_px * bars.span, pattern)
        joint = np.concatenate((bars.open[:1], before))  # from where the bar before ended, so that the line has no gaps
        highest, lowest = (
            self.rows(over[known], value_scale) for over in (np.maximum(bars.high, joint), np.minimum(bars.low, joint))
        )
        top = np.minimum(highest, lowest) - np.int32(width // 2)
        bottom = np.maximum(highest, lowest) + np.int32((width - 1) // 2)
        edges = self.bar_edges(bars)
        self.rects(colour, edges.body_left[known], top, edges.body_right[known], bottom, int(known.sum()))


def polygon_of(xs: Values, ys: Values) -> QPolygonF:
    """Return the points as a QPolygonF, copied as one block of memory."""
    polygon: QPolygonF = pg.functions.arrayToQPolygonF(xs, ys)
    return polygon


def runs_of(known: NDArray[np.bool_], begins: NDArray[np.bool_] | None = None) -> Iterator[slice]:
    """Yield slices of consecutive known bars; ``begins`` starts a new slice. The loop runs per slice, not per bar."""
    if begins is None and len(known) and known.all():
        yield slice(0, len(known))
        return
    edges = np.flatnonzero(np.diff(known.astype(np.int8), prepend=0, append=0))
    cuts = np.flatnonzero(begins) if begins is not None else np.empty(0, np.intp)
    for first, end in edges.reshape(-1, 2).tolist():
        inside = cuts[(cuts > first) & (cuts < end)].tolist()
        for start, stop in zip([first, *inside], [*inside, end], strict=True):
            yield slice(start, stop)
