"""
Which pane a command is about, and giving that pane all the room of the chart.

The chosen pane comes first, then the one under the pointer, then the one that was clicked last. A double click on a
pane's title, or on the entry of its indicator, gives it all the room, and shows all panes again; so does the button in
the corner of a pane that has all the room.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtWidgets import QToolButton, QWidget

from widgets.chart.indicators.legend_entries import LegendEntries
from widgets.chart.model.pane_layout import PRICE
from widgets.chart.painting.chart_overlay import title_rect
from widgets.chart.painting.pane import Pane
from widgets.chart.painting.scene import PADDING_PX, Scene
from widgets.chart.painting.title_row import legend_width
from widgets.chart.panes.pane_set import PaneSet
from widgets.controls.key_hints import set_key_tip
from widgets.keys import key_in_brackets
from widgets.theme import icons, style
from widgets.theme.palettes import Palette

_BUTTON_PX, _ICON_PX, _EDGE_PX = 24, 14, 6
_ONE_PANE = "The chart has one pane only."


class PaneFocus:
    """
    Finds the pane that the user means. It is the chart's `Grab` for titles, and takes nothing but their double clicks.

    ``canvas``: what the button stands on. ``pointer``: returns the pointer in logical pixels of the view, None off the
    chart. ``note``: called with a sentence on what was done; an empty one takes that back.
    """

    def __init__(
        self,
        scene: Scene,
        canvas: QWidget,
        panes: PaneSet,
        entries: LegendEntries,
        pointer: Callable[[], QPointF | None],
        note: Callable[[str], object],
    ) -> None:
        self._scene, self._canvas, self._panes, self._entries = scene, canvas, panes, entries
        self._button: _ReturnButton | None = None
        self._pointer, self._note = pointer, note
        self._clicked = PRICE

    @property
    def key(self) -> str:
        """The key of the pane that a command is about."""
        chosen, pointer = self._scene.chosen_pane, self._pointer()
        if chosen is not None:
            return chosen
        pane = None if pointer is None else self._scene.pane_at(pointer.y())
        if pane is not None:
            return pane.key
        return self._clicked if self._clicked in self._panes.layout.keys else PRICE

    def toggle(self, key: str | None = None) -> bool:
        """Show all panes if one has all the room, else give it to that pane; None: to `key`. False: nothing to do."""
        if self._scene.maximised_pane is not None:
            self._panes.maximise(None)
            self._note("")
            return True
        key = key or self.key
        if not self._panes.maximise(key):
            return False
        back = key_in_brackets("maximise_pane") or ", by a double click on its title"
        self._note(f"{self._panes.title_of(key)} has all the room. Show all panes again{back}.")
        return True

    def place_button(self) -> None:
        """Show the button that brings all panes back, where one has all the room; call after a layout or a palette."""
        if self._scene.maximised_pane is None:
            if self._button is not None:
                self._button.hide()
            return
        if self._button is None:
            self._button = _ReturnButton(self._canvas)
            self._button.clicked.connect(lambda: self.toggle())
        self._button.show_in(self._scene.layout.panes, self._scene.palette)

    def commands(self) -> dict[str, Callable[[], object]]:
        """Return what this does for commands of `widgets.keys`, by the commands' names."""
        return {"maximise_pane": self.toggle}

    def reasons(self) -> dict[str, Callable[[], str]]:
        """Return why a command cannot run now, by the commands' names."""
        return {"maximise_pane": lambda: "" if len(self._panes.layout.keys) > 1 else _ONE_PANE}

    def _is_title(self, pane: Pane, position: QPointF) -> bool:
        """Return whether a position is on the pane's title, or on the entry of an indicator in its first row."""
        entry = self._entries.at(position)
        if entry is not None:
            return pane.key != PRICE  # over the prices, entries have rows of their own
        row = title_rect(self._scene, pane)
        width = legend_width(self._scene.styles, pane.title) if pane.title else 0.0
        return QRectF(row.left(), row.top(), PADDING_PX + width, row.height()).contains(position)

    # As a grab of the pointer

    def press(self, position: QPointF, modifiers: Qt.KeyboardModifier) -> bool:
        pane = self._scene.pane_at(position.y())
        if pane is not None:
            self._clicked = pane.key
        return False

    def double_click(self, position: QPointF) -> bool:
        pane = self._scene.pane_at(position.y())
        return pane is not None and self._is_title(pane, position) and self.toggle(pane.key)

    def drag(self, position: QPointF) -> None:
        """Nothing is dragged."""

    def release(self, position: QPointF) -> None:
        """Nothing was taken."""

    def hover(self, position: QPointF | None) -> Qt.CursorShape | None:
        return None

    def cancel(self) -> bool:
        return False


class _ReturnButton(QToolButton):
    """Shows all panes again."""

    def __init__(self, canvas: QWidget) -> None:
        super().__init__(canvas)
        self.setObjectName("paneReturn")
        self.setAccessibleName("Show all panes")
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setCursor(Qt.CursorShape.ArrowCursor)
        set_key_tip(self, "Show all panes", "maximise_pane")

    def show_in(self, panes: QRectF, palette: Palette) -> None:
        """Stand in the upper right corner."""
        style.sized(self, fixed_width=_BUTTON_PX, fixed_height=_BUTTON_PX, icon_size=_ICON_PX)
        self.setStyleSheet(
            f"QToolButton {{ background: {palette.raised}; border: 1px solid {palette.line}; border-radius: 4px; }}"
            f"QToolButton:hover {{ background: {palette.hover}; }}"
            f"QToolButton:focus {{ border-color: {palette.accent}; }}"
        )
        self.setIcon(icons.icon("restore", palette.dim, _ICON_PX))
        self.move(round(panes.right()) - _EDGE_PX - style.px(_BUTTON_PX), round(panes.top()) + _EDGE_PX)
        self.show()
