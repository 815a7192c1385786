"""
The drawings of one chart, for its owner: what to show comes in, what the user wants stored goes out as signals.

`ChartView` makes one, passes it the mouse and the keys, and calls `follow` in each frame. It stores nothing: a drawing
that was placed or changed shows once the owner gives it back by `set_drawings`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from PySide6.QtCore import QObject, QPointF, Qt, QTimer, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu

from app.market.drawings.drawing import Drawing, DrawingKind
from app.market.interval import Interval
from app.market.series.series import CandleSeries
from app.market.symbol import Symbol
from widgets.chart.drawings.controls.drawing_overlay import DrawingOverlay
from widgets.chart.drawings.drawing_keys import DrawingKeys, KeyCalls
from widgets.chart.drawings.drawing_painting import DrawingFills, DrawingPainter, DrawingsItem
from widgets.chart.drawings.drawing_set import DrawingSet
from widgets.chart.drawings.drawing_tool import DrawingTool, ToolCalls
from widgets.chart.drawings.editing import duplicate, order_above, order_below, pasted
from widgets.chart.drawings.figures import Figures
from widgets.chart.drawings.handles import beyond_prices, place_of
from widgets.chart.drawings.kinds import KINDS, words_of
from widgets.chart.painting.canvas import ChartCanvas
from widgets.chart.painting.scene import Crosshair, Scene
from widgets.controls.context_menu import context_menu, pop_up
from widgets.keys import key_in_brackets

_REFINE_MS = 120  # after the view's last movement


class ChartDrawings(QObject):
    """
    Shows drawings on one scene and lets the user place, choose and change them; ``keys``: by the keyboard.

    ``frame``: paints everything in the next frame. ``snap``: returns a position moved to a price of its candle, where
    the magnet is on. ``nudge``: moves the crosshair by so many candles and so many pixels up; False where it cannot.
    ``note``: called with a sentence on what a command did.

    Signals:
        put_requested(object): store this tuple of `Drawing`, new or changed, as one step of undo.
        remove_requested(str): remove the drawing of that id.
        alert_requested(object): set an alert on that `Drawing`.
        tool_changed(): `tool`, `keeps_tool`, `is_locked` or `is_shown` is another.
        changed(): the drawings, the chosen one, or what can be undone, are others.
    """

    put_requested = Signal(object)
    remove_requested = Signal(str)
    alert_requested = Signal(object)
    tool_changed = Signal()
    changed = Signal()

    def __init__(
        self,
        scene: Scene,
        canvas: ChartCanvas,
        frame: Callable[[], object],
        snap: Callable[[QPointF], QPointF],
        nudge: Callable[[int, int], bool],
        note: Callable[[str], object],
    ) -> None:
        super().__init__(canvas)
        self._scene, self._canvas, self._frame, self._note = scene, canvas, frame, note
        self.set = DrawingSet(scene)
        self._painter = DrawingPainter(scene, self.set, self._refine_later)
        self._item = DrawingsItem(scene, self.set, self._painter)
        self._tool = DrawingTool(
            scene,
            self.set,
            self._item,
            ToolCalls(frame, self._put, self.choose, self.edit_text, self._end_tool, snap),
        )
        self._refine_timer = QTimer(self)
        self._refine_timer.setSingleShot(True)
        self._refine_timer.setInterval(_REFINE_MS)
        self._refine_timer.timeout.connect(self._refine)
        self.keys = DrawingKeys(scene, self.set, self._tool, KeyCalls(frame, self._put, nudge, note))
        self._overlay = DrawingOverlay(scene, canvas, self.set, self, self._take_text)
        self._following: Figures | None = None  # of the last frame
        self._crosshair: Crosshair | None = None  # of the last frame
        self._symbol_name = ""
        self._is_new_text = False  # the text being typed is of a drawing that was not stored before
        self.changed.connect(self._overlay.place_bar)
        canvas.add_item_over_panes(self._item)
        fills = DrawingFills(scene, self.set, self._painter)
        scene.price.layers.append(fills)
        scene.price_ground = fills

    # The program

    def set_drawings(self, drawings: Iterable[Drawing]) -> None:
        """Show these drawings of the scene's symbol, given in the order of painting."""
        self.set.set_drawings(drawings)
        self._tool.drop_gone()
        self._frame()
        self.changed.emit()

    def set_alerts(self, alerts: Mapping[str, int]) -> None:
        """Show a bell on these drawings: by id how many alerts wait for each."""
        if alerts != self.set.alerts:
            self.set.alerts = dict(alerts)
            self._frame()
            self._overlay.place_bar()

    def follow(self, series: CandleSeries | None) -> None:
        """Take the series on the chart; call it as each frame begins."""
        if series is self.set.series:
            return
        had_interval, self.set.series = self._interval, series
        symbol = "" if self._scene.symbol is None else self._scene.symbol.name
        if symbol != self._symbol_name:
            self._symbol_name = symbol
            self._overlay.end_text()
            self._tool.take(self._tool.kind)  # anchors placed so far are prices of another symbol
        elif had_interval != self._interval:
            self._tool.let_go()

    @property
    def drawings(self) -> tuple[Drawing, ...]:
        """The symbol's drawings, hidden ones included, in the order of painting."""
        return self.set.drawings

    @property
    def chosen(self) -> Drawing | None:
        """The chosen drawing."""
        return self.set.chosen_drawing

    @property
    def symbol(self) -> Symbol | None:
        """The symbol whose drawings these are."""
        return self._scene.symbol

    @property
    def is_at_rest(self) -> bool:
        """Whether no better paint follows: the view has not just moved."""
        return not self._refine_timer.isActive()

    def sharpen(self) -> None:
        """Paint properly at the next paint, though the view has just moved: for pictures."""
        self._painter.forget()

    # The tool

    @property
    def tool(self) -> DrawingKind | None:
        """What is placed next; None: nothing, a press chooses and drags."""
        return self._tool.kind

    def take_tool(self, kind: DrawingKind | None) -> None:
        """Place drawings of a kind from now on; None: no longer."""
        if self._tool.kind is not None:
            self._note("")
        self._tool.take(kind)
        self.choose(None)
        if kind is not None:
            self._reveal()
            steps = KINDS[kind].steps
            self._note(f"{KINDS[kind].title}: {steps[0].lower()}{steps[1:]}")
        self.tool_changed.emit()

    @property
    def keeps_tool(self) -> bool:
        """Whether the tool stays chosen after a drawing was placed."""
        return self._tool.stays

    def keep_tool(self, *, keeps: bool) -> None:
        """Keep the tool after each drawing, or not."""
        self._tool.stays = keeps
        self.tool_changed.emit()

    @property
    def is_locked(self) -> bool:
        """Whether all drawings of this chart are locked: the mouse goes through them."""
        return self._tool.is_locked

    def lock_all(self, *, locked: bool) -> None:
        """Lock all drawings of this chart, or no longer."""
        self._tool.is_locked = locked
        self.choose(None)
        self.tool_changed.emit()

    @property
    def is_shown(self) -> bool:
        """Whether this chart shows its drawings."""
        return self.set.is_shown

    def show_all(self, *, shown: bool) -> None:
        """Show the drawings of this chart, or none of them."""
        self.set.set_shown(shown=shown)
        self.choose(None)
        self._frame()
        self.tool_changed.emit()

    # The mouse, as a `Grab` of `Gestures`

    def press(self, position: QPointF, modifiers: Qt.KeyboardModifier) -> bool:
        """Take a press of the left button; False if it is not about a drawing."""
        if self.tool is not None and not self._has_candles:
            self._note("A drawing is placed at the time of a candle: wait until the chart has some.")
            return True
        return self._tool.press(position, modifiers)

    def drag(self, position: QPointF) -> None:
        """Follow a drag."""
        self._tool.drag(position)
        shape = self._tool.cursor_at(position)
        if shape is not None:
            self._canvas.setCursor(shape)

    def release(self, position: QPointF) -> None:
        """Take the release."""
        self._tool.release(position)
        self._canvas.setCursor(self._tool.cursor_at(position) or Qt.CursorShape.CrossCursor)

    def double_click(self, position: QPointF) -> bool:
        """Take a double click; False if it is not about a drawing."""
        return self._tool.double_click(position)

    def hover(self, position: QPointF | None) -> Qt.CursorShape | None:
        """Follow the pointer with what is being placed; return its shape here, None: the usual one."""
        if position is None:
            return None
        self._tool.hover(position)
        return self._tool.cursor_at(position)

    def drawing_at(self, position: QPointF) -> Drawing | None:
        """Return the drawing at a position, None where there is none."""
        return None if self._tool.is_locked else self._tool.drawing_at(position)

    # Choosing

    def choose(self, drawing_id: str | None) -> None:
        """Choose a drawing; None: none."""
        chosen = drawing_id if self.set.get(drawing_id) is not None else None
        if chosen != self.set.chosen:
            self.set.chosen, self.set.held = chosen, None
            drawing = self.set.get(chosen)
            if drawing is not None:  # for a screen reader; the chart's own words come back with the crosshair
                self._canvas.setAccessibleDescription(f"Chosen: {words_of(drawing)}")
            self._frame()
            self.changed.emit()

    def cancel(self) -> bool:
        """Give up what is being placed, the tool, the point that keys move, or the choice: the first there is."""
        if self._tool.cancel() or self.keys.release_point():
            return True
        had_choice = self.set.chosen is not None
        self.choose(None)
        return had_choice

    def put_down_tool(self) -> bool:
        """Give up the tool with what is being placed; False where none is chosen."""
        has_tool = self._tool.kind is not None
        if has_tool:
            self.take_tool(None)
        return has_tool

    # Changes by the user

    def change(self, drawing: Drawing, **changes: object) -> None:
        """Store a drawing, as it is by now, with some fields changed."""
        current = self._current(drawing)
        if current is not None:
            self._put(replace(current, **changes))  # type: ignore[arg-type]  # because mypy cannot match the names

    def change_style(self, drawing: Drawing, **changes: object) -> None:
        """Store a drawing, as it is by now, in another style; the next one of its kind begins with it."""
        current = self._unlocked(drawing)
        if current is not None:
            styled = replace(current.style, **changes)  # type: ignore[arg-type]  # because mypy cannot match the names
            changed = replace(current, style=styled)
            self._tool.remember_style(changed)
            self._put(changed)

    def remove(self, drawing: Drawing) -> None:
        """Remove a drawing; say so where alerts wait for it."""
        self.remove_requested.emit(drawing.id)
        if count := self.set.alerts.get(drawing.id, 0):
            alerts = "its alert fires" if count == 1 else f"its {count} alerts fire"
            undo = f"Undo brings it back{key_in_brackets('undo_drawing')}."
            self._note(f"{KINDS[drawing.kind].title} removed; {alerts} no more. {undo}")

    def remove_chosen(self) -> bool:
        """Remove the chosen drawing, unless it is locked; False where there is none."""
        drawing = self.chosen
        if drawing is None:
            return False
        if self._unlocked(drawing) is not None:
            self.remove(drawing)
        return True

    def duplicate(self, drawing: Drawing) -> None:
        """Store a copy of a drawing beside it, and choose that."""
        interval = self._interval
        if interval is not None:
            self._reveal()
            copy = duplicate(self._scene, interval, drawing, self.drawings)
            self._put(copy)
            self.choose(copy.id)

    def bring_to_front(self, drawing: Drawing) -> None:
        """Paint a drawing after all others."""
        self.change(drawing, order=order_above(self.drawings))

    def send_to_back(self, drawing: Drawing) -> None:
        """Paint a drawing before all others."""
        self.change(drawing, order=order_below(self.drawings))

    def edit_text(self, drawing: Drawing) -> None:
        """Let the user type a drawing's text in its place, unless it is locked."""
        self._is_new_text = self.set.get(drawing.id) is None
        if self._is_new_text or self._unlocked(drawing) is not None:
            self._overlay.edit_text(drawing)
            self._frame()

    def ask_for_alert(self, drawing: Drawing) -> None:
        """Ask the owner for an alert on a drawing."""
        self.alert_requested.emit(drawing)

    def copy(self, drawing: Drawing) -> None:
        """Put a drawing on the clipboard, as JSON."""
        from app.market.drawings.drawing_json import file_text

        QGuiApplication.clipboard().setText(file_text([drawing]))
        self._note(f"Copied: {KINDS[drawing.kind].title.lower()}, as JSON.")

    def paste(self) -> bool:
        """Store copies of the drawings that the clipboard has as JSON; False where it has none, and says why."""
        from app.market.errors import UsageError

        interval, symbol = self._interval, self._scene.symbol
        if interval is None or symbol is None:
            return False
        try:
            found = pasted(QGuiApplication.clipboard().text(), self._scene, interval, symbol.name, self.drawings)
        except UsageError as error:
            self._note(f"Nothing was pasted. {error}")
            return False
        if found:
            self._reveal()
            self.put_requested.emit(found)
            self.choose(found[-1].id)
            said = f"Pasted: {KINDS[found[0].kind].title.lower()}" if len(found) == 1 else "Pasted the drawings"
            beyond = {beyond_prices(self._scene, drawing) for drawing in found}
            where = beyond.pop() if len(beyond) == 1 else ""
            self._note(f"{said}, {where} the prices in view." if where else f"{said}.")
        else:
            self._note("The clipboard has no drawing.")
        return bool(found)

    # Menus, keys and the bar

    @property
    def takes_keys(self) -> bool:
        """Whether the keys of a chosen drawing, or of one that is being placed, count."""
        return self.set.chosen is not None or self._tool.kind is not None

    def fill_menu(self, menu: QMenu, drawing: Drawing) -> None:
        """Add what can be done with a drawing."""
        from widgets.chart.drawings.controls.drawing_menu import fill_drawing_menu

        fill_drawing_menu(menu, self, drawing, self._scene.palette)

    def open_menu(self, drawing: Drawing) -> None:
        """Open the menu of a drawing in its middle."""
        interval = self._interval
        if interval is not None:
            menu = context_menu(self._canvas)
            self.fill_menu(menu, drawing)
            middle = place_of(self._scene, interval, drawing).center()
            pop_up(menu, self._canvas.mapToGlobal(middle.toPoint()))

    def end_frame(self) -> None:
        """
        Bring what depends on the frame up to date: call it as each frame ends.

        That is what follows the newest candle, what is placed at the crosshair, and the bar.
        """
        groups = self.set.groups()
        following = groups[1].figures if groups and groups[1].drawings else None
        if following is not self._following:
            self._following = following
            self._canvas.repaint_rects([self._scene.price.rect])
        cross = self._scene.crosshair
        if cross != self._crosshair:  # moved by keys, too
            self._crosshair = cross
            if cross is not None:
                self._tool.hover(QPointF(self._scene.time_scale.x_of(cross.slot), cross.y))
        self._overlay.place_bar()

    # Texts

    def _take_text(self, drawing: Drawing, text: str | None) -> None:
        """Store a drawing with this text; None: the user gave it up. A text without letters is not placed."""
        self.set.set_preview(None)
        self._frame()
        is_text = drawing.kind in (DrawingKind.TEXT, DrawingKind.NOTE)
        if text is None or (is_text and not text):
            return
        # It may have been changed or removed elsewhere meanwhile: then only what was typed counts.
        if text != drawing.text or self._is_new_text:
            self._put(replace(self.set.get(drawing.id) or drawing, text=text))
        self.choose(drawing.id)

    # The rest

    def _current(self, drawing: Drawing) -> Drawing | None:
        """Return a drawing as it is by now: a menu or a dialog may be about an earlier one; say so if it is gone."""
        current = self.set.get(drawing.id)
        if current is None:
            self._note(f"{KINDS[drawing.kind].title}: it is not on this chart any more.")
        return current

    def _unlocked(self, drawing: Drawing) -> Drawing | None:
        """Return a drawing as it is by now, if it may be changed; say so if it is locked."""
        current = self._current(drawing)
        if current is None:
            return None
        if self._tool.is_locked:
            self._note(f"All drawings are locked: unlock them first{key_in_brackets('lock_drawings')}.")
            return None
        if current.locked:
            self._note(f"{KINDS[drawing.kind].title}: unlock it first{key_in_brackets('lock_drawing')}.")
            return None
        return current

    def _reveal(self) -> None:
        """Show all drawings again: a new one must not be placed unseen."""
        if not self.is_shown:
            self.show_all(shown=True)

    def _end_tool(self) -> None:
        self._note("")  # what to do with the tool
        self.tool_changed.emit()

    def _put(self, drawing: Drawing) -> None:
        self.put_requested.emit((drawing,))

    def _refine_later(self) -> None:
        self._refine_timer.start()

    def _refine(self) -> None:
        if self._painter.rest():
            self._canvas.repaint_rects([self._scene.price.rect])

    @property
    def _has_candles(self) -> bool:
        return self.set.series is not None and len(self.set.series) > 0

    @property
    def _interval(self) -> Interval | None:
        return None if self.set.series is None else self.set.series.interval
