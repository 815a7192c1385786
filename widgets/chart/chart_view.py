"""
The painted chart: one series in panes, with its parts, and the frames in which they are brought up to date.

Data may arrive at any rate: `series_changed` only requests a frame, in the chart's turn among those that share the
thread. A frame moves the view, updates the scene and marks the dirty regions, which are everything or only the strip of
the last bars. Texts that must stay readable change in fewer frames. Menus, and the widgets over the chart (states,
buttons, entry lines), are `ChartWidget`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPointF, Signal
from PySide6.QtGui import QHideEvent, QPixmap, QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.market.calendar.calendar import Calendar
from app.market.series.series import CandleSeries
from app.market.symbol import Symbol
from widgets.chart.drawings.chart_drawings import ChartDrawings
from widgets.chart.drawings.drawing_commands import drawing_commands, drawing_reasons
from widgets.chart.frames.frame_timer import FrameTimer, FrameTurns
from widgets.chart.frames.text_timer import TextTimer
from widgets.chart.frames.update_hold import UpdateHold
from widgets.chart.indicators.axis_labels import AxisLabels
from widgets.chart.indicators.axis_names import AxisNamesItem
from widgets.chart.interaction.accessibility import ChartAccessibility
from widgets.chart.interaction.appearance import Appearance
from widgets.chart.interaction.completeness_hint import CompletenessHint
from widgets.chart.interaction.gestures import Gestures
from widgets.chart.interaction.indicator_controller import IndicatorController
from widgets.chart.interaction.keyboard import Keyboard
from widgets.chart.interaction.navigator import Navigator
from widgets.chart.interaction.picture_export import PictureExport
from widgets.chart.interaction.price_snap import snap_to_prices
from widgets.chart.interaction.range_view import RangeView
from widgets.chart.interaction.reading_tools import ReadingTools
from widgets.chart.interaction.readout import Readout
from widgets.chart.model.pane_layout import PRICE, PaneLayout
from widgets.chart.painting.axes import last_price_rect
from widgets.chart.painting.canvas import ChartCanvas
from widgets.chart.painting.scene import Scene
from widgets.chart.painting.scene_builder import difference_marks, gap_marks
from widgets.chart.painting.text_cache import TextStyles
from widgets.chart.panes.dirty_regions import DirtyRegions
from widgets.chart.panes.pane_focus import PaneFocus
from widgets.chart.panes.pane_set import PaneSet, make_pane
from widgets.chart.panes.scene_update import SceneUpdate
from widgets.keys import CommandGroup
from widgets.theme.palettes import Palette
from widgets.view_values import DifferenceView, GapBand

if TYPE_CHECKING:
    from widgets.chart.alert_lines.alert_lines import AlertLines


class ChartView(QWidget):
    """
    Panes below each other, the price pane among them, for one series at a time.

    The parts do the work: ``navigator`` moves the view, ``ranges`` keeps a range of time in it, ``appearance`` holds
    panes and styles, ``indicators`` the studies, ``drawings`` the drawings, ``reading_tools`` the crosshair and the
    measure, ``pictures`` exports pictures, ``keyboard`` runs commands.

    Signals:
        older_history_requested(object): the view came within about a screen of the first bar; carries that bar's open
            time, UTC microseconds. Once, until older bars were prepended or another series is shown.
        following_changed(bool): the view began, or stopped, to move on with the latest candle.
        visible_range_changed(): `visible_range_us` returns another range.
        frame_ran(): a frame brought the scene up to date; it is not painted yet.
        painted(): the chart was painted; it shows all changes before the last frame that `frame_count` counted.
        laid_out(): panes and axes have other rectangles, or other styles.
        last_price_changed(object): the texts say another last price, as a float; None: none. What shows it elsewhere
            must follow before the event loop runs, so that no frame shows two prices.
        noted(str): a sentence on what the user's last command did, where the chart itself does not show it.
        crosshair_moved(object): onto that `Bar`, or None: off the candles.
        appearance_changed(): the user changed how the chart looks, or moved, resized, closed or opened a pane.
    """

    # Times are passed as objects: Signal(int) is 32 bits wide.
    older_history_requested = Signal(object)
    following_changed = Signal(bool)
    visible_range_changed = Signal()
    frame_ran = Signal()
    painted = Signal()
    laid_out = Signal()
    last_price_changed = Signal(object)
    noted = Signal(str)
    crosshair_moved = Signal(object)
    appearance_changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._hold = UpdateHold(self._lay_out_and_update, self._update)
        self._differences: list[DifferenceView] = []
        self._scene = Scene(TextStyles(self.font()), [make_pane(PRICE)])
        self._canvas = ChartCanvas(self._scene, self)
        self._frames = FrameTimer(self, self._paint_frame)
        self._is_active = True  # as long as no one says that another chart is
        self._text_timer = TextTimer(self, self._frames, self._refresh_texts)
        self._dirty = DirtyRegions(self._scene, self._canvas)
        self._axis_labels = AxisLabels(self._scene)
        self._panes = PaneSet(self._scene, self._on_panes_changed)
        self._panes.set_layout(PaneLayout())
        self._scene_update = SceneUpdate(self._scene, self._panes, self._axis_labels, self._widen_axis)
        self.navigator = Navigator(self._scene, self._frames.request, self.following_changed.emit)
        self.ranges = RangeView(self._scene, self.navigator)
        self.appearance = Appearance(self._scene, self._panes, self._hold.lay_out, self._on_appearance_changed)
        self.indicators = IndicatorController(
            self._scene, self._canvas, self._panes, self._repaint_all, self.noted.emit
        )
        self.drawings = ChartDrawings(
            self._scene,
            self._canvas,
            self._repaint_all,
            self._snap,
            lambda across, up: self.reading_tools.nudge_crosshair(across, up),
            self.noted.emit,
        )
        self._canvas.add_item(AxisNamesItem(self._scene))
        self._readout = Readout(
            self._scene,
            self._canvas,
            hovered=self.crosshair_moved.emit,
            priced=self.last_price_changed.emit,
            refreshed=self.indicators.refresh_entries,
        )
        self.reading_tools = ReadingTools(self._scene, self._readout, self.navigator, self._frames, self.noted.emit)
        self.pictures = PictureExport(self, self.picture, self._scene, self.navigator, self.noted.emit)
        self._canvas.resized.connect(self._hold.lay_out)
        self._canvas.painted.connect(self.painted)
        self._hint = CompletenessHint(self._canvas, self._scene, self._readout, self.navigator, self.noted.emit)
        self._gestures = Gestures(
            self._canvas, self._scene, self._panes, self.navigator, self.reading_tools, self._hint
        )
        self.keyboard = Keyboard(self._scene, self._panes, self.navigator)
        self._pane_focus = PaneFocus(
            self._scene,
            self._canvas,
            self._panes,
            self.indicators.entries,
            pointer=lambda: self._readout.pointer,
            note=self.noted.emit,
        )
        self.laid_out.connect(self._pane_focus.place_button)
        for part in (self.appearance, self.indicators, self.reading_tools, self.pictures, self._pane_focus):
            self.keyboard.commands.update(part.commands())
        for speaker in (self.indicators, self.reading_tools, self._pane_focus):
            self.keyboard.reasons.update(speaker.reasons())
        self.keyboard.commands.update(drawing_commands(self.drawings))
        self.keyboard.reasons.update(drawing_reasons(self.drawings))
        self._gestures.add_grab(self.drawings)
        self._gestures.add_grab(self._pane_focus)
        self.keyboard.add_context(CommandGroup.DRAWING, lambda: self.drawings.takes_keys)
        self.keyboard.add_cancel(self.reading_tools.clear_measure)
        self.keyboard.add_cancel(self.drawings.cancel)
        self.keyboard.add_cancel(self._gestures.cancel)
        self._canvas.key_pressed.connect(self.keyboard.press)
        self._accessibility = ChartAccessibility(self._canvas, self._scene, self._readout)
        self.crosshair_moved.connect(lambda _: self._accessibility.describe_candle(self.series))
        self._box = QVBoxLayout(self)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(0)
        self._box.addWidget(self._canvas)
        self.setFocusProxy(self._canvas)

    @cached_property
    def alert_lines(self) -> AlertLines:
        """The lines of alerts. Made, and loaded, when first used: most charts have none."""
        from widgets.chart.alert_lines.alert_lines import AlertLines

        lines = AlertLines(self._scene, self._repaint_all)
        self._scene.alert_lines = lines.painting
        self._gestures.add_grab(lines)
        self.keyboard.add_cancel(lines.cancel)
        return lines

    @property
    def has_alert_lines(self) -> bool:
        """Whether lines of alerts were shown before."""
        return "alert_lines" in self.__dict__

    # The series

    @property
    def series(self) -> CandleSeries | None:
        """The series in view; None: none."""
        return self.navigator.series

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

        The time under the centre stays, or becomes ``keep_time_us``, unless the chart follows the latest candle.
        ``follow``: whether it does from now on; None: as before. A range of values that was set by hand stays while
        it means the same: prices for this symbol, other panes' values for this symbol and interval.
        """
        is_other = symbol != self._scene.symbol
        if is_other:
            self._readout.gaps = []
            self._differences = []
            self._scene_update.forget_axis_width()
        self._mark_gaps(series)
        if series is not self.series:
            self.reading_tools.clear_measure()  # its slots are other times in another interval
        self.navigator.show_series(series, symbol, keep_time_us=keep_time_us, follow=follow)
        if is_other:
            self._panes.note_symbol()
        self._hold.update()
        self.setAccessibleDescription(f"{symbol.full_name}, {series.interval}" if symbol and series else "")
        self._accessibility.describe_candle(series)

    def series_changed(self) -> None:
        """
        Bring the series' changes into the next frame. Cheap: call it for every trade.

        Charts that share their frames take turns, except one that the user reads: the active one, or one with a
        crosshair.
        """
        self._frames.request_turn(favoured=self._is_active or self._readout.pointer is not None)

    def share_frames(self, turns: FrameTurns) -> None:
        """Paint live data in turns with the other charts that share ``turns``."""
        self._frames.share(turns)

    def set_active(self, *, active: bool) -> None:
        """Paint live data at the full frame rate, or, while another chart is the active one, when there is time."""
        self._is_active = active

    def set_source(self, source: Callable[[], object] | None) -> None:
        """Set a call that brings pending changes into the series as each frame begins; None: nothing is pending."""
        self._frames.set_source(source)

    def set_calendar(self, calendar: Calendar | None) -> None:
        """
        Set when the symbol's market is open; None: always.

        Closed time takes no room on the time axis. Stays until it is set again, also for another series or symbol.
        """
        if calendar is not self._scene.calendar:
            self._scene.calendar = calendar
            self._repaint_all()

    def set_gaps(self, gaps: Sequence[GapBand]) -> None:
        """Show these stretches of missing trades, until another symbol is shown."""
        if list(gaps) != self._readout.gaps:
            self._readout.gaps = list(gaps)
            self._mark_gaps(self.series)
            self._refresh_texts()  # the legend counts what is missing
            self._repaint_all()

    def set_spread(self, bid_and_ask: tuple[CandleSeries, CandleSeries] | None) -> None:
        """
        Draw the spread between these series of bid and ask as a band; None: no longer.

        It shows beside their own symbol and interval only. Call it again when older candles have come into them;
        `series_changed` is enough for their newest candle.
        """
        self._panes.set_spread(bid_and_ask)
        self._repaint_all()

    def set_compared(self, compared: Sequence[tuple[str, CandleSeries]]) -> None:
        """
        Draw these series, each with its name, as lines in percent since the first candle in view; none: no longer.

        Call `compared_changed` when a candle of theirs has changed. A series of another interval is not drawn.
        """
        self._panes.set_compared(compared)
        self._axis_labels.invalidate()
        self._refresh_texts()
        self._repaint_all()

    def compared_changed(self) -> None:
        """Bring changes of the compared series into the next frame."""
        self._dirty.mark_all()
        self.series_changed()

    def set_differences(self, differing: Sequence[DifferenceView]) -> None:
        """Mark these candles as differing from the exchange's, until another symbol is shown; none: no longer."""
        if list(differing) != self._differences:
            self._differences = list(differing)
            self._mark_gaps(self.series)
            self._repaint_all()

    def show_guide(self, time_us: int | None) -> None:
        """Mark the candle of a time, UTC microseconds, at which a linked chart has its crosshair; None: none."""
        if time_us != self._readout.guide_us:
            self._readout.guide_us = time_us
            self._frames.request()

    def set_now(self, exchange_time_us: int) -> None:
        """Set the exchange's time, UTC microseconds, for the countdown; call it a few times per second."""
        self._scene_update.countdown.now_us = exchange_time_us
        if self._scene_update.countdown_text(self.series) != self._scene.countdown:
            self.series_changed()  # in a frame: the charts of a window all get the time at once

    def set_live(self, live: bool) -> None:
        """Dim the last price and its countdown while no new trades reach the chart."""
        if live != self._scene.is_live:
            self._scene.is_live = live
            self._canvas.repaint_rects([last_price_rect(self._scene)])

    def set_palette(self, palette: Palette) -> None:
        """Paint in another palette."""
        self._scene.set_palette(palette)
        self._canvas.setBackground(self._scene.colours.background)
        self.indicators.dismiss_buttons()  # they come back in these colours
        self._pane_focus.place_button()
        self._refresh_texts()
        self._repaint_all()

    def _mark_gaps(self, series: CandleSeries | None) -> None:
        self._scene.gaps = gap_marks(self._readout.gaps, series.interval) if series is not None else []
        differing = [] if series is None else difference_marks(self._differences, series.interval)
        self._scene.differences = differing

    # What it shows

    @property
    def last_price(self) -> float | None:
        """The last price as the chart's texts say it; None without candles."""
        return self._scene.shown_close

    @property
    def paint_count(self) -> int:
        """How often the chart has painted, partial paints included."""
        return self._canvas.paint_count

    @property
    def frame_count(self) -> int:
        """How many frames have brought changes into the scene."""
        return self._frames.count

    @property
    def is_up_to_date(self) -> bool:
        """Whether all changes are marked for painting: no frame, no refresh of texts, no better paint is due."""
        return not self._frames.is_due and not self._text_timer.is_waiting and self.drawings.is_at_rest

    def picture(self) -> QPixmap:
        """
        Return the chart in device pixels, with its name, without the crosshair.

        Runs two frames: without the crosshair, and with it again.
        """
        pointer, self._readout.pointer = self._readout.pointer, None
        names_itself, self._scene.names_itself = self._scene.names_itself, True
        self._run_frame()
        self._refresh_texts()
        self.drawings.sharpen()
        pixmap: QPixmap = self._canvas.viewport().grab()  # without the buttons over it
        self._readout.pointer, self._scene.names_itself = pointer, names_itself
        self._run_frame()
        self._refresh_texts()
        return pixmap

    def set_names_itself(self, *, names_itself: bool) -> None:
        """Say symbol and interval in the legend, or, where a head above the chart says them, not."""
        if names_itself != self._scene.names_itself:
            self._scene.names_itself = names_itself
            self._refresh_texts()

    # Frames

    def frame_now(self) -> None:
        """Run and paint the frame that is due at once, as a benchmark must."""
        self._frames.run_now()

    def _snap(self, position: QPointF) -> QPointF:
        return position if self.series is None else snap_to_prices(self._scene, self.series, position)

    def _repaint_all(self) -> None:
        self._dirty.mark_all()
        self._frames.request()

    def _paint_frame(self) -> None:
        with self._canvas.painting_at_once():
            self._run_frame()

    def _run_frame(self) -> None:
        """Bring the scene up to date and mark the dirty regions; Qt paints them when it next can."""
        self._frames.note_frame()
        self.navigator.begin_frame()
        self.ranges.refresh()
        series = self.series
        self.drawings.follow(series)
        self._scene_update.update(series, self.devicePixelRatioF())
        if self._text_timer.is_due or (self._scene.last is not None and self._scene.shown_close is None):
            # The first candle's texts do not wait. Before the marking, which notes where the last price's label is: the
            # next frame has to repaint that place.
            self._refresh_texts()
        moved, changed = self._dirty.mark(series, self._readout.move_crosshair(series))
        if changed or moved:  # in another range numbers may need other decimals
            self._text_timer.start()
        self.frame_ran.emit()
        self.drawings.end_frame()
        if moved:
            self.visible_range_changed.emit()
        first_us = self.navigator.take_older_request()
        if first_us is not None:
            self.older_history_requested.emit(first_us)

    def _widen_axis(self) -> None:
        time_scale = self._scene.time_scale
        centre = time_scale.centre
        self._lay_out()
        if not self.navigator.is_following:
            time_scale.centre_on(centre)
        self.ranges.refresh()

    def _refresh_texts(self) -> None:
        self._text_timer.note_refreshed()
        self._readout.refresh(self.series)
        # With the legend, and no frame later: the two show the same values.
        self._axis_labels.refresh(self.series)
        self._dirty.mark_axis_labels()

    # Layout and Qt's events

    def _on_panes_changed(self) -> None:
        self._hold.lay_out()
        self.appearance_changed.emit()

    def _on_appearance_changed(self) -> None:
        self._frames.request()  # the price snap may move the crosshair
        self.appearance_changed.emit()

    def laid_out_once(self) -> AbstractContextManager[None]:
        """Lay out and draw at the end of this context, once, whatever changes within it."""
        return self._hold.held()

    def _lay_out_and_update(self) -> None:
        # At once rather than in the next frame: Qt paints the new size right after this.
        self._lay_out()
        self._update()

    def _update(self) -> None:
        self._dirty.mark_all()
        self._run_frame()
        self._refresh_texts()

    def _lay_out(self) -> None:
        self._scene_update.lay_out(self._canvas.size())
        self._canvas.place_items()
        self.laid_out.emit()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self._frames.call_source()  # what changed while the chart was hidden
        self._hold.update()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        # No frame runs while hidden, and the first one after would take a whole throw in one jump.
        self.navigator.stop()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        # Qt may send this from within QWidget's constructor, before there is a scene.
        if event.type() == QEvent.Type.FontChange and hasattr(self, "_scene"):
            self._scene.styles = TextStyles(self.font())
            self._scene_update.forget_axis_width()  # labels have other widths
            self._hold.lay_out()
