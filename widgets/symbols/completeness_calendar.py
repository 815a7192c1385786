"""
A year of days, one square each, weeks from Monday: what is stored of each day.

States differ in form as well as in colour: full, split, darker, outlined. A split square shows its missing share, but
three tenths of its height at least, so that nothing missing is overlooked. Arrow keys and clicks move the ring, Page Up
and Page Down turn the years, Home and End go to the first and last day stored, Enter goes to the day on the chart.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFocusEvent, QHelpEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from app.market.stored_symbol import DAY_US, DayHeld, DayState
from widgets.controls.number_format import count
from widgets.theme import style
from widgets.theme.palettes import DARK, Palette

_SQUARE_PX, _GAP_PX = 10, 2
_WEEKS = 54  # at most, in part or whole, in a year
_LEAST_MISSING = 0.3
_CANDLES_ALPHA = 107  # 42 %
_EPOCH = date(1970, 1, 1)
_WEEKDAYS = {0: "Mon", 2: "Wed", 4: "Fri"}
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_THIN = "\u202f"
_STEPS = {Qt.Key.Key_Left: -7, Qt.Key.Key_Right: 7, Qt.Key.Key_Up: -1, Qt.Key.Key_Down: 1}


def day_of(day_us: int) -> date:
    """Return the UTC day that begins at that time."""
    return _EPOCH + timedelta(days=day_us // DAY_US)


def day_in_words(day_us: int) -> str:
    """Return ``"Tuesday 17 November 2026"``."""
    day = day_of(day_us)
    return f"{day:%A} {day.day} {day:%B} {day.year}"


def share_in_words(share: float | None) -> str:
    """Return ``"98.58 %"``; never 100 % while anything is missing; empty where nothing is known."""
    if share is None:
        return ""
    return f"100{_THIN}%" if share == 1 else f"{min(share * 100, 99.999):.3f}".rstrip("0").rstrip(".") + f"{_THIN}%"


def day_sentence(day: DayHeld) -> str:
    """Return what is stored of the day, in words."""
    kinds = ("the exchange's" if day.has_klines else "", "those of aggregated trades" if day.has_aggtrades else "")
    candles = " and ".join(filter(None, kinds))
    also = f" Candles are stored, too: {candles}." if candles else ""
    if day.state is DayState.WHOLE:
        return f"{count(day.trades)} trades, all of them.{also}"
    if day.state is DayState.PARTLY:
        held = f"{count(day.trades)} of {count(day.trades + day.missing)} trades"
        return f"{held}, {count(day.missing)} missing: {share_in_words(day.share)}.{also}"
    return f"Candles alone: {candles}." if candles else "Nothing is stored."


def paint_day(painter: QPainter, square: QRectF, day: DayHeld, palette: Palette) -> None:
    """Paint a day's square."""
    accent, warning = QColor(palette.accent), QColor(palette.warning)
    painter.setPen(Qt.PenStyle.NoPen)
    if day.state is DayState.NOTHING:
        painter.setPen(QPen(QColor(palette.edge), 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRoundedRect(square.adjusted(0.5, 0.5, -0.5, -0.5), 2, 2)
        return
    if day.state is DayState.CANDLES:
        accent.setAlpha(_CANDLES_ALPHA)
    painter.setBrush(accent)
    painter.drawRoundedRect(square, 2, 2)
    if day.state is DayState.PARTLY:
        missing = max(1 - (day.share or 0), _LEAST_MISSING)
        painter.setBrush(warning)
        top = QRectF(square.left(), square.top(), square.width(), square.height() * missing)
        painter.drawRoundedRect(top, 2, 2)
        if missing < 1:  # a line of the ground between the two: the form tells them apart, too
            painter.fillRect(QRectF(square.left(), top.bottom() - 0.5, square.width(), 1), QColor(palette.panel))


class CompletenessCalendar(QWidget):
    """
    Shows the days of one year.

    Signals:
        day_chosen: The ring moved to another day; carries its beginning, UTC microseconds.
        day_activated: Enter or a double click: go there on the chart; carries the same.
        year_changed: Another year is shown.
    """

    day_chosen = Signal(object)
    day_activated = Signal(object)
    year_changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._days: dict[int, DayHeld] = {}
        self._palette = DARK
        self._chosen = datetime.now(UTC).date()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setFont(style.font(style.SMALL_PX))
        self.setAccessibleName("Completeness by day")

    @property
    def year(self) -> int:
        """The year shown."""
        return self._chosen.year

    @property
    def years(self) -> tuple[int, int]:
        """The first and last year with a day."""
        if not self._days:
            return self.year, self.year
        return day_of(min(self._days)).year, day_of(max(self._days)).year

    @property
    def chosen(self) -> DayHeld:
        """The day within the ring."""
        return self._day(self._chosen)

    def set_days(self, days: Mapping[int, DayHeld]) -> None:
        """Show these days, by their beginning, with the newest chosen."""
        self._days = dict(days)
        if days:
            self._chosen = day_of(max(days))
        self._changed()

    def set_palette(self, palette: Palette) -> None:
        """Use the colours of a theme."""
        self._palette = palette
        self.update()

    def turn(self, years: int) -> None:
        """Show an earlier or later year, as far as there are days."""
        first, last = self.years
        year = min(max(self.year + years, first), last)
        if year != self.year:
            self._choose(self._chosen.replace(year=year, day=min(self._chosen.day, 28)))

    def choose(self, day_us: int) -> None:
        """Move the ring to that day."""
        self._choose(day_of(day_us))

    def square_of(self, day: date) -> QRectF:
        """Return where the day's square lies, if its year is shown."""
        step, left, top = self._step(), self._left(), self._top()
        first = date(day.year, 1, 1)
        week = ((day - first).days + first.weekday()) // 7
        return QRectF(left + week * step, top + day.weekday() * step, step - _GAP_PX, step - _GAP_PX)

    def sizeHint(self) -> QSize:
        step = style.px(_SQUARE_PX) + _GAP_PX
        return QSize(self._left() + _WEEKS * step, self._top() + 7 * step)

    def minimumSizeHint(self) -> QSize:
        return QSize(self._left() + _WEEKS * 6, self._top() + 7 * 6)

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            day = self._day_at(QPointF(event.pos()))
            if day is None:
                QToolTip.hideText()
            else:
                held = self._day(day)
                QToolTip.showText(event.globalPos(), f"{day_in_words(held.day_us)}\n{day_sentence(held)}", self)
            return True
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        day = self._day_at(event.position())
        if day is not None and event.button() is Qt.MouseButton.LeftButton:
            self._choose(day)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if self._day_at(event.position()) is not None:
            self.day_activated.emit(self.chosen.day_us)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        key = Qt.Key(event.key())
        if key in _STEPS:
            self._choose(self._chosen + timedelta(days=_STEPS[key]))
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End) and self._days:
            self._choose(day_of(min(self._days) if key == Qt.Key.Key_Home else max(self._days)))
        elif key in (Qt.Key.Key_PageUp, Qt.Key.Key_PageDown):
            self.turn(-1 if key == Qt.Key.Key_PageUp else 1)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space):
            self.day_activated.emit(self.chosen.day_us)
        else:
            super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.update()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        del event
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(self.font())
        painter.setPen(QColor(self._palette.dim))
        metrics = self.fontMetrics()
        middle = (metrics.ascent() - metrics.descent()) / 2
        for weekday, name in _WEEKDAYS.items():
            painter.drawText(QPointF(0, self._top() + (weekday + 0.5) * self._step() + middle), name)
        drawn_to = 0.0
        for month, name in enumerate(_MONTHS, 1):
            left = self.square_of(date(self.year, month, 7)).left()
            if left >= drawn_to:
                painter.drawText(QPointF(left, metrics.ascent()), name)
                drawn_to = left + metrics.horizontalAdvance(name + " ")
        day = date(self.year, 1, 1)
        while day.year == self.year:
            paint_day(painter, self.square_of(day), self._day(day), self._palette)
            if day == date(9999, 12, 31):
                break
            day += timedelta(days=1)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        ring = QColor(self._palette.text if self.hasFocus() else self._palette.dim)
        painter.setPen(QPen(ring, 1.5))
        painter.drawRoundedRect(self.square_of(self._chosen).adjusted(-1.5, -1.5, 1.5, 1.5), 3, 3)
        painter.end()

    def _left(self) -> int:
        return self.fontMetrics().horizontalAdvance("Wed ") + 4

    def _top(self) -> int:
        return self.fontMetrics().height() + 4

    def _step(self) -> float:
        """Return from square to square; smaller ones where the text is large or the dialog narrow."""
        return min(style.px(_SQUARE_PX) + _GAP_PX, max(6.0, (self.width() - self._left()) / _WEEKS))

    def _day(self, day: date) -> DayHeld:
        day_us = (day - _EPOCH).days * DAY_US
        return self._days.get(day_us, DayHeld(day_us))

    def _day_at(self, position: QPointF) -> date | None:
        step = self._step()
        week = int((position.x() - self._left()) // step)
        weekday = int((position.y() - self._top()) // step)
        if week < 0 or not 0 <= weekday < 7:
            return None
        first = date(self.year, 1, 1)
        day = first + timedelta(days=week * 7 + weekday - first.weekday())
        return day if day.year == self.year else None

    def _choose(self, day: date) -> None:
        if day == self._chosen or not 1970 <= day.year <= 2100:
            return
        year, self._chosen = self.year, day
        self._changed()
        if self.year != year:
            self.year_changed.emit()

    def _changed(self) -> None:
        held = self.chosen
        self.setAccessibleDescription(f"{day_in_words(held.day_us)}: {day_sentence(held)}")
        self.update()
        self.day_chosen.emit(held.day_us)
