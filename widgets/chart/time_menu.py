"""The part of the chart's menu that is about times."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from PySide6.QtWidgets import QMenu

from widgets.chart.time_style import TimeStyle
from widgets.keys import key_text


class TellsTimes(Protocol):
    """A chart whose times can be told otherwise."""

    @property
    def time_style(self) -> TimeStyle: ...
    def change_time_style(self, style: TimeStyle) -> None: ...
    def open_zone_picker(self) -> None: ...
    def open_date_entry(self) -> None: ...


def fill_time_menu(menu: QMenu, chart: TellsTimes) -> None:
    """Add dates to go to, the choice of the time zone, and whether days are shaded."""
    style = chart.time_style
    menu.addAction(f"Go to date…\t{key_text('date')}", chart.open_date_entry)
    menu.addAction(f"Time zone: {style.zone.title}…", chart.open_zone_picker)
    shaded = menu.addAction("Shade every other day")
    shaded.setCheckable(True)
    shaded.setChecked(style.shaded)
    shaded.toggled.connect(lambda checked: chart.change_time_style(replace(style, shaded=checked)))
