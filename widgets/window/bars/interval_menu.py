"""
The menu of intervals, each with a star: the starred ones, the favourites, have a button in the interval bar.

A click on an entry requests its interval and closes the menu. A click on its star, or the key “*” on it, adds it to
the favourites or removes it, and leaves the menu open.
"""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPoint, QRect, Signal
from PySide6.QtGui import QAction, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QMenu, QWidget

from app.market.interval import MENU_INTERVALS, Interval
from widgets.controls.number_format import interval_in_words
from widgets.theme import icons, style
from widgets.theme.palettes import DARK, Palette

_STAR_PX = 16
_STAR_ROOM_PX = 32  # at an entry's right end; the stylesheet keeps it free


class IntervalMenu(QMenu):
    """
    Usual intervals and the favourites, shortest first.

    Signals:
        interval_requested: An entry was chosen; carries the `Interval`.
        star_toggled: An entry's star was clicked; carries the `Interval`.
        entry_requested: “Type an interval…” was chosen.
    """

    interval_requested = Signal(object)
    star_toggled = Signal(object)
    entry_requested = Signal()

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("intervalMenu")
        self.setFont(style.font())
        self.setToolTipsVisible(True)
        self._palette = DARK
        self._actions: dict[Interval, QAction] = {}
        self._favourites: tuple[Interval, ...] = ()
        self._current: Interval | None = None
        self._separator = self.addSeparator()
        self.addAction("Type an interval…", self.entry_requested.emit)
        self.show_favourites(())

    def show_favourites(self, favourites: Sequence[Interval]) -> None:
        """Fill the stars of these; list them, too."""
        self._favourites = tuple(favourites)
        listed = sorted({*MENU_INTERVALS, *favourites}, key=lambda interval: interval.length_us)
        for interval in [each for each in self._actions if each not in listed]:
            self.removeAction(self._actions.pop(interval))
        after = self._separator
        for interval in reversed(listed):
            if interval not in self._actions:
                self._actions[interval] = self._add(interval, after)
            after = self._actions[interval]
            is_favourite = interval in self._favourites
            doing = "has a button in the bar" if is_favourite else "has no button in the bar"
            after.setToolTip(f"{interval_in_words(interval)} {doing}: click the star, or press *, to change that")
        self.update()

    def tick(self, interval: Interval | None) -> None:
        """Tick the interval that the chart shows."""
        self._current = interval
        for each, action in self._actions.items():
            action.setChecked(each == interval)

    def action_of(self, interval: Interval) -> QAction:
        """Return the entry of an interval; raises KeyError where there is none."""
        return self._actions[interval]

    def star_rect(self, interval: Interval) -> QRect:
        """Return where an entry's star can be clicked, within the menu."""
        entry = self.actionGeometry(self._actions[interval])
        return QRect(entry.right() + 1 - _STAR_ROOM_PX, entry.top(), _STAR_ROOM_PX, entry.height())

    def set_palette(self, palette: Palette) -> None:
        """Draw the stars in a palette."""
        self._palette = palette
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        interval = self._starred_at(event.position().toPoint())
        if interval is None:
            super().mouseReleaseEvent(event)
        else:
            self.star_toggled.emit(interval)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        interval = self._interval_of(self.activeAction())
        if event.text() == "*" and interval is not None:
            self.star_toggled.emit(interval)
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        for interval in self._actions:
            is_favourite = interval in self._favourites
            name, color = ("star-filled", self._palette.accent) if is_favourite else ("star", self._palette.dim)
            star, room = icons.pixmap(name, color, _STAR_PX, self.devicePixelRatioF()), self.star_rect(interval)
            painter.drawPixmap(room.center() - QPoint(_STAR_PX // 2, _STAR_PX // 2 - 1), star)
        painter.end()

    def _add(self, interval: Interval, before: QAction) -> QAction:
        action = QAction(f"{interval.name}\t{interval_in_words(interval)}", self)
        action.setCheckable(True)
        action.setChecked(interval == self._current)
        action.triggered.connect(lambda: self._request(interval))
        self.insertAction(before, action)
        return action

    def _request(self, interval: Interval) -> None:
        self.tick(self._current)  # the click has ticked its own entry
        self.interval_requested.emit(interval)

    def _interval_of(self, action: QAction | None) -> Interval | None:
        return next((interval for interval, each in self._actions.items() if each is action), None)

    def _starred_at(self, point: QPoint) -> Interval | None:
        return next((interval for interval in self._actions if self.star_rect(interval).contains(point)), None)
