"""How a chart looks: its panes, how prices, volume and times are drawn, and all of that as values for a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from widgets.chart.model.chart_style import ChartStyle, TimeStyle
from widgets.chart.model.pane_layout import PaneLayout
from widgets.chart.painting.scene import Scene
from widgets.chart.panes.pane_set import PaneSet
from widgets.chart.popups.system_zone import system_rules


class Appearance:
    """
    The appearance of one scene. ``set_…`` methods are for the program, ``change_…`` and ``toggle_…`` for the user.

    ``lay_out``: lays the chart out and brings it up to date, at once. ``changed``: called after a change by the user.
    """

    def __init__(
        self, scene: Scene, panes: PaneSet, lay_out: Callable[[], object], changed: Callable[[], object]
    ) -> None:
        self._scene, self._panes, self._lay_out, self._changed = scene, panes, lay_out, changed

    def commands(self) -> dict[str, Callable[[], object]]:
        """Return what this does for commands of `widgets.keys`, by the commands' names."""
        return {"price_snap": self.toggle_price_snap}

    @property
    def pane_layout(self) -> PaneLayout:
        """The panes from top to bottom, and their heights."""
        return self._panes.layout

    def set_pane_layout(self, layout: PaneLayout) -> None:
        """Show these panes."""
        self._panes.set_layout(layout)
        self._lay_out()

    @property
    def chart_style(self) -> ChartStyle:
        """How prices and volume are drawn."""
        return self._panes.style

    def set_chart_style(self, style: ChartStyle) -> None:
        """Draw prices and volume in that style."""
        self._panes.set_style(style)
        self._lay_out()

    @property
    def time_style(self) -> TimeStyle:
        """The time zone of labels, and whether days are shaded."""
        return self._scene.time_style

    def set_time_style(self, style: TimeStyle) -> None:
        """Label times in that style."""
        self._scene.time_style = style
        self._lay_out()

    def change_time_style(self, style: TimeStyle) -> None:
        """Label times in the style that the user chose."""
        if style != self._scene.time_style:
            self.set_time_style(style)
            self._changed()

    @property
    def price_snap(self) -> bool:
        """Whether the crosshair snaps to the prices of the candle under the pointer."""
        return self._scene.price_snap

    def toggle_price_snap(self) -> None:
        """Turn `price_snap` on or off."""
        self._scene.price_snap = not self._scene.price_snap
        self._changed()

    def to_values(self) -> dict[str, Any]:
        """Return style, panes, indicators and the style of times as plain values, for a file and `restore`."""
        return {
            "style": self._panes.style.to_values(),
            "panes": self._panes.layout.to_values(),
            "maximised pane": self._scene.maximised_pane,
            "times": self._scene.time_style.to_values(),
            "magnet": self._scene.price_snap,
            "indicators": self._panes.studies.to_values(),
            "indicators folded": self._scene.legend_folded,
        }

    def restore(self, values: Mapping[str, Any]) -> None:
        """Restore the values of `to_values`; invalid ones fall back to the defaults."""
        layout, studies = PaneLayout.from_values(values.get("panes")), values.get("indicators")
        self._panes.restore(layout, studies, values.get("maximised pane"))
        self._scene.price_snap = values.get("magnet") is True
        self._scene.legend_folded = values.get("indicators folded") is True
        self.set_time_style(TimeStyle.from_values(values.get("times"), system_rules()))
        self.set_chart_style(ChartStyle.from_values(values.get("style")))
