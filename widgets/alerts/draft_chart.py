"""The small chart of the editor: candles, where the alert waits, and where it would have fired."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.market.symbol import Symbol
from widgets.alerts.alert_views import DraftCandle, DraftView
from widgets.controls.number_format import price
from widgets.theme import style
from widgets.theme.palettes import DARK, Palette

_WIDTH_PX, _HEIGHT_PX = 420, 190
_AXIS_PX, _TIMES_PX = 76, 22
_MARGIN = 0.12  # of the height, above and below
_MARK_PX = 5
_MOST_MARKS = 400
_REACH_PX = 6
_MARKED_PRICES, _MARKED_TIMES = 5, 4
_SHORT_US, _LONG_US = 300_000_000, 3 * 86_400_000_000  # whose times are marked with seconds, or as days
_STEPS_S = (10, 30, 60, 300, 900, 1_800, 3_600, 10_800, 21_600, 43_200, 86_400)


def _round_values(low: float, high: float, most: int) -> list[float]:
    """Return round values between two, about ``most`` of them."""
    step = 10.0 ** math.floor(math.log10((high - low) / most))
    step *= next(factor for factor in (1, 2, 5, 10) if (high - low) / (step * factor) <= most)
    return [step * at for at in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _round_times(first_us: int, last_us: int) -> list[int]:
    """Return two to four round times of day between two times."""
    fitting = (step_s * 1_000_000 for step_s in _STEPS_S if (last_us - first_us) / (step_s * 1e6) <= _MARKED_TIMES)
    step_us = next(fitting, _STEPS_S[-1] * 1_000_000)
    return [step_us * at for at in range(first_us // step_us + 1, last_us // step_us + 1)]


class DraftChart(QWidget):
    """
    Paints a `DraftView`.

    Signals:
        level_moved(int, float): one of its levels was dragged; carries its index and the price.
    """

    level_moved = Signal(int, float)

    def __init__(self) -> None:
        super().__init__()
        self._view, self._symbol, self._palette = DraftView(), Symbol("", "", ""), DARK
        self._dragged: int | None = None
        self._low, self._high = 0.0, 1.0
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setAccessibleName("What the alert would have done")

    def set_view(self, view: DraftView, symbol: Symbol) -> None:
        """Show this instead."""
        self._view, self._symbol = view, symbol
        self.setAccessibleDescription(f"{view.sentence} {view.detail}")
        self.update()

    def set_palette(self, palette: Palette) -> None:
        """Paint in these colours."""
        self._palette = palette
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(style.px(_WIDTH_PX), style.px(_HEIGHT_PX))

    def minimumSizeHint(self) -> QSize:
        return QSize(style.px(220), style.px(120))

    # What the pointer does

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._dragged = self._level_at(event.position())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if self._dragged is None:
            over = self._level_at(event.position()) is not None
            self.setCursor(Qt.CursorShape.SizeVerCursor if over else Qt.CursorShape.ArrowCursor)
            return
        share = 1 - (event.position().y() - self._area().top()) / max(self._area().height(), 1.0)
        value = self._low + min(max(share, 0.0), 1.0) * (self._high - self._low)
        tick = self._symbol.tick_size_e8 / 1e8
        self.level_moved.emit(self._dragged, max(round(round(value / tick) * tick, 8), tick))

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        self._dragged = None

    def _level_at(self, position: QPointF) -> int | None:
        heights = [abs(self._y(level) - position.y()) for level in self._view.levels]
        nearest = min(heights, default=_REACH_PX + 1.0)
        return heights.index(nearest) if nearest <= _REACH_PX else None

    # Painting

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setFont(style.font(style.SMALL_PX))
        painter.fillRect(self.rect(), QColor(self._palette.background))
        candles = self._view.candles
        if not candles:
            painter.setPen(QColor(self._palette.faint))
            text = "Judging…" if self._view.is_under_way else "No trades are stored here"
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, text)
            return
        self._fit(candles)
        self._paint_axes(painter)
        self._paint_candles(painter, candles)
        self._paint_paths(painter)
        self._paint_levels(painter)
        self._paint_marks(painter)

    def _area(self) -> QRectF:
        return QRectF(0, 0, max(self.width() - style.px(_AXIS_PX), 1), max(self.height() - style.px(_TIMES_PX), 1))

    def _fit(self, candles: Sequence[DraftCandle]) -> None:
        low, high = min(one.low for one in candles), max(one.high for one in candles)
        span = (high - low) or high * 0.01 or 1.0
        # A level far away would press the candles flat.
        values = [*self._view.levels, *(value for path in self._view.paths for _, value in path)]
        near = [level for level in values if low - span <= level <= high + span]
        low, high = min([low, *near]), max([high, *near])
        margin = _MARGIN * ((high - low) or span)
        self._low, self._high = low - margin, high + margin

    def _y(self, value: float) -> float:
        area = self._area()
        return area.bottom() - (value - self._low) / (self._high - self._low) * area.height()

    def _x(self, time_us: int) -> float:
        candles, area = self._view.candles, self._area()
        first, last = candles[0].open_time_us, candles[-1].open_time_us
        width = area.width() / len(candles)
        return area.left() + (time_us - first) / max(last - first, 1) * (area.width() - width) + width / 2

    def _paint_axes(self, painter: QPainter) -> None:
        area, palette = self._area(), self._palette
        painter.setPen(QColor(palette.line))
        painter.drawLine(area.topRight(), QPointF(area.right(), self.height()))
        painter.drawLine(area.bottomLeft(), QPointF(self.width(), area.bottom()))
        taken = [self._y(level) for level in self._view.levels]
        right = QRectF(0, 0, style.px(_AXIS_PX) - 8, style.px(16))
        for value in _round_values(self._low, self._high, _MARKED_PRICES):
            y = round(self._y(value)) + 0.5
            painter.setPen(QColor(palette.grid))
            painter.drawLine(QPointF(0, y), QPointF(area.right(), y))
            if all(abs(y - other) > right.height() for other in taken):
                right.moveTopLeft(QPointF(area.right(), y - right.height() / 2))
                painter.setPen(QColor(palette.dim))
                painter.drawText(right, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, self._text(value))
        first, last = self._view.candles[0].open_time_us, self._view.candles[-1].open_time_us
        for time_us in _round_times(first, last):
            x, moment = self._x(time_us), datetime.fromtimestamp(time_us // 1_000_000, UTC)
            shape = "%H:%M:%S" if last - first < _SHORT_US else "%H:%M" if last - first < _LONG_US else "%d %b"
            text = moment.strftime(shape)
            below = QRectF(x - 40, area.bottom(), 80, style.px(_TIMES_PX))
            painter.setPen(QColor(palette.dim))
            painter.drawText(below, Qt.AlignmentFlag.AlignCenter, text)

    def _paint_candles(self, painter: QPainter, candles: Sequence[DraftCandle]) -> None:
        width = self._area().width() / len(candles)
        body = max(round(width * 0.7), 1)
        for one in candles:
            colour = QColor(self._palette.rising if one.close >= one.open else self._palette.falling)
            x = round(self._x(one.open_time_us))
            top, bottom = sorted((self._y(one.open), self._y(one.close)))
            painter.fillRect(QRectF(x, self._y(one.high), 1, self._y(one.low) - self._y(one.high)), colour)
            painter.fillRect(QRectF(x - body // 2, top, body, max(bottom - top, 1)), colour)

    def _paint_levels(self, painter: QPainter) -> None:
        area, accent = self._area(), QColor(self._palette.accent)
        for level in self._view.levels:
            y = round(self._y(level)) + 0.5
            if not area.top() <= y <= area.bottom():
                continue
            painter.setPen(QPen(accent, 1, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(0, y), QPointF(area.right(), y))
            label = QRectF(area.right(), y - style.px(10), style.px(_AXIS_PX), style.px(20))
            painter.fillRect(label, QColor(self._palette.fill))
            painter.setPen(QColor(self._palette.on_fill))
            inside = label.adjusted(0, 0, -8, 0)
            painter.drawText(inside, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, self._text(level))

    def _paint_paths(self, painter: QPainter) -> None:
        painter.save()
        painter.setClipRect(self._area())
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(self._palette.accent), 1, Qt.PenStyle.DashLine))
        for path in self._view.paths:
            painter.drawPolyline(QPolygonF([QPointF(self._x(time_us), self._y(value)) for time_us, value in path]))
        painter.restore()

    def _paint_marks(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._palette.accent))
        size = style.px(_MARK_PX)
        for time_us, value in self._view.marks[-_MOST_MARKS:]:
            x, y = self._x(time_us), self._y(value) - size
            painter.drawPolygon(
                QPolygonF([QPointF(x, y), QPointF(x - size, y - 1.6 * size), QPointF(x + size, y - 1.6 * size)])
            )

    def _text(self, value: float) -> str:
        return price(value, self._symbol)
