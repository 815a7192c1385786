"""The reading tools: measures, the price snap, copies, pictures and the crosshair by keys."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QMenu
from pytestqt.qtbot import QtBot

from app.market.candle import CandleSource
from app.market.interval import Interval
from app.market.series.series import BarColumns, CandleSeries
from app.market.units import E8
from tests.depth import examples
from tests.widgets.chart.charts import (
    BTC,
    FIRST_SLOT,
    LEFT_BUTTON,
    MINUTE,
    candle,
    canvas_of,
    count_of,
    place,
    series_of,
    settle,
    zigzag,
)
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.model.chart_style import ChartStyle, TimeStyle
from widgets.chart.model.measuring import length_text, volume_between
from widgets.chart.model.pane_layout import PRICE
from widgets.chart.painting.measure_painting import measure_rects
from widgets.chart.scales.value_scale import ScaleMode
from widgets.chart.scales.zones import zone_named
from widgets.theme.palettes import DARK
from widgets.view_values import GapBand

SHIFT, NO_KEYS = Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.NoModifier
CONTROL, ALT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.AltModifier


def at(chart: ChartWidget, slot: int, price: float) -> QPoint:
    return place(chart, FIRST_SLOT + slot, price).toPoint()


def drag_with_shift(qtbot: QtBot, chart: ChartWidget, start: QPoint, end: QPoint) -> None:
    viewport = canvas_of(chart).viewport()
    QTest.mousePress(viewport, LEFT_BUTTON, SHIFT, start)
    QTest.mouseMove(viewport, end)
    QTest.mouseRelease(viewport, LEFT_BUTTON, SHIFT, end)
    settle(qtbot, chart)


def copied() -> str:
    return QGuiApplication.clipboard().text()


def test_a_drag_with_shift_measures_and_moves_nothing(qtbot: QtBot, chart: ChartWidget, series: CandleSeries) -> None:
    before = chart.visible_range_us()
    drag_with_shift(qtbot, chart, at(chart, 940, 110), at(chart, 970, 100))
    assert chart.visible_range_us() == before
    measure = chart._scene.measure
    difference, bars, volume = measure.lines
    assert bars == "30 bars · 30 min"
    assert volume == "Volume 155.000 BTC"
    exact = measure.end.value - measure.start.value
    assert exact == pytest.approx(-10, abs=0.2)
    assert difference == f"−{-exact:.2f} (−{-exact / measure.start.value * 100:.2f} %)"
    qtbot.keyClick(canvas_of(chart), Qt.Key.Key_C, CONTROL)
    assert copied() == "\n".join(measure.lines)
    qtbot.keyClick(canvas_of(chart), Qt.Key.Key_Escape)
    assert chart._scene.measure is None


def test_a_measure_painted_in_parts_equals_a_whole_paint(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    drag_with_shift(qtbot, chart, at(chart, 930, 100), at(chart, 980, 112))
    drag_with_shift(qtbot, chart, at(chart, 940, 110), at(chart, 960, 101))
    chart.reading_tools.point_at(None)
    settle(qtbot, chart)
    shown = chart.screen().grabWindow(chart.winId()).toImage()
    fresh = chart.grab().toImage().convertToFormat(shown.format())
    assert shown == fresh
    assert len(measure_rects(chart._scene, chart._scene.measure)) == 2
    colours = count_of(fresh.convertToFormat(QImage.Format.Format_RGB32), DARK.falling)
    chart.reading_tools.clear_measure()
    settle(qtbot, chart)
    assert count_of(chart.grab().toImage().convertToFormat(QImage.Format.Format_RGB32), DARK.falling) < colours


def test_a_measure_by_keys_follows_the_crosshair_until_it_is_fixed(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    canvas = canvas_of(chart)
    for key, modifiers in ((Qt.Key.Key_Comma, NO_KEYS), (Qt.Key.Key_M, ALT), *[(Qt.Key.Key_Comma, NO_KEYS)] * 5):
        qtbot.keyClick(canvas, key, modifiers)
        settle(qtbot, chart)
    qtbot.keyClick(canvas, Qt.Key.Key_M, ALT)
    chart.reading_tools.point_at(QPointF(100, 100))
    settle(qtbot, chart)
    assert chart._scene.measure.lines[1] == "−5 bars · 5 min"


def test_the_volume_of_a_measure_keeps_up_with_the_market(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    drag_with_shift(qtbot, chart, at(chart, 990, 110), at(chart, 999, 100))
    assert chart._scene.measure.lines[2] == "Volume 50.000 BTC"
    series.upsert(candle(FIRST_SLOT + 999, 100, 105, volume_e8=7 * E8))
    chart.series_changed()
    settle(qtbot, chart)
    assert chart._scene.measure.lines[2] == "Volume 52.000 BTC"


def test_a_measure_ends_with_its_series_and_survives_every_scale(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    drag_with_shift(qtbot, chart, at(chart, 990, 110), at(chart, 999, 100))
    for scale in ScaleMode:
        chart.appearance.set_chart_style(ChartStyle(scale_mode=scale, inverted=True))
        settle(qtbot, chart)
        assert chart._scene.measure.lines[1] == "9 bars · 9 min"
    hour = Interval.parse("1h")
    chart.set_series(series_of(zigzag(20, 400_000, hour), hour), BTC)
    assert chart._scene.measure is None


@settings(max_examples=examples(40))
@given(st.integers(-50, 6000), st.integers(0, 6000))
def test_volume_between_is_the_sum_of_its_candles(first: int, count: int) -> None:
    volumes = _LONG.column("volume")
    slots = _LONG.slots
    inside = (slots >= FIRST_SLOT + first) & (slots <= FIRST_SLOT + first + count)
    assert volume_between(_LONG, FIRST_SLOT + first, FIRST_SLOT + first + count) == pytest.approx(volumes[inside].sum())


_LONG = series_of([each._replace(volume_e8=(at % 97) * E8) for at, each in enumerate(zigzag(5000)) if at % 11])


def test_lengths_of_time_read_in_two_units() -> None:
    texts = [length_text(seconds) for seconds in (0, 59, 3600, 13_500, 86_400 * 3 + 59, 90_061)]
    assert texts == ["0 s", "59 s", "1 h", "3 h 45 min", "3 d", "1 d 1 h"]


def test_the_price_snap_moves_the_crosshair_to_a_near_price(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    near, far = place(chart, FIRST_SLOT + 990, 109.6), place(chart, FIRST_SLOT + 990, 105)
    chart.reading_tools.point_at(near)
    settle(qtbot, chart)
    assert chart._scene.crosshair.y == near.y()
    with qtbot.waitSignal(chart.appearance_changed):
        qtbot.keyClick(canvas_of(chart), Qt.Key.Key_S, ALT)
    settle(qtbot, chart)
    assert chart._scene.crosshair.value_text == "110.00"
    chart.reading_tools.point_at(far)
    settle(qtbot, chart)
    assert chart._scene.crosshair.y == far.y()
    again = ChartWidget()
    again.restore_appearance(chart.appearance_values())
    assert again._scene.price_snap
    again.deleteLater()


def test_the_candle_under_the_crosshair_is_copied_as_a_table(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    chart.appearance.set_time_style(TimeStyle(zone_named("Asia/Kathmandu")))
    chart.reading_tools.point_at(place(chart, FIRST_SLOT + 990, 105))
    settle(qtbot, chart)
    qtbot.keyClick(canvas_of(chart), Qt.Key.Key_C, CONTROL)
    (row,) = csv.DictReader(copied().splitlines(), delimiter="\t")
    assert row["open_time"].endswith("+05:45")
    assert (row["symbol"], row["open"], row["close"], row["volume"]) == ("BTCUSDT", "110.00", "100.00", "5.00000")
    assert (row["trades"], row["taker_buy_volume"], row["complete"]) == ("42", "2.00000", "true")
    assert row["known"] == "all trades"  # as the legend says
    assert said(chart) == "Copied: the 1m candle of BTC/USDT, 28 Oct 2022 06:15, as a row for a spreadsheet."
    hint = chart._hint
    chart.set_gaps([GapBand(MINUTE.slot_open_us(FIRST_SLOT + 990), MINUTE.slot_open_us(FIRST_SLOT + 990), 12)])
    qtbot.keyClick(canvas_of(chart), Qt.Key.Key_C, CONTROL)
    (row,) = csv.DictReader(copied().splitlines(), delimiter="\t")
    assert row["known"] == "12 trades missing"
    assert hint.show_missing()


def said(chart: ChartWidget) -> str:
    """The sentence over the chart's lower edge."""
    return chart.sentence


