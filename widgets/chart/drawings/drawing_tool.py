"""
The mouse on drawings: placing one anchor after another, choosing, dragging a drawing or one of its handles.

Nothing is stored before it is done: until then the drawing is the set's preview, and Esc gives it up.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QGuiApplication

from app.market.drawings.drawing import MOST_ANCHORS, Anchor, Drawing, DrawingKind, DrawingStyle
from app.market.interval import Interval
from widgets.chart.drawings.drawing_painting import DrawingsItem
from widgets.chart.drawings.drawing_set import DrawingSet
from widgets.chart.drawings.editing import (
    duplicate,
    moved,
    new_drawing,
    straightened,
    thinned,
    usual_style,
    with_anchor,
)
from widgets.chart.drawings.handles import Handle, anchor_at, handles_of, point_of
from widgets.chart.drawings.hit_test import drawing_at
from widgets.chart.painting.scene import Scene

_GRAB_PX = 9.0  # how near to a handle's middle a press takes it
_DRAG_PX = 3.0  # a shorter drag is a click
_PLACED_BY_DRAG_PX = 8.0
_TYPED = (DrawingKind.TEXT, DrawingKind.NOTE)


@dataclass(slots=True)
class Drag:
    """A drag of a drawing, or of one of its anchors; ``has_moved``: it is no click any more."""

    original: Drawing
    start: QPointF
    anchor: int | None
    is_copy: bool = False
    has_moved: bool = False


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """
    What the tool asks for.

    ``frame``: paint everything in the next frame. ``put``: store a drawing. ``choose``: choose the drawing of an id, or
    none. ``edit``: let the user type a drawing's text. ``ended``: the tool was used, and is no longer chosen. ``snap``:
    return a position moved to a price of its candle, where the magnet is on.
    """

    frame: Callable[[], object]
    put: Callable[[Drawing], object]
    choose: Callable[[str | None], object]
    edit: Callable[[Drawing], object]
    ended: Callable[[], object]
    snap: Callable[[QPointF], QPointF]


class DrawingTool:
    """
    Turns presses and drags on one chart into drawings. Positions are the view's logical pixels.

    ``kind``: what is placed next; None: nothing. ``stays``: it is still chosen after one was placed. ``is_locked``:
    drawings cannot be chosen or dragged by the mouse.
    """

    def __init__(self, scene: Scene, drawings: DrawingSet, item: DrawingsItem, calls: ToolCalls) -> None:
        self._scene, self._drawings, self._item, self._calls = scene, drawings, item, calls
        self._anchors: list[Anchor] = []  # placed so far
        self._points: list[QPointF] = []  # of a freehand line that is being drawn
        self._pressed: QPointF | None = None  # where a press placed an anchor, until the release
        self._drag: Drag | None = None
        self._styles: dict[DrawingKind, DrawingStyle] = {}
        self.kind: DrawingKind | None = None
        self.stays = False
        self.is_locked = False

    # The tool

    def take(self, kind: DrawingKind | None) -> None:
        """Place drawings of this kind from now on; None: no longer. What is being placed is given up."""
        self._give_up()
        self.kind = kind

    @property
    def is_placing(self) -> bool:
        """Whether some anchors of a drawing are placed, and others not."""
        return bool(self._anchors or self._points)

    def remember_style(self, drawing: Drawing) -> None:
        """Give the next drawing of its kind the style of this one."""
        self._styles[drawing.kind] = drawing.style

    def cancel(self) -> bool:
        """Give up the drawing that is being placed, else the drag, else the tool; False where there is none."""
        if self.is_placing or self._drag is not None:
            self._give_up()
            return True
        if self.kind is None:
            return False
        self.kind = None
        self._calls.ended()
        return True

    def let_go(self) -> None:
        """Give up a drag and a freehand line, as places in the view mean other times now. Placed anchors stay."""
        self._pressed = None
        if self._drag is not None or self._points:
            self._give_up()

    def _give_up(self) -> None:
        had = self.is_placing or self._drag is not None
        self._anchors, self._points, self._pressed, self._drag = [], [], None, None
        if had:
            self._drawings.set_preview(None)
            self._calls.frame()

    # The mouse

    def press(self, position: QPointF, modifiers: Qt.KeyboardModifier) -> bool:
        """Take a press of the left button; False if it is not about a drawing."""
        if self._interval is None or not self._scene.price.rect.contains(position):
            return False
        if self.kind is not None:
            self._press_to_place(position)
            return True
        if self.is_locked:
            return False
        handle = self._handle_at(position)
        drawing = self._drawings.chosen_drawing if handle is not None else self.drawing_at(position)
        if drawing is None:
            if self._drawings.chosen is not None:
                self._calls.choose(None)
            return False
        self._calls.choose(drawing.id)
        if not drawing.locked:
            is_copy = handle is None and bool(modifiers & Qt.KeyboardModifier.ControlModifier)
            self._drag = Drag(drawing, position, None if handle is None else handle.anchor, is_copy)
        return True

    def drag(self, position: QPointF) -> bool:
        """Follow a drag; False if it is not about a drawing."""
        if self._points:
            self._points.append(self._within(position))
            self._show(self._freehand())
            return True
        if self._pressed is not None:
            self.hover(position)
            return True
        if self._drag is None:
            return self.is_placing
        self._follow(self._drag, position)
        return True

    def release(self, position: QPointF) -> bool:
        """Take the release of a button; False if it is not about a drawing."""
        if self._points:
            self._end_freehand()
            return True
        pressed, self._pressed = self._pressed, None
        if pressed is not None:
            # A drag from the first anchor to the second does as well as two clicks.
            if self._anchors and _distance(pressed, position) > _PLACED_BY_DRAG_PX:
                self._place(position)
            return True
        drag, self._drag = self._drag, None
        if drag is None:
            return False
        changed = self._drawings.preview
        self._drawings.set_preview(None)
        if drag.has_moved and changed is not None and changed != drag.original:
            self._end_drag(drag, changed)
        self._calls.frame()
        return True

    def hover(self, position: QPointF) -> None:
        """Show the drawing that is being placed as it would be with its next anchor here."""
        if self._anchors and self.kind is not None:
            anchor = self._anchor_at(position)
            if anchor is not None:
                self._show(self._made([*self._anchors, anchor]))

    def double_click(self, position: QPointF) -> bool:
        """Take a double click, which the second click of two quick ones is; False if it is not about a drawing."""
        if self.kind is not None:
            is_taken = self.press(position, Qt.KeyboardModifier.NoModifier)
            self._pressed, self._points = None, []  # its release is the chart's
            return is_taken
        drawing = None if self.is_locked else self.drawing_at(position)
        if drawing is None:
            return False
        self._drag = None
        self._calls.edit(drawing)
        return True

    def cursor_at(self, position: QPointF) -> Qt.CursorShape | None:
        """Return the pointer's shape over a drawing; None: it has none of its own there."""
        if self.kind is not None or self._interval is None or not self._scene.price.rect.contains(position):
            return None
        if self._drag is not None:
            if self._drag.anchor is not None:
                return None
            return Qt.CursorShape.DragCopyCursor if self._drag.is_copy else Qt.CursorShape.ClosedHandCursor
        if self.is_locked:
            return None
        if self._handle_at(position) is not None:
            return Qt.CursorShape.CrossCursor
        return Qt.CursorShape.PointingHandCursor if self.drawing_at(position) is not None else None

    def drawing_at(self, position: QPointF) -> Drawing | None:
        """Return the drawing at a position, None where there is none."""
        if not self._scene.price.rect.contains(position):
            return None
        return drawing_at(self._drawings.projections(), self._item.labels(), position)

    # Placing

    def place_at(self, position: QPointF) -> bool:
        """Place the next anchor, as a click there does; for the keyboard."""
        if self.kind is None or self._interval is None:
            return False
        self._press_to_place(position)
        self._pressed = None
        if self._points:  # a freehand line needs the mouse
            self._give_up()
            return False
        return True

    def _press_to_place(self, position: QPointF) -> None:
        if self.kind is DrawingKind.FREEHAND:
            self._points = [position]
            return
        self._pressed = position
        self._place(position)

    def _place(self, position: QPointF) -> None:
        kind, anchor = self.kind, self._anchor_at(position)
        if kind is None or anchor is None or (len(self._anchors) == 1 and _is_dot(kind, self._anchors[0], anchor)):
            return
        self._anchors.append(anchor)
        if len(self._anchors) < kind.anchors:
            self.hover(position)
            return
        drawing = self._made(self._anchors)
        self._anchors, self._pressed = [], None
        self._drawings.set_preview(None)
        if kind in _TYPED:
            self._finish(None)
            self._calls.edit(drawing)
        else:
            self._finish(drawing)

    def _finish(self, drawing: Drawing | None) -> None:
        """Store what was placed, and put the tool down unless it stays."""
        if not self.stays:
            self.kind = None
            self._calls.ended()
        if drawing is not None:
            self._calls.put(drawing)
            self._calls.choose(drawing.id)
        self._calls.frame()

    def _made(self, anchors: list[Anchor]) -> Drawing:
        kind = self.kind or DrawingKind.TREND_LINE
        preview, symbol = self._drawings.preview, self._scene.symbol
        if preview is not None and preview.kind is kind:  # the same drawing, with one anchor more
            return replace(preview, anchors=tuple(anchors))
        style = self._styles.get(kind) or usual_style(kind)
        return new_drawing(symbol.name if symbol else "", kind, anchors, style, self._drawings.drawings)

    def _anchor_at(self, position: QPointF) -> Anchor | None:
        interval = self._interval
        if interval is None:
            return None
        position = self._calls.snap(self._within(position))
        if self._anchors and self.kind is not None and _is_straightening():
            start = point_of(self._scene, interval, self._anchors[-1])
            return _level_with(
                self._anchors[-1],
                start,
                straightened(self.kind, start, position),
                lambda point: anchor_at(self._scene, interval, point),
            )
        return anchor_at(self._scene, interval, position)

    def _freehand(self) -> Drawing:
        interval = self._interval
        points = thinned(self._points)[:MOST_ANCHORS]
        if interval is None:
            return self._made([])
        return self._made([anchor_at(self._scene, interval, point, on_candle=False) for point in points])

    def _end_freehand(self) -> None:
        drawing = self._freehand() if len(self._points) > 1 else None
        self._points = []
        self._drawings.set_preview(None)
        if drawing is not None and len(set(drawing.anchors)) > 1:
            self._finish(drawing)
        else:
            self._calls.frame()

    # Dragging

    def _follow(self, drag: Drag, position: QPointF) -> None:
        interval = self._interval
        if interval is None or (not drag.has_moved and _distance(drag.start, position) < _DRAG_PX):
            return
        if not drag.has_moved and drag.is_copy:
            drag.original = duplicate(self._scene, interval, drag.original, self._drawings.drawings, steps=0)
        drag.has_moved = True
        position = self._within(position)
        if drag.anchor is None:
            by = position - drag.start
            if _is_straightening():
                by = QPointF(by.x(), 0.0) if abs(by.x()) >= abs(by.y()) else QPointF(0.0, by.y())
            self._show(moved(self._scene, interval, drag.original, by))
            return
        point, original = self._calls.snap(position), drag.original
        anchor = anchor_at(self._scene, interval, point, on_candle=original.kind is not DrawingKind.FREEHAND)
        if _is_straightening() and len(original.anchors) > 1:
            fixed = original.anchors[drag.anchor - 1 if drag.anchor else 1]
            start = point_of(self._scene, interval, fixed)
            end = straightened(original.kind, start, point)
            anchor = _level_with(fixed, start, end, lambda at: anchor_at(self._scene, interval, at))
        self._show(with_anchor(original, drag.anchor, anchor))

    def drop_gone(self) -> None:
        """Give up the drag of a drawing that was removed meanwhile."""
        drag = self._drag
        if drag is not None and not (drag.is_copy and drag.has_moved) and self._drawings.get(drag.original.id) is None:
            self._give_up()

    def _end_drag(self, drag: Drag, changed: Drawing) -> None:
        if not drag.is_copy:
            # Only its place was changed: what somebody else has changed meanwhile stays.
            current = self._drawings.get(changed.id)
            if current is None or current.locked:
                return
            changed = replace(current, anchors=changed.anchors)
        self._calls.put(changed)
        self._calls.choose(changed.id)

    def _show(self, drawing: Drawing) -> None:
        if drawing != self._drawings.preview:
            self._drawings.set_preview(drawing)
            self._calls.frame()

    def _handle_at(self, position: QPointF) -> Handle | None:
        drawing, interval = self._drawings.chosen_drawing, self._interval
        if drawing is None or interval is None or drawing.locked or drawing.hidden or not self._drawings.is_shown:
            return None
        handles = handles_of(self._scene, interval, drawing, self._drawings.shape(drawing))
        nearest = min(handles, key=lambda handle: _distance(handle.point, position))
        return nearest if _distance(nearest.point, position) <= _GRAB_PX else None

    def _within(self, position: QPointF) -> QPointF:
        """Return a position kept in the price pane: what is dragged stays in reach."""
        pane = self._scene.price.rect
        return QPointF(
            min(max(position.x(), pane.left()), pane.right() - 1), min(max(position.y(), pane.top()), pane.bottom() - 1)
        )

    @property
    def _interval(self) -> Interval | None:
        series = self._drawings.series
        return None if series is None else series.interval


def _level_with(fixed: Anchor, start: QPointF, end: QPointF, anchor_of: Callable[[QPointF], Anchor]) -> Anchor:
    """Return the anchor at ``end``; exactly at the price or the time of a fixed one where it is level or upright."""
    anchor = anchor_of(end)
    if end.y() == start.y():
        anchor = anchor._replace(price=fixed.price)
    if end.x() == start.x():
        anchor = anchor._replace(time_us=fixed.time_us)
    return anchor


def _is_dot(kind: DrawingKind, first: Anchor, second: Anchor) -> bool:
    """Whether a drawing between these anchors could hardly be seen, as after a double click meant as one click."""
    return first == second or (kind is DrawingKind.REGRESSION_CHANNEL and first.time_us == second.time_us)


def _is_straightening() -> bool:
    return bool(QGuiApplication.keyboardModifiers() & Qt.KeyboardModifier.ShiftModifier)


def _distance(one: QPointF, other: QPointF) -> float:
    by = one - other
    return float((by.x() ** 2 + by.y() ** 2) ** 0.5)
