"""Adding, setting, hiding and removing indicators: in the picker, at their entries, in menus and by keys."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtGui import QColor, QContextMenuEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QColorDialog, QComboBox, QMenu, QSpinBox
from pytestqt.qtbot import QtBot

from app.market.errors import UsageError
from app.market.indicators import indicators
from tests.widgets.chart.charts import (
    FIRST_SLOT,
    canvas_of,
    count_of,
    picture,
    place,
    settle,
)
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.indicators.entry_buttons import EntryButtons, FoldButton
from widgets.chart.indicators.picker import IndicatorPicker
from widgets.chart.indicators.settings_panel import SettingsPanel
from widgets.chart.model.line_style import LineDash, LineStyle
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
    viewport = canvas_of(shown).viewport()
    drawn = count_of(picture(shown), study.name_colour(DARK).name())
    assert shown.findChild(EntryButtons) is None
    QTest.mouseMove(viewport, QPoint(300, 300))
    QTest.mouseMove(viewport, QPoint(30, 40))
    buttons = shown.findChild(EntryButtons)
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


def context_menu(chart: ChartWidget, where: QPoint) -> QMenu:
    """A right click there; return the menu that opens."""
    viewport = canvas_of(chart).viewport()
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, where, viewport.mapToGlobal(where))
    QApplication.sendEvent(viewport, event)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    return menu


def choose(menu: QMenu, text: str) -> None:
    action = next(action for action in menu.actions() if action.text() == text)
    assert action.isEnabled()
    action.trigger()
    menu.close()


def test_the_buttons_of_an_entry_cover_no_other_entry(qtbot: QtBot, shown: ChartWidget) -> None:
    for key in indicators():
        shown.indicators.add(key.key)
    shown.resize(1000, 700)
    settle(qtbot, shown)
    entries = list(shown.indicators.entries)
    over_prices = [entry for entry in entries if entry.pane == "price"]
    assert len({entry.rect.top() for entry in over_prices}) == len(over_prices)
    for entry in entries:
        if entry.rect.isEmpty():
            continue
        QTest.mouseMove(canvas_of(shown).viewport(), entry.rect.center().toPoint())
        settle(qtbot, shown)
        buttons = shown.findChild(EntryButtons)
        assert buttons.key == entry.key
        room = QRectF(buttons.geometry())
        others = [one for one in shown.indicators.entries if one.key != entry.key]
        assert not any(room.adjusted(0, 3, 0, -3).intersects(one.rect) for one in others), entry.key
        assert room.left() >= next(one for one in shown.indicators.entries if one.key == entry.key).rect.right() - 1


def test_a_right_click_on_a_name_or_a_line_is_about_that_indicator(qtbot: QtBot, shown: ChartWidget) -> None:
    shown.indicators.add("ema")
    sma = shown.indicators.add("sma", {"period": 2})  # at 105 throughout
    settle(qtbot, shown)
    name = next(entry for entry in shown.indicators.entries if entry.key == "sma").rect.center().toPoint()
    choose(context_menu(shown, name), "Hide")
    assert sma.is_hidden
    settle(qtbot, shown)
    choose(context_menu(shown, name), "Show")
    shown.indicators.remove("ema")
    settle(qtbot, shown)
    line = place(shown, FIRST_SLOT + 190, 105).toPoint()
    choose(context_menu(shown, line), "Duplicate")
    assert [study.label for study in shown.indicators.studies] == ["SMA 2", "SMA 2"]
    assert len({study.name_colour(DARK).name() for study in shown.indicators.studies}) == 2
    settings_of(shown).dismiss()
    settle(qtbot, shown)
    texts = [action.text() for action in context_menu(shown, line + QPoint(0, 60)).actions()]
    assert any(text.startswith("Indicators…") for text in texts)  # no line there: the pane's menu
    QApplication.activePopupWidget().close()


def test_an_indicator_moves_to_a_pane_of_its_own_and_back_and_among_the_others(
    qtbot: QtBot, shown: ChartWidget
) -> None:
    for key in ("ema", "sma"):
        shown.indicators.add(key)
    settle(qtbot, shown)

    def name() -> QPoint:
        return next(entry for entry in shown.indicators.entries if entry.key == "sma").rect.center().toPoint()

    choose(context_menu(shown, name()), "Move up")
    assert [study.key for study in shown.indicators.studies] == ["sma", "ema"]
    settle(qtbot, shown)
    choose(context_menu(shown, name()), "Move to a pane of its own")
    assert shown.appearance.pane_layout.keys == ("price", "volume", "sma")
    look = shown.appearance_values()
    shown.restore_appearance({})
    shown.restore_appearance(look)
    settle(qtbot, shown)
    assert shown.appearance.pane_layout.keys == ("price", "volume", "sma")
    choose(context_menu(shown, name()), "Move up")
    assert shown.appearance.pane_layout.keys == ("price", "sma", "volume")
    settle(qtbot, shown)
    choose(context_menu(shown, name()), "Move over the prices")
    assert shown.appearance.pane_layout.keys == ("price", "volume")
    assert {study.key for study in shown.indicators.studies} == {"sma", "ema"}


def test_values_are_copied_as_plain_numbers(qtbot: QtBot, shown: ChartWidget) -> None:
    shown.indicators.add("cvd")
    shown.indicators.add("sma", {"period": [2, 4]})
    settle(qtbot, shown)
    shown.indicators.copy_values("sma")
    assert QApplication.clipboard().text() == "SMA 2 4\t105.00\t105.00"
    shown.indicators.copy_values("cvd")
    assert QApplication.clipboard().text() == "CVD\t-200.000"
    assert shown.sentence == "Copied: the values of CVD."


def test_rows_of_indicators_fold_into_one_and_stay_folded(qtbot: QtBot, shown: ChartWidget) -> None:
    for key in ("ema", "sma", "vwap"):
        shown.indicators.add(key)
    settle(qtbot, shown)
    fold = shown.findChild(FoldButton)
    assert fold.isVisible()
    QTest.mouseClick(fold, Qt.MouseButton.LeftButton)
    settle(qtbot, shown)
    assert fold.text() == "3 indicators"
    assert all(entry.rect.isEmpty() for entry in shown.indicators.entries)
    look = shown.appearance_values()
    fold.setFocus()
    QTest.keyClick(fold, Qt.Key.Key_Space)
    settle(qtbot, shown)
    assert fold.text() == ""
    assert not any(entry.rect.isEmpty() for entry in shown.indicators.entries)
    shown.restore_appearance(look)
    settle(qtbot, shown)
    assert fold.text() == "3 indicators"
    for study in shown.indicators.studies[1:]:
        shown.indicators.remove(study.key)
    settle(qtbot, shown)
    assert not fold.isVisible()
    assert not any(entry.rect.isEmpty() for entry in shown.indicators.entries)


def test_no_field_of_the_settings_is_a_window_of_its_own_for_a_moment(
    qtbot: QtBot, shown: ChartWidget, shown_windows: list[str]
) -> None:
    for name in ("sma", "macd"):
        shown.indicators.open_settings(shown.indicators.add(name).key)
    panel = settings_of(shown)
    assert not {"QComboBox", "QPushButton", "QToolButton", "QSpinBox"} & set(shown_windows)
    assert any(line.width_box.isVisible() for line in panel.lines.values())
    shown.indicators.open_settings(shown.indicators.add("sma").key)
    QTest.mouseClick(settings_of(shown).add, Qt.MouseButton.LeftButton)
    assert all(button.isVisible() for button in settings_of(shown).remove_buttons)
    assert not {"QComboBox", "QPushButton", "QToolButton", "QSpinBox"} & set(shown_windows)


def test_several_periods_are_one_entry_with_a_line_and_a_look_each(qtbot: QtBot, shown: ChartWidget) -> None:
    study = shown.indicators.add("sma")
    shown.indicators.open_settings(study.key)
    panel = settings_of(shown)
    QTest.mouseClick(panel.add, Qt.MouseButton.LeftButton)
    assert study.label == "SMA 20 50"
    period = panel.repeat_fields[1]
    assert isinstance(period, QSpinBox)
    assert period.hasFocus()
    period.setValue(2)
    panel.lines["sma.2"].width_box.setCurrentIndex(4)
    panel.lines["sma.2"].dash_box.setCurrentText("Dotted")
    choose_colour(panel, "sma.2", "Green")
    settle(qtbot, shown)
    assert shown.indicators.entry_texts() == ["SMA 20 2 105.00 105.00"]
    assert study.styles == {"sma.2": LineStyle(4.0, LineDash.DOTTED)}
    assert study.colours == {"sma.2": "line-6"}
    assert study.colour_of(LIGHT, "sma.2") != study.colour_of(DARK, "sma.2")
    period.setValue(20)  # on the way to 200, say
    assert study.label == "SMA 20 2"
    assert not panel._refusal.isHidden()
    period.setValue(200)
    assert study.label == "SMA 20 200"
    QTest.mouseClick(panel.remove_buttons[0], Qt.MouseButton.LeftButton)
    assert study.label == "SMA 200"
    assert study.styles == {"sma": LineStyle(4.0, LineDash.DOTTED)}
    assert study.colours == {"sma": "line-6"}
    look = shown.appearance_values()
    shown.restore_appearance({})
    shown.restore_appearance(look)
    (restored,) = shown.indicators.studies
    assert (restored.label, restored.styles, restored.colours) == (study.label, study.styles, study.colours)
    assert panel.usual.text() == "Reset"
    panel.dismiss()


def choose_colour(panel: SettingsPanel, output: str, name: str) -> None:
    panel.swatches[output].click()
    menu = panel.swatches[output].findChildren(QMenu)[-1]
    choose(menu, name)


def test_an_entry_of_an_older_version_loads_as_it_was(qtbot: QtBot, shown: ChartWidget) -> None:
    old = {
        "key": "ema",
        "indicator": "ema",
        "settings": {"period": 50, "source": "hl2"},
        "colours": {"ema": "#123456"},
        "seat": 3,
        "hidden": False,
    }
    shown.restore_appearance({"indicators": [old]})
    (study,) = shown.indicators.studies
    assert (study.label, study.colours, study.seats) == ("EMA 50 hl2", {"ema": "#123456"}, (3,))
    assert study.style_of(study.outputs[0]) == LineStyle(1.5, LineDash.SOLID)


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


@pytest.mark.parametrize("key", ["ema", "macd", "rsi"])
def test_an_indicators_settings_are_as_large_as_their_texts(qtbot: QtBot, shown: ChartWidget, key: str) -> None:
    shown.resize(1000, 700)
    study = shown.indicators.add(key)
    shown.indicators.open_settings(study.key)
    panel = settings_of(shown)
    settle(qtbot, shown)
    assert not panel._scroll.verticalScrollBar().isVisible()
    assert not panel._scroll.horizontalScrollBar().isVisible()
    for line in panel.lines.values():
        for box in (line.width_box, line.dash_box):
            texts = (box.fontMetrics().horizontalAdvance(box.itemText(at)) for at in range(box.count()))
            assert box.isHidden() or box.width() >= max(texts) + box.iconSize().width() + 40


def test_swatches_have_the_colours_drawn(qtbot: QtBot, shown: ChartWidget) -> None:
    study = shown.indicators.add("macd")
    shown.indicators.open_settings(study.key)
    panel = settings_of(shown)
    settle(qtbot, shown)
    drawn = [colour.name() for colour in study.drawn_as(DARK, "histogram")]
    assert len(drawn) == 2  # above zero, and below
    swatch = panel.swatches["histogram"].grab().toImage()
    middle = swatch.height() // 2
    assert [swatch.pixelColor(x, middle).name() for x in (8, swatch.width() - 8)] == drawn
    panel.swatches["histogram"].colour_chosen.emit("#123456")
    settle(qtbot, shown)
    assert [colour.name() for colour in study.drawn_as(DARK, "histogram")] == ["#123456"]
    assert count_of(picture(shown), "#123456") > 20


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
    (menu,) = panel.swatches["ema"].findChildren(QMenu)
    next(action for action in menu.actions() if action.text() == "Other colour…").trigger()
    menu.close()
    dialog = shown.window().findChild(QColorDialog)
    dialog.setCurrentColor(QColor("#a1b2c3"))
    dialog.accept()
    assert study.colours == {"ema": "#a1b2c3"}
    assert panel.isVisible()
