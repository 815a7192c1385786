"""Linear, logarithmic, percent and inverted axes: positions, marks, texts, and stretching by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QAction, QContextMenuEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from app.market.interval import Interval
from tests.widgets.chart.charts import (
    BTC,
    ETH,
    FIRST_SLOT,
    LEFT_BUTTON,
    candle,
    canvas_of,
    colour_at,
    picture,
    place,
    series_of,
    settle,
    zigzag,
)
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.model.chart_style import ChartStyle, PriceStyle
from widgets.chart.painting.axes import auto_button_rect
from widgets.chart.scales.value_marks import format_percent, level_values, price_marks, price_text
from widgets.chart.scales.value_scale import Margins, ScaleMode, ValueScale
from widgets.theme.palettes import DARK

value_scales = st.builds(
    lambda low, factor, scale, inverted: ValueScale(low, low * factor, mode=scale, inverted=inverted, base=low),
    st.floats(1e-8, 1e8),
    st.floats(1.0001, 1e6),
    st.sampled_from(ScaleMode),
    st.booleans(),
)


@given(value_scales, st.floats(0, 1))
def test_a_value_and_its_position_convert_both_ways(scale: ValueScale, share: float) -> None:
    value = scale.value_at(share)
    assert scale.share_of(value) == pytest.approx(share, abs=1e-6)
    assert scale.shares_of(np.array([value]))[0] == pytest.approx(share, abs=1e-6)


@given(value_scales, st.floats(200, 2000))
def test_margins_are_pixels_on_every_scale(scale: ValueScale, height: float) -> None:
    low, high = scale.low, scale.high
    scale.fit(low, high, height, Margins(56, 24))
    upper, lower = (low, high) if scale.inverted else (high, low)
    room = height - 80 >= height / 3
    assert scale.share_of(upper) * height == pytest.approx(56 if room else scale.share_of(upper) * height, abs=1e-3)
    assert scale.share_of(lower) * height == pytest.approx(height - 24, abs=1e-3) or not room


@given(value_scales, st.floats(0.1, 2), st.floats(-3, 3))
def test_stretching_and_dragging_keep_the_ends_in_order(scale: ValueScale, factor: float, share: float) -> None:
    middle = scale.value_at(0.5)
    scale.stretch(factor)
    assert scale.value_at(0.5) == pytest.approx(middle, rel=1e-6)
    under = scale.value_at(0.25)
    scale.shift(share)
    assert scale.low < scale.high
    assert scale.share_of(under) == pytest.approx(0.25 + share, abs=1e-3)


def test_a_logarithmic_axis_gives_a_doubling_the_same_height_everywhere() -> None:
    scale = ValueScale(10.0, 10_000.0, mode=ScaleMode.LOG)
    heights = [scale.share_of(low) - scale.share_of(2 * low) for low in (10.0, 100.0, 5000.0)]
    assert heights == pytest.approx([heights[0]] * 3)


@pytest.mark.parametrize(("low", "high"), [(0.0, 10.0), (-5.0, 5.0), (0.0, 0.0), (-3.0, -2.0)])
def test_values_without_a_logarithm_are_spread_linearly(low: float, high: float) -> None:
    scale, linear = ValueScale(mode=ScaleMode.LOG), ValueScale()
    for each in (scale, linear):
        each.fit(low, high, 400, Margins(0, 0))
    assert not scale.is_log
    assert (scale.low, scale.high) == (linear.low, linear.high)
    scale.fit(1.0, 100.0, 400, Margins(0, 0))
    assert scale.share_of(10.0) == pytest.approx(0.5)


def test_equal_prices_below_the_smallest_step_still_fit_a_logarithmic_axis() -> None:
    scale = ValueScale(mode=ScaleMode.LOG)
    scale.fit(1e-8, 1e-8, 400, Margins(56, 24), 1e-7)
    assert scale.is_log
    assert scale.low < 1e-8 < scale.high


@given(value_scales, st.floats(1, 3000), st.integers(0, 8))
def test_marks_are_apart_in_view_and_all_differ(scale: ValueScale, height: float, decimals: int) -> None:
    marks = price_marks(scale, height, 56, decimals)
    assert len({mark.text for mark in marks}) == len(marks)
    for mark in marks:
        assert scale.low * (1 - 1e-9) <= mark.value <= scale.high * (1 + 1e-9)
    for one, next_ in pairwise(marks):
        assert abs(scale.share_of(one.value) - scale.share_of(next_.value)) * height > 55


def test_logarithmic_marks_are_round_and_stay_put() -> None:
    scale = ValueScale(0.9, 1200.0, mode=ScaleMode.LOG)
    texts = [mark.text for mark in price_marks(scale, 600, 56, 0)]
    assert texts == ["1", "2", "5", "10", "20", "50", "100", "200", "500", "1,000"]
    scale = ValueScale(60_000.0, 65_000.0, mode=ScaleMode.LOG)
    before = [mark.text for mark in price_marks(scale, 600, 56, 2)]
    assert before == [f"{price:,}.00" for price in range(60_000, 65_001, 1000)]
    scale.shift(0.2)
    after = [mark.text for mark in price_marks(scale, 600, 56, 2)]
    assert after == [*before[1:], "66,000.00"]


def test_percents_count_from_their_base() -> None:
    scale = ValueScale(89.9, 110.1, mode=ScaleMode.PERCENT, base=100.0)
    assert [mark.text for mark in price_marks(scale, 300, 56, 2)] == ["−10 %", "−5 %", "0 %", "+5 %", "+10 %"]
    assert price_text(scale, 101.234, 2) == "+1.23 %"
    scale.base = 0.0
    assert price_text(scale, 101.234, 2) == "101.23"
    assert format_percent(-0.001, 2) == "0.00 %"


def test_the_first_bar_in_view_is_zero_percent(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.set_series(series_of([candle(FIRST_SLOT + at, 100 + at, 101 + at) for at in range(300)]), BTC)
    chart.appearance.set_chart_style(ChartStyle(scale_mode=ScaleMode.PERCENT))
    for by in (0, 500, 333):
        chart.navigator.pan(by)
        settle(qtbot, chart)
        first = chart._scene.price.value_scale.base - 101 + FIRST_SLOT
        assert 0 <= first - chart._scene.time_scale.left <= 1
    assert chart._scene.last_text == format_percent((400 / chart._scene.price.value_scale.base - 1) * 100, 2)


def test_an_inverted_axis_turns_candles_upside_down(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.set_series(series_of(zigzag(40)), BTC)
    settle(qtbot, chart)

    def y_of(price: float) -> float:
        return chart._scene.price.y_of(price)

    upright = [y_of(price) for price in (98, 112)]
    chart.appearance.set_chart_style(ChartStyle(inverted=True))
    settle(qtbot, chart)
    assert y_of(112) > y_of(98)
    assert upright[0] > upright[1]
    image, x = picture(chart), chart._scene.time_scale.x_of(FIRST_SLOT + 31)
    for price in (99, 103, 111):
        assert colour_at(image, QPointF(x, y_of(price))) == DARK.rising
    assert colour_at(image, QPointF(x, y_of(113.5))) in (DARK.background, DARK.grid)
    box = canvas_of(chart).box_of("price")
    assert box.mapViewToScene(QPointF(FIRST_SLOT + 31, 103)).y() == pytest.approx(y_of(103), abs=0.01)


@pytest.mark.parametrize(
    ("key", "style"),
    [
        (Qt.Key.Key_L, ChartStyle(scale_mode=ScaleMode.LOG)),
        (Qt.Key.Key_P, ChartStyle(scale_mode=ScaleMode.PERCENT)),
        (Qt.Key.Key_I, ChartStyle(inverted=True)),
    ],
)
def test_a_key_turns_its_scale_mode_on_and_off(qtbot: QtBot, chart: ChartWidget, key: Qt.Key, style: object) -> None:
    chart.set_series(series_of(zigzag(40)), BTC)
    QTest.keyClick(chart.focusProxy(), key, Qt.KeyboardModifier.AltModifier)
    assert chart.chart_style == style
    QTest.keyClick(chart.focusProxy(), key, Qt.KeyboardModifier.AltModifier)
    assert chart.chart_style == ChartStyle()


@given(st.builds(ChartStyle, st.sampled_from(PriceStyle), st.sampled_from(ScaleMode), *[st.booleans()] * 3))
def test_a_style_survives_a_file(style: ChartStyle) -> None:
    assert ChartStyle.from_values(style.to_values()) == style


def test_an_axis_is_stretched_by_keys_and_fitted_again_by_its_menu(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.set_series(series_of(zigzag(40)), BTC)
    settle(qtbot, chart)
    fitted = place(chart, FIRST_SLOT + 30, 110).y() - place(chart, FIRST_SLOT + 30, 100).y()
    QTest.keyClick(chart.focusProxy(), Qt.Key.Key_Up, Qt.KeyboardModifier.AltModifier)
    settle(qtbot, chart)
    stretched = place(chart, FIRST_SLOT + 30, 110).y() - place(chart, FIRST_SLOT + 30, 100).y()
    assert stretched == pytest.approx(fitted * 1.15, rel=1e-3)
    texts = axis_menu(chart)
    *of_the_axis, of_the_price = (text.partition("\t")[0] for text in texts if text)
    assert of_the_price.startswith("Alert at ")
    assert of_the_axis == [
        "Fit to what is in view",
        "Indicators' values on the axes",
        "Fit prices only",
        "Linear prices",
        "Logarithmic prices",
        "Percent prices",
        "Inverted",
    ]
    assert texts["Fit to what is in view\tAlt+A"].isEnabled()
    texts["Fit to what is in view\tAlt+A"].trigger()
    settle(qtbot, chart)
    assert place(chart, FIRST_SLOT + 30, 110).y() - place(chart, FIRST_SLOT + 30, 100).y() == pytest.approx(fitted)
    assert not axis_menu(chart)["Fit to what is in view\tAlt+A"].isEnabled()


def axis_menu(chart: ChartWidget) -> dict[str, QAction]:
    """The context menu of the price axis."""
    for old in chart.findChildren(QMenu):
        old.close()
        old.setParent(None)
    where = QPoint(chart.width() - 20, 200)
    canvas = canvas_of(chart)
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, where, canvas.mapToGlobal(where))
    QApplication.sendEvent(canvas.viewport(), event)
    menu = chart.findChildren(QMenu)[-1]
    menu.hide()
    return {action.text(): action for action in menu.actions()}


def test_stretched_prices_survive_another_interval_but_not_another_symbol(qtbot: QtBot, chart: ChartWidget) -> None:
    hour = Interval.parse("1h")
    chart.set_series(series_of(zigzag(40)), BTC)
    chart.indicators.add("atr")
    chart._scene.price.value_scale.show(90.0, 140.0)
    for key in ("volume", "atr"):
        chart.navigator.stretch(key, 2.0)
    chart.set_series(series_of(zigzag(40)), BTC)  # reloaded, as after another database was chosen
    settle(qtbot, chart)
    assert [pane.value_scale.auto for pane in chart._scene.panes] == [False, False, False]
    chart.set_series(None, BTC)
    chart.set_series(series_of(zigzag(40, FIRST_SLOT // 60, hour), hour), replace(BTC, tick_size_e8=1000))
    settle(qtbot, chart)
    prices = chart._scene.price.value_scale
    assert (prices.low, prices.high) == (90.0, 140.0)
    assert [pane.value_scale.auto for pane in chart._scene.panes] == [False, True, True]
    chart.set_series(None, ETH)
    chart.set_series(series_of(zigzag(40)), ETH)
    settle(qtbot, chart)
    assert prices.auto
    assert prices.high < 130


def test_a_restored_chart_begins_with_fitted_axes(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.set_series(series_of(zigzag(40)), BTC)
    chart.navigator.stretch("price", 5.0)
    kept = chart.appearance_values()
    other = ChartWidget()
    qtbot.addWidget(other)
    other.restore_appearance(kept)
    other.set_series(series_of(zigzag(40)), BTC)
    assert other._scene.price.value_scale.auto


def test_a_stretched_axis_has_a_button_that_fits_it_again(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.set_series(series_of(zigzag(40)), BTC)
    settle(qtbot, chart)
    scene, viewport = chart._scene, canvas_of(chart).viewport()
    assert auto_button_rect(scene, scene.price).isEmpty()
    fitted = picture(chart)
    chart.navigator.stretch("price", 2.0)
    settle(qtbot, chart)
    button = auto_button_rect(scene, scene.price)
    assert colour_at(picture(chart), button.topLeft() + QPointF(2, 2)) == scene.colours.label.name()
    QTest.mouseMove(viewport, button.center().toPoint())
    assert canvas_of(chart).cursor().shape() is Qt.CursorShape.PointingHandCursor
    QTest.mouseClick(viewport, LEFT_BUTTON, Qt.KeyboardModifier.NoModifier, button.center().toPoint())
    settle(qtbot, chart)
    assert scene.price.value_scale.auto
    QTest.mouseMove(viewport, QPoint(300, 200))
    chart.reading_tools.point_at(None)
    settle(qtbot, chart)
    assert picture(chart) == fitted


def test_an_indicators_levels_are_marked_with_the_middles_between_where_there_is_room() -> None:
    levels = (30.0, 70.0)
    assert level_values(20, 80, 120, 18, levels) == [30.0, 50.0, 70.0]
    assert level_values(20, 80, 50, 18, levels) == [30.0, 70.0]
    assert level_values(20, 80, 20, 18, levels) == [50.0]  # no room for both
    assert level_values(40, 80, 120, 18, levels) == []  # stretched: one is out of view
    assert level_values(20, 80, 120, 18, ()) == []
