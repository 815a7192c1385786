"""
The rooms for charts: the main window's, and one for each detached window. Where a chart is belongs here alone.

Which charts there are, and what is done with them, is decided by `workspace_controller`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.window.charts.open_charts import OpenChart, OpenCharts
from widgets.window.main_window import MainWindow
from widgets.workspace.chart_grid import ChartGrid
from widgets.workspace.detached_window import DetachedWindow
from widgets.workspace.grid_layout import Node, grid_of, keys_of


class ChartRoom:
    """
    ``layout`` and ``maximised`` name charts by their keys. ``grid``: None while the window's one chart needs none.

    ``window``: the detached window; None: the main window. ``unknown``: what a file said of it beside that.
    """

    def __init__(self, layout: Node, grid: ChartGrid | None = None, window: DetachedWindow | None = None) -> None:
        self.layout, self.grid, self.window = layout, grid, window
        self.maximised: int | None = None
        self.unknown: dict[str, Any] = {}

    @property
    def keys(self) -> list[int]:
        """The keys of the charts, from left to right and from top to bottom."""
        return keys_of(self.layout)

    def holds(self, one: OpenChart) -> bool:
        """Whether a chart is in this room."""
        return one.key in self.keys

    def show(self, active: int) -> None:
        """Arrange the charts; ``active`` is the key of the active one, wherever that is."""
        if self.grid is not None:
            self.grid.show_layout(self.layout, self.maximised)
            self.grid.set_active(active)

    def end(self) -> None:
        """Close the detached window for good."""
        if self.window is not None:
            self.window.end()


class ChartRooms(QObject):
    """
    ``main`` is the room of ``window``, ``detached`` are the others, in the order they were opened.

    Signals:
        changed(): a line between charts was dragged, or a detached window was moved.
        command_requested(str, OpenChart): do this with the chart, by its head's button or menu.
        closed(ChartRoom): the user closed a detached window.
    """

    changed = Signal()
    command_requested = Signal(str, object)
    closed = Signal(object)

    def __init__(self, charts: OpenCharts, window: MainWindow, parent: QObject) -> None:
        super().__init__(parent)
        self._charts, self._window = charts, window
        self.main = ChartRoom(charts.active.key)
        self.detached: list[ChartRoom] = []
        charts.activated.connect(self._on_activated)

    @property
    def all(self) -> list[ChartRoom]:
        """All rooms, the main window's first."""
        return [self.main, *self.detached]

    @property
    def keys(self) -> list[int]:
        """The keys of all charts, room by room."""
        return [key for room in self.all for key in room.keys]

    def of(self, one: OpenChart) -> ChartRoom:
        """Return the room that a chart is in."""
        return next((room for room in self.detached if room.holds(one)), self.main)

    def with_key(self, key: int) -> OpenChart:
        """Return the chart of that key, which is in one of the rooms."""
        one = self._charts.with_key(key)
        assert one is not None, key
        return one

    def grid_of(self, room: ChartRoom) -> ChartGrid:
        """Return a room's grid; at first, put the window's one chart into it."""
        if room.grid is None:
            first = self._charts.active
            self._window.takeCentralWidget()
            grid = room.grid = self._new_grid()
            grid.add(first.key, first.chart)
            grid.show_layout(first.key)
            grid.set_active(first.key)
            self._window.setCentralWidget(grid)
            grid.show()
            grid.set_palette(self._window.colours)
        return room.grid

    def show(self) -> None:
        """Arrange the charts of all rooms as their layouts say."""
        self.grid_of(self.main)
        for room in self.all:
            room.show(self._charts.active.key)

    def open_window(self, charts: Sequence[OpenChart]) -> ChartRoom:
        """Open a window for charts, and move those there that are in the main window's grid."""
        grid = self._new_grid(hides_single_head=False)
        for one in charts:
            if self.main.grid is not None and one.key in self.main.grid.frames:
                self.main.grid.release(one.key)
            grid.add(one.key, one.chart)
        window = DetachedWindow(grid, self._window.keyboard_for)
        room = ChartRoom(grid_of([one.key for one in charts], len(charts)), grid, window)
        self.detached.append(room)
        window.closed.connect(lambda: self.closed.emit(room))
        window.placed.connect(self.changed)
        self._window.keys_changed.connect(window.follow_keys)
        window.set_palette(self._window.colours)
        grid.set_palette(self._window.colours)
        charts[0].chart.setFocus()  # else the first button of its head would have it
        window.show()
        return room

    def close_window(self, room: ChartRoom) -> None:
        """Close a detached window, which has no chart any more."""
        self.detached.remove(room)
        room.end()

    def show_palette(self) -> None:
        """Draw heads and frames in the window's palette."""
        for room in self.all:
            if room.grid is not None:
                room.grid.set_palette(self._window.colours)
            if room.window is not None:
                room.window.set_palette(self._window.colours)

    def _new_grid(self, *, hides_single_head: bool = True) -> ChartGrid:
        grid = ChartGrid(hides_single_head=hides_single_head)
        grid.activation_requested.connect(self._on_activation_requested)
        grid.command_requested.connect(lambda key, command: self.command_requested.emit(command, self.with_key(key)))
        grid.shares_changed.connect(self._on_shares_changed)
        return grid

    def _on_activation_requested(self, key: int) -> None:
        one = self._charts.with_key(key)
        if one is not None:
            self._charts.activate(one)

    def _on_activated(self, one: OpenChart) -> None:
        for room in self.all:
            if room.grid is not None:
                room.grid.set_active(one.key)

    def _on_shares_changed(self) -> None:
        for room in self.all:
            if room.grid is not None and room.grid.layout_node is not None and room.maximised is None:
                room.layout = room.grid.layout_node
        self.changed.emit()
