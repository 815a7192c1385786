"""Labels of the last values: coloured, legible, close to their values, never over each other or the last price."""

from __future__ import annotations

from itertools import pairwise

import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor, QRegion
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from app.market.candle import Candle
from app.market.indicators import indicators
from app.market.series.series import CandleSeries
from tests.widgets.chart.charts import BTC, FIRST_SLOT, candle, canvas_of, picture, series_of, settle
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.indicators.study import COUNT, line_colour
from widgets.chart.interaction.menus import fill_axis_menu
from widgets.chart.model.chart_style import ChartStyle
from widgets.chart.model.pane_layout import VOLUME
from widgets.chart.painting.axes import auto_button_rect, crosshair_label_rects, last_price_place, last_price_rect
from widgets.chart.painting.device_pixels import contrast
from widgets.chart.painting.pane import AxisLabel
from widgets.chart.scales.value_scale import ScaleMode
from widgets.theme.palettes import DARK, LIGHT, Palette

KEYS = [indicator.key for indicator in indicators()]


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


def test_every_known_value_has_a_label_with_the_titles_text_or_a_tick(qtbot: QtBot, shown: ChartWidget) -> None:
    price = shown._scene.price
    overlays = [entry for entry in shown.indicators.entries if entry.pane == "price"]
    assert {label.text for label in price.labels} <= {text for entry in overlays for text, _ in entry.runs[1:]}
    assert len(price.labels) + len(price.gutter_marks) == 7  # SMA, EMA, WMA, three of Bollinger's, VWAP
    for key, count in (("macd", 3), ("rsi", 1), ("atr", 1), ("cvd", 1), (VOLUME, 1)):
        pane = shown._scene.pane(key)
        assert len(pane.labels) + len(pane.gutter_marks) == count
        assert pane.labels


def test_labels_and_legend_say_the_same_in_every_frame_of_a_flood(qtbot: QtBot, shown: ChartWidget) -> None:
    series, latest, seen = series_of(drifting(300)), drifting(300)[-1], set()
    shown.set_series(series, BTC)
    settle(qtbot, shown)
    for at in range(60):
        series.upsert(latest._replace(close_e8=latest.close_e8 + at * 1_000_000))
        shown.series_changed()
        qtbot.wait(15)  # now and then the legend's turn comes between two frames
        told = {text for entry in shown.indicators.entries for text, _ in entry.runs[1:]}
        # But volume, whose axis has decimals of its own.
        texts = {label.text for pane in shown._scene.panes if pane.key != VOLUME for label in pane.labels}
        assert texts <= told
        seen.add(frozenset(texts))
    assert len(seen) > 2


def test_labels_are_in_order_apart_and_near_their_values_on_a_crowded_axis(qtbot: QtBot, shown: ChartWidget) -> None:
    count_down(qtbot, shown)
    before, axis, pane = last_price_rect(shown._scene), shown._scene.layout.value_axis, shown._scene.price
    assert before.height() == 38
    assert before.width() == axis.width() >= 88
    assert pane.labels
    assert pane.gutter_marks
    rects = sorted([label.rect for label in labels(shown)] + [before], key=lambda rect: rect.top())
    assert all(one.bottom() <= other.top() for one, other in pairwise(rects))
    for label in labels(shown):
        assert label.rect.height() == 20
        assert label.rect.left() == axis.left() + 8
        assert label.value_y is None or abs(label.rect.center().y() - label.value_y) <= 24
    downwards = [float(label.text) for label in sorted(pane.labels, key=lambda label: label.rect.top())]
    assert downwards == sorted(downwards, reverse=True)
    shown.appearance.set_chart_style(ChartStyle(axis_labels=False))
    settle(qtbot, shown)
    assert last_price_rect(shown._scene) == before


