"""
One metric of the diagnostics: its name, its newest value, and a small plot of the last ten minutes.

Drawn by hand: seventeen plots of a charting library would cost more than the chart itself. The newest second is at the
right edge; ten minutes ago, or the first value, is at the left. Its largest and smallest values are beside the plot.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from PySide6.QtCore import QEvent, QLineF, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.market.durations import length
from widgets.controls.number_format import MINUS, SPACE, UNKNOWN, compact, fixed, rate
from widgets.theme import style
from widgets.theme.palettes import DARK, Palette
from widgets.view_values import MetricView

_MIN_SECONDS, _MAX_SECONDS = 60, 600
_BRIDGED_SECONDS = 5  # a mean over a second without events is unknown, which is no gap to show
_WIDTH, _HEIGHT = 168, 62
_MARGIN_X, _MARGIN_Y = 10.0, 7.0
_HEAD, _PLOT_GAP, _SCALE_GAP = 17.0, 6.0, 6.0


class MetricTile(QWidget):
    """Shows a `MetricView`."""

    def __init__(self, view: MetricView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view = view
        self._palette = DARK
        self._update_fonts()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(view.meaning)
        self.set_view(view)

    def _update_fonts(self) -> None:
        self._small = style.font(style.SMALL_PX)
        self._bold = style.font(style.BODY_PX, QFont.Weight.DemiBold)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            self._update_fonts()

    def set_view(self, view: MetricView) -> None:
        """Show these values."""
        self._view = view
        known = [value for value in view.values if value is not None]
        range_text = (
            f", between {value_with_unit(min(known), view.unit)} and {value_with_unit(max(known), view.unit)}"
            if known
            else ""
        )
        self.setAccessibleName(f"{view.name}: {self.value_text}{range_text}")
        self.update()

    def set_palette(self, palette: Palette) -> None:
        self._palette = palette
        self.update()

    @property
    def value_text(self) -> str:
        """The newest value as shown. An unknown one leaves the value before it for some seconds."""
        return value_with_unit(latest_known(self._view.values), self._view.unit)

    def sizeHint(self) -> QSize:
        return QSize(style.px(_WIDTH), style.px(_HEIGHT))

    def minimumSizeHint(self) -> QSize:
        return QSize(style.px(_WIDTH - 28), style.px(_HEIGHT))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        inside = QRectF(self.rect()).adjusted(_MARGIN_X, _MARGIN_Y, -_MARGIN_X, -_MARGIN_Y)
        self._draw_head(painter, QRectF(inside.left(), inside.top(), inside.width(), style.px(_HEAD)))
        self._draw_plot(painter, inside.adjusted(0, style.px(_HEAD) + _PLOT_GAP, 0, 0))
        painter.end()

    def _draw_head(self, painter: QPainter, rect: QRectF) -> None:
        palette, value = self._palette, latest_known(self._view.values)
        color = palette.faint if value is None else palette.warning if self._view.warns and value > 0 else palette.text
        painter.setFont(self._bold)
        painter.setPen(QColor(color))
        painter.drawText(rect, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, self.value_text)
        room = rect.width() - QFontMetricsF(self._bold).horizontalAdvance(self.value_text) - 8
        name = QFontMetricsF(self._small).elidedText(self._view.name, Qt.TextElideMode.ElideRight, room)
        painter.setFont(self._small)
        painter.setPen(QColor(palette.dim))
        painter.drawText(rect, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, name)

    def _draw_plot(self, painter: QPainter, rect: QRectF) -> None:
        known = [value for value in self._view.values if value is not None]
        if not known:
            painter.setPen(QColor(self._palette.faint))
            painter.drawText(rect, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop, "No data yet")
            return
        low, high = min(known), max(known)
        texts = [_short_number(high)] if low == high else [_short_number(high), _short_number(low)]
        painter.setPen(QColor(self._palette.faint))
        painter.setFont(self._small)
        metrics = QFontMetricsF(self._small)
        width = max(metrics.horizontalAdvance(one) for one in texts)
        sides = (Qt.AlignmentFlag.AlignTop, Qt.AlignmentFlag.AlignBottom)
        if low == high:
            sides = (Qt.AlignmentFlag.AlignVCenter, Qt.AlignmentFlag.AlignVCenter)
        reach = rect.adjusted(0, -3, 0, 3)  # a digit is less high than its line
        for side, one in zip(sides, texts, strict=False):
            painter.drawText(reach, Qt.AlignmentFlag.AlignRight | side, one)
        plot = rect.adjusted(0, 1, -(width + _SCALE_GAP), -1)
        painter.setPen(QPen(QColor(self._palette.grid), 1))
        painter.drawLine(plot.bottomLeft(), plot.bottomRight())
        color = self._palette.warning if self._view.warns and high > 0 else self._palette.dim
        painter.setPen(QPen(QColor(color), 1.0))
        for line in polylines(self._view.values, plot, low, high):
            # Not drawPolyline: unless lines are one pixel wide, joining them takes ten times as long.
            painter.drawLines([QLineF(one, next_one) for one, next_one in pairwise(line)])


def latest_known(values: Sequence[float | None]) -> float | None:
    """Return the newest known value of the last five seconds, or None."""
    return next((value for value in reversed(values[-_BRIDGED_SECONDS:]) if value is not None), None)


def polylines(values: Sequence[float | None], rect: QRectF, low: float, high: float) -> list[list[QPointF]]:
    """
    Return the lines to draw in ``rect``, for values between ``low`` and ``high``.

    Each pixel column has its smallest and its largest value, so no spike is lost. More than five unknown seconds in a
    row leave a gap.
    """
    columns = max(int(rect.width()), 1)
    seconds = min(max(len(values), _MIN_SECONDS), _MAX_SECONDS)
    lines: list[list[tuple[int, float, float]]] = []
    last_second, last_column = -seconds, -1
    for second, value in enumerate(values, start=seconds - len(values)):
        if value is None:
            continue
        column = second * columns // seconds
        if second - last_second > _BRIDGED_SECONDS:
            lines.append([(column, value, value)])
        elif column == last_column:
            _, least, most = lines[-1][-1]
            if not least <= value <= most:
                lines[-1][-1] = column, min(least, value), max(most, value)
        else:
            lines[-1].append((column, value, value))
        last_second, last_column = second, column
    return [_points(line, rect, columns, low, high) for line in lines]


def _points(
    line: Sequence[tuple[int, float, float]], rect: QRectF, columns: int, low: float, high: float
) -> list[QPointF]:
    left, bottom, step = rect.left(), rect.bottom(), rect.width() / columns
    scale = rect.height() / (high - low) if high > low else 0.0
    if not scale:
        bottom -= rect.height() / 2
    points = []
    for column, least, most in line:
        x = left + (column + 0.5) * step
        points.append(QPointF(x, bottom - (most - low) * scale))
        if least != most:
            points.append(QPointF(x, bottom - (least - low) * scale))
    return points if len(points) > 1 else [*points, points[0] + QPointF(1, 0)]


def value_with_unit(value: float | None, unit: str) -> str:
    """Return a value with its unit: ``"312 /s"``, ``"23 ms"``, ``"1.20 s"``, ``"17 min"``."""
    if value is None:
        return UNKNOWN
    if unit == "ms" and abs(value) >= 120_000:
        return f"{MINUS if value < 0 else ''}{length(value / 1000)}"
    if unit == "ms" and abs(value) >= 1000:
        return f"{fixed(value / 1000, 2)}{SPACE}s"
    number = _short_number(value)
    return f"{number}{SPACE}{unit}" if unit and unit != "trades" else number


def _short_number(value: float) -> str:
    return compact(value) if abs(value) >= 100_000 else rate(value)
