"""A visible chart, and the exchange's recorded candles."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytestqt.qtbot import QtBot

from app.market.candle import Candle, CandleSource
from app.market.interval import Interval
from app.market.series.series import CandleSeries
from app.market.units import parse_e8
from tests.widgets.chart.charts import BTC, series_of, settle, zigzag
from tests.widgets.cleanup import close_and_delete
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.interaction.view_bar import HEIGHT
from widgets.theme import style


@pytest.fixture
def chart(qtbot: QtBot) -> Iterator[ChartWidget]:
    """A visible chart of 800 x 500, without a series, and the bar under it."""
    made = ChartWidget()
    made.resize(800, 500 + style.px(HEIGHT))
    made.show()
    qtbot.waitExposed(made)
    yield made
    close_and_delete(made)


@pytest.fixture
def series(qtbot: QtBot, chart: ChartWidget) -> CandleSeries:
    """A thousand candles of 100 to 110 on the chart, the latest in view."""
    made = series_of(zigzag(1000))
    chart.set_series(made, BTC)
    settle(qtbot, chart)
    return made


@pytest.fixture
def shown(qtbot: QtBot, chart: ChartWidget) -> ChartWidget:
    """A chart with two hundred candles, the first of which is the symbol's first."""
    series = series_of(zigzag(200))
    series.set_begins(begins=True)
    chart.set_series(series, BTC)
    settle(qtbot, chart)
    return chart


@pytest.fixture
def recorded(shared_data: Callable[[str], Path]) -> Callable[[], CandleSeries]:
    """Return a reader of the exchange's 1m candles of BTCUSDT, July and August 2024."""

    def read() -> CandleSeries:
        with gzip.open(shared_data("klines/derived_BTCUSDT-1m_20240726-20240825.csv.gz"), "rt") as rows:
            candles = [_kline(row) for row in csv.DictReader(rows)]
        series = CandleSeries("BTCUSDT", Interval.parse("1m"))
        series.replace(candles)
        return series

    return read


def _kline(row: dict[str, str]) -> Candle:
    prices = (parse_e8(row[name]) for name in ("open", "high", "low", "close"))
    return Candle(
        int(row["open_time_ms"]) * 1000, *prices, parse_e8(row["volume"]), 0, 1, 0, 0, source=CandleSource.KLINE
    )