def test_the_crosshairs_label_pushes_the_last_price_aside_and_covers_no_part_of_it(
    qtbot: QtBot, shown: ChartWidget
) -> None:
    scene = shown._scene
    count_down(qtbot, shown)
    rest = last_price_place(scene)
    for by in range(-30, 60, 3):
        canvas_of(shown).hovered.emit(QPointF(300, rest.top() + by))
        settle(qtbot, shown)
        pushed, (cross, _) = last_price_rect(scene), crosshair_label_rects(scene)
        assert last_price_place(scene) == rest
        assert pushed.bottom() <= cross.top() or pushed.top() >= cross.bottom()
        assert abs(pushed.top() - rest.top()) <= rest.height()
        assert scene.price.rect.contains(QPointF(1, pushed.top()))


def test_names_stand_beside_the_labels_while_the_pointer_is_on_the_axis(qtbot: QtBot, shown: ChartWidget) -> None:
    scene, price = shown._scene, shown._scene.price
    assert not [name for pane in scene.panes for name in pane.names]
    before = labels(shown)
    axis = QPointF(scene.layout.value_axis.center().x(), price.rect.center().y())
    canvas_of(shown).hovered.emit(axis)
    settle(qtbot, shown)
    assert labels(shown) == before
    names = {name.text: name for name in price.names}
    assert set(names) >= {"SMA 20", "EMA 20", "WMA 20", "BB upper", "BB lower", "BB middle", "VWAP"}
    areas = sorted((name.area for name in price.names), key=lambda area: area.top())
    assert all(one.bottom() <= other.top() + 1e-6 for one, other in pairwise(areas))
    assert all(area.right() < scene.layout.value_axis.left() for area in areas)
    assert {name.detail for name in price.names} - {""}  # of those without a label
    swatch = names["BB upper"].area.center()
    swatch.setX(names["BB upper"].area.left() + 10)
    seen = shown.screen().grabWindow(shown.winId()).toImage()  # painted, too, without a full paint
    assert seen.pixelColor(swatch.toPoint()) == names["BB upper"].colour
    price.value_scale.show(0.0, 60.0)
    settle_frame(qtbot, shown)
    assert {name.detail for name in price.names} == {"above the view"}
    canvas_of(shown).left.emit()
    settle(qtbot, shown)
    assert price.names == []


def count_down(qtbot: QtBot, chart: ChartWidget) -> None:
    """Open the last candle again, so that its countdown makes the last price's label higher."""
    last = chart.series.bar(-1)
    chart.series.upsert(candle(last.slot, last.open, last.close, closed=False))
    chart.set_now(last.open_time_us + 1)
    chart.series_changed()
    settle(qtbot, chart)
    assert chart._scene.countdown


def settle_frame(qtbot: QtBot, chart: ChartWidget) -> None:
    chart._repaint_all()
    settle(qtbot, chart)


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
        white = QColor("#ffffff")
        assert (label.ink == white) == (contrast(white, label.ground) >= 4.5)


def test_a_value_unknown_or_hidden_has_no_label_and_one_out_of_view_is_pinned_to_the_edge(
    qtbot: QtBot, chart: ChartWidget
) -> None:
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
    pane = chart._scene.price
    value, last = float(short.values.column("sma")[-1]), chart._scene.last.close
    for inverted in (False, True):
        chart.appearance.set_chart_style(ChartStyle(inverted=inverted))
        pane.value_scale.show(last - abs(last - value) / 3, last + abs(last - value) / 3)
        settle_frame(qtbot, chart)
        (label,) = labels(chart)
        assert (label.value_y, label.is_high) == (None, (value > last) != inverted)
        edge = pane.rect.top() if label.is_high else pane.rect.bottom()
        assert abs(label.rect.center().y() - edge) < 40  # the button of a stretched axis may be there, too
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
        assert {label.text for label in shown._scene.pane(key).labels} <= {text for text, _ in title.runs[1:]}
        assert all(len(text.partition(".")[2]) == len(title.runs[1][0].partition(".")[2]) for text, _ in title.runs[1:])
    assert len(shown._scene.pane("rsi").labels[0].text.partition(".")[2]) == 2
