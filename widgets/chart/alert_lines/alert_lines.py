"""
The lines of alerts of one chart: shown, pointed at, dragged.

A drag moves the line alone; the alert is changed when it is dropped. Esc puts the line back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import QPointF, Qt

from widgets.chart.alert_lines.alert_line import AlertLine, Drag
from widgets.chart.alert_lines.line_painting import LinePainting
from widgets.chart.painting.scene import Scene

_REACH_PX = 4.0
_LEAST_DRAG_PX = 3.0  # a press that moves less is a click


class AlertLines:
    """
    The lines of one chart; a `widgets.chart.interaction.gestures.Grab`.

    ``repaint``: asks for a frame that paints everything. ``moved`` is called with an alert's line and the price where
    it was dropped, ``chosen`` with the line of a double click.
    """

    def __init__(self, scene: Scene, repaint: Callable[[], object]) -> None:
        self.moved: Callable[[AlertLine, float], object] = lambda line, price: None
        self.chosen: Callable[[AlertLine], object] = lambda line: None
        self.can_move = True
        self._scene, self._repaint = scene, repaint
        self.painting = LinePainting(scene)
        self.painting.on_labels_moved = repaint

    @property
    def lines(self) -> Sequence[AlertLine]:
        """The lines shown."""
        return self.painting.lines

    def set_lines(self, symbol: str, lines: Sequence[AlertLine]) -> None:
        """Show these lines while the chart shows that symbol; one that is dragged goes on, unless it is gone."""
        if list(lines) == list(self.painting.lines) and symbol == self.painting.symbol:
            return
        self.painting.symbol, self.painting.lines = symbol, list(lines)
        drag = self.painting.drag
        if drag is not None and drag.line not in lines:
            self.painting.drag = None
        self._repaint()

    def line_at(self, position: QPointF) -> AlertLine | None:
        """Return the line at a position, the nearest, on the panes or on its label on the axis."""
        pane, axis = self._scene.price.rect, self._scene.layout.value_axis
        if not pane.top() <= position.y() <= pane.bottom() or position.x() > axis.right():
            return None
        labelled = self.painting.labelled_at(position)
        if labelled is not None:
            return labelled
        reach = _REACH_PX if position.x() < axis.left() else self._scene.styles.small.height / 2
        near = [(abs(y - position.y()), line) for line, y in self.painting.visible()]
        distance, line = min(near, key=lambda one: one[0], default=(reach + 1, None))
        return line if distance <= reach else None

    # What the pointer does; see `widgets.chart.interaction.gestures.Grab`

    def press(self, position: QPointF, modifiers: Qt.KeyboardModifier) -> bool:
        """Begin to drag the line at a position; False where there is none."""
        line = None if modifiers or not self.can_move else self.line_at(position)
        if line is None:
            return False
        self.painting.drag = Drag(line, position.y(), line.price, position.x())
        return True

    def drag(self, position: QPointF) -> None:
        """Move the line that is dragged."""
        drag, pane = self.painting.drag, self._scene.price
        if drag is None:
            return
        if not drag.has_moved and abs(position.y() - drag.from_y) < _LEAST_DRAG_PX:
            return
        drag.has_moved = True
        y = min(max(position.y(), pane.rect.top()), pane.rect.bottom())
        drag.price, drag.x = self._on_tick(pane.value_at(y)), position.x()
        self._repaint()

    def release(self, position: QPointF) -> None:
        """Drop the line."""
        drag, self.painting.drag = self.painting.drag, None
        if drag is not None and drag.has_moved:
            self._repaint()
            if drag.price != drag.line.price:
                self.moved(drag.line, drag.price)

    def cancel(self) -> bool:
        """Put a dragged line back; False where none is dragged."""
        drag, self.painting.drag = self.painting.drag, None
        if drag is not None:
            self._repaint()
        return drag is not None and drag.has_moved

    def double_click(self, position: QPointF) -> bool:
        """Choose the line at a position; False where there is none."""
        self.painting.drag = None
        line = self.line_at(position)
        if line is not None:
            self.chosen(line)
        return line is not None

    def hover(self, position: QPointF | None) -> Qt.CursorShape | None:
        """Mark the line under the pointer; return the pointer's shape there, None where there is no line."""
        line = None if position is None else self.line_at(position)
        if line != self.painting.hovered:
            self.painting.hovered = line
            self._repaint()
        return None if line is None else Qt.CursorShape.SizeVerCursor

    def _on_tick(self, price: float) -> float:
        """Return the nearest price that the symbol can have."""
        symbol = self._scene.symbol
        if symbol is None:
            return price
        tick = symbol.tick_size_e8 / 1e8
        return max(round(round(price / tick) * tick, 8), tick)
