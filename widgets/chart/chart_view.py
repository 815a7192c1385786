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

from app.market.interval import Interval
from app.market.series.series import CandleSeries
from app.market.symbol import Symbol
from widgets.chart.indicators.axis_labels import AxisLabels
from widgets.chart.interaction.accessibility import ChartAccessibility
from widgets.chart.interaction.appearance import Appearance
from widgets.chart.interaction.gestures import Gestures
from widgets.chart.interaction.indicator_controller import IndicatorController
from widgets.chart.interaction.keyboard import Keyboard
from widgets.chart.interaction.navigator import Navigator
from widgets.chart.interaction.reading_tools import ReadingTools
from widgets.chart.interaction.readout import Readout
from widgets.chart.interaction.view_part import ViewPart
from widgets.chart.model.follow_latest import FollowLatest
from widgets.chart.model.kinetic_scroll import KineticScroll
from widgets.chart.model.pane_layout import PRICE, PaneLayout
from widgets.chart.model.view_history import ViewHistory
from widgets.chart.painting.axes import LABEL_PADDING_PX
from widgets.chart.painting.canvas import ChartCanvas
from widgets.chart.painting.frame_timer import FrameTimer, single_shot
from widgets.chart.painting.pane import ValueFormat
from widgets.chart.painting.scene import Scene, SceneLayout
from widgets.chart.painting.scene_builder import update_scene, value_text
from widgets.chart.painting.text_cache import TextStyles
from widgets.chart.panes.dirty_regions import DirtyRegions, separator_rects
from widgets.chart.panes.pane_set import PaneSet, make_pane
from widgets.chart.scales.time_scale import position_of, time_at


class Showing(ViewPart):
    """The series of a `ChartView`."""

    _access: ChartAccessibility
    _axis_px: float
    _interval: Interval | None = None  # of the series, or of the one before
    _kept_us: int | None = None  # under the centre before the series went away

    def set_series(
        self,
        series: CandleSeries | None,
        symbol: Symbol | None,
        *,
        keep_time_us: int | None = None,
        follow: bool | None = None,
    ) -> None:
        """
        Show another series, or, with None, nothing: at once, so that old candles never stand under a new name.

        The time under the centre stays (or becomes ``keep_time_us``), unless the chart follows the latest candle; then
        it still does. ``follow`` says which of the two. Values that were stretched by hand stay so while they mean the
        same: prices for this symbol, what other panes count for this symbol and interval.
        """
        self._begin_series(series, symbol)
        centre_us = self.center_time_us() if keep_time_us is None else keep_time_us
        if follow is not None:
            if follow and not self._follower.is_on:
                self._follower.begin()
            self._set_following(follow)
        if symbol != self._scene.symbol:
            self._axis_px = 0.0
        self._free_axes(series, symbol)
        if series is not self._series:
            self._glide.stop()
            self.clear_measure()  # slots of another interval are other times
            self._follower.begin()
        is_other = series is not self._series or keep_time_us is not None
        self._series, self._scene.symbol, self._kept_us = series, symbol, centre_us
        if is_other and series is not None and not self._follower.is_on and centre_us is not None:
            self._scene.time_scale.centre_on(position_of(series.interval, centre_us))
        self._repainter.mark_all()
        self._run_frame()
        self._refresh_texts()
        self._widget.setAccessibleDescription(f"{symbol.display_name}, {series.interval}" if symbol and series else "")
        self._access.tell(series)

    @property
    def is_following(self) -> bool:
        """Whether the view moves on with the latest candle."""
        return self._follower.is_on

    def visible_range_us(self) -> tuple[int, int] | None:
        """Return the times at the left and right edge, UTC microseconds; None without a series."""
        if self._series is None:
            return None
        time, interval = self._scene.time_scale, self._series.interval
        return time_at(interval, time.left), time_at(interval, time.right)

    @property
    def slots_in_view(self) -> float:
        """How many candles have room side by side."""
        return self._scene.time_scale.span

    def center_time_us(self) -> int | None:
        """Return the time under the centre, UTC microseconds; without a series, that of the one before."""
        if self._series is None or (self._follower.is_on and self._follower.last_slot is None):
            return self._kept_us
        return time_at(self._series.interval, self._scene.time_scale.centre)

    def _begin_series(self, series: CandleSeries | None, symbol: Symbol | None) -> None:
        """Leave what is not the series' but about the one before, as another is to be shown. To be extended."""

    def _free_axes(self, series: CandleSeries | None, symbol: Symbol | None) -> None:
        """Have the axes fit again whose values mean something else from now on."""
        before, name = self._scene.symbol, symbol.name if symbol is not None else ""
        is_other_symbol = before is not None and before.name != name
        is_other_interval = series is not None and self._interval not in (None, series.interval)
        for pane in self._scene.panes:
            if is_other_symbol or (is_other_interval and pane.value_format is not ValueFormat.PRICE):
                pane.value_scale.auto = True
        self._interval = series.interval if series is not None else self._interval


