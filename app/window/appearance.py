"""Applies the palette, and the state remembered from the last run, to the window and the chart."""

from __future__ import annotations

from collections.abc import Iterable

from app.market.symbol import unknown_symbol
from app.window.state.window_state import WindowState
from widgets.chart.chart_widget import ChartWidget
from widgets.theme.palettes import palette_of
from widgets.theme.system_scheme import SystemScheme
from widgets.view_values import WatchRow
from widgets.window.main_window import MainWindow


def show_state(window: MainWindow, chart: ChartWidget, state: WindowState) -> None:
    """Show the state's theme, symbol, interval, watchlist and place, before anything is known of the market."""
    show_palette(window, [chart], state, SystemScheme(window))
    window.set_symbol(unknown_symbol(state.symbol))
    window.set_interval(state.interval)
    window.watchlist.tabs.set_lists(state.lists.names(), state.lists.shown)
    window.set_watchlist([WatchRow(unknown_symbol(name)) for name in state.watchlist])
    chart.restore_appearance(state.chart)
    chart.restore_view(state.view)
    window.set_price_style(chart.chart_style.price_style.title)
    window.set_text_percent(state.text_percent)
    chart.bar.show_hint(state.bars.get("typing") is not True)


def show_palette(window: MainWindow, charts: Iterable[ChartWidget], state: WindowState, scheme: SystemScheme) -> None:
    """Use the palette of the state's theme, or of the system's light or dark scheme."""
    scheme.request(state.theme)
    palette = palette_of(state.theme, state.candle_colours, system_is_dark=scheme.is_dark)
    window.set_theme(state.theme, state.candle_colours)
    window.set_palette(palette)
    for chart in charts:
        chart.set_palette(palette)
