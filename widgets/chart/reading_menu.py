"""The part of the chart's menu that is about reading: copying what is under the pointer, pictures, measuring."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from PySide6.QtCore import QPointF
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QMenu

from app.market.series import CandleSeries
from widgets.chart.copying import candle_as_text, price_as_text, time_as_text
from widgets.chart.framing import bar_at
from widgets.chart.scene import Scene
from widgets.keys import key_text


class Readable(Protocol):
    """What the menu's entries call."""

    def copy_value(self) -> bool: ...
    def copy_picture(self) -> None: ...
    def save_picture(self) -> None: ...
    def toggle_measure(self, position: QPointF | None = None) -> bool: ...
    def clear_measure(self) -> bool: ...
    def toggle_magnet(self) -> None: ...


def copy_text(text: str) -> None:
    """Put a text into the clipboard."""
    QGuiApplication.clipboard().setText(text)


def fill_reading_menu(
    menu: QMenu, chart: Readable, scene: Scene, series: CandleSeries | None, position: QPointF
) -> None:
    """Add what can be done with the value and the candle at that place of the view."""
    copy = menu.addMenu("Copy")
    if series is not None and scene.layout.panes.contains(position):
        _add_values(copy, scene, series, position)
    if scene.measure is not None:
        copy.addAction(f"Measure\t{key_text('copy')}", chart.copy_value)
    copy.addAction(f"Picture\t{key_text('copy_picture')}", chart.copy_picture)
    menu.addAction(f"Save picture…\t{key_text('save_picture')}", chart.save_picture)
    if scene.measure is None:
        menu.addAction("Measure from here\tShift+drag", partial(chart.toggle_measure, position))
    else:
        menu.addAction(f"Remove the measure\t{key_text('cancel')}", chart.clear_measure)
    magnet = menu.addAction(f"Snap to prices\t{key_text('magnet')}")
    magnet.setCheckable(True)
    magnet.setChecked(scene.magnet)
    magnet.toggled.connect(lambda _: chart.toggle_magnet())


def _add_values(copy: QMenu, scene: Scene, series: CandleSeries, position: QPointF) -> None:
    pane = scene.pane_at(position.y())
    slot, rules = round(scene.time.position_at(position.x())), scene.times.zone.rules_for(series.interval)
    bar = bar_at(series, slot)
    if pane is not None:
        value = price_as_text(pane.value_at(position.y()), scene.symbol)
        copy.addAction(f"{pane.key.capitalize()} {value}", partial(copy_text, value))
    time = time_as_text(series.interval.slot_open_us(slot), rules)
    copy.addAction(f"Time {time}", partial(copy_text, time))
    if bar is not None and scene.symbol is not None:
        text = candle_as_text(bar, scene.symbol, rules)
        keys = "" if scene.measure is not None else f"\t{key_text('copy')}"
        copy.addAction(f"Candle{keys}", partial(copy_text, text))
