"""A chart to draw on."""

from __future__ import annotations

import pytest
from pytestqt.qtbot import QtBot

from app.market.series.series import CandleSeries
from tests.widgets.chart.charts import BTC, series_of, settle, zigzag
from widgets.chart.chart_widget import ChartWidget


@pytest.fixture
def series(qtbot: QtBot, chart: ChartWidget) -> CandleSeries:
    """A hundred candles on the chart, the latest in view."""
    made = series_of(zigzag(100))
    chart.set_series(made, BTC)
    settle(qtbot, chart)
    return made
