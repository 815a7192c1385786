"""The head of one chart among several: its symbol, interval and price, and buttons that show while they are wanted."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QContextMenuEvent, QFont, QMouseEvent, QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QToolButton, QWidget

from app.market.interval import Interval
from app.market.symbol import Symbol
from widgets.controls.context_menu import context_menu, pop_up
from widgets.controls.key_hints import set_key_tip, text_with_key
from widgets.controls.labels import ElidedLabel, SteadyLabel
from widgets.controls.number_format import direction, percent, price
from widgets.theme import icons, style
from widgets.theme.palettes import DARK, Palette
from widgets.view_values import WatchRow
from widgets.workspace.link_badge import LinkBadge

HEIGHT = 28
_BUTTON_PX, _ICON_PX = 22, 14
_SPACING, _LEAST_NAME_PX = 8, 72
_BUTTONS = {
    "maximise_chart": ("maximise", "Maximise the chart"),
    "close_chart": ("close", "Close the chart"),
}
_MENU = {
    "split_right": "Another chart to the right",
    "split_below": "Another chart below",
    "compare_symbols": "Compare with…",
    "link_chart": "Link…",
    "maximise_chart": "Maximise",
    "detach_chart": "A window of its own, or back",
    "close_chart": "Close",
}
_RETURN = "Show all charts"


class ChartHead(QFrame):
    """
    The row above a chart.

    Signals:
        command_requested(str): do this with the chart; carries the name of a command in `widgets.keys`.
        pressed(): it was clicked, and should become the active chart.
    """

    command_requested = Signal(str)
    pressed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("chartHead")
        self.link = LinkBadge()
        self.link.clicked.connect(lambda: self.command_requested.emit("link_chart"))
        self.symbol = ElidedLabel(font=style.font(style.BODY_PX, QFont.Weight.DemiBold))
        self.interval = SteadyLabel(tone="dim")
        self.price = SteadyLabel()
        self.change = SteadyLabel(tone="dim")
        self.buttons = {command: self._button(command) for command in _BUTTONS}
        self._is_active, self._is_hovered, self._is_maximised = False, False, False
        self._palette = DARK
        self._shown: tuple[Symbol, Interval] | None = None
        self._figures: tuple[float | None, float | None, bool] | None = None
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 0, 4, 0)
        row.setSpacing(_SPACING)
        row.addWidget(self.link)
        for part in (self.symbol, self.interval, self.price, self.change):
            part.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Preferred)
            row.addWidget(part)
        row.addStretch(1)
        for button in self.buttons.values():
            row.addWidget(button)
        style.sized(self, fixed_height=HEIGHT)
        self.setSizePolicy(
            QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed
        )  # parts give way; the head never widens
        self._show_icons()
        self._fit()

    def set_chart(self, symbol: Symbol, interval: Interval) -> None:
        """Name what the chart shows; figures of another symbol are gone until `set_row`."""
        if (symbol, interval) == self._shown:
            return
        self._shown, self._figures = (symbol, interval), None
        name = symbol.display_name
        if name != self.symbol.text():
            for figure in (self.price, self.change):
                figure.setText("")
                figure.forget_width()
        self.symbol.setText(name)
        self.interval.setText(str(interval))
        self.setAccessibleName(f"{name}, {interval}")

    def set_row(self, row: WatchRow) -> None:
        """Show the symbol's price and 24 h change, dimmed while they are not live."""
        figures = row.last, row.change_percent, row.live
        if figures == self._figures:
            return
        self._figures = figures
        tone = direction(row.change_percent) if row.live else "faint"
        self.price.setText("" if row.last is None else price(row.last, row.symbol))
        self.change.setText("" if row.change_percent is None else percent(row.change_percent))
        style.set_tone(self.price, tone)
        style.set_tone(self.change, tone or "dim")
        self._fit()

    def set_active(self, is_active: bool) -> None:
        """Keep the buttons in view while the chart is the active one."""
        self._is_active = is_active
        self._fit()

    def set_maximised(self, is_maximised: bool) -> None:
        """Offer the way back while the chart has all the room."""
        if is_maximised == self._is_maximised:
            return
        self._is_maximised = is_maximised
        words = _RETURN if is_maximised else _BUTTONS["maximise_chart"][1]
        button = self.buttons["maximise_chart"]
        button.setAccessibleName(words)
        set_key_tip(button, words, "maximise_chart")
        self._show_icons()

    def set_hovered(self, is_hovered: bool) -> None:
        """Show the buttons while the pointer is over the chart."""
        self._is_hovered = is_hovered
        self._fit()

    def set_palette(self, palette: Palette) -> None:
        if palette is not self._palette:
            self._palette = palette
            self.link.set_palette(palette)
            self._show_icons()

    def _show_icons(self) -> None:
        palette = self._palette
        for command, (name, _) in _BUTTONS.items():
            is_back = command == "maximise_chart" and self._is_maximised
            self.buttons[command].setIcon(icons.icon("restore" if is_back else name, palette.dim, _ICON_PX))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange and hasattr(self, "buttons"):  # Qt may send it from the constructor
            self._show_icons()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        """
        Show what has room whole: the buttons leave first where the name needs it, then change, price, and interval.

        Where even the name has too little, the link's badge leaves, too. What buttons and badge do is in the menu.
        """
        self.link.setVisible(self.link.width() + style.px(_LEAST_NAME_PX) + 2 * _SPACING <= self.width())
        are_wanted, named = self._is_active or self._is_hovered, [self.link.width(), style.px(_LEAST_NAME_PX)]
        widths = [button.width() for button in self.buttons.values()] if are_wanted else []
        fixed = [*named, *widths]
        if sum(fixed) + _SPACING * len(fixed) > self.width():
            widths, fixed = [], named
        for button in self.buttons.values():
            button.setVisible(bool(widths))
        room = self.width() - sum(fixed) - _SPACING * len(fixed) - 2 * _SPACING
        for figure in (self.interval, self.price, self.change):
            room -= figure.sizeHint().width() + _SPACING
            figure.setVisible(room >= 0)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        super().mousePressEvent(event)
        self.pressed.emit()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton:
            self.command_requested.emit("maximise_chart")

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = context_menu(self)
        for command, text in _MENU.items():
            words = _RETURN if command == "maximise_chart" and self._is_maximised else text
            menu.addAction(text_with_key(words, command), partial(self.command_requested.emit, command))
        pop_up(menu, event.globalPos())

    def _button(self, command: str) -> QToolButton:
        _, words = _BUTTONS[command]
        button = QToolButton()
        button.setObjectName("headButton")
        button.setAccessibleName(words)
        set_key_tip(button, words, command)
        button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        style.sized(button, fixed_width=_BUTTON_PX, fixed_height=_BUTTON_PX, icon_size=_ICON_PX)
        button.clicked.connect(lambda: self.command_requested.emit(command))
        return button