_TEXT_MS = 200
_TIME_AXIS_PX = 28.0
_FIRST_AXIS_PX = 76.0


class ChartView(Showing, Navigator, ReadingTools, IndicatorController, Appearance, QWidget):
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
        self._follower = FollowLatest()
        self._glide, self._views = KineticScroll(), ViewHistory()
        self._axis_px = 0.0
        self._scene = Scene(TextStyles(self.font()), [make_pane(PRICE)])
        self._canvas = ChartCanvas(self._scene, self)
        self._panes = PaneSet(self._scene, self._rearranged)
        self._panes.arrange(PaneLayout())
        self._reader = Readout(self._scene, self._canvas, self.crosshair_moved.emit)
        self._repainter = DirtyRegions(self._scene, self._canvas)
        self._value_labels = AxisLabels(self._scene)
        self._begin_studying()
        self._canvas.resized.connect(self._resized)
        self._canvas.painted.connect(self.painted)
        self._canvas.menu_requested.connect(self._open_menu)
        self._gestures = Gestures(self._canvas, self._scene, self._panes, self)
        self._keyboard = Keyboard(self._scene, self._panes, self, self._give_up)
        self._keyboard.commands.update(self.reading_commands() | self.studying_commands())
        self._canvas.key_pressed.connect(self._keyboard.press)
        self._access = ChartAccessibility(self._canvas, self._scene, self._reader)
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
        if separator != self._scene.marked_separator:
            self._scene.marked_separator = separator
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
            self._follower.advance(self._scene.time_scale, int(series.slots[-1]))
        self._frame_scene()
        moved, changed = self._repainter.mark(series, self._reader.point(series))
        if (changed or moved) and not self._text_timer.isActive():  # in another range numbers may be written otherwise
            self._text_timer.start(_TEXT_MS)
        self._tell(moved)

    def _frame_scene(self) -> None:
        scene = self._scene
        self._fill_scene()
        if scene.last is not None:
            widest = max(scene.last_text, value_text(scene, scene.price, scene.price.value_scale.high), key=len)
            needed = max(scene.styles.small_bold.width(widest), self._value_labels.widest()) + 2 * LABEL_PADDING_PX
            if needed > self._axis_px:
                self._axis_px = float(math.ceil(needed) + 4)
                centre = scene.time_scale.centre
                self._lay_out()
                if not self._follower.is_on:
                    scene.time_scale.centre_on(centre)
                self._fill_scene()

    def _fill_scene(self) -> None:
        update_scene(self._scene, self._series, self.devicePixelRatioF())
        self._add_marks()
        self._value_labels.refresh(self._series)

    def _add_marks(self) -> None:
        """Add to the scene what is not the series'. To be extended."""

    def _tell(self, moved: bool) -> None:
        """Say what has changed, once the frame is whole."""
        if moved:
            self.visible_range_changed.emit()
        if self._follower.needs_older(self._scene.time_scale):
            self._follower.note_older_requested(self._scene.time_scale)
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
        scene.layout = SceneLayout.of(
            canvas.width(),
            canvas.height(),
            self._axis_px or _FIRST_AXIS_PX * scene.styles.scale,
            _TIME_AXIS_PX * scene.styles.scale,
        )
        scene.time_scale.width_px = max(scene.layout.panes.width(), 1.0)
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
