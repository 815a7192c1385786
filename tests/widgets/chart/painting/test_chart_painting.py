"""The painted picture: colours, pixels, repainted regions, and robustness of painting."""

from __future__ import annotations

import pyqtgraph as pg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPointF, QTimer
from PySide6.QtWidgets import QWidget
from pytestqt.exceptions import capture_exceptions
from pytestqt.qtbot import QtBot

from app.market.candle import Candle
from app.market.interval import Interval
from app.market.series.series import CandleSeries
from app.market.symbol import Symbol
from tests.depth import examples
from tests.widgets.chart.charts import (
    BTC,
    FIRST_SLOT,
    MINUTE,
    candle,
    canvas_of,
    colour_at,
    count_of,
    picture,
    place,
    run_of,
    series_of,
    settle,
    zigzag,
)
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.frames.frame_timer import FrameTimer
from widgets.chart.model.chart_style import ChartStyle, PriceStyle
from widgets.chart.painting.device_pixels import mixed
from widgets.chart.scales.value_scale import ScaleMode
from widgets.theme.palettes import DARK, LIGHT, Palette
from widgets.view_values import GapBand


@pytest.mark.parametrize("palette", [DARK, LIGHT], ids=lambda palette: palette.name)
def test_bodies_and_wicks_have_the_colour_of_their_direction(
    qtbot: QtBot, chart: ChartWidget, palette: Palette
) -> None:
    chart.set_palette(palette)
    chart.set_series(series_of(zigzag(40)), BTC)
    settle(qtbot, chart)
    image = picture(chart)
    rising, falling = FIRST_SLOT + 31, FIRST_SLOT + 30
    for slot, colour in ((rising, palette.rising), (falling, palette.falling)):
        assert colour_at(image, place(chart, slot, 103)) == colour
        assert colour_at(image, place(chart, slot, 111)) == colour
    assert colour_at(image, place(chart, rising, 113)) in (palette.background, palette.grid)
    assert colour_at(image, place(chart, rising + 0.5, 103)) in (palette.background, palette.grid)


