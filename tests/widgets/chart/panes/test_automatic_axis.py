"""The automatic price axis follows the prices; indicators over them only where the user has it follow them."""

from __future__ import annotations

from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from tests.widgets.chart.charts import BTC, FIRST_SLOT, candle, price_range, series_of, settle
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.indicators.settings_panel import SettingsPanel
from widgets.chart.interaction.menus import fill_axis_menu


def shown_far_from_its_average(qtbot: QtBot, chart: ChartWidget) -> tuple[float, float]:
    """Show prices of 100 with an average of 400, as a day's VWAP may be away from a minute's candles."""
    series = series_of([candle(FIRST_SLOT + at, 700.0 if at < 150 else 100.0, 100.0) for at in range(300)])
    chart.set_series(series, BTC)
    settle(qtbot, chart)
    before = price_range(chart)
    chart.indicators.add("sma", {"period": 300, "source": "open"})
    settle(qtbot, chart)
    return before


def action_of(menu: QMenu, text: str) -> QAction:
    return next(action for action in menu.actions() if action.text() == text)


def test_an_indicator_far_away_leaves_the_candles_as_high_as_they_were(qtbot: QtBot, chart: ChartWidget) -> None:
    before = shown_far_from_its_average(qtbot, chart)
    assert price_range(chart)[1] - price_range(chart)[0] < 1.1 * (before[1] - before[0])  # its row takes some room
    (label,) = chart._scene.price.labels
    assert label.value_y is None
    assert label.is_high
    menu = QMenu()
    (study,) = chart.indicators.studies
    chart.indicators.fill_study_menu(menu, study.key)
    action_of(menu, "Fit the price axis to it").trigger()
    settle(qtbot, chart)
    assert price_range(chart)[1] > 400
    look = chart.appearance_values()
    chart.restore_appearance({})
    chart.restore_appearance(look)
    settle(qtbot, chart)
    assert price_range(chart)[1] > 400
    (study,) = chart.indicators.studies
    chart.indicators.open_settings(study.key)
    (panel,) = chart.window().findChildren(SettingsPanel)
    assert panel.fit.isChecked()
    panel.fit.click()
    settle(qtbot, chart)
    assert price_range(chart)[1] < 200


def test_the_axis_menu_has_the_price_axis_follow_all_of_them(qtbot: QtBot, chart: ChartWidget) -> None:
    shown_far_from_its_average(qtbot, chart)
    menu = QMenu()
    fill_axis_menu(menu, chart._panes, chart._scene.price, chart.navigator.reset)
    only = action_of(menu, "Fit prices only")
    assert only.isChecked()
    only.trigger()
    settle(qtbot, chart)
    assert price_range(chart)[1] > 400
    (study,) = chart.indicators.studies
    of_study = QMenu()
    chart.indicators.fill_study_menu(of_study, study.key)
    fit = action_of(of_study, "Fit the price axis to it")
    assert (fit.isChecked(), fit.isEnabled()) == (True, False)
    look = chart.appearance_values()
    chart.restore_appearance({})
    assert chart.chart_style.fits_prices_only
    chart.restore_appearance(look)
    assert not chart.chart_style.fits_prices_only


def test_panes_stay_equally_high_under_a_price_pane_of_half_and_rsi_has_its_levels(
    qtbot: QtBot, chart: ChartWidget
) -> None:
    chart.resize(1000, 900)
    chart.set_series(series_of([candle(FIRST_SLOT + at, 100.0 + at % 7, 101.0 + at % 5) for at in range(300)]), BTC)
    for key in ("rsi", "macd", "atr"):
        chart.indicators.add(key)
    settle(qtbot, chart)
    price, *others = (pane.rect.height() for pane in chart._scene.panes)
    assert len(others) == 4
    assert price >= sum(others)
    assert max(others) - min(others) <= 1
    assert [tick.text for tick in chart._scene.pane("rsi").ticks] == ["30", "50", "70"]
    chart.indicators.remove("atr")
    settle(qtbot, chart)
    price, *others = (pane.rect.height() for pane in chart._scene.panes)
    assert price >= sum(others) - 1
    assert max(others) - min(others) <= 1
