"""The chart's menus: how it draws, and what can be done to the pane, or the axis, under the pointer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Protocol

from PySide6.QtCore import QPointF
from PySide6.QtGui import QActionGroup, QGuiApplication
from PySide6.QtWidgets import QMenu

from app.market.series.series import CandleSeries
from widgets.chart.model.chart_style import PriceStyle, TimeStyle
from widgets.chart.model.clipboard_text import candle_as_text, price_as_text, time_as_text
from widgets.chart.model.pane_layout import PRICE, VOLUME
from widgets.chart.painting.pane import Pane
from widgets.chart.painting.scene import Scene
from widgets.chart.painting.scene_builder import bar_at
from widgets.chart.panes.pane_set import TITLES, PaneSet
from widgets.chart.scales.value_scale import ScaleMode
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
    magnet.setChecked(scene.price_snap)
    magnet.toggled.connect(lambda _: chart.toggle_magnet())


def _add_values(copy: QMenu, scene: Scene, series: CandleSeries, position: QPointF) -> None:
    pane = scene.pane_at(position.y())
    slot, rules = round(scene.time_scale.position_at(position.x())), scene.time_style.zone.rules_for(series.interval)
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


def fill_style_menu(menu: QMenu, panes: PaneSet) -> None:
    """Add how prices and volume are drawn, one under the other."""
    for fill in (fill_kind_menu, fill_scale_menu, fill_volume_menu):
        fill(menu, panes)
        menu.addSeparator()


def fill_style_menus(menu: QMenu, panes: PaneSet) -> None:
    """Add how prices and volume are drawn, as menus of their own."""
    fill_kind_menu(menu.addMenu("Prices as"), panes)
    fill_scale_menu(menu.addMenu("Price axis"), panes)
    fill_volume_menu(menu.addMenu("Volume"), panes)


def fill_kind_menu(menu: QMenu, panes: PaneSet) -> None:
    """Add the kinds in which prices are drawn."""
    chosen = panes.style.price_style
    _choices(menu, [(kind.title, kind is chosen, partial(_restyle, panes, price_style=kind)) for kind in PriceStyle])


def fill_scale_menu(menu: QMenu, panes: PaneSet) -> None:
    """Add how the price axis spreads values."""
    style = panes.style
    scales = ((ScaleMode.LINEAR, ""), (ScaleMode.LOG, _keys("log")), (ScaleMode.PERCENT, _keys("percent")))
    _choices(
        menu,
        [
            (
                f"{scale.value.capitalize()} prices{key}",
                scale is style.scale_mode,
                partial(_restyle, panes, scale_mode=scale),
            )
            for scale, key in scales
        ],
    )
    _switch(menu, f"Inverted{_keys('invert')}", on=style.inverted, turn=lambda on: _restyle(panes, inverted=on))


def fill_volume_menu(menu: QMenu, panes: PaneSet) -> None:
    """Add where volume stands, and its colours."""
    style, own = panes.style, VOLUME in panes.arrangement.keys
    _choices(
        menu,
        [
            ("Volume in a pane of its own", own, partial(panes.open, VOLUME)),
            ("Volume behind the prices", style.underlaid, partial(_restyle, panes, underlaid=True)),
            ("No volume", not own and not style.underlaid, partial(_hide_volume, panes)),
        ],
    )
    menu.addSeparator()
    text = "Split volume into taker buys and sells"
    _switch(menu, text, on=style.takers, turn=lambda on: _restyle(panes, takers=on))


def fill_axis_menu(menu: QMenu, panes: PaneSet, pane: Pane, reset: Callable[[str], object]) -> None:
    """Add what can be done to a pane's axis; ``reset`` makes that of a key automatic."""
    automatic = menu.addAction(f"Fit to what is in view{_keys('automatic')}", partial(reset, pane.key))
    automatic.setEnabled(not pane.value_scale.auto)
    text = "Indicators' values on the axes"
    _switch(menu, text, on=panes.style.axis_labels, turn=lambda on: _restyle(panes, axis_labels=on))
    if pane.key == PRICE:
        menu.addSeparator()
        fill_scale_menu(menu, panes)


def fill_pane_menu(menu: QMenu, panes: PaneSet, key: str) -> None:
    """Add what can be done to that pane, and the panes that are closed."""
    at, keys, title = panes.arrangement.index(key), panes.arrangement.keys, panes.title_of(key)
    up = menu.addAction(f"Move {title} up{_keys('pane_up')}", lambda: panes.move(key, -1))
    up.setEnabled(at > 0)
    down = menu.addAction(f"Move {title} down{_keys('pane_down')}", lambda: panes.move(key, 1))
    down.setEnabled(at < len(keys) - 1)
    if key != PRICE:
        menu.addAction(f"Close {title}{_keys('close_pane')}", lambda: panes.close(key))
    for other in TITLES:
        if other not in keys:
            menu.addAction(f"Show {TITLES[other]}", partial(panes.open, other))


def _restyle(panes: PaneSet, **changes: object) -> None:
    panes.change_style(replace(panes.style, **changes))  # type: ignore[arg-type]  # because mypy cannot match the names


def _hide_volume(panes: PaneSet) -> None:
    panes.change_style(replace(panes.style, underlaid=False))
    panes.close(VOLUME)


def _keys(command: str) -> str:
    return f"\t{key_text(command)}"


def _switch(menu: QMenu, text: str, *, on: bool, turn: Callable[[bool], None]) -> None:
    action = menu.addAction(text)
    action.setCheckable(True)
    action.setChecked(on)
    action.toggled.connect(turn)


def _choices(menu: QMenu, entries: list[tuple[str, bool, Callable[[], None]]]) -> None:
    group = QActionGroup(menu)
    for text, is_chosen, choose in entries:
        action = menu.addAction(text)
        action.setCheckable(True)
        action.setChecked(is_chosen)
        group.addAction(action)
        action.triggered.connect(lambda _checked=False, choose=choose: choose())
