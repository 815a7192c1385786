"""
The chart: holds its model, a `CandleSeries`, looks at it at most once per frame, and repaints what differs.

Data arrives when it likes: `series_changed` only notes that it did. A single-shot timer runs the next frame at most
every 16 ms, none while the chart is hidden or nothing changed; a frame decides what is in view, and whether the whole
view or only the last bars' strip is repainted. Texts that must be readable follow on a slower timer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from time import monotonic

from PySide6.QtCore import QEvent, QPointF, QRectF, QTimer, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from app.market.series import Bar, CandleSeries
from app.market.symbol import Symbol
from widgets.chart.axes import LABEL_PADDING_PX, last_label_rect
from widgets.chart.canvas import ChartCanvas
from widgets.chart.framing import (
    bar_at,
    decimals_of,
    frame_scene,
    gap_marks,
    mark_axes,
    missing_in,
    read_crosshair,
    view_key,
)
from widgets.chart.gestures import Gestures
from widgets.chart.legend import Piece, format_quantity, legend_pieces
from widgets.chart.overlay import fitted_legend, legend_rect
from widgets.chart.scene import Crosshair, Layout, Scene
from widgets.chart.states import RETRY, SIMULATED_MARKET, StatePanel
from widgets.chart.text import TextStyles
from widgets.chart.ticks import countdown, format_price
from widgets.chart.time_view import DEFAULT_BAR_PX, position_of, time_at
from widgets.theme import DARK, Palette
from widgets.views import GapBand

_FRAME_MS = 16
_TEXT_MS = 200
_TIME_AXIS_PX = 28.0
_BUTTON_MARGIN_PX = 12
_FIRST_AXIS_PX = 76.0
_MINIMISED_MS = 500
_LOADING_SHOWN_AFTER_MS = 150


class ChartWidget(QWidget):
    """
    Candles over volume, for one series at a time.

    Signals:
        older_history_requested(object): the view came within about a screen of the first bar; carries that bar's open
            time, UTC microseconds. Once, until older bars were prepended or another series is shown.
        following_changed(bool): the view began, or ceased, to move on with the latest candle.
        visible_range_changed(): `visible_range_us` returns something else.
        painted(): the chart was painted; it shows what it was told before the frame that `frame_count` counted last.
        crosshair_moved(object): onto that `Bar`, or None: off the candles.
        retry_requested(), simulated_market_requested(): a button of an error state was pressed.
    """

    # Times are passed as objects: Signal(int) is 32 bits wide.
    older_history_requested = Signal(object)
    following_changed = Signal(bool)
    visible_range_changed = Signal()
    painted = Signal()
    crosshair_moved = Signal(object)
    retry_requested = Signal()
    simulated_market_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Chart")
        self._series: CandleSeries | None = None
        self._gaps: list[GapBand] = []
        self._following = True
        self._kept_us: int | None = None  # under the centre before the series went away
        self._asked_before: int | None = None  # the first bar for which older history was asked
        self._last_slot: int | None = None
        self._pointer: QPointF | None = None
        self._now_us: int | None = None
        self._hovered: Bar | None = None
        self._drawn: tuple[object, ...] = ()
        self._drawn_revision = self._drawn_shape = -1
        self._drawn_live: list[QRectF] = []
        self._all_dirty = True
        self._frame_due = False
        self._framed_at_s = 0.0
        self._frames = 0
        self._axis_px = 0.0
        self._scene = Scene(TextStyles(self.font()))
        self._canvas = ChartCanvas(self._scene, self)
        self._canvas.resized.connect(self._resized)
        self._canvas.painted.connect(self.painted)
        self._gestures = Gestures(self._canvas, self._scene, self)
        self._states = StatePanel(self)
        self._states.action_chosen.connect(self._act)
        self._latest = QPushButton("→ latest", self)
        self._latest.setObjectName("latest")
        self._latest.setToolTip("Follow the latest candle (End)")
        self._latest.clicked.connect(self.follow_latest)
        self._latest.hide()
        self._frame_timer = _single_shot(self, self._frame)
        self._text_timer = _single_shot(self, self._refresh_texts)
        self._state_timer = _single_shot(self, self._states.show)
        box = QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.addWidget(self._canvas)
        self.setFocusProxy(self._canvas)
        self.set_palette(DARK)

    # What others tell the chart

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
        it still does. ``follow`` says which of the two. A new symbol's gaps are set after this.
        """
        centre_us = self.center_time_us() if keep_time_us is None else keep_time_us
        if follow is not None:
            self._set_following(follow)
        if symbol != self._scene.symbol:
            self._gaps, self._axis_px = [], 0.0
        if series is not self._series:
            self._scene.price.auto = True
        self._series, self._scene.symbol, self._kept_us = series, symbol, centre_us
        self._asked_before = self._last_slot = None
        self._scene.countdown = ""
        if series is not None and not self._following and centre_us is not None:
            self._scene.time.centre_on(position_of(series.interval, centre_us))
        self._mark_gaps()
        self._all_dirty = True
        self._run_frame()
        self._refresh_texts()
        self.setAccessibleDescription(f"{symbol.display_name}, {series.interval}" if symbol and series else "")

    def series_changed(self) -> None:
        """Look at the series in the next frame. Cheap: call it for every trade."""
        if not self._frame_due:
            self._request_frame()

    def set_gaps(self, gaps: Sequence[GapBand]) -> None:
        """Show these stretches of missing trades."""
        if list(gaps) != self._gaps:
            self._gaps = list(gaps)
            self._mark_gaps()
            self._repaint_all()

    def set_state(self, state: str, text: str = "", actions: Sequence[str] = (RETRY, SIMULATED_MARKET)) -> None:
        """Show ``"loading"``, ``"empty"`` or ``"error"`` in the chart's place, with a sentence; or ``"ready"``."""
        self._states.show_state(state, text, actions)
        self._state_timer.stop()
        if state == "loading":
            # A switch is done in a few frames, most often: no flash of another picture for that.
            self._states.hide()
            self._state_timer.start(_LOADING_SHOWN_AFTER_MS)

    def set_palette(self, palette: Palette) -> None:
        """Take another theme."""
        self._scene.set_palette(palette)
        self._canvas.setBackground(self._scene.colours.background)
        self._states.set_palette(palette)
        self._latest.setStyleSheet(
            f"QPushButton {{ color: {palette.text}; background: {palette.raised}; border: 1px solid {palette.line};"
            " border-radius: 6px; padding: 4px 10px; }"
            f"QPushButton:hover, QPushButton:focus {{ border-color: {palette.accent}; }}"
        )
        self._repaint_all()

    def set_now(self, exchange_time_us: int) -> None:
        """Tell the exchange's time, a few times a second, for the countdown to the candle's close."""
        self._now_us = exchange_time_us
        if self._countdown() != self._scene.countdown:
            self._drawn_revision = -1
            self.series_changed()

    # What others may ask

    @property
    def is_following(self) -> bool:
        """Whether the view moves on with the latest candle."""
        return self._following

    @property
    def paint_count(self) -> int:
        """How often the chart has painted, parts included."""
        return self._canvas.paint_count

    @property
    def frame_count(self) -> int:
        """How many times the chart took what it was told into its picture."""
        return self._frames

    @property
    def is_up_to_date(self) -> bool:
        """Whether all that arrived is marked for painting: no frame and no text is due."""
        return not self._frame_due and not self._text_timer.isActive()

    @property
    def legend_text(self) -> str:
        """What the legend says, as one line."""
        return " ".join(piece.text for piece in self._scene.legend)

    def visible_range_us(self) -> tuple[int, int] | None:
        """Return the times at the left and right edge, UTC microseconds; None without a series."""
        if self._series is None:
            return None
        time, interval = self._scene.time, self._series.interval
        return time_at(interval, time.left), time_at(interval, time.right)

    def center_time_us(self) -> int | None:
        """Return the time under the centre, UTC microseconds; without a series, that of the one before."""
        if self._series is None or (self._following and self._last_slot is None):
            return self._kept_us
        return time_at(self._series.interval, self._scene.time.centre)

    # Moving about

    def follow_latest(self) -> None:
        """Go to the latest candle and stay with it."""
        self._scene.time.show_latest()
        self._moved()

    def show_first(self) -> None:
        """Go to the first candle there is."""
        self._scene.time.show_first()
        self._moved()

    def pan(self, pixels: float) -> None:
        """Move the candles to the right by that many logical pixels."""
        self._scene.time.pan(pixels)
        self._moved()

    def zoom(self, factor: float, x: float | None = None) -> None:
        """Make candles wider about ``x``, logical pixels from the left; None: about the latest candle or the centre."""
        time = self._scene.time
        if x is None:
            x = time.x_of(time.last) if self._following else time.width_px / 2
        time.zoom(factor, x)
        self._moved()

    def fit(self) -> None:
        """Back to candles of the usual width and prices that fit them."""
        self._scene.price.auto = True
        time = self._scene.time
        centre, time.bar_px = time.centre, DEFAULT_BAR_PX
        if self._following:
            time.show_latest()
        else:
            time.centre_on(centre)
        self._moved()

    def stretch_price(self, factor: float) -> None:
        """Show ``factor`` times as much price; `reset_price` goes back to automatic."""
        self._scene.price.stretch(factor)
        self._repaint_all()

    def shift_price(self, share: float) -> None:
        """Move prices up by a share of the height."""
        self._scene.price.shift(share)
        self._repaint_all()

    def reset_price(self) -> None:
        """Fit prices to the candles in view again."""
        self._scene.price.auto = True
        self._repaint_all()

    def point_at(self, position: QPointF | None) -> None:
        """Put the crosshair there, or nowhere."""
        self._pointer = position
        self._request_frame()

    def _moved(self) -> None:
        if self._last_slot is not None:
            self._set_following(self._scene.time.shows_last())
        self._repaint_all()

    def _set_following(self, following: bool) -> None:
        if following != self._following:
            self._following = following
            self.following_changed.emit(following)

    # Frames

    def _repaint_all(self) -> None:
        self._all_dirty = True
        self._request_frame()

    def _request_frame(self) -> None:
        if not self._frame_due and self.isVisible():
            self._frame_due = True
            waited_ms = (monotonic() - self._framed_at_s) * 1000
            self._frame_timer.start(max(0, round(_FRAME_MS - waited_ms)))

    def frame_now(self) -> None:
        """Do the frame that is due without waiting for it, as a benchmark must; Qt still paints when it next can."""
        if self._frame_due:
            self._frame_timer.stop()
            self._frame()

    def _frame(self) -> None:
        self._frame_due = False
        if self.window().isMinimized():
            self._frame_due = True
            self._frame_timer.start(_MINIMISED_MS)
        elif self.isVisible():
            self._run_frame()

    def _run_frame(self) -> None:
        """Bring the scene up to date and mark what differs as dirty; Qt paints it when it next can."""
        self._framed_at_s = monotonic()
        self._frames += 1
        scene, series = self._scene, self._series
        revision, shape = (series.revision, series.shape_revision) if series is not None else (-1, -1)
        self._keep_up()
        self._frame_scene()
        drawn = (series, shape, *view_key(scene))
        if self._all_dirty or drawn != self._drawn:
            mark_axes(scene, series.interval if series is not None else None)
            self._point()
            self._canvas.show_ranges()
            self._canvas.repaint_all()
        else:
            dirty = self._point()
            if revision != self._drawn_revision:
                dirty += self._drawn_live + self._live_rects()
            self._canvas.repaint_rects(dirty)
        if revision != self._drawn_revision and not self._text_timer.isActive():
            self._text_timer.start(_TEXT_MS)
        moved, self._drawn = drawn[2:5] != self._drawn[2:5], drawn
        self._drawn_revision, self._drawn_live, self._all_dirty = revision, self._live_rects(), False
        self._tell(moved)

    def _keep_up(self) -> None:
        """Follow the latest candle; where the view does not follow, nothing that arrives moves it."""
        if self._series is None or not len(self._series):
            return
        time, last = self._scene.time, int(self._series.slots[-1])
        if self._following:
            if self._last_slot is None:
                time.last = last
                time.show_latest()
            else:
                time.right += last - self._last_slot
        self._last_slot = last

    def _frame_scene(self) -> None:
        scene = self._scene
        frame_scene(scene, self._series, self.devicePixelRatioF())
        scene.countdown = self._countdown()
        if scene.last is not None:
            widest = max(scene.last_text, format_price(scene.price.high, decimals_of(scene)), key=len)
            needed = scene.styles.small_bold.width(widest) + 2 * LABEL_PADDING_PX
            if needed > self._axis_px:
                self._axis_px = float(math.ceil(needed) + 4)
                self._lay_out()
                frame_scene(scene, self._series, self.devicePixelRatioF())

    def _live_rects(self) -> list[QRectF]:
        """Return what a change of the last bar repaints: its strip, the last price's line and label."""
        scene = self._scene
        if scene.last is None:
            return []
        panes, y = scene.layout.panes, scene.price_y(scene.last.close)
        first = int(scene.bars.slot[-1]) if len(scene.bars.slot) else scene.last.slot
        left, right = scene.time.x_of(first - 0.5) - 2, scene.time.x_of(scene.last.slot + 0.5) + 2
        strip = QRectF(left, panes.top(), right - left, panes.height()) & panes
        room = scene.styles.small.height
        return [
            strip,
            QRectF(panes.left(), y - 2, panes.width(), 4) & scene.layout.price,
            last_label_rect(scene).adjusted(0, -room, 0, room),
        ]

    def _tell(self, moved: bool) -> None:
        """Say what has changed, once the frame is whole."""
        self._latest.setVisible(not self._following and self._last_slot is not None)
        if moved:
            self.visible_range_changed.emit()
        time = self._scene.time
        if self._last_slot is not None and time.left - time.first < time.span and self._asked_before != time.first:
            self._asked_before = time.first
            assert self._series is not None
            self.older_history_requested.emit(int(self._series.column("open_time_us")[0]))

    # The crosshair and the texts

    def _point(self) -> list[QRectF]:
        """Move the crosshair to the pointer; return what that repaints."""
        scene, series, before = self._scene, self._series, self._scene.crosshair
        scene.crosshair = None
        if self._pointer is not None and series is not None:
            scene.crosshair = read_crosshair(scene, series.interval, self._pointer)
        if scene.crosshair == before:
            return []
        hovered = None
        if scene.crosshair is not None and series is not None:
            hovered = bar_at(series, scene.crosshair.slot)
        if hovered != self._hovered:
            self._hovered = hovered
            self._refresh_texts()
            self.crosshair_moved.emit(hovered)
        return self._cross_rects(before) + self._cross_rects(scene.crosshair)

    def _cross_rects(self, cross: Crosshair | None) -> list[QRectF]:
        if cross is None:
            return []
        panes, layout = self._scene.layout.panes, self._scene.layout
        x = self._scene.time.x_of(cross.slot)
        return [
            QRectF(x - 2, panes.top(), 4, panes.height()),
            QRectF(panes.left(), cross.y - 2, panes.width(), 4),
            layout.price_axis,
            layout.time_axis,
        ]

    def _refresh_texts(self) -> None:
        scene = self._scene
        bar = self._hovered or scene.last
        legend: list[Piece] = []
        volume_text = ""
        if scene.symbol is not None and self._series is not None:
            missing = missing_in(self._gaps, bar, self._series.interval) if bar else 0
            legend = fitted_legend(scene, legend_pieces(scene.symbol, self._series.interval, bar, missing))
            if bar is not None:
                quantity = format_quantity(bar.volume, scene.symbol.quantity_decimals)
                volume_text = f"Volume  {quantity} {scene.symbol.base}"
        if (legend, volume_text) != (scene.legend, scene.volume_text):
            scene.legend, scene.volume_text = legend, volume_text
            volume = scene.layout.volume
            self._canvas.repaint_rects(
                [legend_rect(scene), QRectF(volume.left(), volume.top() - 4, volume.width(), 28)]
            )

    def _countdown(self) -> str:
        last, series = self._scene.last, self._series
        if last is None or series is None or self._now_us is None or last.closed:
            return ""
        left_us = series.interval.next_open_us(last.open_time_us) - self._now_us
        return countdown(left_us)

    def _mark_gaps(self) -> None:
        self._scene.gaps = gap_marks(self._gaps, self._series.interval) if self._series is not None else []

    # Qt

    def _resized(self) -> None:
        # At once rather than in the next frame: Qt paints the new size right after this.
        self._lay_out()
        self._all_dirty = True
        self._run_frame()
        self._refresh_texts()

    def _lay_out(self) -> None:
        scene, canvas = self._scene, self._canvas
        scene.layout = Layout.of(canvas.width(), canvas.height(), self._axis_px or _FIRST_AXIS_PX, _TIME_AXIS_PX)
        scene.time.width_px = max(scene.layout.price.width(), 1.0)
        canvas.place_items()
        self._states.setGeometry(scene.layout.panes.toAlignedRect())
        self._latest.adjustSize()
        corner = scene.layout.price.bottomRight().toPoint()
        size = self._latest.size()
        self._latest.move(corner.x() - size.width() - _BUTTON_MARGIN_PX, corner.y() - size.height() - _BUTTON_MARGIN_PX)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._all_dirty = True
        self._run_frame()
        self._refresh_texts()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.FontChange and hasattr(self, "_scene"):
            self._scene.styles = TextStyles(self.font())
            self._axis_px = 0.0
            self._resized()

    def _act(self, action: str) -> None:
        if action == SIMULATED_MARKET:
            self.simulated_market_requested.emit()
        else:
            self.retry_requested.emit()


def _single_shot(parent: QWidget, call: Callable[[], object]) -> QTimer:
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.timeout.connect(call)
    return timer
