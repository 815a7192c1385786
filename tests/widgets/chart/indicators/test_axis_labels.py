"""Labels of the last values: coloured, legible, never overlapping each other or the last price."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPointF
from PySide6.QtGui import QRegion
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from app.market.candle import Candle
from app.market.indicators import indicators
from app.market.series.series import CandleSeries
from tests.widgets.chart.charts import BTC, FIRST_SLOT, candle, canvas_of, picture, series_of, settle
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.indicators.axis_labels import apart
from widgets.chart.indicators.study import COUNT, line_colour
from widgets.chart.interaction.menus import fill_axis_menu
from widgets.chart.model.chart_style import ChartStyle
from widgets.chart.model.pane_layout import VOLUME
from widgets.chart.painting.axes import auto_button_rect, last_price_rect
from widgets.chart.painting.device_pixels import contrast
from widgets.chart.painting.pane import AxisLabel
from widgets.chart.scales.value_scale import ScaleMode
from widgets.theme.palettes import DARK, LIGHT, Palette

KEYS = [indicator.key for indicator in indicators()]
tops = st.lists(st.floats(-50, 450), max_size=30)
taken = st.none() | st.floats(0, 380).map(lambda top: (top, top + 35))


@given(tops, st.sampled_from([5.0, 19.0]), taken)
def test_labels_are_moved_apart_in_the_order_of_their_values(
    wanted: list[float], height: float, price: tuple[float, float] | None
) -> None:
    placed = apart(wanted, height, (0.0, 400.0), price)
    assert len(placed) == len(wanted)
    there = sorted((top, want) for top, want in zip(placed, wanted, strict=True) if top is not None)
    for (one, want_one), (other, want_other) in pairwise(there):
        assert other - one >= height - 1e-6
        assert want_one <= want_other
    for top, _ in there:
        assert -1e-6 <= top <= 400 - height + 1e-6
        assert price is None or top + height <= price[0] + 1e-6 or top >= price[1] - 1e-6
    free = [400.0] if price is None else [price[0], 400 - price[1]]
    assert len(there) == min(len(wanted), sum(int(space / height + 1e-9) for space in free))


def test_a_label_with_room_is_at_its_value_and_crowded_ones_are_stacked_about_their_mean() -> None:
    assert apart([300.0, 10.0, 100.0], 20, (0, 400), (150, 180)) == [300.0, 10.0, 100.0]
    assert apart([100.0, 100.0, 100.0], 20, (0, 400)) == [80.0, 100.0, 120.0]
    assert apart([145.0, 175.0], 20, (0, 400), (150, 180)) == [130.0, 180.0]
    assert apart([0.0, 0.0, 0.0], 20, (0, 50)) == [0.0, 20.0, None]


@pytest.fixture
def shown(qtbot: QtBot, chart: ChartWidget) -> ChartWidget:
    """A chart with every indicator, all with values."""
    series = series_of(drifting(300))
    series.set_begins(begins=True)
    chart.resize(1000, 900)
    chart.set_series(series, BTC)
    for key in KEYS:
        chart.indicators.add(key)
    settle(qtbot, chart)
    return chart


def drifting(count: int) -> list[Candle]:
    """Candles of a price that slowly rises and falls."""
    closes = [100 + abs((at * 7) % 90 - 45) / 9 + at / 30 for at in range(count + 1)]
    return [candle(FIRST_SLOT + at, closes[at], closes[at + 1]) for at in range(count)]


def labels(chart: ChartWidget) -> list[AxisLabel]:
    return [label for pane in chart._scene.panes for label in pane.labels]


def test_every_known_value_has_a_label_with_the_titles_text(qtbot: QtBot, shown: ChartWidget) -> None:
    price = shown._scene.price
    said = {label.text for label in price.labels}
    overlays = [entry for entry in shown.indicators.entries if entry.pane == "price"]
    assert said == {text for entry in overlays for text, _ in entry.runs[1:]}
    assert len(price.labels) == 7  # SMA, EMA, WMA, three of Bollinger's, VWAP
    for key, count in (("macd", 3), ("rsi", 1), ("atr", 1), ("cvd", 1), (VOLUME, 1)):
        assert len(shown._scene.pane(key).labels) == count


def test_labels_overlap_neither_each_other_nor_the_last_price(qtbot: QtBot, shown: ChartWidget) -> None:
    shown.set_now(shown.series.interval.slot_open_us(FIRST_SLOT + 299) + 1)  # the countdown makes its label higher
    settle(qtbot, shown)
    before = last_price_rect(shown._scene)
    rects = sorted([label.rect for label in labels(shown)] + [before], key=lambda rect: rect.top())
    assert all(one.bottom() <= other.top() for one, other in pairwise(rects))
    shown.appearance.set_chart_style(ChartStyle(axis_labels=False))
    settle(qtbot, shown)
    assert last_price_rect(shown._scene) == before


@pytest.mark.parametrize("palette", [DARK, LIGHT], ids=lambda palette: palette.name)
def test_a_label_has_its_indicators_colour_and_legible_text(qtbot: QtBot, chart: ChartWidget, palette: Palette) -> None:
    chart.set_palette(palette)
    series = series_of(drifting(60))
    series.set_begins(begins=True)
    chart.set_series(series, BTC)
    study = chart.indicators.add("sma")
    for number in range(COUNT):
        chart.indicators.change(study.key, study.settings, {"sma": line_colour(palette, number).name()})
        settle(qtbot, chart)
        (label,) = labels(chart)
        corner = label.rect.topLeft() + QPointF(2, 2)
        assert picture(chart).pixelColor(corner.toPoint()) == label.ground == line_colour(palette, number)
        assert contrast(label.ink, label.ground) >= 4.5


def test_a_value_unknown_hidden_or_out_of_view_has_no_label(qtbot: QtBot, chart: ChartWidget) -> None:
    series = series_of(drifting(60))
    chart.set_series(series, BTC)
    long = chart.indicators.add("sma", {"period": 100})
    short = chart.indicators.add("sma", {"period": 5})
    settle(qtbot, chart)
    assert len(labels(chart)) == 1
    chart._panes.hide_study(short.key, hidden=True)
    settle(qtbot, chart)
    assert labels(chart) == []
    chart._panes.hide_study(short.key, hidden=False)
    chart.indicators.remove(long.key)
    chart.navigator.shift("price", 5.0)
    chart._scene.price.value_scale.show(500.0, 600.0)
    chart.series_changed()
    settle(qtbot, chart)
    assert labels(chart) == []
    chart.navigator.reset("price")
    settle(qtbot, chart)
    assert len(labels(chart)) == 1


def test_an_average_of_volume_behind_the_prices_has_no_label_on_their_axis(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.set_series(series_of(drifting(60)), BTC)
    chart.indicators.add("volume-average")
    settle(qtbot, chart)
    assert len(chart._scene.pane(VOLUME).labels) == 1
    chart.appearance.set_chart_style(ChartStyle(underlaid=True))
    settle(qtbot, chart)
    assert labels(chart) == []


def test_the_axis_menu_turns_labels_off_and_that_is_remembered(qtbot: QtBot, shown: ChartWidget) -> None:
    menu = QMenu()
    fill_axis_menu(menu, shown._panes, shown._scene.price, shown.navigator.reset)
    (switch,) = (action for action in menu.actions() if action.text() == "Indicators' values on the axes")
    assert switch.isChecked()
    switch.trigger()
    settle(qtbot, shown)
    assert labels(shown) == []
    kept = shown.appearance_values()
    shown.restore_appearance({})
    assert shown.chart_style.axis_labels
    shown.restore_appearance(kept)
    assert not shown.chart_style.axis_labels


def test_labels_show_percents_on_a_percent_axis(qtbot: QtBot, shown: ChartWidget) -> None:
    shown.appearance.set_chart_style(ChartStyle(scale_mode=ScaleMode.PERCENT))
    settle(qtbot, shown)
    assert all(label.text.endswith(" %") for label in shown._scene.price.labels)


def test_the_axis_is_wide_enough_for_every_label(qtbot: QtBot, chart: ChartWidget) -> None:
    candles = [one._replace(volume_e8=10**15, taker_buy_volume_e8=1) for one in drifting(60)]
    series = series_of(candles)
    series.set_begins(begins=True)
    chart.set_series(series, BTC)
    chart.indicators.add("cvd")
    settle(qtbot, chart)
    (label,) = labels(chart)
    assert chart._scene.styles.small.width(label.text) < label.rect.width() - 10


def test_a_tick_repaints_labels_as_a_full_paint_would(qtbot: QtBot, shown: ChartWidget) -> None:
    series: CandleSeries = shown.series
    for pane in shown._scene.panes:
        shown.navigator.stretch(pane.key, 2.0)  # an automatic axis may move, and then all of it is painted
    settle(qtbot, shown)
    regions: list[QRegion] = []
    canvas_of(shown).painted.connect(lambda region: regions.append(QRegion(region)))
    before = [label.text for label in labels(shown)]
    for close in (104.0, 111.5, 108.0):
        series.upsert(candle(FIRST_SLOT + 299, 109.0, close))
        shown.series_changed()
        settle(qtbot, shown)
        image = picture(shown)
        seen = shown.screen().grabWindow(shown.winId()).toImage().convertToFormat(image.format())
        assert seen == image
    assert [label.text for label in labels(shown)] != before
    area = sum(rect.width() * rect.height() for rect in regions[0])
    assert area < 0.3 * shown.width() * shown.height()


def test_an_idle_chart_with_labels_paints_nothing(qtbot: QtBot, shown: ChartWidget) -> None:
    count = shown.paint_count
    shown.series_changed()
    settle(qtbot, shown)
    assert shown.paint_count == count


def test_labels_leave_the_button_of_a_stretched_axis_free(qtbot: QtBot, shown: ChartWidget) -> None:
    scene, price = shown._scene, shown._scene.price
    value, span = scene.last.close, 30.0
    for low in (value - 0.1, value - span / 2, value - span + 0.1, value + 1.0, value - span - 1.0):
        price.value_scale.show(low, low + span)
        shown._repaint_all()
        settle(qtbot, shown)
        button = auto_button_rect(scene, price)
        assert price.rect.top() <= button.top() < button.bottom() <= price.rect.bottom()
        assert not any(label.rect.intersects(button) for label in price.labels)
        assert not last_price_rect(scene).intersects(button)


@pytest.mark.parametrize("zoom", [0.02, 1.0, 8.0])
def test_numbers_have_the_same_text_on_the_axis_and_in_the_title_at_every_zoom(
    qtbot: QtBot, shown: ChartWidget, zoom: float
) -> None:
    shown.navigator.zoom(zoom)
    settle(qtbot, shown)
    for key in ("rsi", "macd", "atr"):
        title = next(entry for entry in shown.indicators.entries if entry.key == key)
        assert {label.text for label in shown._scene.pane(key).labels} == {text for text, _ in title.runs[1:]}
        assert all(len(text.partition(".")[2]) == len(title.runs[1][0].partition(".")[2]) for text, _ in title.runs[1:])
    assert len(shown._scene.pane("rsi").labels[0].text.partition(".")[2]) == 2
