"""Indicators on the chart: drawn, read and remembered."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QCursor, QPainter, QPixmap, QRegion
from pytestqt.qtbot import QtBot

from app.market.errors import UsageError
from app.market.indicators import Indicator, Output, Placement, indicators, register, unregister
from app.market.interval import Interval
from app.market.series.series import CandleSeries
from tests.depth import examples
from tests.widgets.chart.charts import (
    BTC,
    FIRST_SLOT,
    MINUTE,
    candle,
    canvas_of,
    count_of,
    is_drawn_at,
    picture,
    place,
    series_of,
    settle,
    zigzag,
)
from widgets.chart.chart_widget import ChartWidget
from widgets.theme.palettes import DARK, LIGHT

KEYS = [indicator.key for indicator in indicators()]
NONE = Qt.KeyboardModifier.NoModifier


def test_an_overlay_is_drawn_in_its_colour_over_prices_and_shows_its_value(qtbot: QtBot, shown: ChartWidget) -> None:
    before = picture(shown)
    study = shown.indicators.add("sma", {"period": 2})
    settle(qtbot, shown)
    # The closes go from 100 to 110 and back: their mean over two is 105 throughout.
    assert shown.indicators.entry_texts() == ["SMA 2 105.00"]
    colour = study.name_colour(DARK).name()
    image = picture(shown)
    assert is_drawn_at(image, place(shown, FIRST_SLOT + 190.5, 105), colour)
    shown.indicators.remove(study.key)
    settle(qtbot, shown)
    assert picture(shown) == before


def test_an_indicator_with_a_pane_comes_with_it_and_goes_with_it(qtbot: QtBot, shown: ChartWidget) -> None:
    reported: list[object] = []
    shown.appearance_changed.connect(lambda: reported.append(shown.appearance.pane_layout.keys))
    shown.indicators.add("rsi")
    shown.indicators.add("rsi", {"period": 5})
    settle(qtbot, shown)
    assert shown.appearance.pane_layout.keys == ("price", "volume", "rsi", "rsi-2")
    assert [text.split(" ")[:2] for text in shown.indicators.entry_texts()] == [["RSI", "14"], ["RSI", "5"]]
    shown.appearance.set_pane_layout(shown.appearance.pane_layout.moved("rsi-2", -2))
    settle(qtbot, shown)
    assert shown.appearance.pane_layout.keys == ("price", "rsi-2", "volume", "rsi")
    shown.indicators.remove("rsi")
    assert [study.key for study in shown.indicators.studies] == ["rsi-2"]
    assert reported[-1] == ("price", "rsi-2", "volume")


def test_a_volume_average_follows_the_volume_behind_the_prices(qtbot: QtBot, shown: ChartWidget) -> None:
    study = shown.indicators.add("volume-average", {"period": 2})
    settle(qtbot, shown)
    colour = study.name_colour(DARK)

    def is_drawn() -> bool:
        # Antialiased: of its colour only more or less.
        image, x = picture(shown), int(place(shown, FIRST_SLOT + 190.5, 100).x())
        pixels = (image.pixelColor(x, y) for y in range(200, image.height() - 30))
        return any(abs(one.hsvHue() - colour.hsvHue()) < 8 and one.hsvSaturation() > 80 for one in pixels)

    assert is_drawn()
    assert shown.indicators.entry_texts() == ["Volume SMA 2 5.000"]
    shown.appearance.set_chart_style(type(shown.chart_style)(underlaid=True))
    settle(qtbot, shown)
    assert shown.appearance.pane_layout.keys == ("price",)
    assert is_drawn()
    shown.indicators.change(study.key, {"period": 150}, {})
    shown.indicators.remove(study.key)
    settle(qtbot, shown)
    assert not is_drawn()


def test_a_sessions_line_is_not_joined_to_the_session_before(qtbot: QtBot, chart: ChartWidget) -> None:
    midnight = MINUTE.slot(1_723_075_200_000_000)
    candles = [candle(midnight + at, price := 100.0 if at < 0 else 300.0, price) for at in range(-50, 50)]
    series = series_of([one._replace(quote_volume_e16=one.volume_e8 * one.close_e8) for one in candles])
    series.set_begins(begins=True)
    chart.set_series(series, BTC)
    study = chart.indicators.add("vwap")
    settle(qtbot, chart)
    image, colour = picture(chart), study.name_colour(DARK).name()
    assert is_drawn_at(image, place(chart, midnight - 1, 100), colour)
    assert is_drawn_at(image, place(chart, midnight + 1, 300), colour)
    assert not is_drawn_at(image, place(chart, midnight - 0.5, 200), colour)


def test_values_are_read_at_the_crosshair(qtbot: QtBot, shown: ChartWidget) -> None:
    shown.indicators.add("sma", {"period": 2, "source": "high"})
    settle(qtbot, shown)
    series = shown.series
    assert series is not None
    series.upsert(candle(FIRST_SLOT + 200, 100.0, 120.0))
    shown.series_changed()
    settle(qtbot, shown)
    assert shown.indicators.entry_texts() == ["SMA 2 high 117.00"]
    shown.reading_tools.point_at(place(shown, FIRST_SLOT + 190, 105))
    settle(qtbot, shown)
    assert shown.indicators.entry_texts() == ["SMA 2 high 112.00"]


def test_an_unknown_value_is_neither_drawn_nor_shown(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.set_series(series_of(zigzag(200)), BTC)
    study = chart.indicators.add("ema")
    chart.indicators.add("sma", {"period": 250})
    settle(qtbot, chart)
    assert chart.indicators.entry_texts() == ["EMA 20 —", "SMA 250 —"]
    entry_colour = study.name_colour(DARK).name()
    drawn = count_of(picture(chart), entry_colour)
    series = chart.series
    assert series is not None
    series.set_begins(begins=True)
    chart.series_changed()
    settle(qtbot, chart)
    assert chart.indicators.entry_texts()[0] != "EMA 20 —"
    assert count_of(picture(chart), entry_colour) > drawn + 100


def test_the_chart_returns_how_far_back_its_indicators_need_candles(qtbot: QtBot, shown: ChartWidget) -> None:
    assert shown.first_needed_slot(FIRST_SLOT) == FIRST_SLOT
    shown.indicators.add("sma", {"period": 300})
    assert shown.first_needed_slot(FIRST_SLOT) <= FIRST_SLOT - 299
    shown.indicators.add("vwap", {"session": "month"})
    assert FIRST_SLOT - 31 * 1440 <= shown.first_needed_slot(FIRST_SLOT) < FIRST_SLOT - 1440
    wanted: list[object] = []
    shown.appearance_changed.connect(lambda: wanted.append(shown.first_needed_slot(FIRST_SLOT)))
    shown.indicators.add("ema")
    assert wanted  # whoever loads learns of it


@pytest.mark.parametrize(
    ("interval", "session", "needed"), [("1s", "week", "15s"), ("1s", "month", "30s"), ("5s", "week", "15s")]
)
def test_a_session_too_long_for_its_candles_names_the_interval_that_is_long_enough(
    qtbot: QtBot, chart: ChartWidget, interval: str, session: str, needed: str
) -> None:
    chosen = Interval.parse(interval)
    end = chosen.slot(Interval.parse("1M").next_open_us(MINUTE.slot_open_us(FIRST_SLOT))) - 1
    if session == "week":
        end = chosen.slot(Interval.parse("1w").next_open_us(MINUTE.slot_open_us(FIRST_SLOT))) - 1
    chart.set_series(series_of(zigzag(200, end - 199, chosen), chosen), BTC)
    chart.indicators.add("vwap", {"session": session})
    chart.indicators.add("cvd")
    settle(qtbot, chart)
    said, day = chart.indicators.entry_texts()
    assert said == f"VWAP {session} needs candles of {needed} or longer this far into the {session}"
    assert day == "CVD —"  # whose beginning can be loaded
    assert chart.first_needed_slot(end) == chosen.slot(Interval.parse("1d").open_time_us(chosen.slot_open_us(end)))


def test_a_session_that_is_young_enough_is_drawn_however_short_its_candles(qtbot: QtBot, chart: ChartWidget) -> None:
    second = Interval.parse("1s")
    monday = second.slot(Interval.parse("1w").next_open_us(MINUTE.slot_open_us(FIRST_SLOT)))
    chart.set_series(series_of(zigzag(200, monday, second), second), BTC)
    chart.indicators.add("vwap", {"session": "week"})
    settle(qtbot, chart)
    assert chart.indicators.entry_texts() == ["VWAP week 100.00"]
    assert chart.first_needed_slot(monday + 150) == monday


def test_entries_take_another_theme_at_once(qtbot: QtBot, shown: ChartWidget) -> None:
    shown.indicators.add("rsi")
    settle(qtbot, shown)
    shown.set_palette(LIGHT)
    colours = {colour.name() for entry in shown.indicators.entries for _, colour in entry.runs}
    assert LIGHT.text in colours
    assert DARK.text not in colours


def test_indicators_are_remembered_with_the_look(qtbot: QtBot, shown: ChartWidget) -> None:
    QCursor.setPos(shown.mapToGlobal(QPoint(790, 490)))  # off the button under the legend, which looks hovered there
    for key in KEYS:
        shown.indicators.add(key)
    shown.indicators.add("ema", {"period": 50, "source": "hl2"})
    shown.indicators.change("macd", {"fast": 5, "slow": 35, "signal": 5, "source": "close"}, {"signal": "#abcdef"})
    shown.appearance.set_pane_layout(shown.appearance.pane_layout.moved("rsi", -1).dragged(0, -60, 400))
    settle(qtbot, shown)
    values, before = shown.appearance_values(), picture(shown)
    for study in shown.indicators.studies:
        shown.indicators.remove(study.key)
    shown.restore_appearance(values)
    settle(qtbot, shown)
    assert shown.appearance_values() == values
    assert picture(shown) == before


@pytest.mark.parametrize(
    "stored",
    [
        None,
        "ema",
        [None, 3, {}],
        [{"key": "moon", "indicator": "moon"}],
        [{"key": "price", "indicator": "ema"}],
        [
            {
                "key": "ema",
                "indicator": "ema",
                "settings": {"period": -3, "moon": 1},
                "colours": {"ema": "red"},
                "seat": 99,
            }
        ],
        [{"key": "ema", "indicator": "ema", "settings": "20", "colours": 7, "seat": True, "hidden": 1}] * 2,
    ],
)
def test_invalid_stored_indicators_become_the_default(qtbot: QtBot, shown: ChartWidget, stored: object) -> None:
    shown.restore_appearance({"indicators": stored})
    settle(qtbot, shown)
    assert [(study.label, study.colours) for study in shown.indicators.studies] in ([], [("EMA 20", {})])


def test_wrong_settings_are_refused_in_one_sentence(shown: ChartWidget) -> None:
    with pytest.raises(UsageError, match="period cannot be 1; give a number from 2 to 1000"):
        shown.indicators.add("sma", {"period": 1})
    with pytest.raises(UsageError, match="choose one of day, week, month"):
        shown.indicators.add("vwap", {"session": "year"})
    with pytest.raises(UsageError, match="has no parameter “moon”"):
        shown.indicators.add("ema", {"moon": 1})
    with pytest.raises(UsageError, match="there is no indicator “moon”"):
        shown.indicators.add("moon")
    assert shown.indicators.studies == []


def test_a_tick_repaints_only_the_last_bars(qtbot: QtBot, shown: ChartWidget) -> None:
    for key in ("ema", "bollinger", "rsi"):
        shown.indicators.add(key)
    shown.navigator.stretch("rsi", 3.0)  # an automatic axis may move, and then all of it is painted
    shown.navigator.stretch("price", 3.0)
    settle(qtbot, shown)
    series = shown.series
    assert series is not None
    regions: list[QRegion] = []
    canvas_of(shown).painted.connect(lambda region: regions.append(QRegion(region)))
    series.upsert(candle(FIRST_SLOT + 199, 100.0, 109.0))
    shown.series_changed()
    settle(qtbot, shown)
    last, before = (int(place(shown, FIRST_SLOT + slot, 105).x()) for slot in (199, 180))
    below = canvas_of(shown).height() - 60
    assert any(region.contains(QPoint(last, below)) for region in regions)
    assert not any(region.contains(QPoint(before, below)) for region in regions)


@given(
    st.integers(0, 3),
    st.sampled_from([1e-8, 1.0, 1e8]),
    st.sampled_from([(1, 1), (60, 30), (500, 300), (1, 400), (2000, 40)]),
    st.sampled_from([1.0, 1.25, 2.0]),
    st.floats(1e-6, 10),
)
@settings(max_examples=examples(25), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_painting_never_fails(
    chart: ChartWidget, kind: int, price: float, size: tuple[int, int], scale: float, zoom: float
) -> None:
    chart.restore_appearance({})
    count = (0, 1, 30, 3000)[kind]
    series = CandleSeries("X", MINUTE)
    series.replace_columns(
        np.array([MINUTE.slot_open_us(FIRST_SLOT + at) for at in range(count)], np.int64),
        **dict.fromkeys(("open", "high", "low", "close"), np.full(count, price)),
        volume=np.arange(count, dtype=float) % 3,
        quote_volume=np.arange(count, dtype=float) % 3 * price,
        taker_buy_volume=np.zeros(count),
    )
    series.set_begins(begins=bool(count % 2))
    for key in KEYS:
        chart.indicators.add(key)
    chart.set_series(series, BTC)
    chart.resize(*size)
    chart.navigator.zoom(zoom)
    picture(chart, scale)


def test_an_indicator_of_nan_only_is_drawn(qtbot: QtBot, shown: ChartWidget) -> None:
    def gaps(bars: object) -> np.ndarray:
        made = np.full(len(bars), np.nan)  # type: ignore[arg-type]  # because it stands for any computation
        made[::2] = 105.0
        return made

    register(Indicator("gaps", "Gaps", "Gaps", "", gaps, lambda: 0, (Output("gaps"),), placement=Placement.PRICE))
    try:
        shown.indicators.add("gaps")
        settle(qtbot, shown)
        assert len(shown.indicators.studies) == 1
    finally:
        unregister("gaps")


def test_hidden_and_empty_panes_have_titles_that_can_be_clicked_at_any_width(qtbot: QtBot, shown: ChartWidget) -> None:
    for key in KEYS:
        shown.indicators.add(key)
    shown.resize(200, 300)
    settle(qtbot, shown)
    inside = shown._canvas.viewport().rect()
    assert all(
        inside.intersects(entry.rect.toAlignedRect()) for entry in shown.indicators.entries if not entry.rect.isEmpty()
    )


@pytest.mark.parametrize("zoom", [1.0, 0.05])
def test_partial_paints_equal_a_full_paint(qtbot: QtBot, shown: ChartWidget, zoom: float) -> None:
    for key in KEYS:
        shown.indicators.add(key)
    shown.navigator.zoom(zoom)
    settle(qtbot, shown)
    whole, scene = picture(shown), shown._scene
    part = QPixmap(shown.size())
    part.fill(DARK.background)
    painter = QPainter(part)
    for left in range(0, shown.width(), 37):
        strip = QRegion(left, 0, 37, shown.height())
        shown.render(painter, QPoint(left, 0), strip)
    painter.end()
    assert scene.exposed.boundingRect().width() <= 37
    assert part.toImage().convertToFormat(whole.format()) == whole
