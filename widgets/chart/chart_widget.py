"""
The chart: a `ChartView`, and over it what is said about the market's figures.

That is the state while there are none, bands over missing trades, the countdown to the candle's close, the way back to
the latest candle, the choice of the time zone, and dates to go to.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, tzinfo

from PySide6.QtCore import QPoint, QRectF, Signal
from PySide6.QtGui import QPixmap, QRegion
from PySide6.QtWidgets import QPushButton, QWidget

from app.market.interval import SECOND_US
from app.market.series.series import CandleSeries
from app.market.symbol import Symbol
from widgets.chart.chart_view import ChartView
from widgets.chart.interaction.date_entry import DateEntry
from widgets.chart.interaction.system_zone import system_rules
from widgets.chart.interaction.zone_picker import ZoneButton, ZonePicker
from widgets.chart.model.chart_style import TimeStyle
from widgets.chart.painting.axes import countdown_rect
from widgets.chart.painting.frame_timer import single_shot
from widgets.chart.painting.scene_builder import gap_marks
from widgets.chart.progress_chip import ProgressChip
from widgets.chart.scales.time_text import countdown, full_time
from widgets.chart.scales.zones import zone_named
from widgets.chart.state_panel import RETRY, SIMULATED_MARKET, StatePanel
from widgets.keys import key_text
from widgets.theme.palettes import DARK, Palette
from widgets.view_values import GapBand

_BUTTON_MARGIN_PX = 12
_LOADING_SHOWN_AFTER_MS = 150
_CLOSE_WAITED_US = 5_000_000  # at zero, the next candle's first trade is a moment away; later, none is to come


class ChartWidget(ChartView):
    """
    The chart as the window holds it.

    Signals:
        those of `ChartView`;
        retry_requested(), simulated_market_requested(): a button of an error state was pressed;
        date_requested(object, str): the user wants to go to that time, UTC microseconds, and how it is told;
        journey_cancelled(): or rather not.
    """

    retry_requested = Signal()
    simulated_market_requested = Signal()
    date_requested = Signal(object, str)
    journey_cancelled = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAccessibleName("Chart")
        self._now_us: int | None = None
        self._states = StatePanel(self)
        self._states.action_chosen.connect(self._act)
        self._state_timer = single_shot(self, self._states.show)
        self._latest = QPushButton("→ latest", self)
        self._latest.setObjectName("latest")
        self._latest.setToolTip(f"Follow the latest candle ({key_text('latest')})")
        self._latest.clicked.connect(self.follow_latest)
        self._latest.hide()
        self._chip = ProgressChip(self)
        self._chip.cancelled.connect(self.journey_cancelled)
        self._date_entry: DateEntry | None = None
        self._zone_button = ZoneButton(self)
        self._zone_button.clicked.connect(self.open_zone_picker)
        self._zone_button.show_zone(self.time_style.zone, self._time_us())
        self._zone_picker: ZonePicker | None = None
        self._colours = DARK
        self.set_palette(DARK)

    def set_gaps(self, gaps: Sequence[GapBand]) -> None:
        """Show these stretches of missing trades, until another symbol is shown."""
        if list(gaps) != self._reader.gaps:
            self._reader.gaps = list(gaps)
            self._mark_gaps(self._series)
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
        self._zone_button.set_palette(palette)
        self._colours = palette
        self._chip.set_palette(palette)
        self._latest.setStyleSheet(
            f"QPushButton {{ color: {palette.text}; background: {palette.raised}; border: 1px solid {palette.line};"
            " border-radius: 6px; padding: 4px 10px; }"
            f"QPushButton:hover, QPushButton:focus {{ border-color: {palette.accent}; }}"
        )
        self._entry_buttons.dismiss()  # they come again, in these colours, as the mouse moves
        self._refresh_texts()
        self._repaint_all()

    def set_now(self, exchange_time_us: int) -> None:
        """Tell the exchange's time, a few times a second, for the countdown to the candle's close."""
        self._now_us = exchange_time_us
        self._zone_button.show_zone(self.time_style.zone, exchange_time_us)
        before, text = self._scene.countdown, self._countdown()
        if text and before and text != before:
            self._scene.countdown = text
            self._canvas.repaint_rects([countdown_rect(self._scene)])
        elif text != before:
            self._repainter.mark_last()
            self.series_changed()

    def set_time_style(self, style: TimeStyle) -> None:
        """Tell times so."""
        super().set_time_style(style)
        self._zone_button.show_zone(style.zone, self._time_us())

    def open_zone_picker(self) -> None:
        """Open the list of time zones above the corner."""
        if self._zone_picker is None:
            self._zone_picker = ZonePicker(self.window(), self._time_us)
            self._zone_picker.zone_chosen.connect(self._choose_zone)
        self._zone_picker.set_palette(self._colours)
        corner = self._zone_button.mapTo(self.window(), self._zone_button.rect().topRight())
        self._zone_picker.open_above(self.time_style.zone, corner)

    def open_date_entry(self) -> None:
        """Open the line to type a date into."""
        if self._date_entry is None:
            self._date_entry = DateEntry(self.window(), self._time_us)
            self._date_entry.time_chosen.connect(self._choose_time)
        zone = self.time_style.zone
        rules = self._rules()
        corner = self.mapTo(self.window(), self._scene.price.rect.topLeft().toPoint())
        x = corner.x() + (int(self._scene.layout.panes.width()) - self._date_entry.sizeHint().width()) // 2
        self._date_entry.open_for(rules, "UTC" if rules is UTC else zone.title, QPoint(x, corner.y() + 48))

    def begin_journey(self, text: str) -> None:
        """Say that candles are being loaded to go to; `journey_cancelled` says where they are no longer wanted."""
        self._chip.begin(text)

    def end_journey(self, text: str) -> None:
        """Say so no more, but, if anything, how it ended."""
        self._chip.end(text)

    # What the view leaves to be added

    def _begin_series(self, series: CandleSeries | None, symbol: Symbol | None) -> None:
        if symbol != self._scene.symbol:
            self._reader.gaps = []
        self._mark_gaps(series)

    def _add_marks(self) -> None:
        self._scene.countdown = self._countdown()

    def _draw_corner(self, pixmap: QPixmap) -> None:
        self._zone_button.render(pixmap, self._zone_button.pos(), QRegion(), QWidget.RenderFlag.DrawChildren)

    def _tell(self, moved: bool) -> None:
        self._latest.setVisible(not self.is_following and self._follower.last_slot is not None)
        super()._tell(moved)

    def _countdown(self) -> str:
        last, series = self._scene.last, self._series
        if last is None or series is None or self._now_us is None or last.closed:
            return ""
        left_us = series.interval.next_open_us(last.open_time_us) - self._now_us
        told = series.interval.length_us > SECOND_US and left_us > -_CLOSE_WAITED_US
        return countdown(left_us) if told else ""

    def _time_us(self) -> int:
        return time.time_ns() // 1000 if self._now_us is None else self._now_us

    def _give_up(self) -> bool:
        under_way = self._chip.is_under_way
        if under_way:
            self.journey_cancelled.emit()
        return under_way or super()._give_up()

    def _rules(self) -> tzinfo:
        """Return by which clocks the shown candles' times are told."""
        zone = self.time_style.zone
        return zone.rules if self._series is None else zone.rules_for(self._series.interval)

    def _choose_time(self, time_us: int) -> None:
        if self._series is not None:
            self.date_requested.emit(time_us, full_time(time_us, self._series.interval, self._rules()))

    def _choose_zone(self, name: str) -> None:
        self.change_time_style(replace(self.time_style, zone=zone_named(name, system_rules())))

    def _mark_gaps(self, series: CandleSeries | None) -> None:
        self._scene.gaps = gap_marks(self._reader.gaps, series.interval) if series is not None else []

    def _place_over_panes(self) -> None:
        layout = self._scene.layout
        self._states.setGeometry(layout.panes.toAlignedRect())
        corner_size = QRectF(
            layout.value_axis.left(), layout.time_axis.top(), layout.value_axis.width(), layout.time_axis.height()
        )
        self._zone_button.setGeometry(corner_size.toAlignedRect().adjusted(3, 3, -3, -3))
        self._chip.place_in(self._scene.price.rect.toAlignedRect())
        self._latest.adjustSize()
        corner, size = self._scene.price.rect.bottomRight().toPoint(), self._latest.size()
        self._latest.move(corner.x() - size.width() - _BUTTON_MARGIN_PX, corner.y() - size.height() - _BUTTON_MARGIN_PX)

    def _act(self, action: str) -> None:
        if action == SIMULATED_MARKET:
            self.simulated_market_requested.emit()
        else:
            self.retry_requested.emit()
