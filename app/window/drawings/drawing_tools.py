"""Connects the window's drawing tools and its list of drawings to the chart that has the window's bars."""

from __future__ import annotations

from functools import partial

from PySide6.QtCore import QObject, QPoint

from app.market.drawings.drawing import Drawing, DrawingKind
from app.window.drawings.drawings_controller import DrawingsController
from widgets.chart.chart_widget import ChartWidget
from widgets.controls.context_menu import context_menu, pop_up
from widgets.window.main_window import MainWindow


class DrawingTools(QObject):
    """Shows the state of one chart's drawings in the window, and passes the user's requests to them."""

    def __init__(self, window: MainWindow, chart: ChartWidget, controller: DrawingsController) -> None:
        super().__init__(window)
        self._window, self._chart, self._controller = window, chart, controller
        strip, rows = window.tool_strip, window.side_panel.drawings
        strip.tool_requested.connect(self._take_tool)
        strip.command_requested.connect(self._run)
        rows.chosen.connect(lambda drawing_id: self._chart.drawings.choose(drawing_id))
        rows.shown_requested.connect(self._go_to)
        rows.hidden_requested.connect(lambda drawing, on: self._chart.drawings.change(drawing, hidden=on))
        rows.locked_requested.connect(lambda drawing, on: self._chart.drawings.change(drawing, locked=on))
        rows.remove_requested.connect(self._remove)
        rows.menu_requested.connect(self._open_menu)
        rows.undo_requested.connect(partial(self._run, "undo_drawing"))
        rows.redo_requested.connect(partial(self._run, "redo_drawing"))
        window.requests.drawing_undo_requested.connect(partial(self._run, "undo_drawing"))
        window.requests.drawing_redo_requested.connect(partial(self._run, "redo_drawing"))
        self._connect()

    def set_chart(self, chart: ChartWidget, controller: DrawingsController) -> None:
        """Be about another chart from now on."""
        if chart is self._chart:
            return
        self._chart.drawings.tool_changed.disconnect(self._show_state)
        self._chart.drawings.changed.disconnect(self._show_drawings)
        self._chart.appearance_changed.disconnect(self._show_state)
        self._controller.history_changed.disconnect(self._show_history)
        self._chart, self._controller = chart, controller
        self._connect()

    def _connect(self) -> None:
        self._chart.drawings.tool_changed.connect(self._show_state)
        self._chart.drawings.changed.connect(self._show_drawings)
        self._chart.appearance_changed.connect(self._show_state)
        self._controller.history_changed.connect(self._show_history)
        self._show_state()
        self._show_drawings()
        self._show_history()

    # To the chart

    def _take_tool(self, kind: DrawingKind | None) -> None:
        self._chart.drawings.take_tool(kind)
        self._chart.setFocus()  # for Esc, and to place by keys

    def _run(self, command: str) -> None:
        if command == "undo_drawing":
            self._controller.undo()
        elif command == "redo_drawing":
            self._controller.redo()
        elif command == "list_drawings":
            self._window.show_drawings()
        else:
            self._chart.run_command(command)

    def _remove(self, drawing: Drawing) -> None:
        self._chart.drawings.choose(drawing.id)
        self._chart.drawings.remove_chosen()

    def _go_to(self, drawing: Drawing) -> None:
        times = [anchor.time_us for anchor in drawing.anchors]
        self._chart.show_time((min(times) + max(times)) // 2)
        self._chart.drawings.choose(drawing.id)

    def _open_menu(self, drawing: Drawing, at: QPoint) -> None:
        menu = context_menu(self._window)
        self._chart.drawings.fill_menu(menu, drawing)
        pop_up(menu, at)

    # To the window

    def _show_state(self) -> None:
        drawings, strip = self._chart.drawings, self._window.tool_strip
        strip.set_tool(drawings.tool)
        strip.set_states(
            magnet=self._chart.appearance.price_snap,
            kept=drawings.keeps_tool,
            locked=drawings.is_locked,
            hidden=not drawings.is_shown,
        )

    def _show_drawings(self) -> None:
        panel, drawings = self._window.side_panel, self._chart.drawings
        symbol = drawings.symbol
        name, decimals = ("", None) if symbol is None else (symbol.display_name, symbol.price_decimals)
        panel.drawings.set_drawings(drawings.drawings, name, decimals)
        panel.drawings.set_chosen("" if drawings.chosen is None else drawings.chosen.id)
        panel.pages.set_count(panel.drawings, len(drawings.drawings))

    def _show_history(self) -> None:
        can_undo, can_redo = self._controller.can_undo, self._controller.can_redo
        for part in (self._window.tool_strip, self._window.side_panel.drawings):
            part.set_history(can_undo=can_undo, can_redo=can_redo)
