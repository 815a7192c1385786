"""The chart's context menu: which entries it has depends on what is under the pointer."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtWidgets import QMenu, QWidget

from widgets.chart.drawings.chart_drawings import ChartDrawings
from widgets.chart.interaction import menus
from widgets.chart.interaction.appearance import Appearance
from widgets.chart.interaction.indicator_controller import IndicatorController
from widgets.chart.interaction.navigator import Navigator
from widgets.chart.interaction.picture_export import PictureExport
from widgets.chart.interaction.reading_tools import ReadingTools
from widgets.chart.interaction.template_controller import TemplateController
from widgets.chart.model.pane_layout import PRICE
from widgets.chart.painting.scene import Scene
from widgets.chart.painting.scene_builder import value_text
from widgets.chart.panes.pane_focus import PaneFocus
from widgets.chart.panes.pane_set import PaneSet
from widgets.keys import key_text


class MenuParts(NamedTuple):
    """The parts of a chart that have entries in its menu."""

    panes: PaneSet
    pane_focus: PaneFocus
    navigator: Navigator
    appearance: Appearance
    drawings: ChartDrawings
    indicators: IndicatorController
    templates: TemplateController
    reading_tools: ReadingTools
    pictures: PictureExport


class MenuRequests(NamedTuple):
    """What the menu asks others for. ``alert``: an alert at a price."""

    go_to_date: Callable[[], None]
    choose_zone: Callable[[], None]
    compare: Callable[[], None]
    download: Callable[[], None]
    alert: Callable[[float], object]


class ContextMenu:
    """Opens the menu of one chart."""

    def __init__(self, chart: QWidget, scene: Scene, parts: MenuParts, requests: MenuRequests) -> None:
        self._chart, self._scene, self._parts, self._requests = chart, scene, parts, requests

    def open(self, position: QPointF, at: QPoint) -> None:
        """Open the menu of what is at a position of the view, at a point of the screen."""
        scene, parts = self._scene, self._parts
        if parts.drawings.put_down_tool():
            return
        drawing = parts.drawings.drawing_at(position)
        if drawing is not None:
            parts.drawings.choose(drawing.id)
            menu = self._menu()
            parts.drawings.fill_menu(menu, drawing)
            menu.popup(at)
            return
        study = parts.indicators.study_at(position)
        if study is not None:
            parts.indicators.open_study_menu(study.key, at)
            return
        menu, pane = self._menu(), scene.pane_at(position.y()) or scene.leading
        if scene.layout.value_axis.contains(position):
            menus.fill_axis_menu(menu, parts.panes, pane, parts.navigator.reset)
            if pane.key == PRICE:
                self._fill_alert_entry(menu, position)
        else:
            if not scene.layout.time_axis.contains(position):
                self.fill_pane_entries(menu, pane.key, position)
            closes = scene.calendar is not None and scene.calendar.closes
            go_to_date, choose_zone = self._requests.go_to_date, self._requests.choose_zone
            menus.fill_time_menu(menu, parts.appearance, go_to_date, choose_zone, closes=closes)
        menu.popup(at)

    def open_style(self, at: QPoint) -> None:
        """Open the menu of the chart's style at a point of the screen."""
        menu = self._menu()
        menus.fill_style_menu(menu, self._parts.panes)
        menu.popup(at)

    def fill_pane_entries(self, menu: QMenu, pane: str, position: QPointF) -> None:
        """Add the entries of a position in the pane of that key."""
        parts, requests = self._parts, self._requests
        parts.reading_tools.fill_menu(menu, position, parts.pictures)
        if pane == PRICE:
            self._fill_alert_entry(menu, position)
        menus.fill_snap_menu(menu, parts.appearance)
        if not parts.panes.counts_ticks:
            has_candles = parts.navigator.series is not None
            menus.fill_exchange_menu(menu, requests.compare, requests.download, has_candles=has_candles)
        menu.addSeparator()
        parts.indicators.fill_menu(menu, pane)
        parts.templates.fill_menu(menu.addMenu("Indicator templates"))
        menu.addSeparator()
        menus.fill_style_menus(menu, parts.panes)
        menu.addSeparator()
        menus.fill_pane_menu(menu, parts.panes, pane, parts.pane_focus.toggle)
        menu.addSeparator()

    def _fill_alert_entry(self, menu: QMenu, position: QPointF) -> None:
        if self._parts.panes.counts_ticks or self._parts.navigator.series is None:
            return
        scene = self._scene
        price = scene.on_tick(scene.price.value_at(position.y()))
        text = f"Alert at {value_text(scene, scene.price, price)}…\t{key_text('alert')}"
        menu.addAction(text, partial(self._requests.alert, price))

    def _menu(self) -> QMenu:
        menu = QMenu(self._chart)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        return menu
