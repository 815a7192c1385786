"""A part that fails to draw is left out, reported and logged once; the chart and the process go on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from pytestqt.exceptions import capture_exceptions
from pytestqt.qtbot import QtBot

from app.market.drawings.drawing import DrawingKind
from app.market.indicators import Bars, Indicator, Output, Placement, register, unregister
from app.market.indicators.definition import Values
from app.market.series.series import CandleSeries
from tests.widgets.chart.charts import (
    BTC,
    FIRST_SLOT,
    candle,
    canvas_of,
    colour_at,
    count_of,
    picture,
    place,
    series_of,
    settle,
    zigzag,
)
from tests.widgets.chart.drawings.helpers import anchor, drawn
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.painting.pane import VisibleBars
from widgets.chart.painting.pane_brush import PaneBrush
from widgets.theme.palettes import DARK

PARTS = ("update", "extent", "paint_behind", "paint")


class Breaking:
    """A layer that raises in one method while ``breaks`` is set, and leaves the painter in a wrong state."""

    title = "Breaking 7"

    def __init__(self, part: str) -> None:
        self.part, self.breaks, self.calls = part, True, 0

    def update(self, series: CandleSeries, visible: VisibleBars, height_px: float) -> None:
        self._call("update")

    def extent(self) -> tuple[float, float] | None:
        self._call("extent")
        return None

    def paint_behind(self, brush: PaneBrush) -> None:
        self._call("paint_behind", brush)

    def paint(self, brush: PaneBrush) -> None:
        self._call("paint", brush)

    def _call(self, part: str, brush: PaneBrush | None = None) -> None:
        if part != self.part:
            return
        self.calls += 1
        if self.breaks:
            if brush is not None:
                brush._painter.setOpacity(0.1)
                brush._painter.setClipRect(0, 0, 1, 1)
            raise ZeroDivisionError("as a layer may")


@pytest.fixture
def no_exception() -> Iterator[None]:
    """Fail if an exception reached Qt."""
    with capture_exceptions() as failures:
        yield
    assert not failures


@pytest.mark.parametrize("part", PARTS)
def test_a_layer_that_raises_is_left_out_and_the_rest_is_drawn(
    qtbot: QtBot, chart: ChartWidget, no_exception: None, caplog: pytest.LogCaptureFixture, part: str
) -> None:
    chart.set_series(series_of(zigzag(50)), BTC)
    settle(qtbot, chart)
    whole = picture(chart)
    layer = Breaking(part)
    chart._scene.price.layers.insert(0, layer)
    with caplog.at_level(logging.ERROR):
        for _ in range(5):
            chart._repaint_all()
            settle(qtbot, chart)
            assert chart.grab().toImage().convertToFormat(whole.format()) == whole
    assert layer.calls == 1
    (record,) = caplog.records
    assert record.getMessage() == "what cannot be drawn is left out of the chart: Breaking 7"
    assert record.exc_info is not None
    assert chart.trouble == "The chart cannot draw Breaking 7: the log says why."


def test_a_failed_part_is_tried_again_when_the_data_change_and_logged_once(
    qtbot: QtBot, chart: ChartWidget, no_exception: None, caplog: pytest.LogCaptureFixture
) -> None:
    series = series_of(zigzag(50))
    chart.set_series(series, BTC)
    layer = Breaking("paint")
    chart._scene.price.layers.append(layer)
    settle(qtbot, chart)
    picture(chart)
    assert layer.calls == 1
    for close in (104.0, 105.0):  # a trade changes the last candle; the next failure would be as this one
        series.upsert(candle(FIRST_SLOT + 49, 100.0, close))
        chart.series_changed()
        settle(qtbot, chart)
    assert layer.calls == 1
    series.upsert(candle(FIRST_SLOT + 50, 100.0, 103.0))
    chart.series_changed()
    settle(qtbot, chart)
    assert layer.calls == 2
    assert len(caplog.records) == 1
    layer.breaks = False
    series.upsert(candle(FIRST_SLOT + 51, 100.0, 103.0))
    chart.series_changed()
    settle(qtbot, chart)
    assert layer.calls > 2
    assert chart.trouble == ""


def test_an_indicator_whose_function_raises_shows_no_value_and_spares_the_candles(
    qtbot: QtBot, chart: ChartWidget, no_exception: None
) -> None:
    fails = [True]

    def compute(bars: Bars) -> Values:
        if fails[0]:
            raise ValueError("as a function of one's own may")
        return np.full(len(bars), 105.0)

    register(Indicator("odd", "Odd", "Odd", "", compute, lambda: 0, (Output("odd"),), placement=Placement.PRICE))
    try:
        series = series_of(zigzag(50))
        chart.set_series(series, BTC)
        chart.indicators.add("odd")
        settle(qtbot, chart)
        assert chart.indicators.entry_texts() == ["Odd —"]
        assert chart.trouble == "The chart cannot draw Odd: the log says why."
        assert count_of(picture(chart), DARK.rising) > 100
        fails[0] = False
        series.upsert(candle(FIRST_SLOT + 50, 100.0, 103.0))
        chart.series_changed()
        settle(qtbot, chart)
        assert chart.indicators.entry_texts() == ["Odd 105.00"]
        assert chart.trouble == ""
    finally:
        unregister("odd")


@pytest.mark.parametrize("number", range(7))
def test_an_item_that_raises_leaves_the_others_drawn(
    qtbot: QtBot, chart: ChartWidget, no_exception: None, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("as an item may")

    chart.set_series(series_of(zigzag(50)), BTC)
    chart.indicators.add("sma")
    settle(qtbot, chart)
    chart.drawings.set_drawings([drawn(DrawingKind.HORIZONTAL_LINE, anchor(40, 108))])
    settle(qtbot, chart)
    item = canvas_of(chart)._items[number]
    chart._scene.named_pane = "price"
    parts = ("_paint_pane", "_paint_bells", "_paint_title", "_grid_labels", "_paint_line", "_entries", "_paint_ground")
    inner = parts[number]
    monkeypatch.setattr(item, inner, fail)
    chart._repaint_all()
    settle(qtbot, chart)
    for _ in range(3):
        assert not chart.grab().isNull()
    body = colour_at(picture(chart), place(chart, FIRST_SLOT + 31, 103))
    assert (body == DARK.rising) == (number != 0)
    assert item.title in chart.trouble


def test_several_failures_are_reported_in_one_sentence(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.set_series(series_of(zigzag(50)), BTC)
    chart._scene.price.layers += [Breaking("paint"), Breaking("paint"), Breaking("paint")]
    settle(qtbot, chart)
    picture(chart)
    assert chart.trouble == "The chart cannot draw Breaking 7, Breaking 7 and Breaking 7: the log says why."


@pytest.mark.parametrize(
    "compute",
    [
        lambda bars: np.zeros(len(bars) + 1),
        lambda bars: (np.zeros(len(bars)), np.zeros(len(bars))),
        lambda bars: None,
        lambda bars: np.array(["x"] * len(bars)),
    ],
    ids=["too long", "one too many", "nothing", "words"],
)
def test_an_indicator_with_an_invalid_result_spares_the_candles(
    qtbot: QtBot, chart: ChartWidget, no_exception: None, compute: Callable[[Bars], Values]
) -> None:
    register(Indicator("odd", "Odd", "Odd", "", compute, lambda: 0, (Output("odd"),), placement=Placement.PRICE))
    try:
        chart.set_series(series_of(zigzag(50)), BTC)
        chart.indicators.add("odd")
        settle(qtbot, chart)
        assert chart.indicators.entry_texts() == ["Odd —"]
        assert count_of(picture(chart), DARK.rising) > 100
        assert chart.trouble == "The chart cannot draw Odd: the log says why."
    finally:
        unregister("odd")
