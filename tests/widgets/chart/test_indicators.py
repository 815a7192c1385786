"""Indicators on the chart: added, set, hidden and removed, by hand and by keys; drawn, read and remembered."""

from __future__ import annotations

import numpy as np
import pytest
from charts import (
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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QContextMenuEvent, QPainter, QPixmap, QRegion
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QColorDialog, QComboBox, QMenu, QSpinBox
from pytestqt.qtbot import QtBot

from app.market.errors import UsageError
from app.market.indicators import Indicator, Output, Place, indicators, register, unregister
from app.market.interval import Interval
from app.market.series import CandleSeries
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.indicators.entry_buttons import EntryButtons
from widgets.chart.indicators.picker import IndicatorPicker
from widgets.chart.indicators.settings_panel import SettingsPanel
from widgets.theme import DARK, LIGHT

KEYS = [indicator.key for indicator in indicators()]
NONE = Qt.KeyboardModifier.NoModifier


@pytest.fixture
def shown(qtbot: QtBot, chart: ChartWidget) -> ChartWidget:
    series = series_of(zigzag(200))
    series.set_begins(begins=True)
    chart.set_series(series, BTC)
    settle(qtbot, chart)
    return chart


def type_keys(widget: object, text: str) -> None:
    QTest.keyClicks(widget, text)


def open_list(qtbot: QtBot, chart: ChartWidget) -> IndicatorPicker:
    chart.open_indicators()
    settle(qtbot, chart)
    picker: IndicatorPicker = chart.window().findChild(IndicatorPicker)
    assert picker.isVisible()
    return picker


def settings_of(chart: ChartWidget) -> SettingsPanel:
    panel: SettingsPanel = chart.window().findChild(SettingsPanel)
    return panel


def rows(picker: IndicatorPicker) -> list[str]:
    return [picker.model.index(row).data() for row in range(picker.model.rowCount())]


def test_an_overlay_is_drawn_in_its_colour_over_prices_and_says_its_value(qtbot: QtBot, shown: ChartWidget) -> None:
    before = picture(shown)
    study = shown.add_indicator("sma", {"period": 2})
    settle(qtbot, shown)
    # The closes go from 100 to 110 and back: their mean over two is 105 throughout.
    assert shown.entry_texts() == ["SMA 2 105.00"]
    colour = study.name_colour(DARK).name()
    image = picture(shown)
    assert is_drawn_at(image, place(shown, FIRST_SLOT + 190.5, 105), colour)
    shown.remove_indicator(study.key)
    settle(qtbot, shown)
    assert picture(shown) == before


def test_an_indicator_with_a_pane_comes_with_it_and_goes_with_it(qtbot: QtBot, shown: ChartWidget) -> None:
    told: list[object] = []
    shown.look_changed.connect(lambda: told.append(shown.arrangement.keys))
    shown.add_indicator("rsi")
    shown.add_indicator("rsi", {"period": 5})
    settle(qtbot, shown)
    assert shown.arrangement.keys == ("price", "volume", "rsi", "rsi-2")
    assert [text.split(" ")[:2] for text in shown.entry_texts()] == [["RSI", "14"], ["RSI", "5"]]
    shown.set_arrangement(shown.arrangement.moved("rsi-2", -2))
    settle(qtbot, shown)
    assert shown.arrangement.keys == ("price", "rsi-2", "volume", "rsi")
    shown.remove_indicator("rsi")
    assert [study.key for study in shown.studies] == ["rsi-2"]
    assert told[-1] == ("price", "rsi-2", "volume")


def test_closing_its_pane_by_keys_removes_an_indicator(qtbot: QtBot, shown: ChartWidget) -> None:
    shown.add_indicator("atr")
    for _ in range(3):
        QTest.keyClick(shown.focusProxy(), Qt.Key.Key_F6)
    QTest.keyClick(shown.focusProxy(), Qt.Key.Key_Return)
    assert settings_of(shown).isVisible()
    QTest.keyClick(settings_of(shown), Qt.Key.Key_Escape)
    QTest.keyClick(shown.focusProxy(), Qt.Key.Key_Delete)
    settle(qtbot, shown)
    assert shown.studies == []
    assert shown.arrangement.keys == ("price", "volume")


def test_a_volume_average_follows_the_volume_behind_the_prices(qtbot: QtBot, shown: ChartWidget) -> None:
    study = shown.add_indicator("volume-average", {"period": 2})
    settle(qtbot, shown)
    colour = study.name_colour(DARK)

    def is_drawn() -> bool:
        # Antialiased: of its colour only more or less.
        image, x = picture(shown), int(place(shown, FIRST_SLOT + 190.5, 100).x())
        pixels = (image.pixelColor(x, y) for y in range(200, image.height() - 30))
        return any(abs(one.hsvHue() - colour.hsvHue()) < 8 and one.hsvSaturation() > 80 for one in pixels)

    assert is_drawn()
    assert shown.entry_texts() == ["Volume SMA 2 5.000"]
    shown.set_chart_style(type(shown.chart_style)(underlaid=True))
    settle(qtbot, shown)
    assert shown.arrangement.keys == ("price",)
    assert is_drawn()
    shown.change_indicator(study.key, {"period": 150}, {})
    shown.remove_indicator(study.key)
    settle(qtbot, shown)
    assert not is_drawn()


def test_a_sessions_line_does_not_begin_where_the_one_before_ended(qtbot: QtBot, chart: ChartWidget) -> None:
    midnight = MINUTE.slot(1_723_075_200_000_000)
    candles = [candle(midnight + at, price := 100.0 if at < 0 else 300.0, price) for at in range(-50, 50)]
    series = series_of([one._replace(quote_volume_e16=one.volume_e8 * one.close_e8) for one in candles])
    series.set_begins(begins=True)
    chart.set_series(series, BTC)
    study = chart.add_indicator("vwap")
    settle(qtbot, chart)
    image, colour = picture(chart), study.name_colour(DARK).name()
    assert is_drawn_at(image, place(chart, midnight - 1, 100), colour)
    assert is_drawn_at(image, place(chart, midnight + 1, 300), colour)
    assert not is_drawn_at(image, place(chart, midnight - 0.5, 200), colour)


def test_values_are_read_at_the_crosshair(qtbot: QtBot, shown: ChartWidget) -> None:
    shown.add_indicator("sma", {"period": 2, "source": "high"})
    settle(qtbot, shown)
    series = shown._series
    assert series is not None
    series.upsert(candle(FIRST_SLOT + 200, 100.0, 120.0))
    shown.series_changed()
    settle(qtbot, shown)
    assert shown.entry_texts() == ["SMA 2 high 117.00"]
    shown.point_at(place(shown, FIRST_SLOT + 190, 105))
    settle(qtbot, shown)
    assert shown.entry_texts() == ["SMA 2 high 112.00"]


def test_what_is_not_known_yet_is_neither_drawn_nor_said(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.set_series(series_of(zigzag(200)), BTC)
    study = chart.add_indicator("ema")
    chart.add_indicator("sma", {"period": 250})
    settle(qtbot, chart)
    assert chart.entry_texts() == ["EMA 20 —", "SMA 250 —"]
    entry_colour = study.name_colour(DARK).name()
    drawn = count_of(picture(chart), entry_colour)
    series = chart._series
    assert series is not None
    series.set_begins(begins=True)
    chart.series_changed()
    settle(qtbot, chart)
    assert chart.entry_texts()[0] != "EMA 20 —"
    assert count_of(picture(chart), entry_colour) > drawn + 100


def test_the_chart_says_how_far_back_its_indicators_need_candles(qtbot: QtBot, shown: ChartWidget) -> None:
    assert shown.first_needed_slot(FIRST_SLOT) == FIRST_SLOT
    shown.add_indicator("sma", {"period": 300})
    assert shown.first_needed_slot(FIRST_SLOT) <= FIRST_SLOT - 299
    shown.add_indicator("vwap", {"session": "month"})
    assert FIRST_SLOT - 31 * 1440 <= shown.first_needed_slot(FIRST_SLOT) < FIRST_SLOT - 1440
    wanted: list[object] = []
    shown.look_changed.connect(lambda: wanted.append(shown.first_needed_slot(FIRST_SLOT)))
    shown.add_indicator("ema")
    assert wanted  # whoever loads learns of it


@pytest.mark.parametrize(
    ("interval", "session", "needed"), [("1s", "week", "15s"), ("1s", "month", "30s"), ("5s", "week", "15s")]
)
def test_a_session_too_long_for_its_candles_says_which_are_long_enough(
    qtbot: QtBot, chart: ChartWidget, interval: str, session: str, needed: str
) -> None:
    chosen = Interval.parse(interval)
    end = chosen.slot(Interval.parse("1M").next_open_us(MINUTE.slot_open_us(FIRST_SLOT))) - 1
    if session == "week":
        end = chosen.slot(Interval.parse("1w").next_open_us(MINUTE.slot_open_us(FIRST_SLOT))) - 1
    chart.set_series(series_of(zigzag(200, end - 199, chosen), chosen), BTC)
    chart.add_indicator("vwap", {"session": session})
    chart.add_indicator("cvd")
    settle(qtbot, chart)
    said, day = chart.entry_texts()
    assert said == f"VWAP {session} needs candles of {needed} or longer this far into the {session}"
    assert day == "CVD —"  # whose beginning can be loaded
    assert chart.first_needed_slot(end) == chosen.slot(Interval.parse("1d").open_time_us(chosen.slot_open_us(end)))


def test_a_session_that_is_young_enough_is_drawn_however_short_its_candles(qtbot: QtBot, chart: ChartWidget) -> None:
    second = Interval.parse("1s")
    monday = second.slot(Interval.parse("1w").next_open_us(MINUTE.slot_open_us(FIRST_SLOT)))
    chart.set_series(series_of(zigzag(200, monday, second), second), BTC)
    chart.add_indicator("vwap", {"session": "week"})
    settle(qtbot, chart)
    assert chart.entry_texts() == ["VWAP week 100.00"]
    assert chart.first_needed_slot(monday + 150) == monday


def test_the_list_adds_sets_and_removes_by_keys_alone(qtbot: QtBot, shown: ChartWidget) -> None:
    picker = open_list(qtbot, shown)
    type_keys(picker.edit, "bollinger")
    assert rows(picker) == ["Bollinger bands"]
    QTest.keyClick(picker.edit, Qt.Key.Key_Return)
    assert [study.key for study in shown.studies] == ["bollinger"]
    assert rows(picker) == ["BB 20 2", "Bollinger bands"]
    QTest.keyClick(picker.edit, Qt.Key.Key_Return)  # on the one just added: its settings
    panel = settings_of(shown)
    assert panel.isVisible()
    assert not picker.isVisible()
    period = panel.fields["period"]
    assert isinstance(period, QSpinBox)
    assert period.hasFocus()
    period.selectAll()
    type_keys(period, "7")
    source = panel.fields["source"]
    assert isinstance(source, QComboBox)
    source.setCurrentText("hlc3")
    assert shown.studies[0].label == "BB 7 2 hlc3"
    QTest.keyClick(panel, Qt.Key.Key_Escape)
    picker = open_list(qtbot, shown)
    QTest.keyClick(picker.edit, Qt.Key.Key_Up)
    QTest.keyClick(picker.edit, Qt.Key.Key_Delete)
    assert shown.studies == []


def test_the_list_finds_by_any_word_and_says_where_nothing_matches(qtbot: QtBot, shown: ChartWidget) -> None:
    picker = open_list(qtbot, shown)
    assert len(rows(picker)) == len(KEYS)
    type_keys(picker.edit, "average exp")
    assert rows(picker)[0] == "Moving average, exponential"
    picker.edit.setText("moon")
    assert rows(picker) == []
    assert "No indicator" in picker.hint.text()
    QTest.keyClick(picker.edit, Qt.Key.Key_Return)
    assert shown.studies == []


def test_a_full_chart_says_so_in_the_list(qtbot: QtBot, shown: ChartWidget) -> None:
    for _ in range(10):
        shown.add_indicator("rsi")
    with pytest.raises(UsageError, match="remove one first"):
        shown.add_indicator("rsi")
    picker = open_list(qtbot, shown)
    type_keys(picker.edit, "macd")
    QTest.keyClick(picker.edit, Qt.Key.Key_Return)
    assert "remove one first" in picker.hint.text()


def test_the_buttons_beside_an_entry_hide_set_and_remove(qtbot: QtBot, shown: ChartWidget) -> None:
    study = shown.add_indicator("ema")
    settle(qtbot, shown)
    viewport, buttons = canvas_of(shown).viewport(), shown.findChild(EntryButtons)
    drawn = count_of(picture(shown), study.name_colour(DARK).name())
    assert not buttons.isVisible()
    QTest.mouseMove(viewport, QPoint(300, 300))
    QTest.mouseMove(viewport, QPoint(30, 40))
    assert buttons.isVisible()
    assert buttons.remove.accessibleName() == "Remove EMA 20"
    buttons.eye.click()
    settle(qtbot, shown)
    assert shown.entry_texts() == ["EMA 20 hidden"]
    assert count_of(picture(shown), study.name_colour(DARK).name()) < drawn / 3
    buttons.eye.click()
    settle(qtbot, shown)
    assert not study.is_hidden
    assert count_of(picture(shown), study.name_colour(DARK).name()) > drawn * 0.9
    buttons.settings.click()
    assert settings_of(shown).isVisible()
    settings_of(shown).dismiss()
    QTest.mouseMove(viewport, QPoint(31, 40))
    buttons.remove.click()
    settle(qtbot, shown)
    assert shown.studies == []
    assert not buttons.isVisible()


def test_the_menu_of_a_pane_offers_its_indicators(qtbot: QtBot, shown: ChartWidget) -> None:
    shown.add_indicator("ema")
    settle(qtbot, shown)
    viewport, where = canvas_of(shown).viewport(), QPoint(200, 150)
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, where, viewport.mapToGlobal(where))
    QApplication.sendEvent(viewport, event)
    menu = shown.findChildren(QMenu, options=Qt.FindChildOption.FindDirectChildrenOnly)[-1]
    offered = {action.text(): action for action in menu.actions()}
    assert any(text.startswith("Indicators…") for text in offered)
    ema = offered["EMA 20"].menu()
    assert isinstance(ema, QMenu)
    next(action for action in ema.actions() if action.text() == "Remove").trigger()
    menu.close()
    assert shown.studies == []


def test_colours_are_the_users_or_else_the_themes(qtbot: QtBot, shown: ChartWidget) -> None:
    first, second = shown.add_indicator("ema"), shown.add_indicator("sma")
    assert first.name_colour(DARK) != second.name_colour(DARK)
    assert first.name_colour(DARK) != first.name_colour(LIGHT)
    shown.open_study_settings(first.key)
    panel = settings_of(shown)
    panel.swatches["ema"].colour_chosen.emit("#123456")
    settle(qtbot, shown)
    assert count_of(picture(shown), "#123456") > 100
    shown.set_palette(LIGHT)
    assert first.name_colour(LIGHT).name() == "#123456"
    panel.usual.click()
    assert first.colours == {}
    panel.remove.click()
    assert [study.key for study in shown.studies] == ["sma"]


def test_what_entries_say_takes_another_theme_at_once(qtbot: QtBot, shown: ChartWidget) -> None:
    shown.add_indicator("rsi")
    settle(qtbot, shown)
    shown.set_palette(LIGHT)
    colours = {colour.name() for entry in shown._entries for _, colour in entry.runs}
    assert LIGHT.text in colours
    assert DARK.text not in colours


def test_indicators_are_remembered_with_the_look(qtbot: QtBot, shown: ChartWidget) -> None:
    for key in KEYS:
        shown.add_indicator(key)
    shown.add_indicator("ema", {"period": 50, "source": "hl2"})
    shown.change_indicator("macd", {"fast": 5, "slow": 35, "signal": 5, "source": "close"}, {"signal": "#abcdef"})
    shown.set_arrangement(shown.arrangement.moved("rsi", -1).dragged(0, -60, 400))
    settle(qtbot, shown)
    values, before = shown.look_values(), picture(shown)
    for study in shown.studies:
        shown.remove_indicator(study.key)
    shown.restore_look(values)
    settle(qtbot, shown)
    assert shown.look_values() == values
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
def test_what_was_remembered_wrongly_is_as_usual(qtbot: QtBot, shown: ChartWidget, stored: object) -> None:
    shown.restore_look({"indicators": stored})
    settle(qtbot, shown)
    assert [(study.label, study.colours) for study in shown.studies] in ([], [("EMA 20", {})])


def test_wrong_settings_are_refused_in_one_sentence(shown: ChartWidget) -> None:
    with pytest.raises(UsageError, match="period cannot be 1; give a number from 2 to 1000"):
        shown.add_indicator("sma", {"period": 1})
    with pytest.raises(UsageError, match="choose one of day, week, month"):
        shown.add_indicator("vwap", {"session": "year"})
    with pytest.raises(UsageError, match="has no parameter “moon”"):
        shown.add_indicator("ema", {"moon": 1})
    with pytest.raises(UsageError, match="there is no indicator “moon”"):
        shown.add_indicator("moon")
    assert shown.studies == []


def test_a_tick_repaints_only_the_last_bars(qtbot: QtBot, shown: ChartWidget) -> None:
    for key in ("ema", "bollinger", "rsi"):
        shown.add_indicator(key)
    shown.stretch("rsi", 3.0)  # an automatic axis may move, and then all of it is painted
    shown.stretch("price", 3.0)
    settle(qtbot, shown)
    series = shown._series
    assert series is not None
    regions: list[QRegion] = []
    canvas_of(shown).painted.connect(lambda region: regions.append(QRegion(region)))
    series.upsert(candle(FIRST_SLOT + 199, 100.0, 109.0))
    shown.series_changed()
    settle(qtbot, shown)
    last, before = (int(place(shown, FIRST_SLOT + slot, 105).x()) for slot in (199, 180))
    below = shown.height() - 60
    assert any(region.contains(QPoint(last, below)) for region in regions)
    assert not any(region.contains(QPoint(before, below)) for region in regions)


@given(
    st.integers(0, 3),
    st.sampled_from([1e-8, 1.0, 1e8]),
    st.sampled_from([(1, 1), (60, 30), (500, 300), (1, 400), (2000, 40)]),
    st.sampled_from([1.0, 1.25, 2.0]),
    st.floats(1e-6, 10),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_painting_never_fails(
    chart: ChartWidget, kind: int, price: float, size: tuple[int, int], scale: float, zoom: float
) -> None:
    chart.restore_look({})
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
        chart.add_indicator(key)
    chart.set_series(series, BTC)
    chart.resize(*size)
    chart.zoom(zoom)
    picture(chart, scale)


def test_an_indicator_that_gives_nothing_but_gaps_is_drawn(qtbot: QtBot, shown: ChartWidget) -> None:
    def gaps(bars: object) -> np.ndarray:
        made = np.full(len(bars), np.nan)  # type: ignore[arg-type]  # because it stands for any computation
        made[::2] = 105.0
        return made

    register(Indicator("gaps", "Gaps", "Gaps", "", gaps, lambda: 0, (Output("gaps"),), place=Place.PRICE))
    try:
        shown.add_indicator("gaps")
        settle(qtbot, shown)
        assert len(shown.studies) == 1
    finally:
        unregister("gaps")


def test_hidden_and_empty_panes_have_titles_that_can_be_clicked_at_any_width(qtbot: QtBot, shown: ChartWidget) -> None:
    for key in KEYS:
        shown.add_indicator(key)
    shown.resize(200, 300)
    settle(qtbot, shown)
    inside = shown._canvas.viewport().rect()
    assert all(inside.intersects(entry.rect.toAlignedRect()) for entry in shown._entries if not entry.rect.isEmpty())


@pytest.mark.parametrize("zoom", [1.0, 0.05])
def test_what_is_painted_in_part_looks_as_painted_whole(qtbot: QtBot, shown: ChartWidget, zoom: float) -> None:
    for key in KEYS:
        shown.add_indicator(key)
    shown.zoom(zoom)
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


def test_settings_of_a_low_pane_open_within_the_window_and_close_by_enter(qtbot: QtBot, shown: ChartWidget) -> None:
    shown.add_indicator("atr")
    settle(qtbot, shown)
    shown.open_study_settings("atr")
    panel = settings_of(shown)
    assert shown.window().rect().contains(panel.geometry())
    QTest.keyClick(panel.fields["period"], Qt.Key.Key_Return)
    assert not panel.isVisible()
    assert shown.focusProxy().hasFocus()


def test_a_colour_is_asked_for_while_the_chart_goes_on(qtbot: QtBot, shown: ChartWidget) -> None:
    study = shown.add_indicator("ema")
    shown.open_study_settings(study.key)
    panel = settings_of(shown)
    panel.swatches["ema"].click()
    dialog = shown.window().findChild(QColorDialog)
    dialog.setCurrentColor(QColor("#a1b2c3"))
    dialog.accept()
    assert study.colours == {"ema": "#a1b2c3"}
    assert panel.isVisible()
