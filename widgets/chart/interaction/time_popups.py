"""Opens the popups of one chart's times, over its window: the line for a date, and the list of time zones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, tzinfo

from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QWidget

from app.market.series.series import CandleSeries
from widgets.chart.interaction.appearance import Appearance
from widgets.chart.painting.scene import Scene
from widgets.chart.popups.date_entry import DateEntry
from widgets.chart.popups.system_zone import system_rules
from widgets.chart.popups.zone_picker import ZonePicker
from widgets.chart.scales.time_text import full_time
from widgets.chart.scales.zones import zone_named

DATE_ENTRY_TOP_PX = 48


class TimePopups:
    """
    Each popup is made when first opened; `forget` before the chart moves to another window.

    - ``series``: returns the chart's series, or None.
    - ``now_us``: returns the exchange's time, UTC microseconds.
    - ``dated``: called with the time that the user asks for, UTC microseconds, and with that time as text.
    """

    def __init__(
        self,
        chart: QWidget,
        scene: Scene,
        appearance: Appearance,
        *,
        series: Callable[[], CandleSeries | None],
        now_us: Callable[[], int],
        dated: Callable[[int, str], object],
    ) -> None:
        self._chart, self._scene, self._appearance = chart, scene, appearance
        self._series, self._now_us, self._on_dated = series, now_us, dated
        self._date_entry: DateEntry | None = None
        self._zone_picker: ZonePicker | None = None

    def open_zone_picker(self, corner: QPoint) -> None:
        """Open the list of time zones above a point of the screen."""
        window = self._chart.window()
        if self._zone_picker is None:
            self._zone_picker = ZonePicker(window, self._now_us)
            self._zone_picker.zone_chosen.connect(self._choose_zone)
        self._zone_picker.set_palette(self._scene.palette)
        self._zone_picker.open_above(self._appearance.time_style.zone, window.mapFromGlobal(corner))

    def open_date_entry(self) -> None:
        """Open the entry line for a date to go to."""
        window = self._chart.window()
        if self._date_entry is None:
            self._date_entry = DateEntry(window, self._now_us)
            self._date_entry.time_chosen.connect(self.choose_time)
        rules, zone = self._rules(), self._appearance.time_style.zone
        corner = self._chart.mapTo(window, self._scene.leading.rect.topLeft().toPoint())
        x = corner.x() + (int(self._scene.layout.panes.width()) - self._date_entry.sizeHint().width()) // 2
        top_left = QPoint(x, corner.y() + DATE_ENTRY_TOP_PX)
        self._date_entry.open_for(rules, "UTC" if rules is UTC else zone.title, top_left)

    def forget(self) -> None:
        """Delete the popups, which are made again when needed."""
        for popup in (self._zone_picker, self._date_entry):
            if popup is not None:
                popup.dismiss()
                popup.deleteLater()
        self._zone_picker = self._date_entry = None

    def choose_time(self, time_us: int) -> None:
        """Ask for a time, UTC microseconds, as the entry line does."""
        series = self._series()
        if series is not None:
            self._on_dated(time_us, full_time(time_us, series.interval, self._rules()))

    def _choose_zone(self, name: str) -> None:
        style = self._appearance.time_style
        self._appearance.change_time_style(replace(style, zone=zone_named(name, system_rules())))

    def _rules(self) -> tzinfo:
        """Return the rules of the zone in which the series' times are labelled."""
        series, zone = self._series(), self._appearance.time_style.zone
        return zone.rules if series is None else zone.rules_for(series.interval)
