"""
The interval bar: the usual intervals as buttons, more in a menu, and any other typed into `IntervalEntry`.

A click is a request and highlights nothing: the bar highlights the interval last given to `IntervalBar.set_interval`.
"""

from __future__ import annotations

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QMenu, QToolButton, QWidget

from app.market.interval import MENU_INTERVALS, Interval
from widgets.controls.entry_line import EntryLine
from widgets.controls.number_format import interval_in_words
from widgets.theme import icons, style
from widgets.theme.palettes import Palette

SHOWN_INTERVALS = tuple(Interval.parse(name) for name in "30s 1m 5m 15m 1h 4h 1d".split())
"""The intervals with a button, in the order shown."""

_HIDE_ORDER = tuple(Interval.parse(name) for name in "30s 4h 15m 5m 1d 1h 1m".split())
_SPACING = 2


class IntervalBar(QWidget):
    """
    Buttons and a menu of intervals.

    Signals:
        interval_requested: A button or an entry of the menu was chosen; carries the `Interval`.
        entry_requested: “Type an interval…” was chosen.
    """

    interval_requested = Signal(object)
    entry_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._interval: Interval | None = None
        self._buttons = {interval: self._button(interval) for interval in SHOWN_INTERVALS}
        self._extra_button = _interval_button()
        self._extra_button.clicked.connect(self._tick_current)
        self._extra_button.hide()
        self._more_button = QToolButton()
        self._more_button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self._more_button.setAccessibleName("More intervals")
        self._more_button.setToolTip("More intervals, or type one: 13m")
        self._more_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self._actions: dict[Interval, QAction] = {}
        self.menu = self._make_menu()
        self._more_button.setMenu(self.menu)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(_SPACING)
        for button in (*self._buttons.values(), self._extra_button, self._more_button):
            layout.addWidget(button)

    def set_interval(self, interval: Interval) -> None:
        """Highlight the interval that the chart shows; one without a button gets one as long as it is shown."""
        self._interval = interval
        self._extra_button.setText(interval.name)
        self._extra_button.setAccessibleName(interval_in_words(interval))
        self._extra_button.setToolTip(interval_in_words(interval))
        self._extra_button.setVisible(interval not in self._buttons)
        self._tick_current()

    def fit_to(self, room: int | None) -> None:
        """
        Hide buttons until the rest is no wider than ``room`` pixels, None: show all.

        The current interval keeps its button. The menu lists the hidden ones.
        """
        for button in self._buttons.values():
            button.show()
        missing = 0 if room is None else self.minimumSizeHint().width() - room
        for interval in _HIDE_ORDER:
            button = self._buttons[interval]
            if missing > 0 and interval != self._interval:
                missing -= button.sizeHint().width() + _SPACING
                button.hide()
            self._actions[interval].setVisible(button.isHidden())
        self.updateGeometry()

    def set_palette(self, palette: Palette) -> None:
        self._more_button.setIcon(icons.icon("chevron-down", palette.dim))

    def _button(self, interval: Interval) -> QToolButton:
        button = _interval_button()
        button.setText(interval.name)
        button.setAccessibleName(interval_in_words(interval))
        button.setToolTip(interval_in_words(interval))
        button.clicked.connect(lambda: self._request(interval))
        return button

    def _make_menu(self) -> QMenu:
        menu = QMenu(self)
        menu.setFont(style.font())
        for interval in MENU_INTERVALS:
            action = menu.addAction(f"{interval.name}\t{interval_in_words(interval)}")
            action.setCheckable(True)
            action.setVisible(interval not in self._buttons)
            action.triggered.connect(lambda _=False, chosen=interval: self._request(chosen))
            self._actions[interval] = action
        menu.addSeparator()
        menu.addAction("Type an interval…", self.entry_requested.emit)
        return menu

    def _request(self, interval: Interval) -> None:
        self._tick_current()  # the click has ticked its own button
        self.interval_requested.emit(interval)

    def _tick_current(self) -> None:
        for interval, button in self._buttons.items():
            button.setChecked(interval == self._interval)
        for interval, action in self._actions.items():
            action.setChecked(interval == self._interval)
        self._extra_button.setChecked(True)  # shown only while it is the current one


class IntervalEntry(EntryLine[Interval]):
    """
    A line that takes the name of any interval, such as 13m.

    Signals:
        interval_requested: Enter was pressed on a valid interval; carries the `Interval`.
    """

    interval_requested = Signal(object)

    def __init__(self, window: QWidget) -> None:
        super().__init__(window, "Interval")
        self.setAccessibleName("Type an interval")
        self.edit.setAccessibleName("Interval")
        self.edit.setPlaceholderText("13m")
        self.edit.setMaxLength(12)

    def open_with(self, text: str, top_left: QPoint) -> None:
        """Open with ``text`` typed into the line and the cursor behind it."""
        self.edit.setText(text)
        self._describe()
        self.open_at(top_left, self.edit)
        self.edit.end(False)

    def _read(self, text: str) -> Interval:
        return Interval.parse(text)

    def _meaning(self, value: Interval) -> str:
        return f"{interval_in_words(value)} · Enter to show"

    def _hint(self) -> str:
        return "A number and s, m, h, d, w or M: 90s, 13m, 4h."

    def _take(self, value: Interval) -> None:
        self.interval_requested.emit(value)


def _interval_button() -> QToolButton:
    button = QToolButton()
    button.setCheckable(True)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    return button
