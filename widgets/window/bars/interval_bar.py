"""
The interval bar: the favourite intervals as buttons, a slot for the last interval typed, and a menu of all.

A click is a request and highlights nothing: the bar highlights the interval last given to `IntervalBar.set_interval`.
Neither that nor a typed interval moves a button: the slot has its place and its width whatever it holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

from PySide6.QtCore import QEvent, QPoint, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QFontMetrics
from PySide6.QtWidgets import QHBoxLayout, QMenu, QToolButton, QWidget

from app.market.errors import UsageError
from app.market.interval import Interval
from widgets.controls.context_menu import context_menu, pop_up
from widgets.controls.entry_line import EntryLine
from widgets.controls.number_format import interval_in_words
from widgets.theme import icons, style
from widgets.theme.palettes import Palette
from widgets.window.bars.interval_menu import IntervalMenu

SHOWN_INTERVALS = tuple(Interval.parse(name) for name in "1m 5m 15m 1h 4h 1d".split())
"""The favourites of the first start."""

_MOST_FAVOURITES = 16
_SPACING = 2
_SLOT_PX, _ARROW_PX, _NAMED_ARROW_PX = 52, 28, 68  # widths at the usual size of text
_ARROW_ICON_PX = 12
_HEIGHT_PX = 30
_PADDING_PX, _ARROW_ROOM_PX = 10, 18
_SMALLEST_PX = 6
_ANYTHING = "…"  # in the slot until an interval was typed


class IntervalBar(QWidget):
    """
    Buttons and a menu of intervals.

    Signals:
        interval_requested: A button or an entry of the menu was chosen; carries the `Interval`.
        entry_requested: “Type an interval…” was chosen, or the empty slot pressed.
        favourites_changed: The user changed the buttons, or another interval stands in the slot.
    """

    interval_requested = Signal(object)
    entry_requested = Signal()
    favourites_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._interval: Interval | None = None
        self._custom: Interval | None = None
        self._buttons: dict[Interval, QToolButton] = {}
        self._custom_button = self._make_custom_button()
        self.more_button = _SlotButton(_ARROW_PX)
        style.sized(self.more_button, icon_size=_ARROW_ICON_PX)
        self.more_button.setObjectName("moreIntervals")
        self.more_button.setLayoutDirection(Qt.LayoutDirection.RightToLeft)  # the arrow after the text
        self.more_button.setAccessibleName("More intervals")
        self.more_button.setToolTip("More intervals, or type one: 13m")
        self.more_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu = IntervalMenu(self)
        self.menu.interval_requested.connect(self.interval_requested)
        self.menu.entry_requested.connect(self.entry_requested)
        self.menu.star_toggled.connect(self.toggle_favourite)
        self.menu.aboutToHide.connect(self._show_current)
        self.more_button.setMenu(self.menu)
        self.more_button.pressed.connect(self._show_current)
        self._layout = QHBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(_SPACING)
        self._layout.addWidget(self._custom_button)
        self._layout.addWidget(self.more_button)
        self.set_favourites(SHOWN_INTERVALS)

    @property
    def favourites(self) -> tuple[Interval, ...]:
        """The intervals with a button, in order."""
        return tuple(self._buttons)

    @property
    def custom(self) -> Interval | None:
        """The interval in the slot: the last one shown that has no button."""
        return self._custom

    def set_interval(self, interval: Interval) -> None:
        """Highlight the interval that the chart shows, whatever its phase; one without a button goes into the slot."""
        interval = self._interval = interval.with_phase(0)
        if interval not in self._buttons and interval != self._custom:
            self._custom = interval
            self._name_custom()
            self.favourites_changed.emit()
        self._show_current()

    def set_favourites(self, favourites: Sequence[Interval]) -> None:
        """Give these intervals a button each, in this order."""
        kept = dict.fromkeys(favourites)  # without duplicates
        for interval in [each for each in self._buttons if each not in kept]:
            button = self._buttons.pop(interval)
            self._layout.removeWidget(button)
            button.hide()
            button.deleteLater()
        self._buttons = {each: self._buttons.get(each) or self._make_button(each) for each in kept}
        for place, button in enumerate(self._buttons.values()):
            self._layout.insertWidget(place, button)
            button.setVisible(True)
        widgets = [*self._buttons.values(), self._custom_button, self.more_button]
        for before, after in pairwise(widgets):
            QWidget.setTabOrder(before, after)
        self.menu.show_favourites(self.favourites)
        self._show_current()

    def toggle_favourite(self, interval: Interval) -> None:
        """Give an interval a button, among the others by its length, or take it away; for the user."""
        names = list(self._buttons)
        if interval in names:
            names.remove(interval)
        elif len(names) < _MOST_FAVOURITES:
            place = next((n for n, each in enumerate(names) if each.length_us > interval.length_us), len(names))
            names.insert(place, interval)
        self._change(names)

    def move_favourite(self, interval: Interval, by: int) -> None:
        """Move an interval's button by that many places; for the user."""
        names = list(self._buttons)
        place = names.index(interval)
        names.insert(max(place + by, 0), names.pop(place))
        self._change(names)

    def to_values(self) -> dict[str, Any]:
        """Return favourites and slot as plain values, for a file and `restore`."""
        custom = {"custom": self._custom.name} if self._custom is not None else {}
        return {"favourites": [interval.name for interval in self._buttons], **custom}

    def restore(self, values: Mapping[str, Any]) -> None:
        """Restore the values of `to_values`; invalid ones fall back to those of the first start."""
        names = values.get("favourites")
        favourites = [found for name in names if (found := _parsed(name))] if isinstance(names, list) else []
        self._custom = _parsed(values.get("custom"))
        self._name_custom()
        self.set_favourites(favourites[:_MOST_FAVOURITES] or SHOWN_INTERVALS)
        if self._interval is not None:
            self.set_interval(self._interval)  # it may have no button any more

    # Room, for the top bar

    def fit_to(self, shown: int, *, with_custom: bool) -> None:
        """Show the first ``shown`` buttons, and the slot if ``with_custom``; the menu has the others."""
        for place, button in enumerate(self._buttons.values()):
            button.setVisible(place < shown)
        self._custom_button.setVisible(with_custom)
        self._show_current()

    def width_of(self, shown: int, *, with_custom: bool) -> int:
        """Return the width that `fit_to` would need, in logical pixels; the interval in force makes no difference."""
        buttons = list(self._buttons.values())[:shown]
        widths = [button.sizeHint().width() for button in buttons]
        if with_custom:
            widths.append(style.px(_SLOT_PX))
        is_complete = with_custom and shown >= len(self._buttons)
        widths.append(style.px(_ARROW_PX if is_complete else _NAMED_ARROW_PX))
        return sum(widths) + _SPACING * (len(widths) - 1)

    def set_palette(self, palette: Palette) -> None:
        arrow = icons.icon("chevron-down", palette.dim, _ARROW_ICON_PX, checked_color=palette.on_fill)
        self.more_button.setIcon(arrow)
        self.menu.set_palette(palette)

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange:
            QTimer.singleShot(0, self, self._fit_text)  # after Qt has given every part its new font

    def _fit_text(self) -> None:
        self._name_custom()
        self._show_current()

    def _change(self, favourites: Sequence[Interval]) -> None:
        self.set_favourites(favourites)
        if self._interval is not None:
            self.set_interval(self._interval)  # into the slot, where its button has gone
        self.favourites_changed.emit()

    def _make_button(self, interval: Interval) -> QToolButton:
        button = _IntervalButton()
        button.setText(interval.name)
        button.setAccessibleName(interval_in_words(interval))
        button.setToolTip(f"{interval_in_words(interval)}; a right click moves or removes it")
        button.setParent(self)
        button.clicked.connect(partial(self._request, interval))
        button.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        button.customContextMenuRequested.connect(partial(self._open_button_menu, interval))
        button.ensurePolished()  # because its width counts before it is shown
        return button

    def _make_custom_button(self) -> _SlotButton:
        button = _SlotButton(_SLOT_PX)
        button.setObjectName("customInterval")
        button.set_text(_ANYTHING)
        button.clicked.connect(lambda: self.request_custom())
        button.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        button.customContextMenuRequested.connect(self._open_custom_menu)
        return button

    def request_custom(self) -> None:
        """Request the interval in the slot or, while that is empty, a line to type one into."""
        if self._custom is None:
            self._show_current()
            self.entry_requested.emit()
        else:
            self._request(self._custom)

    def button_menu(self, interval: Interval) -> QMenu:
        """Return the context menu of a favourite's button. The caller opens it."""
        menu, place = context_menu(self), self.favourites.index(interval)
        menu.addAction(f"Show {interval_in_words(interval)}", lambda: self._request(interval))
        menu.addSeparator()
        left = menu.addAction("Move left", lambda: self.move_favourite(interval, -1))
        left.setEnabled(place > 0)
        right = menu.addAction("Move right", lambda: self.move_favourite(interval, 1))
        right.setEnabled(place < len(self._buttons) - 1)
        menu.addSeparator()
        menu.addAction(f"Remove {interval.name} from the bar", lambda: self.toggle_favourite(interval))
        menu.addAction("Type an interval…", self.entry_requested.emit)
        return menu

    def _open_button_menu(self, interval: Interval, position: QPoint) -> None:
        pop_up(self.button_menu(interval), self._buttons[interval].mapToGlobal(position))

    def _open_custom_menu(self, position: QPoint) -> None:
        menu, custom = context_menu(self), self._custom
        if custom is not None:
            menu.addAction(f"Keep {custom.name} in the bar", lambda: self.toggle_favourite(custom))
        menu.addAction("Type an interval…", self.entry_requested.emit)
        pop_up(menu, self._custom_button.mapToGlobal(position))

    def _request(self, interval: Interval, _checked: bool = False) -> None:
        self._show_current()  # the click has ticked its own button
        self.interval_requested.emit(interval)

    def _name_custom(self) -> None:
        """Write the slot's interval into it."""
        button, custom = self._custom_button, self._custom
        button.set_text(_ANYTHING if custom is None else custom.name)
        words = "Type an interval: 13m" if custom is None else f"{interval_in_words(custom)}, the last one typed"
        button.setAccessibleName(words)
        button.setToolTip(words)

    def _show_current(self) -> None:
        """Highlight the current interval: on its button, in the slot, or on the menu's where those are hidden."""
        current, is_seen = self._interval, False
        for interval, button in self._buttons.items():
            button.setChecked(interval == current)
            is_seen = is_seen or (interval == current and not button.isHidden())
        in_slot = current is not None and current == self._custom and current not in self._buttons
        self._custom_button.setChecked(in_slot)
        is_seen = is_seen or (in_slot and not self._custom_button.isHidden())
        is_complete = not self._custom_button.isHidden() and not any(b.isHidden() for b in self._buttons.values())
        self.more_button.set_width(_ARROW_PX if is_complete else _NAMED_ARROW_PX)
        names_it = current is not None and not is_seen
        self.more_button.set_text(current.name if current is not None and names_it else "")
        self.more_button.setToolButtonStyle(
            Qt.ToolButtonStyle.ToolButtonTextBesideIcon if names_it else Qt.ToolButtonStyle.ToolButtonIconOnly
        )
        self.more_button.setChecked(names_it)
        self.menu.tick(current)


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


class _IntervalButton(QToolButton):
    def __init__(self) -> None:
        super().__init__()
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        style.sized(self, fixed_height=_HEIGHT_PX)


class _SlotButton(_IntervalButton):
    """A button of one width, in pixels at the usual size of text; its text is small enough for it."""

    def __init__(self, usual_px: int) -> None:
        super().__init__()
        self._usual_px = usual_px

    def set_width(self, usual_px: int) -> None:
        if usual_px != self._usual_px:
            self._usual_px = usual_px
            self.updateGeometry()

    def set_text(self, text: str) -> None:
        has_icon = not self.icon().isNull()
        pixels, room = style.BODY_PX, style.px(self._usual_px - _PADDING_PX - (_ARROW_ROOM_PX if has_icon else 0))
        while pixels > _SMALLEST_PX and QFontMetrics(style.font(pixels)).horizontalAdvance(text) > room:
            pixels -= 1
        self.setText(text)
        if self.font() != style.font(pixels):
            self.setFont(style.font(pixels))

    def sizeHint(self) -> QSize:
        return QSize(style.px(self._usual_px), super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()


def _parsed(name: object) -> Interval | None:
    try:
        return Interval.parse(name) if isinstance(name, str) else None
    except UsageError:
        return None
