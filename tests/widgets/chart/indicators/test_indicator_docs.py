"""docs/indicators.md lists every indicator, and its example is one."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from pytestqt.qtbot import QtBot

from app.market.indicators import find, indicators, unregister
from tests.widgets.chart.charts import BTC, series_of, settle, zigzag
from widgets.chart.chart_widget import ChartWidget

PAGE = (Path(__file__).parents[4] / "docs" / "indicators.md").read_text(encoding="utf-8")


def example() -> str:
    (found,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


def test_the_example_of_the_page_is_drawn_listed_set_and_remembered(qtbot: QtBot, chart: ChartWidget) -> None:
    code = example()
    assert sum(bool(line.strip()) for line in code.splitlines()) <= 20
    exec(compile(code, "docs/indicators.md", "exec"), {})
    try:
        series = series_of(zigzag(100))
        chart.set_series(series, BTC)
        study = chart.indicators.add("momentum", {"period": 3})
        settle(qtbot, chart)
        # Closes of 100 and 110 in turn, three candles apart.
        values = study.values.column("momentum")
        assert np.isnan(values[:3]).all()
        assert set(values[3:].tolist()) == {-10.0, 10.0}
        assert chart.indicators.entry_texts() == ["Mom 3 10.00"]
        look = chart.appearance_values()
        chart.indicators.remove(study.key)
        chart.restore_appearance(look)
        assert [one.label for one in chart.indicators.studies] == ["Mom 3"]
    finally:
        unregister("momentum")
    assert find("momentum") is None


def test_the_page_names_every_indicator() -> None:
    listed = PAGE.split("## The indicators")[1].split("## Adding one")[0]
    for indicator in indicators():
        assert f"| {indicator.title}" in listed or f"| {indicator.name}" in listed, indicator.key
