"""A room for charts, the main window's or that of a detached one: their layout, their grid, and which has it all."""

from __future__ import annotations

from typing import Any

from app.window.open_charts import OpenChart
from widgets.workspace.chart_grid import ChartGrid
from widgets.workspace.detached_window import DetachedWindow
from widgets.workspace.grid_layout import Node, keys_of


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
