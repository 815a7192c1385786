"""
Which pane a command is about, and giving that pane all the room of the chart.

The chosen pane comes first, then the one under the pointer, then the one that was clicked last. A double click on a
pane's title, or on the entry of its indicator, gives it all the room, and shows all panes again.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QPointF, QRectF, Qt

from widgets.chart.indicators.legend_entries import LegendEntries
from widgets.chart.model.pane_layout import PRICE
from widgets.chart.painting.chart_overlay import title_rect
from widgets.chart.painting.pane import Pane
from widgets.chart.painting.scene import PADDING_PX, Scene
from widgets.chart.painting.title_row import legend_width
from widgets.chart.panes.pane_set import PaneSet
from widgets.keys import key_in_brackets

_ONE_PANE = "The chart has one pane only."


class PaneFocus:
    """
    Finds the pane that the user means. It is the chart's `Grab` for titles, and takes nothing but their double clicks.

    ``pointer``: returns the pointer in logical pixels of the view, None off the chart. ``note``: called with a sentence
    on what was done; an empty one takes that back.
    """

    def __init__(
        self,
        scene: Scene,
        panes: PaneSet,
        entries: LegendEntries,
        pointer: Callable[[], QPointF | None],
        note: Callable[[str], object],
    ) -> None:
        self._scene, self._panes, self._entries = scene, panes, entries
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
