"""
A view of one series and its panes: its parts (see `view_part`), joined, and the frames in which they are painted.

Data arrives when it likes: `series_changed` only notes that it did. A frame (see `frames`) decides what is in view, and
whether the whole view or only the last bars' strip is repainted (see `repainting`). Texts that must be readable follow
on a slower timer. What is said beside the market's figures (states, gaps, the countdown) is `ChartWidget`'s.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QEvent, QPointF, Signal
from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.market.series import CandleSeries
from widgets.chart.access import ChartAccess
from widgets.chart.arrangement import PRICE, Arrangement
from widgets.chart.axes import LABEL_PADDING_PX
from widgets.chart.canvas import ChartCanvas
from widgets.chart.following import Follower
from widgets.chart.frames import FrameTimer, single_shot
from widgets.chart.framing import frame_scene, value_text
from widgets.chart.gestures import Gestures
from widgets.chart.glide import Glide
from widgets.chart.indicators.studying import Studying
from widgets.chart.keyboard import Keyboard
from widgets.chart.looks import Looks
from widgets.chart.moving import Moving
from widgets.chart.pane_set import PaneSet, make_pane
from widgets.chart.reading import Reader
from widgets.chart.reading_tools import ReadingTools
from widgets.chart.repainting import Repainter, separator_rects
from widgets.chart.scene import Layout, Scene
from widgets.chart.showing import Showing
from widgets.chart.text import TextStyles
from widgets.chart.value_labels import ValueLabels
from widgets.chart.view_history import ViewHistory

_TEXT_MS = 200
_TIME_AXIS_PX = 28.0
_FIRST_AXIS_PX = 76.0


class ChartView(Showing, Moving, ReadingTools, Studying, Looks, QWidget):
    """
    Panes under one another, the price's among them, for one series at a time.

    Signals:
        older_history_requested(object): the view came within about a screen of the first bar; carries that bar's open
            time, UTC microseconds. Once, until older bars were prepended or another series is shown.
        following_changed(bool): the view began, or ceased, to move on with the latest candle.
        visible_range_changed(): `visible_range_us` returns something else.
        painted(): the chart was painted; it shows what it was told before the frame that `frame_count` counted last.
        crosshair_moved(object): onto that `Bar`, or None: off the candles.
        look_changed(): the user changed how prices are drawn, or moved, resized, closed or opened a pane.
    """

    # Times are passed as objects: Signal(int) is 32 bits wide.
    older_history_requested = Signal(object)
    following_changed = Signal(bool)
    visible_range_changed = Signal()
    painted = Signal()
    crosshair_moved = Signal(object)
    look_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._series: CandleSeries | None = None
        self._follower = Follower()
        self._glide, self._views = Glide(), ViewHistory()
        self._axis_px = 0.0
        self._scene = Scene(TextStyles(self.font()), [make_pane(PRICE)])
        self._canvas = ChartCanvas(self._scene, self)
        self._panes = PaneSet(self._scene, self._rearranged)
        self._panes.arrange(Arrangement())
        self._reader = Reader(self._scene, self._canvas, self.crosshair_moved.emit)
        self._repainter = Repainter(self._scene, self._canvas)
        self._value_labels = ValueLabels(self._scene)
        self._begin_studying()
        self._canvas.resized.connect(self._resized)
        self._canvas.painted.connect(self.painted)
        self._canvas.menu_requested.connect(self._open_menu)
        self._gestures = Gestures(self._canvas, self._scene, self._panes, self)
        self._keyboard = Keyboard(self._scene, self._panes, self, self._give_up)
        self._keyboard.commands.update(self.reading_commands() | self.studying_commands())
        self._canvas.key_pressed.connect(self._keyboard.press)
        self._access = ChartAccess(self._canvas, self._scene, self._reader)
        self.crosshair_moved.connect(lambda _: self._access.tell(self._series))
        self._frames = FrameTimer(self, self._paint_frame)
        self._text_timer = single_shot(self, self._refresh_texts)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self._canvas)
        self.setFocusProxy(self._canvas)

    def series_changed(self) -> None:
        """Look at the series in the next frame. Cheap: call it for every trade."""
        self._frames.request()

    def set_source(self, source: Callable[[], object] | None) -> None:
        """Have that called as each frame begins, to bring into the series what changed since; None: nothing."""
        self._frames.set_source(source)

    @property
    def paint_count(self) -> int:
        """How often the chart has painted, parts included."""
        return self._canvas.paint_count

    @property
    def frame_count(self) -> int:
        """How many times the chart took what it was told into its picture."""
        return self._frames.count

    @property
    def is_up_to_date(self) -> bool:
        """Whether all that arrived is marked for painting: no frame and no text is due."""
        return not self._frames.is_due and not self._text_timer.isActive()

    @property
    def trouble(self) -> str:
        """One sentence where a part of the chart cannot be drawn; empty where all is."""
        layers = (layer for pane in self._scene.panes for layer in pane.layers)
        failed = self._scene.guard.titles((*layers, *self._canvas.parts))
        return f"The chart cannot draw {_listed(failed)}: the log says why." if failed else ""

    @property
    def legend_text(self) -> str:
        """What the legend says, as one line."""
        return " ".join(piece.text for piece in self._scene.price.title)

    # The pointer

    def point_at(self, position: QPointF | None) -> None:
        """Put the crosshair there, or nowhere."""
        self._reader.pointer = position
        self._frames.request()

    def mark_separator(self, separator: int | None) -> None:
        """Show that line between panes as one that can be dragged."""
        if separator != self._scene.marked:
            self._scene.marked = separator
            self._canvas.repaint_rects(separator_rects(self._scene))

    def _give_up(self) -> bool:
        return self._gestures.cancel() or self.clear_measure()

    # Frames

    def _rearranged(self) -> None:
        self._resized()
        self.look_changed.emit()

    def _repaint_all(self) -> None:
        self._repainter.mark_all()
        self._frames.request()

    def frame_now(self) -> None:
        """Do and paint the frame that is due without waiting for it, as a benchmark must."""
        self._frames.run_now()

    def _paint_frame(self) -> None:
        with self._canvas.painting_at_once():
            self._run_frame()

    def _run_frame(self) -> None:
        """Bring the scene up to date and mark what differs as dirty; Qt paints it when it next can."""
        self._frames.note_frame()
        self._run_on()
        series = self._series
        if series is not None and len(series):
            self._follower.keep_up(self._scene.time, int(series.slots[-1]))
        self._frame_scene()
        moved, changed = self._repainter.mark(series, self._reader.point(series))
        if (changed or moved) and not self._text_timer.isActive():  # in another range numbers may be written otherwise
            self._text_timer.start(_TEXT_MS)
        self._tell(moved)

    def _frame_scene(self) -> None:
        scene = self._scene
        self._fill_scene()
        if scene.last is not None:
            widest = max(scene.last_text, value_text(scene, scene.price, scene.price.view.high), key=len)
            needed = max(scene.styles.small_bold.width(widest), self._value_labels.widest()) + 2 * LABEL_PADDING_PX
            if needed > self._axis_px:
                self._axis_px = float(math.ceil(needed) + 4)
                centre = scene.time.centre
                self._lay_out()
                if not self._follower.is_on:
                    scene.time.centre_on(centre)
                self._fill_scene()

    def _fill_scene(self) -> None:
        frame_scene(self._scene, self._series, self.devicePixelRatioF())
        self._add_marks()
        self._value_labels.refresh(self._series)

    def _add_marks(self) -> None:
        """Add to the scene what is not the series'. To be extended."""

    def _tell(self, moved: bool) -> None:
        """Say what has changed, once the frame is whole."""
        if moved:
            self.visible_range_changed.emit()
        if self._follower.wants_older(self._scene.time):
            assert self._series is not None
            self.older_history_requested.emit(int(self._series.column("open_time_us")[0]))

    def _refresh_texts(self) -> None:
        self._reader.refresh(self._series)

    # Qt

    def _resized(self) -> None:
        # At once rather than in the next frame: Qt paints the new size right after this.
        self._lay_out()
        self._repainter.mark_all()
        self._run_frame()
        self._refresh_texts()

    def _lay_out(self) -> None:
        scene, canvas = self._scene, self._canvas
        scene.layout = Layout.of(
            canvas.width(),
            canvas.height(),
            self._axis_px or _FIRST_AXIS_PX * scene.styles.scale,
            _TIME_AXIS_PX * scene.styles.scale,
        )
        scene.time.width_px = max(scene.layout.panes.width(), 1.0)
        self._panes.lay_out()
        self._value_labels.forget()
        scene.guard.retry()
        canvas.place_items()
        self._place_over_panes()

    def _place_over_panes(self) -> None:
        """Place what stands over the panes. To be extended."""

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._repainter.mark_all()
        self._run_frame()
        self._refresh_texts()
        self._frames.request()  # for what the source has kept while the chart was hidden

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self._glide.stop()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange and hasattr(self, "_scene"):
            self._scene.styles = TextStyles(self.font())
            self._axis_px = 0.0
            self._resized()


def _listed(titles: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(titles[:-1]), titles[-1])))
