"""
The strip of drawing tools at the left of the window, 40 wide, which the chevron folds.

A tool that stands for a group has a corner; a long press, a right click or the menu key opens the group. The strip
decides nothing: a press leaves as a signal, and a button is ticked once the ``set_`` methods say so. Folded, or in a
window too narrow for it, it leaves a line to open it by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from PySide6.QtCore import QEvent, QObject, QPointF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QContextMenuEvent, QPainter, QPaintEvent, QPolygonF
from PySide6.QtWidgets import QFrame, QMainWindow, QMenu, QScrollArea, QToolBar, QToolButton, QVBoxLayout, QWidget

from app.market.drawings.drawing import DrawingKind
from widgets.chart.drawings.kinds import GROUPS, KINDS, icon_of
from widgets.controls.bar_parts import ICON_PX
from widgets.controls.context_menu import context_menu, give_menu
from widgets.controls.key_hints import set_key_tip
from widgets.keys import key_text
from widgets.theme import icons, style
from widgets.theme.palettes import DARK, Palette

WIDTH, FOLDED_WIDTH = 40, 12
LEAST_WINDOW_PX = 800
_BUTTON_PX = 30
_OPEN_PX = 56
_CORNER_PX = 4.0
_COMMANDS = {  # icon, icon while it is on, name, tool tip
    "price_snap": ("magnet", "magnet", "Magnet", "Snap to open, high, low and close"),
    "keep_tool": ("pin", "pin", "Keep the tool", "Keep the tool after each drawing"),
    "lock_drawings": ("lock-open", "lock", "Lock all drawings", "Lock all drawings of this chart"),
    "hide_drawings": ("eye", "eye-off", "Hide all drawings", "Hide all drawings of this chart"),
    "list_drawings": ("layers", "layers", "List of drawings", "Show the list of drawings"),
    "undo_drawing": ("undo", "undo", "Undo", "Undo the last change of a drawing"),
    "redo_drawing": ("redo", "redo", "Redo", "Redo it"),
}
_TOGGLES = ("price_snap", "keep_tool", "lock_drawings", "hide_drawings")


class ToolStrip(QToolBar):
    """
    The drawing tools, for the chart that has the window's bars.

    Signals:
        tool_requested(object): draw this `DrawingKind`; None: none, the pointer chooses and drags.
        command_requested(str): a button was pressed; carries the name of its command in `widgets.keys`.
        folded_changed(): the user folded the strip, or opened it.
    """

    tool_requested = Signal(object)
    command_requested = Signal(str)
    folded_changed = Signal()

    def __init__(self, window: QMainWindow) -> None:
        super().__init__("Drawing tools", window)
        self.setObjectName("toolStrip")  # saved layouts find the bar by this name
        self.setMovable(False)
        self.setFloatable(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)  # Qt's own would hide bars for good
        self._window, self._palette = window, DARK
        self._is_folded = False  # by the user
        self._is_insisted = False  # opened by the user in a narrow window
        self._tool: DrawingKind | None = None
        self._states: tuple[bool, ...] = ()  # as `set_states` and `set_history` got them last
        self._history: tuple[bool, bool] | None = None
        self.pointer = self._button("Pointer", "Choose and drag; Esc", partial(self._ask_for_tool, None))
        self.pointer.setCheckable(True)
        self.groups = [ToolGroup(title, kinds, self._ask_for_tool) for title, kinds in GROUPS]
        self.measure = self._button("Measure", "Measure", partial(self._ask, "measure"))
        set_key_tip(self.measure, "Measure", "measure", otherwise="Shift+drag")
        self.commands = {name: self._command(name) for name in _COMMANDS}
        self.fold_button = self._button("Fold the drawing tools", "Fold the drawing tools", self.toggle)
        self.open_button = _OpenButton()
        _prepare(self.open_button, "Open the drawing tools", "Open the drawing tools")
        self.open_button.clicked.connect(lambda: self.toggle())
        self._tools = self._make_tools()
        self._line = self._make_line()
        self.addWidget(both := QFrame())
        both.setObjectName("toolStripInside")
        layout = QVBoxLayout(both)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._tools, 1)
        layout.addWidget(self._line, 1)
        self._inside = both
        window.installEventFilter(self)
        self.set_tool(None)
        self.set_history(can_undo=False, can_redo=False)
        self.set_palette(DARK)
        self._fit()

    # What is in force

    def set_tool(self, kind: DrawingKind | None) -> None:
        """Tick the tool that is in use; None: the pointer."""
        self._tool = kind
        self.pointer.setChecked(kind is None)
        for group in self.groups:
            group.show_tool(kind)

    def set_states(self, *, magnet: bool, kept: bool, locked: bool, hidden: bool) -> None:
        """Tick what is on for the chart."""
        states = magnet, kept, locked, hidden
        if states == self._states:
            return
        self._states = states
        for name, on in zip(_TOGGLES, states, strict=True):
            if self.commands[name].isChecked() != on:
                self.commands[name].setChecked(on)
        self._draw_icons()

    def set_history(self, *, can_undo: bool, can_redo: bool) -> None:
        """Say whether there is anything to undo or redo."""
        if (can_undo, can_redo) == self._history:
            return
        self._history = can_undo, can_redo
        self.commands["undo_drawing"].setEnabled(can_undo)
        self.commands["redo_drawing"].setEnabled(can_redo)
        self._draw_icons()

    def set_palette(self, palette: Palette) -> None:
        """Draw the icons in a palette, and in the present size of text."""
        self._palette = palette
        self._draw_icons()
        self._fit()

    @property
    def is_open(self) -> bool:
        """Whether the tools are shown, and not only the line that opens them."""
        return self._tools.isVisibleTo(self._inside)

    def toggle(self) -> None:
        """Fold the tools, or open them; for the user."""
        was_open = self.is_open
        self._is_folded, self._is_insisted = was_open, not was_open
        self._fit()
        self.folded_changed.emit()

    def layout_values(self) -> dict[str, Any]:
        """Return what `restore_layout` takes."""
        return {"folded": self._is_folded}

    def restore_layout(self, values: Mapping[str, Any]) -> None:
        """Restore the values of `layout_values`; invalid ones fall back to those of the first start."""
        self._is_folded, self._is_insisted = values.get("folded") is True, False
        self._fit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._window and event.type() == QEvent.Type.Resize:
            self._fit()
        return False

    def _fit(self) -> None:
        has_room = self._window.width() >= style.px(LEAST_WINDOW_PX)
        if has_room:
            self._is_insisted = False
        is_open = not self._is_folded and (has_room or self._is_insisted)
        self._tools.setVisible(is_open)
        self._line.setVisible(not is_open)
        self.setFixedWidth(style.px(WIDTH) if is_open else FOLDED_WIDTH)

    # Parts

    def _make_tools(self) -> QScrollArea:
        inside = QFrame()
        inside.setObjectName("toolStripTools")
        column = QVBoxLayout(inside)
        column.setContentsMargins(0, 6, 0, 6)
        column.setSpacing(4)
        for button in (self.pointer, *self.groups, self.measure):
            column.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
        for name, button in self.commands.items():
            if name in ("price_snap", "undo_drawing"):
                column.addWidget(_rule(), 0, Qt.AlignmentFlag.AlignHCenter)
            column.addWidget(button, 0, Qt.AlignmentFlag.AlignHCenter)
        column.addStretch(1)
        column.addWidget(self.fold_button, 0, Qt.AlignmentFlag.AlignHCenter)
        # In a low window, or at a large size of text, the tools scroll.
        scroll = QScrollArea()
        scroll.setObjectName("toolStripScroll")
        scroll.setWidget(inside)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        return scroll

    def _make_line(self) -> QFrame:
        line = QFrame()
        column = QVBoxLayout(line)
        column.setContentsMargins(0, 0, 0, 6)
        column.addStretch(1)
        column.addWidget(self.open_button)
        self.open_button.setFixedSize(FOLDED_WIDTH, style.px(_OPEN_PX))
        self.open_button.setObjectName("toolStripOpen")
        return line

    def _button(self, name: str, tip: str, press: Callable[[], object]) -> QToolButton:
        button = QToolButton()
        _prepare(button, name, tip)
        button.clicked.connect(lambda: press())
        return button

    def _command(self, name: str) -> QToolButton:
        _, _, title, tip = _COMMANDS[name]
        button = self._button(title, tip, partial(self._ask, name))
        set_key_tip(button, tip, name)
        button.setCheckable(name in _TOGGLES)
        return button

    def _ask(self, command: str) -> None:
        button = self.commands.get(command)
        if button is not None and button.isCheckable():
            button.setChecked(not button.isChecked())  # the press has ticked it; the state decides
        self.command_requested.emit(command)

    def _ask_for_tool(self, kind: DrawingKind | None) -> None:
        again = kind is not None and kind is self._tool
        self.set_tool(self._tool)
        self.tool_requested.emit(None if again else kind)

    def _draw_icons(self) -> None:
        dim, on = self._palette.dim, self._palette.on_fill
        self.pointer.setIcon(icons.icon("crosshair", dim, checked_color=on))
        self.measure.setIcon(icons.icon("ruler", dim))
        self.fold_button.setIcon(icons.icon("chevron-left", dim))
        self.open_button.setIcon(icons.icon("chevron-right", dim, 10))
        for name, (off_icon, on_icon, _, _) in _COMMANDS.items():
            button = self.commands[name]
            colour = dim if button.isEnabled() else self._palette.edge
            button.setIcon(icons.icon(on_icon if button.isChecked() else off_icon, colour, checked_color=on))
        for group in self.groups:
            group.set_palette(self._palette)
        for button in self.findChildren(QToolButton):
            if button is not self.open_button:
                button.setFixedSize(style.px(_BUTTON_PX), style.px(_BUTTON_PX))


class _OpenButton(QToolButton):
    """What a folded strip is opened by: as wide as that."""

    def sizeHint(self) -> QSize:
        return QSize(FOLDED_WIDTH, style.px(_OPEN_PX))

    def minimumSizeHint(self) -> QSize:
        return self.sizeHint()


class ToolGroup(QToolButton):
    """One tool that stands for a group: the one that was used last. ``request``: called with the kind to draw."""

    def __init__(
        self, title: str, kinds: tuple[DrawingKind, ...], request: Callable[[DrawingKind | None], object]
    ) -> None:
        super().__init__()
        self.kinds, self._title, self._request = kinds, title, request
        self._kind, self._palette = kinds[0], DARK
        _prepare(self, "", "")
        self.setCheckable(True)
        self.clicked.connect(lambda: self._request(self._kind))
        if len(kinds) > 1:
            self.setPopupMode(QToolButton.ToolButtonPopupMode.DelayedPopup)  # opens by a long press
            self._menu = QMenu(self)
            self._menu.aboutToShow.connect(lambda: self._fill(self._menu))
            self.setMenu(self._menu)
            give_menu(self, lambda _point: self._filled())
        self._show()

    @property
    def kind(self) -> DrawingKind:
        """What a press draws."""
        return self._kind

    def show_tool(self, kind: DrawingKind | None) -> None:
        """Tick the button if the tool in use is of this group, and let it stand for the group."""
        self.setChecked(kind in self.kinds)
        if kind is not None and kind in self.kinds and kind is not self._kind:
            self._kind = kind
            self._show()

    def set_palette(self, palette: Palette) -> None:
        self._palette = palette
        self._show()

    def _show(self) -> None:
        info = KINDS[self._kind]
        self.setIcon(icons.icon(icon_of(self._kind), self._palette.dim, checked_color=self._palette.on_fill))
        group = f", group {self._title}" if len(self.kinds) > 1 else ""
        self.setAccessibleName(f"{info.title}{group}")
        more = "; long press or right click for more" if len(self.kinds) > 1 else ""
        set_key_tip(self, f"{info.title}{more}", info.command)

    def _filled(self) -> QMenu:
        menu = context_menu(self)
        self._fill(menu)
        return menu

    def _fill(self, menu: QMenu) -> None:
        menu.clear()
        menu.setFont(style.font())
        menu.setObjectName("overflowMenu")
        for kind in self.kinds:
            info = KINDS[kind]
            action = menu.addAction(
                icons.icon(icon_of(kind), self._palette.dim),
                f"{info.title}\t{key_text(info.command)}",
                partial(self._request, kind),
            )
            action.setIconVisibleInMenu(True)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if len(self.kinds) > 1:
            super().contextMenuEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if len(self.kinds) < 2:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(self._palette.on_fill if self.isChecked() else self._palette.faint))
        corner = QPointF(self.width() - 3.0, self.height() - 3.0)
        side = _CORNER_PX * self.width() / _BUTTON_PX
        painter.drawPolygon(QPolygonF([corner, corner - QPointF(side, 0), corner - QPointF(0, side)]))
        painter.end()


def _prepare(button: QToolButton, name: str, tip: str) -> None:
    button.setAccessibleName(name)
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonIconOnly)
    style.sized(button, icon_size=ICON_PX)


def _rule() -> QWidget:
    rule = QFrame()
    rule.setObjectName("divider")
    rule.setFixedSize(24, 1)
    return rule