def test_the_legends_last_words_are_explained_and_a_link_where_trades_are_missing(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    chart.resize(1200, 500)
    settle(qtbot, chart)
    canvas = canvas_of(chart)
    words = chart._hint.rect.center()
    canvas.hovered.emit(words)
    settle(qtbot, chart)
    assert canvas.toolTip() == "Every trade of this candle is stored."
    first, last = (MINUTE.slot_open_us(FIRST_SLOT + slot) for slot in (500, 999))  # begins out of view
    canvas.hovered.emit(QPointF(300, 300))
    settle(qtbot, chart)
    chart.set_gaps([GapBand(first, last, 1234)])
    assert chart.legend_text.endswith("1,234 trades missing")
    words, crosshair = chart._hint.rect.center(), chart._scene.crosshair
    canvas.hovered.emit(words)
    settle(qtbot, chart)
    assert "1,234 trades" in canvas.toolTip()
    assert canvas.cursor().shape() is Qt.CursorShape.PointingHandCursor
    assert chart._scene.crosshair == crosshair  # the words are about its candle
    QTest.mouseClick(canvas.viewport(), LEFT_BUTTON, NO_KEYS, words.toPoint())
    settle(qtbot, chart)
    left, right = chart.visible_range_us()
    assert left < first < last < right
    assert said(chart).startswith("1,234 trades are missing between 27 Oct 2022 16:20 and 28 Oct 2022 00:39.")
    canvas.hovered.emit(QPointF(300, 300))
    assert canvas.toolTip() == ""


def test_trades_in_view_are_asked_for_by_the_legends_last_words_the_menu_and_a_key(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    chart.resize(1200, 500)
    series.upsert(candle(FIRST_SLOT + 999, 100, 110, source=CandleSource.KLINE))
    chart.series_changed()
    settle(qtbot, chart)
    canvas, words = canvas_of(chart), chart._hint.rect.center()
    canvas.hovered.emit(words)
    assert canvas.toolTip().endswith("Its trades are not stored. Click to download the trades in view.")
    with qtbot.waitSignal(chart.download_requested):
        QTest.mouseClick(canvas.viewport(), LEFT_BUTTON, NO_KEYS, words.toPoint())
    with qtbot.waitSignal(chart.download_requested):
        qtbot.keyClick(canvas, Qt.Key.Key_D, Qt.KeyboardModifier.AltModifier)
    menu = QMenu(chart)
    chart._menu.fill_pane_entries(menu, PRICE, place(chart, FIRST_SLOT + 990, 105))
    (entry,) = (one for one in menu.actions() if one.text().startswith("Download the trades in view"))
    with qtbot.waitSignal(chart.download_requested):
        entry.trigger()


def test_the_menu_copies_the_value_the_time_and_the_candle_at_its_position(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    where = place(chart, FIRST_SLOT + 990, 105)
    menu = QMenu(chart)
    chart.reading_tools.fill_menu(menu, where, chart.pictures)
    copy = next(action for action in menu.actions() if action.text() == "Copy").menu()
    found = {action.text().split()[0].split("\t")[0]: action for action in copy.actions()}
    found["Price"].trigger()
    assert float(copied()) == pytest.approx(105, abs=0.2)
    found["Time"].trigger()
    assert copied() == "2022-10-28T00:30:00+00:00"
    found["Candle"].trigger()
    assert copied().startswith("symbol\topen_time")
    assert said(chart).startswith("Copied: the 1m candle")
    found["Picture"].trigger()
    assert said(chart) == "Copied: a picture of the chart."
    assert QGuiApplication.clipboard().image().size() == canvas_of(chart).size()


def test_the_picture_is_saved_without_the_crosshair(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settle(qtbot, chart)
    without = canvas_of(chart).grab().toImage()
    chart.reading_tools.point_at(QPointF(300, 200))
    settle(qtbot, chart)
    suggested = []

    def choose(_parent: object, _title: str, path: str, _filter: str) -> tuple[str, str]:
        suggested.append(Path(path))
        return str(tmp_path / "chart"), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", choose)
    qtbot.keyClick(canvas_of(chart), Qt.Key.Key_S, CONTROL)
    assert suggested == [Path.home() / "BTCUSDT 1m 2022-10-28 0039.png"]
    assert said(chart) == f"Saved the picture “chart.png” in {tmp_path}."
    chart.pictures.save()
    assert suggested[-1].parent == tmp_path
    saved = QImage(str(tmp_path / "chart.png")).convertToFormat(without.format())
    panes = chart._scene.layout.panes.toAlignedRect()
    assert saved.copy(panes) == without.copy(panes)
    assert chart._scene.crosshair is not None


def test_the_crosshair_goes_from_candle_to_candle_and_the_view_follows(
    qtbot: QtBot, chart: ChartWidget, series: CandleSeries
) -> None:
    chart.navigator.zoom(5)  # twenty candles in view
    settle(qtbot, chart)
    for _ in range(35):
        qtbot.keyClick(canvas_of(chart), Qt.Key.Key_Comma)
        chart.frame_now()
    settle(qtbot, chart)
    assert chart._scene.crosshair.slot == FIRST_SLOT + 999 - 34
    left, right = chart.visible_range_us()
    assert left < MINUTE.slot_open_us(chart._scene.crosshair.slot) < right


def test_a_long_measure_adds_few_numbers() -> None:
    touched = []

    class Counted:
        def bars_between(self, first: int, last: int, level: int = 0) -> BarColumns:
            bars = _LONG.bars_between(first, last, level)
            touched.append(len(bars.slot))
            return bars

    assert volume_between(Counted(), FIRST_SLOT - 10_000_000, FIRST_SLOT + 10_000_000) == _LONG.column("volume").sum()
    assert sum(touched) < 1500
