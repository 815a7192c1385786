"""Any drawing that is possible, however far away or large, can be painted, hit, chosen and moved."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPointF
from pytestqt.qtbot import QtBot

from app.market.drawings.drawing import Drawing, check
from app.market.interval import Interval
from tests.market.drawings.strategies import drawings
from tests.widgets.chart.charts import BTC, picture, series_of, zigzag
from tests.widgets.chart.drawings.helpers import Kept, anchor
from widgets.chart.chart_widget import ChartWidget

INTERVALS = [Interval.parse(name) for name in ("1m", "1h", "1M")]


@pytest.mark.parametrize("interval", INTERVALS, ids=str)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    some=st.lists(drawings(of=("BTCUSDT",)), min_size=1, max_size=14, unique_by=lambda one: one.id),
    modes=st.sets(st.sampled_from(["log", "percent", "invert"])),
)
def test_it_is_painted_and_moved(
    qtbot: QtBot, chart: ChartWidget, interval: Interval, some: list[Drawing], modes: set[str]
) -> None:
    first = interval.slot(anchor(0, 0).time_us)
    chart.set_series(series_of(zigzag(200, first, interval), interval), BTC)
    kept = Kept(chart, some)
    for mode in modes:
        chart.run_command(mode)
    for drawing in some:
        chart.drawings.choose(drawing.id)
        chart.frame_now()
        picture(chart)
        chart.drawings.drawing_at(QPointF(300, 200))
        for across, up in ((1, 0), (-10, 10), (0, -1)):
            chart.drawings.keys.move(across, up)
        for one in kept.drawings.values():
            check(one)
    for mode in modes:
        chart.run_command(mode)
    assert chart.trouble == ""
