"""Adding, setting, hiding and removing indicators: in the picker, at their entries, in menus and by keys."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QColor, QContextMenuEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QColorDialog, QComboBox, QMenu, QSpinBox
from pytestqt.qtbot import QtBot

from app.market.errors import UsageError
from app.market.indicators import indicators
from tests.widgets.chart.charts import (
    canvas_of,
    count_of,
    picture,
    settle,
)
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.indicators.entry_buttons import EntryButtons
from widgets.chart.indicators.picker import IndicatorPicker
from widgets.chart.indicators.settings_panel import SettingsPanel
from widgets.theme.palettes import DARK, LIGHT

KEYS = [indicator.key for indicator in indicators()]
NONE = Qt.KeyboardModifier.NoModifier


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


def test_the_list_adds_sets_and_removes_by_keys_alone(qtbot: QtBot, shown: ChartWidget) -> None:
    picker = open_list(qtbot, shown)
    type_keys(picker.edit, "bollinger")
    assert rows(picker) == ["Bollinger bands"]
    QTest.keyClick(picker.edit, Qt.Key.Key_Return)
    assert [study.key for study in shown.indicators.studies] == ["bollinger"]
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
    assert shown.indicators.studies[0].label == "BB 7 2 hlc3"
    QTest.keyClick(panel, Qt.Key.Key_Escape)
    picker = open_list(qtbot, shown)
    QTest.keyClick(picker.edit, Qt.Key.Key_Up)
    QTest.keyClick(picker.edit, Qt.Key.Key_Delete)
    assert shown.indicators.studies == []


def test_the_list_finds_by_any_word_and_reports_no_match(qtbot: QtBot, shown: ChartWidget) -> None:
    picker = open_list(qtbot, shown)
    assert len(rows(picker)) == len(KEYS)
    type_keys(picker.edit, "average exp")
    assert rows(picker)[0] == "Moving average, exponential"
    picker.edit.setText("moon")
    assert rows(picker) == []
    assert "No indicator" in picker.hint.text()
    QTest.keyClick(picker.edit, Qt.Key.Key_Return)
    assert shown.indicators.studies == []


def test_a_full_chart_says_so_in_the_list(qtbot: QtBot, shown: ChartWidget) -> None:
    for _ in range(10):
        shown.indicators.add("rsi")
    with pytest.raises(UsageError, match="remove one first"):
        shown.indicators.add("rsi")
    picker = open_list(qtbot, shown)
    type_keys(picker.edit, "macd")
    QTest.keyClick(picker.edit, Qt.Key.Key_Return)
    assert "remove one first" in picker.hint.text()


def test_the_buttons_beside_an_entry_hide_set_and_remove(qtbot: QtBot, shown: ChartWidget) -> None:
    study = shown.indicators.add("ema")
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
    assert shown.indicators.entry_texts() == ["EMA 20 hidden"]
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
    assert shown.indicators.studies == []
    assert not buttons.isVisible()


def test_the_menu_of_a_pane_offers_its_indicators(qtbot: QtBot, shown: ChartWidget) -> None:
    shown.indicators.add("ema")
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
    assert shown.indicators.studies == []


def test_closing_its_pane_by_keys_removes_an_indicator(qtbot: QtBot, shown: ChartWidget) -> None:
    shown.indicators.add("atr")
    for _ in range(3):
        QTest.keyClick(shown.focusProxy(), Qt.Key.Key_F6)
    QTest.keyClick(shown.focusProxy(), Qt.Key.Key_Return)
    assert settings_of(shown).isVisible()
    QTest.keyClick(settings_of(shown), Qt.Key.Key_Escape)
    QTest.keyClick(shown.focusProxy(), Qt.Key.Key_Delete)
    settle(qtbot, shown)
    assert shown.indicators.studies == []
    assert shown.appearance.pane_layout.keys == ("price", "volume")


def test_colours_are_the_users_or_else_the_themes(qtbot: QtBot, shown: ChartWidget) -> None:
    first, second = shown.indicators.add("ema"), shown.indicators.add("sma")
    assert first.name_colour(DARK) != second.name_colour(DARK)
    assert first.name_colour(DARK) != first.name_colour(LIGHT)
    shown.indicators.open_settings(first.key)
    panel = settings_of(shown)
    panel.swatches["ema"].colour_chosen.emit("#123456")
    settle(qtbot, shown)
    assert count_of(picture(shown), "#123456") > 100
    shown.set_palette(LIGHT)
    assert first.name_colour(LIGHT).name() == "#123456"
    panel.usual.click()
    assert first.colours == {}
    panel.remove.click()
    assert [study.key for study in shown.indicators.studies] == ["sma"]


def test_settings_of_a_low_pane_open_within_the_window_and_close_by_enter(qtbot: QtBot, shown: ChartWidget) -> None:
    shown.indicators.add("atr")
    settle(qtbot, shown)
    shown.indicators.open_settings("atr")
    panel = settings_of(shown)
    assert shown.window().rect().contains(panel.geometry())
    QTest.keyClick(panel.fields["period"], Qt.Key.Key_Return)
    assert not panel.isVisible()
    assert shown.focusProxy().hasFocus()


def test_the_colour_dialog_does_not_stop_the_chart(qtbot: QtBot, shown: ChartWidget) -> None:
    study = shown.indicators.add("ema")
    shown.indicators.open_settings(study.key)
    panel = settings_of(shown)
    panel.swatches["ema"].click()
    dialog = shown.window().findChild(QColorDialog)
    dialog.setCurrentColor(QColor("#a1b2c3"))
    dialog.accept()
    assert study.colours == {"ema": "#a1b2c3"}
    assert panel.isVisible()