@pytest.mark.parametrize("scale", [1.0, 1.25, 1.5, 2.0])
@pytest.mark.parametrize("zoom", [1.0, 1.31, 2.3])
def test_wicks_are_a_pixel_wide_and_centred_on_even_bodies(
    qtbot: QtBot, chart: ChartWidget, scale: float, zoom: float
) -> None:
    chart.set_series(series_of(zigzag(40)), BTC)
    chart.navigator.zoom(zoom)
    settle(qtbot, chart)
    image = picture(chart, scale)
    widths = set()
    for slot in range(FIRST_SLOT + 20, FIRST_SLOT + 39):
        body_y, wick_y = (int(place(chart, slot, price).y() * scale) for price in (103, 111))
        x = int(place(chart, slot, 103).x() * scale)
        body = run_of(image, x, body_y)
        wick = run_of(image, sum(body) // 2, wick_y)
        assert wick[1] - wick[0] + 1 == int(scale)
        assert wick[0] - body[0] == body[1] - wick[1]
        widths.add(body[1] - body[0])
    assert len(widths) == 1


@pytest.mark.parametrize("scale", [1.0, 1.25, 1.5, 2.0])
@pytest.mark.parametrize("inverted", [False, True])
def test_a_candle_that_closes_where_it_opened_is_a_line_as_thick_as_a_wick(
    qtbot: QtBot, chart: ChartWidget, scale: float, inverted: bool
) -> None:
    chart.appearance.set_chart_style(ChartStyle(inverted=inverted))
    flat = [candle(FIRST_SLOT + at, 100 + at % 3, 100 + at % 3) for at in range(30)]
    chart.set_series(series_of([*flat, candle(FIRST_SLOT + 30, 104, 104)]), BTC)  # no last price's line where we look
    settle(qtbot, chart)
    image = picture(chart, scale)
    for slot in range(FIRST_SLOT + 10, FIRST_SLOT + 20):
        price = 100 + (slot - FIRST_SLOT) % 3
        middle = place(chart, slot, price)
        x, y = int((middle.x() - 2) * scale), round(middle.y() * scale)  # on the body, beside the wick
        rows = [row for row in range(y - 8, y + 9) if image.pixelColor(x, row).name() == DARK.rising]
        assert len(rows) == int(scale)
        assert rows[-1] - rows[0] == len(rows) - 1


@pytest.mark.parametrize("scale", [1.0, 1.25, 1.5, 2.0])
def test_the_crosshair_stands_on_the_wick(qtbot: QtBot, chart: ChartWidget, scale: float) -> None:
    chart.set_series(series_of(zigzag(40)), BTC)
    chart.navigator.zoom(1.31)
    settle(qtbot, chart)
    colour = mixed(DARK.background, DARK.text, 0.45).rgb()
    for slot in range(FIRST_SLOT + 25, FIRST_SLOT + 35):
        chart.reading_tools.point_at(place(chart, slot, 99) + QPointF(1, 0))
        settle(qtbot, chart)
        image = picture(chart, scale)
        body = run_of(image, int(place(chart, slot, 103).x() * scale), int(place(chart, slot, 103).y() * scale))
        rows = range(int(place(chart, slot, 113.5).y() * scale), int(place(chart, slot, 112.2).y() * scale))
        drawn = {x for y in rows for x in range(body[0] - 3, body[1] + 4) if image.pixel(x, y) == colour}
        assert len(drawn) == int(scale)
        assert sum(drawn) / len(drawn) == sum(body) / 2


def test_incomplete_candles_are_faded_under_a_band_with_the_count_of_missing_trades(
    qtbot: QtBot, chart: ChartWidget
) -> None:
    candles = zigzag(40)
    holed = FIRST_SLOT + 31
    candles[31] = candles[31]._replace(complete=False)
    chart.set_series(series_of(candles), BTC)
    settle(qtbot, chart)
    faded = mixed(DARK.background, DARK.rising, 0.4).name()
    assert count_of(picture(chart), faded) > 50
    before = count_of(picture(chart), DARK.warning)
    start_us = MINUTE.slot_open_us(holed)
    chart.set_gaps([GapBand(start_us, start_us + 30_000_000, 204, repairing=True)])
    settle(qtbot, chart)
    assert count_of(picture(chart), DARK.warning) > before
    point = place(chart, holed, 105)
    chart.reading_tools.point_at(point)
    settle(qtbot, chart)
    assert chart.legend_text.endswith("204 trades missing")


def test_no_old_candle_is_left_once_the_series_is_gone(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.set_series(series_of(zigzag(40)), BTC)
    settle(qtbot, chart)
    assert count_of(picture(chart), DARK.rising) > 100
    chart.set_series(None, BTC)
    image = picture(chart)
    assert count_of(image, DARK.rising) == count_of(image, DARK.falling) == 0
    assert chart.legend_text == ""


@pytest.mark.parametrize("kind", PriceStyle, ids=lambda kind: kind.value)
@pytest.mark.parametrize("underlaid", [False, True])
def test_a_tick_repaints_a_small_region_that_leaves_what_a_full_paint_would(
    qtbot: QtBot, chart: ChartWidget, kind: PriceStyle, underlaid: bool
) -> None:
    series = series_of(zigzag(200))
    chart.appearance.set_chart_style(
        ChartStyle(kind, ScaleMode.LOG if underlaid else ScaleMode.LINEAR, inverted=underlaid, underlaid=underlaid)
    )
    chart.set_series(series, BTC)
    settle(qtbot, chart)
    viewport = canvas_of(chart).viewport()
    for close in (104.0, 101.5, 109.0, 106.25):
        series.upsert(candle(FIRST_SLOT + 199, 100.0, close))
        series.upsert(candle(FIRST_SLOT + 199, 100.0, close, high_e8=112 * 10**8, low_e8=98 * 10**8))
        with qtbot.waitSignal(canvas_of(chart).painted, timeout=5000) as painted:
            chart.series_changed()
        area = sum(rect.width() * rect.height() for rect in painted.args[0])
        assert area < 0.1 * viewport.width() * viewport.height()
    settle(qtbot, chart)
    shown = chart.screen().grabWindow(chart.winId()).toImage()
    fresh = picture(chart)
    assert shown.size() == fresh.size()
    assert shown.convertToFormat(fresh.format()) == fresh


def test_nothing_is_painted_when_nothing_changed(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.set_series(series_of(zigzag(50)), BTC)
    chart.set_now(MINUTE.slot_open_us(FIRST_SLOT + 49))
    settle(qtbot, chart)
    paints = chart.paint_count
    chart.series_changed()
    chart.set_gaps([])
    chart.set_now(MINUTE.slot_open_us(FIRST_SLOT + 49) + 100)
    settle(qtbot, chart)
    assert chart.paint_count == paints


def test_many_changes_make_one_paint(qtbot: QtBot, chart: ChartWidget) -> None:
    series = series_of(zigzag(50))
    chart.set_series(series, BTC)
    settle(qtbot, chart)
    paints = chart.paint_count
    for close in range(100, 108):
        series.upsert(candle(FIRST_SLOT + 49, 100, close))
        chart.series_changed()
    with qtbot.waitSignal(canvas_of(chart).painted):
        pass
    assert chart.paint_count == paints + 1


def test_a_hidden_chart_does_nothing_and_is_right_when_shown_again(qtbot: QtBot, chart: ChartWidget) -> None:
    series = series_of(zigzag(50))
    chart.set_series(series, BTC)
    settle(qtbot, chart)
    chart.hide()
    paints = chart.paint_count
    series.upsert(candle(FIRST_SLOT + 50, 100, 123))
    chart.series_changed()
    assert chart.is_up_to_date
    assert chart.paint_count == paints
    chart.show()
    settle(qtbot, chart)
    assert "C 123.00" in chart.legend_text
    assert colour_at(picture(chart), place(chart, FIRST_SLOT + 50, 115)) == DARK.rising


def test_a_frame_calls_its_source_once_and_shows_the_changes(qtbot: QtBot, chart: ChartWidget) -> None:
    series = series_of(zigzag(50))
    chart.set_series(series, BTC)
    settle(qtbot, chart)
    asked = []

    def source() -> None:
        asked.append(chart.frame_count)
        series.upsert(candle(FIRST_SLOT + 49, 100, 123))
        chart.series_changed()  # a change that the frame itself brings in wants no other frame

    chart.set_source(source)
    frames = chart.frame_count
    for _ in range(5):
        chart.series_changed()
    settle(qtbot, chart)
    qtbot.wait(60)  # some frames
    assert asked == [frames]
    assert chart.frame_count == frames + 1
    assert colour_at(picture(chart), place(chart, FIRST_SLOT + 49, 115)) == DARK.rising


def test_a_hidden_chart_does_not_call_its_source_until_it_is_shown(qtbot: QtBot, chart: ChartWidget) -> None:
    asked = []
    chart.set_series(series_of(zigzag(50)), BTC)
    settle(qtbot, chart)
    chart.set_source(lambda: asked.append(1))
    chart.hide()
    chart.series_changed()
    qtbot.wait(60)  # some frames
    assert asked == []
    chart.show()
    assert asked == [1]  # before it is painted
    settle(qtbot, chart)
    assert asked == [1]
    chart.set_source(None)
    chart.series_changed()
    settle(qtbot, chart)
    assert asked == [1]


def test_a_chart_that_is_hidden_before_its_frame_does_not_run_it(qtbot: QtBot, chart: ChartWidget) -> None:
    asked = []
    chart.set_series(series_of(zigzag(50)), BTC)
    settle(qtbot, chart)
    chart.set_source(lambda: asked.append(1))
    chart.series_changed()
    frames = chart.frame_count
    chart.hide()
    qtbot.waitUntil(lambda: chart.is_up_to_date)
    assert (asked, chart.frame_count) == ([], frames)


def test_a_frame_runs_at_once_after_a_pause_and_else_keeps_its_distance(qtbot: QtBot) -> None:
    widget, now, frames = QWidget(), [100.0], []
    qtbot.addWidget(widget)
    widget.show()
    timer = FrameTimer(widget, lambda: frames.append(timer.note_frame()), clock=lambda: now[0])
    waiting = timer.findChild(QTimer)
    timer.request()
    assert waiting.interval() == 0
    timer.run_now()
    now[0] += 0.006
    timer.request()
    timer.request()
    assert waiting.interval() == 10
    timer.run_now()
    timer.run_now()
    assert len(frames) == timer.count == 2
    assert not waiting.isActive()


@pytest.mark.parametrize("beside_px", [-13.0, 13.0])
def test_a_grid_label_that_overlaps_the_last_prices_label_is_left_out(
    qtbot: QtBot, chart: ChartWidget, beside_px: float
) -> None:
    series = series_of(zigzag(40))
    chart.set_series(series, BTC)
    settle(qtbot, chart)
    pane = chart._scene.price
    mark = pane.ticks[len(pane.ticks) // 2].value
    series.upsert(candle(FIRST_SLOT + 39, 100, pane.value_at(pane.y_of(mark) + beside_px), high_e8=112 * 10**8))
    chart.series_changed()
    settle(qtbot, chart)
    image, right = picture(chart), chart.width() - 1
    label = [y for y in range(400) if image.pixelColor(right, y).name() in (DARK.rising, DARK.falling)]
    around = {image.pixelColor(x, y).name() for y in (label[0] - 1, label[-1] + 1) for x in range(right - 55, right)}
    assert around == {DARK.background}


prices = st.sampled_from([1, 3, 10**8, 6_170_000_000_000, 10**16])
shapes = st.lists(
    st.tuples(st.integers(0, 5000), prices, st.integers(0, 3), st.booleans()), max_size=30, unique_by=lambda row: row[0]
)


@settings(max_examples=examples(40))
@given(
    shapes,
    st.tuples(st.integers(1, 900), st.integers(1, 600)),
    st.sampled_from(["1s", "1m", "13m", "1d", "1M"]),
    st.floats(-60, 60),
    st.floats(-9000, 9000),
    st.sampled_from([1.0, 1.25, 1.5, 2.0, 3.0]),
    st.builds(ChartStyle, st.sampled_from(PriceStyle), st.sampled_from(ScaleMode), *[st.booleans()] * 3),
)
def test_painting_never_fails(
    qapp: object,
    rows: list[tuple[int, int, int, bool]],
    size: tuple[int, int],
    interval_name: str,
    zoom: float,
    pan: float,
    scale: float,
    style: ChartStyle,
) -> None:
    interval = Interval.parse(interval_name)
    first = 300 if interval.months else interval.slot(1_500_000_000_000_000)
    candles = [
        Candle(interval.slot_open_us(first + at % 300), p, p + up, max(p - up, 1), p, up, up, up, 0, 0, complete=whole)
        for at, p, up, whole in sorted(rows, key=lambda row: row[0] % 300)
    ]
    series = CandleSeries("X", interval)
    for each in candles:
        series.upsert(each)
    with capture_exceptions() as failures:
        chart = ChartWidget()
        chart.resize(*size)
        chart.appearance.set_chart_style(style)
        chart.set_series(series, Symbol("X", "X", "Y", tick_size_e8=1))
        chart.show()
        chart.set_gaps([GapBand(each.open_time_us, each.open_time_us, 3) for each in candles[:2]])
        chart.set_now(interval.slot_open_us(first + 30))
        for act in (
            lambda: chart.navigator.zoom(2**zoom, size[0] / 3),
            lambda: chart.navigator.pan(pan),
            lambda: chart.navigator.stretch("price", 40),
        ):
            act()
            chart.reading_tools.point_at(QPointF(size[0] / 2, size[1] / 3))
            picture(chart, scale)
            chart.resize(size[1], size[0])
        chart.close()
        chart.deleteLater()
    assert not failures


def test_an_item_added_to_a_pane_uses_the_panes_slots_and_values(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.set_series(series_of(zigzag(40)), BTC)
    level = pg.InfiniteLine(pos=105.0, angle=0, pen=pg.mkPen("#ff00ff", width=3))
    canvas_of(chart).box_of("price").addItem(level, ignoreBounds=True)
    chart.navigator.pan(40)
    settle(qtbot, chart)
    assert colour_at(picture(chart), place(chart, FIRST_SLOT + 20, 105)) == "#ff00ff"
    chart.navigator.stretch("price", 2)
    settle(qtbot, chart)
    assert colour_at(picture(chart), place(chart, FIRST_SLOT + 20, 105)) == "#ff00ff"


@pytest.mark.parametrize("scale", [1.0, 1.5, 2.0])
def test_the_canvas_paints_the_same_picture_as_qts_scene(qtbot: QtBot, chart: ChartWidget, scale: float) -> None:
    chart.set_series(series_of(zigzag(60)), BTC)
    chart.indicators.add("ema")
    chart.set_gaps([GapBand(MINUTE.slot_open_us(FIRST_SLOT + 30), MINUTE.slot_open_us(FIRST_SLOT + 31), 7)])
    chart.reading_tools.point_at(place(chart, FIRST_SLOT + 40, 105))
    settle(qtbot, chart)
    alone = picture(chart, scale)
    unseen = pg.InfiniteLine(pos=105.0, angle=0, pen=pg.mkPen(None))
    canvas_of(chart).box_of("price").addItem(unseen, ignoreBounds=True)
    chart.navigator.pan(40)
    chart.navigator.pan(-40)
    settle(qtbot, chart)
    assert picture(chart, scale) == alone


@pytest.mark.parametrize("mode", ScaleMode, ids=lambda mode: mode.value)
def test_a_pan_repaints_the_value_axis_only_where_values_move_and_leaves_what_a_full_paint_would(
    qtbot: QtBot, chart: ChartWidget, mode: ScaleMode
) -> None:
    chart.appearance.set_chart_style(ChartStyle(scale_mode=mode))
    chart.set_series(series_of([candle(FIRST_SLOT + at, 100 + at % 7, 101 + at % 5) for at in range(400)]), BTC)
    chart.indicators.add("ema")
    settle(qtbot, chart)
    axis = chart._scene.layout.value_axis.center().toPoint()
    for pointer in (None, place(chart, FIRST_SLOT + 390, 104)):
        chart.reading_tools.point_at(pointer)
        settle(qtbot, chart)
        spared = []
        for pixels in (37, 150, -44):
            with qtbot.waitSignal(canvas_of(chart).painted, timeout=5000) as painted:
                chart.navigator.pan(pixels)
            spared.append(not painted.args[0].contains(axis))
            settle(qtbot, chart)
            shown = chart.screen().grabWindow(chart.winId()).toImage()
            fresh = picture(chart)
            assert shown.convertToFormat(fresh.format()) == fresh
        assert not all(spared) if mode is ScaleMode.PERCENT else any(spared)
