"""Painting survives a million bars, windows of a pixel and of 8k, and missing, infinite or extreme values."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF
from PySide6.QtGui import QColor, QPixmap
from pytestqt.exceptions import capture_exceptions

from app.market.indicators import Bars, Indicator, Output, Placement, Shape, indicators, register, unregister
from app.market.indicators.definition import Values
from app.market.interval import Interval
from app.market.series.series import BarColumns, CandleSeries
from tests.depth import examples
from tests.widgets.chart.charts import BTC, FIRST_SLOT, series_of, zigzag
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.model.chart_style import ChartStyle, PriceStyle
from widgets.chart.painting.pane import VisibleBars
from widgets.chart.painting.pane_brush import PaneBrush
from widgets.chart.painting.scene import NO_BARS
from widgets.chart.scales.value_scale import ScaleMode

RATIOS = (1.0, 1.25, 1.5, 2.0)
styles = st.builds(ChartStyle, st.sampled_from(PriceStyle), st.sampled_from(ScaleMode), *[st.booleans()] * 3)
PINK = QColor("#ff00ff")


@lru_cache(maxsize=1)
def a_million() -> CandleSeries:
    """A million one-minute candles, with gaps, at prices from 1e-8 to 1e8."""
    random = np.random.default_rng(5)
    slots = FIRST_SLOT + np.cumsum(np.where(random.random(1_000_000) < 0.001, 500, 1))
    closes = 10.0 ** np.clip(np.cumsum(random.standard_normal(1_000_000)) / 60, -8, 8)
    series = CandleSeries("X", Interval.parse("1m"))
    series.replace_columns(
        slots * 60_000_000 + series.interval.slot_open_us(0),
        open=np.concatenate((closes[:1], closes[:-1])),
        high=closes * 1.5,
        low=closes / 1.5,
        close=closes,
        volume=random.random(1_000_000),
    )
    return series


def paint(chart: ChartWidget, ratio: float) -> None:
    pixmap = QPixmap(max(1, round(chart.width() * ratio)), max(1, round(chart.height() * ratio)))
    pixmap.setDevicePixelRatio(ratio)
    chart.render(pixmap, QPoint())


def paints(series: CandleSeries, size: tuple[int, int], ratio: float, *acts: Callable[[ChartWidget], object]) -> None:
    """Paint the series, and again after each act; fail on any exception, as Qt would swallow it."""
    with capture_exceptions() as failures:
        chart = ChartWidget()
        chart.setMinimumSize(1, 1)
        chart.resize(*size)
        chart.set_series(series, BTC)
        chart.show()
        chart.reading_tools.point_at(QPointF(size[0] / 3, size[1] / 3))
        paint(chart, ratio)
        for act in acts:
            act(chart)
            paint(chart, ratio)
        assert chart.trouble == ""
        chart.close()
        chart.deleteLater()
    assert not failures


@settings(max_examples=examples(12))
@given(styles, st.floats(-14, 8), st.floats(-1e7, 1e7), st.sampled_from(RATIOS))
@example(ChartStyle(), -20.0, 0.0, 1.0)
def test_a_million_bars(qapp: object, style: ChartStyle, zoom: float, pan: float, ratio: float) -> None:
    paints(
        a_million(),
        (700, 400),
        ratio,
        lambda chart: chart.appearance.set_chart_style(style),
        lambda chart: chart.navigator.zoom(2.0**zoom, 300),
        lambda chart: chart.navigator.pan(pan),
        lambda chart: chart.navigator.stretch("price", 1e-3),
    )


@pytest.mark.parametrize("size", [(1, 1), (1, 4320), (7680, 1), (7680, 4320)], ids=str)
def test_windows_of_a_pixel_and_of_8k(qapp: object, size: tuple[int, int]) -> None:
    paints(
        a_million(),
        size,
        1.0,
        lambda chart: chart.appearance.set_chart_style(ChartStyle(PriceStyle.AREA, ScaleMode.LOG)),
    )
    paints(series_of(zigzag(1)), size, 1.0, lambda chart: chart.navigator.fit())


@pytest.mark.parametrize("ratio", RATIOS)
def test_a_screen_of_8k_at_every_ratio_with_indicators(qapp: object, ratio: float) -> None:
    size = round(7680 / ratio), round(4320 / ratio)
    paints(prices_about(1.0, 0.3, 30_000), size, ratio, add_all, lambda chart: chart.navigator.zoom(2.0**-4))


def prices_about(price: float, spread: float, count: int) -> CandleSeries:
    """One-minute candles, with gaps, whose prices vary by a share of ``price``; equal for a share of 0."""
    random = np.random.default_rng(7)
    slots = FIRST_SLOT + np.cumsum(np.where(random.random(count) < 0.01, 50, 1))
    closes = price * (1 + spread * (random.random(count) - 0.5))
    volume = random.random(count) * (random.random(count) < 0.7)
    series = CandleSeries("X", Interval.parse("1m"))
    series.replace_columns(
        slots * 60_000_000 + series.interval.slot_open_us(0),
        open=closes,
        high=closes * (1 + spread),
        low=closes * (1 - spread),
        close=closes,
        volume=volume,
        quote_volume=volume * closes,
        taker_buy_volume=volume * random.random(count),
    )
    series.set_begins(begins=True)
    return series


def add_all(chart: ChartWidget) -> None:
    """Add every indicator."""
    for indicator in indicators():
        chart.indicators.add(indicator.key)


def gaps(bars: Bars) -> Values:
    """Return NaN, infinity and finite values in turn."""
    values = np.resize([np.nan, np.inf, 1e8, np.nan, -np.inf, 1e-8, 0.0], len(bars))
    return np.where(np.arange(len(bars)) % 40 < 20, np.nan, values)


@pytest.fixture(scope="module")
def gaps_known() -> Iterator[None]:
    for place in (Placement.PRICE, Placement.VOLUME, Placement.OWN):
        for shape in Shape:
            key = f"gaps-{place.value}-{shape.value}"
            register(
                Indicator(key, "Gaps", "Gaps", "", gaps, lambda: 0, (Output("gaps", shape=shape),), placement=place)
            )
    yield
    for place in (Placement.PRICE, Placement.VOLUME, Placement.OWN):
        for shape in Shape:
            unregister(f"gaps-{place.value}-{shape.value}")


@settings(max_examples=examples(30))
@given(
    st.sampled_from([1e-8, 1.0, 61_000.0, 1e8]),
    st.sampled_from([0.0, 1e-9, 0.3, 0.999]),
    st.sampled_from([0, 1, 2, 300]),
    styles,
    st.sampled_from([(1, 1), (1, 300), (300, 1), (500, 300)]),
    st.sampled_from(RATIOS),
    st.sampled_from([0.0, 4.0, -6.0]),
)
def test_any_prices_under_indicators_with_few_values(
    qapp: object,
    gaps_known: None,
    price: float,
    spread: float,
    count: int,
    style: ChartStyle,
    size: tuple[int, int],
    ratio: float,
    zoom: float,
) -> None:
    paints(
        prices_about(price, spread, count),
        size,
        ratio,
        lambda chart: chart.appearance.set_chart_style(style),
        add_all,
        lambda chart: chart.navigator.zoom(2.0**zoom),
        lambda chart: chart.navigator.stretch("price", 1e-6),
        lambda chart: chart.navigator.stretch("price", 1e12),
    )


@pytest.mark.deep
def test_a_million_bars_with_every_indicator(qapp: object, gaps_known: None) -> None:
    paints(
        prices_about(61_000.0, 0.01, 1_000_000), (900, 700), 1.25, add_all, lambda chart: chart.navigator.zoom(2.0**-20)
    )


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_series_of_a_few_bars(qapp: object, count: int, ratio: float) -> None:
    kinds = [
        lambda chart, kind=kind: chart.appearance.set_chart_style(ChartStyle(kind, ScaleMode.PERCENT))
        for kind in PriceStyle
    ]
    paints(series_of(zigzag(count)), (300, 200), ratio, *kinds)


class Figures:
    """A layer that draws every figure of the brush from given values."""

    title = "figures"

    def __init__(self, values: list[float], extents: bool) -> None:
        self._given, self._tells, self._bars = np.array(values), extents, NO_BARS

    def update(self, series: CandleSeries, visible: VisibleBars, height_px: float) -> None:
        self._bars = visible.bars

    def extent(self) -> tuple[float, float] | None:
        return (float(self._given.min()), float(self._given.max())) if self._tells else None

    def paint_behind(self, brush: PaneBrush) -> None:
        values = np.resize(self._given, len(self._bars.slot))
        brush.band_between(PINK, self._bars, values, values[::-1])
        brush.band_between(PINK, self._bars, values, 0.0)

    def paint(self, brush: PaneBrush) -> None:
        bars, values = self._bars, np.resize(self._given, len(self._bars.slot))
        of_values: BarColumns = bars._replace(open=values, high=values, low=values, close=values)
        brush.line_through(PINK, of_values)
        brush.area_below(PINK, of_values)
        brush.dots_at(PINK, bars, values)
        brush.columns_from(PINK, bars, values)
        brush.columns_from(PINK, bars, values, base=1e8)


odd = st.sampled_from([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-8, 1e8, -1e8, 1e300, -1e300, 5e-324, 105.0])


@settings(max_examples=examples(25))
@given(
    st.lists(odd, min_size=1, max_size=12),
    st.booleans(),
    st.sampled_from(ScaleMode),
    st.booleans(),
    st.sampled_from([0.0, 4.0, -20.0]),
    st.sampled_from(RATIOS),
)
def test_figures_of_any_values(
    qapp: object, values: list[float], tells: bool, scale: ScaleMode, inverted: bool, zoom: float, ratio: float
) -> None:
    paints(
        series_of(zigzag(700)),
        (400, 300),
        ratio,
        lambda chart: chart.appearance.set_chart_style(ChartStyle(scale_mode=scale, inverted=inverted)),
        lambda chart: chart._scene.price.layers.append(Figures(values, tells)),
        lambda chart: chart.navigator.zoom(2.0**zoom),
    )
