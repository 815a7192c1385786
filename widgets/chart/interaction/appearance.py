"""How a chart looks: which panes there are, how prices are drawn, and the menus to change that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtWidgets import QMenu

from widgets.chart.interaction.menus import (
    fill_axis_menu,
    fill_pane_menu,
    fill_style_menu,
    fill_style_menus,
    fill_time_menu,
)
from widgets.chart.interaction.system_zone import system_rules
from widgets.chart.interaction.view_part import ViewPart
from widgets.chart.model.chart_style import ChartStyle, TimeStyle
from widgets.chart.model.pane_layout import PaneLayout


class Appearance(ViewPart):
    """The look of a `ChartView`."""

    @property
    def arrangement(self) -> PaneLayout:
        """Which panes there are, from top to bottom, and how high."""
        return self._panes.arrangement

    def set_arrangement(self, arrangement: PaneLayout) -> None:
        """Make these the panes."""
        self._panes.arrange(arrangement)
        self._resized()

    @property
    def chart_style(self) -> ChartStyle:
        """How prices and volume are drawn."""
        return self._panes.style

    def set_chart_style(self, style: ChartStyle) -> None:
        """Draw them so."""
        self._panes.restyle(style)
        self._resized()

    @property
    def time_style(self) -> TimeStyle:
        """How times are told."""
        return self._scene.time_style

    def set_time_style(self, style: TimeStyle) -> None:
        """Tell times so."""
        self._scene.time_style = style
        self._resized()

    def change_time_style(self, style: TimeStyle) -> None:
        """Tell times so, as the user wants it."""
        if style != self._scene.time_style:
            self.set_time_style(style)
            self.look_changed.emit()

    def look_values(self) -> dict[str, Any]:
        """Return style, panes, indicators and how times are told as plain values, for a file and `restore_look`."""
        return {
            "style": self._panes.style.to_values(),
            "panes": self._panes.arrangement.to_values(),
            "times": self._scene.time_style.to_values(),
            "magnet": self._scene.price_snap,
            "indicators": self._panes.studies.to_values(),
        }

    def restore_look(self, values: Mapping[str, Any]) -> None:
        """Take what `look_values` gave; whatever makes no sense is as usual."""
        self._panes.restore(PaneLayout.from_values(values.get("panes")), values.get("indicators"))
        self._scene.price_snap = values.get("magnet") is True
        self.set_time_style(TimeStyle.from_values(values.get("times"), system_rules()))
        self.set_chart_style(ChartStyle.from_values(values.get("style")))

    def open_style_menu(self, at: QPoint) -> None:
        """Open the menu of how the chart draws, at that point of the screen."""
        menu = self._menu()
        fill_style_menu(menu, self._panes)
        menu.popup(at)

    def _open_menu(self, position: QPointF, at: QPoint) -> None:
        pane = self._scene.pane_at(position.y()) or self._scene.price
        menu, layout = self._menu(), self._scene.layout
        if layout.time_axis.contains(position):
            fill_time_menu(menu, self)
        elif layout.value_axis.contains(position):
            fill_axis_menu(menu, self._panes, pane, self.reset)
        else:
            self._fill_reading_menu(menu, position)
            menu.addSeparator()
            self._fill_study_menu(menu, pane.key)
            menu.addSeparator()
            fill_style_menus(menu, self._panes)
            menu.addSeparator()
            fill_pane_menu(menu, self._panes, pane.key)
            menu.addSeparator()
            fill_time_menu(menu, self)
        menu.popup(at)

    def _menu(self) -> QMenu:
        menu = QMenu(self._widget)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        return menu
