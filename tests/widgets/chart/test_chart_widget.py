"""The panel over the chart: loading, and errors with their actions."""

from __future__ import annotations

from PySide6.QtWidgets import QLabel, QPushButton
from pytestqt.qtbot import QtBot

from widgets.chart.chart_widget import ChartWidget
from widgets.chart.popups.state_panel import StatePanel


def test_an_error_state_offers_its_actions(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.set_state("error", "The exchange cannot be reached.")
    buttons = {button.text(): button for button in chart.findChildren(QPushButton) if button.isVisible()}
    assert set(buttons) == {"Retry", "Use the simulated market"}
    with qtbot.waitSignal(chart.retry_requested):
        buttons["Retry"].click()
    with qtbot.waitSignal(chart.simulated_market_requested):
        buttons["Use the simulated market"].click()
    chart.set_state("error", "The database is away.", actions=("Retry",))
    assert [button.text() for button in chart.findChildren(QPushButton) if button.isVisible()] == ["Retry"]
    chart.set_state("ready")
    assert not [button for button in chart.findChildren(QPushButton) if button.isVisible()]


def test_loading_shows_only_after_a_moment(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.set_state("loading", "Loading ETH/USDT 1h…")
    assert chart.findChild(StatePanel) is None
    qtbot.waitUntil(lambda: chart.findChild(StatePanel) is not None)
    panel = chart.findChild(StatePanel)
    assert panel.isVisible()
    assert [label.text() for label in panel.findChildren(QLabel) if label.isVisible()] == ["Loading ETH/USDT 1h…"]
    chart.set_state("loading")
    chart.set_state("ready")
    qtbot.wait(200)  # longer than the moment
    assert not panel.isVisible()
