"""What keys do with points: the chosen drawing's, moved together or one alone, and the next of one being placed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QPointF

from app.market.drawings.drawing import Drawing
from widgets.chart.drawings.drawing_set import DrawingSet
from widgets.chart.drawings.drawing_tool import DrawingTool
from widgets.chart.drawings.editing import moved
from widgets.chart.drawings.handles import handles_of
from widgets.chart.painting.scene import Scene


@dataclass(frozen=True, slots=True)
class KeyCalls:
    """
    What the keys ask for.

    ``frame``: paint everything in the next frame. ``put``: store a drawing. ``nudge``: move the crosshair by so many
    candles and so many pixels up; False where it cannot. ``note``: show a sentence on what a key did.
    """

    frame: Callable[[], object]
    put: Callable[[Drawing], object]
    nudge: Callable[[int, int], bool]
    note: Callable[[str], object]


class DrawingKeys:
    """Moves points by whole candles and by pixels. A call returns False if it had nothing to do."""

    def __init__(self, scene: Scene, drawings: DrawingSet, tool: DrawingTool, calls: KeyCalls) -> None:
        self._scene, self._drawings, self._tool, self._calls = scene, drawings, tool, calls

    def move(self, across: int, up: int) -> bool:
        """Move the chosen drawing, or the point that is held, or the crosshair while a drawing is being placed."""
        if self._tool.kind is not None:
            return self._calls.nudge(across, up)
        drawing, series = self._movable(), self._drawings.series
        if drawing is None or series is None:
            return False
        by = QPointF(across * max(self._scene.time_scale.bar_px, 1.0), -float(up))
        self._calls.put(moved(self._scene, series.interval, drawing, by, self._drawings.held))
        return True

    def hold_next_point(self) -> bool:
        """Move only the chosen drawing's next point from now on; after its last one, the whole drawing again."""
        drawing, series = self._movable(), self._drawings.series
        if drawing is None or series is None:
            return False
        points = handles_of(self._scene, series.interval, drawing, self._drawings.shape(drawing))
        held = self._drawings.held
        after = [at for at, one in enumerate(points) if held is None or one.anchor > held]
        self._drawings.held = points[after[0]].anchor if after else None
        note = f"Point {after[0] + 1} of {len(points)}: the arrows move it." if after else "The arrows move all of it."
        self._calls.note(note)
        self._calls.frame()
        return True

    def release_point(self) -> bool:
        """Move the whole drawing again."""
        was_held, self._drawings.held = self._drawings.held is not None, None
        if was_held:
            self._calls.frame()
        return was_held

    def place_point(self) -> bool:
        """Place the next point where the crosshair is, else at the latest candle."""
        scene, cross = self._scene, self._scene.crosshair
        if cross is not None:
            return self._tool.place_at(QPointF(scene.time_scale.x_of(cross.slot), cross.y))
        if scene.last is None:
            return False
        return self._tool.place_at(QPointF(scene.time_scale.x_of(scene.last.slot), scene.price.y_of(scene.last.close)))

    def _movable(self) -> Drawing | None:
        """Return the chosen drawing; None if it is locked or cannot be seen."""
        drawing = self._drawings.chosen_drawing
        if drawing is None or drawing.locked or drawing.hidden or self._tool.is_locked or not self._drawings.is_shown:
            return None
        return drawing
