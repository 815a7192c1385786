"""
Follows what the user chooses for the look of a window: the theme, the colours of candles, the size of text.

A choice is shown at once and written into the `WindowState`; its owner saves it.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal

from app.window.appearance import show_palette
from app.window.charts.open_charts import OpenChart, OpenCharts
from app.window.state.window_state import WindowState
from widgets.theme import text_size
from widgets.theme.system_scheme import SystemScheme
from widgets.window.main_window import MainWindow


class AppearanceController(QObject):
    """
    Gives ``window`` and all ``charts`` the look that the user chooses.

    Signals:
        changed(): the state holds another look, and should be saved.
        palette_changed(): the window and the charts have another palette.
    """

    changed = Signal()
    palette_changed = Signal()

    def __init__(self, window: MainWindow, charts: OpenCharts, state: WindowState) -> None:
        super().__init__(window)
        self._window, self._charts, self._state = window, charts, state
        self._scheme = SystemScheme(self)
        self._scheme.changed.connect(self._show_palette)
        window.requests.theme_requested.connect(self._on_theme_requested)
        window.requests.text_percent_requested.connect(self._on_text_percent_requested)
        window.requests.candle_colours_requested.connect(self._on_candle_colours_requested)
        window.choosers.typing_learnt.connect(self._hide_hints)

    def dress(self, one: OpenChart) -> None:
        """Give a chart that was just opened the window's palette, and the hints it still needs."""
        one.chart.set_palette(self._window.colours)
        one.chart.bar.show_hint(self._state.bars.get("typing") is not True)

    def on_chart_changed(self, one: OpenChart) -> None:
        """Remember the look of a chart, name the active one's style, and share templates of indicators."""
        if one is self._charts.active:
            self._state.chart = one.chart.appearance_values()
            self._window.set_price_style(one.chart.chart_style.price_style.title)
        self._share_templates(one)
        self.changed.emit()

    def _on_theme_requested(self, name: str) -> None:
        self._state.theme, self._state.lasting_theme = name, None
        self._show_palette()
        self.changed.emit()

    def _on_candle_colours_requested(self, name: str) -> None:
        self._state.candle_colours, self._state.lasting_candle_colours = name, None
        self._show_palette()
        self.changed.emit()

    def _on_text_percent_requested(self, percent: int) -> None:
        self._state.text_percent, self._state.lasting_text_percent = percent, None
        text_size.set_percent(percent)
        self._window.set_text_percent(percent)
        self.changed.emit()

    def _show_palette(self) -> None:
        show_palette(self._window, [one.chart for one in self._charts.all], self._state, self._scheme)
        self.palette_changed.emit()

    def _share_templates(self, one: OpenChart) -> None:
        """Let the other charts have the templates of indicators of this one: they are the window's."""
        values = one.chart.templates.templates.to_values()
        for other in self._charts.all:
            if other is not one and other.chart.templates.templates.to_values() != values:
                other.chart.templates.restore(values)

    def _hide_hints(self) -> None:
        for one in self._charts.all:
            one.chart.bar.show_hint(False)
