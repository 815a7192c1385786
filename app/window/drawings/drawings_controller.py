"""
Connects the drawings of one chart to those that the engine keeps. It knows no window.

Charts of one symbol each have a controller; what one changes, the engine tells all of them.
"""

from __future__ import annotations

import logging

from PySide6.QtCore import QObject, Signal

from app.live.drawings.drawing_board import DrawingBoard
from app.market.drawings.drawing import Drawing
from app.market.errors import UsageError
from widgets.chart.drawings.chart_drawings import ChartDrawings

logger = logging.getLogger(__name__)


class DrawingsController(QObject):
    """
    Shows a symbol's drawings on a chart, and stores what its user draws, from `show` until `stop`.

    Signals:
        history_changed(): `can_undo` or `can_redo` may be others.
    """

    history_changed = Signal()

    def __init__(self, board: DrawingBoard, drawings: ChartDrawings) -> None:
        super().__init__(drawings)
        self._board, self._drawings = board, drawings
        self._symbol = ""
        drawings.put_requested.connect(self._put)
        drawings.remove_requested.connect(self._remove)
        board.on_change.append(self._on_change)

    @property
    def symbol(self) -> str:
        """The symbol whose drawings the chart shows; empty before `show`."""
        return self._symbol

    def show(self, symbol: str) -> None:
        """Show the drawings of a symbol, those of the one before no longer."""
        if symbol != self._symbol:
            self._symbol = symbol
            self._drawings.set_drawings(self._board.drawings(symbol))
            self.history_changed.emit()

    def stop(self) -> None:
        """Follow no more changes; the chart keeps its last picture."""
        if self._on_change in self._board.on_change:
            self._board.on_change.remove(self._on_change)

    @property
    def can_undo(self) -> bool:
        """Whether this desktop has a change of the symbol's drawings to undo."""
        return self._board.can_undo(self._symbol)

    @property
    def can_redo(self) -> bool:
        """Whether there is an undone change to do again."""
        return self._board.can_redo(self._symbol)

    def undo(self) -> bool:
        """Undo the last change; False if there is none."""
        return self._board.undo(self._symbol)

    def redo(self) -> bool:
        """Do the last undone change again; False if there is none."""
        return self._board.redo(self._symbol)

    def _put(self, drawings: tuple[Drawing, ...]) -> None:
        try:
            self._board.put(*drawings)
        except UsageError as error:
            logger.error("a drawing was not kept: %s", error)

    def _remove(self, drawing_id: str) -> None:
        self._board.remove(self._symbol, drawing_id)

    def _on_change(self, symbol: str) -> None:
        if symbol == self._symbol:
            self._drawings.set_drawings(self._board.drawings(symbol))
            self.history_changed.emit()
