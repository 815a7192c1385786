"""Templates of indicators on the chart: saved, applied, renamed, deleted and taken back, by mouse and keys."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QMenu
from pytestqt.qtbot import QtBot

from app.market.errors import UsageError
from tests.widgets.chart.charts import settle
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.indicators.picker import IndicatorPicker
from widgets.chart.interaction.template_controller import TemplateEntry
from widgets.chart.model.chart_style import ChartStyle


@pytest.fixture
def trend(qtbot: QtBot, shown: ChartWidget) -> ChartWidget:
    """A chart with a template of two indicators, and another one on it."""
    shown.indicators.add("ema", {"period": [9, 21]})
    shown.indicators.add("rsi")
    shown.indicators.change("rsi", shown.indicators.studies[1].settings, {"rsi": "#123456"})
    shown.templates.save("Trend & more")
    for study in shown.indicators.studies:
        shown.indicators.remove(study.key)
    shown.indicators.add("macd")
    settle(qtbot, shown)
    return shown


def on_chart(chart: ChartWidget) -> list[str]:
    return [study.label for study in chart.indicators.studies]


def texts(menu: QMenu) -> list[str]:
    return [action.text().partition("\t")[0] for action in menu.actions() if not action.isSeparator()]


def menu_of(chart: ChartWidget) -> QMenu:
    menu = QMenu(chart)
    chart.templates.fill_menu(menu)
    return menu


def done(chart: ChartWidget, call: Callable[[], object]) -> tuple[str, Callable[[], None] | None]:
    """Do something; return what the chart says of it, and the call that undoes it."""
    offers: list[tuple[str, Callable[[], None] | None]] = []
    connection = chart.undo_offered.connect(lambda text, undo: offers.append((text, undo)))
    call()
    chart.disconnect(connection)
    (offer,) = offers
    return offer


def test_a_template_replaces_all_indicators_and_one_key_takes_it_back(qtbot: QtBot, trend: ChartWidget) -> None:
    before, panes = on_chart(trend), trend.appearance.pane_layout
    menu = menu_of(trend)
    (action,) = [one for one in menu.actions() if one.text() == "Trend && more"]
    with qtbot.waitSignal(trend.appearance_changed):
        said, undo = done(trend, action.trigger)
    settle(qtbot, trend)
    assert on_chart(trend) == ["EMA 9 21", "RSI 14"]
    assert trend.indicators.studies[1].colours == {"rsi": "#123456"}
    assert trend.appearance.pane_layout.keys == ("price", "volume", "rsi")
    assert said == "Template “Trend & more” applied."
    assert undo is not None
    trend.indicators.remove("rsi")
    undo()
    settle(qtbot, trend)
    assert (on_chart(trend), trend.appearance.pane_layout) == (before, panes)
    assert "Take back: apply “Trend && more”" in texts(menu_of(trend))
    assert trend.templates.undo()  # does it again, with what was changed since
    assert on_chart(trend) == ["EMA 9 21"]


def test_a_name_is_typed_and_one_that_is_taken_is_replaced_only_after_a_warning(
    qtbot: QtBot, trend: ChartWidget
) -> None:
    next(action for action in menu_of(trend).actions() if action.text().startswith("Save")).trigger()
    entry = trend.window().findChild(TemplateEntry)
    QTest.keyClick(entry.edit, Qt.Key.Key_Return)
    assert entry.message.text() == "Type a name for the template."
    QTest.keyClicks(entry.edit, "TREND & MORE")
    assert entry.message.text() == "Enter replaces the template “Trend & more”"
    QTest.keyClick(entry.edit, Qt.Key.Key_Return)
    assert trend.templates.templates.names == ["TREND & MORE"]
    trend.templates.apply("trend & more")
    assert on_chart(trend) == ["MACD 12 26 9"]
    said, undo = done(trend, lambda: trend.templates.save("trend & more"))
    assert said == "Template “trend & more” saved in place of the one before."
    assert undo is not None
    undo()
    assert trend.templates.templates.names == ["TREND & MORE"]


def test_a_template_is_renamed_and_deleted_and_the_deletion_taken_back(qtbot: QtBot, trend: ChartWidget) -> None:
    trend.templates.save("Other")
    trend.templates.open_rename("Other")
    entry = [one for one in trend.window().findChildren(TemplateEntry) if one.isVisible()][-1]
    assert entry.edit.selectedText() == "Other"
    QTest.keyClicks(entry.edit, "trend & MORE")
    QTest.keyClick(entry.edit, Qt.Key.Key_Return)
    assert entry.message.text() == "There is a template “Trend & more” already: type another name."
    entry.edit.setText("Momentum")
    QTest.keyClick(entry.edit, Qt.Key.Key_Return)
    assert trend.templates.templates.names == ["Momentum", "Trend & more"]
    with pytest.raises(UsageError):
        trend.templates.rename("Momentum", "TREND & more")
    said, undo = done(trend, lambda: trend.templates.delete("Momentum"))
    assert said == "Template “Momentum” deleted."
    assert trend.templates.templates.names == ["Trend & more"]
    assert undo is not None
    undo()
    assert trend.templates.templates.names == ["Momentum", "Trend & more"]
    assert on_chart(trend) == ["MACD 12 26 9"]  # that was no change of the indicators


def test_templates_are_remembered_with_the_chart_and_damage_is_named_in_the_menu(trend: ChartWidget) -> None:
    values = trend.appearance_values()
    values["templates"].append({"name": "broken"})
    again = ChartWidget()
    again.restore_appearance(values)
    assert again.templates.templates.names == ["Trend & more"]
    assert again.appearance_values()["templates"] == values["templates"]
    menu = menu_of(again)
    assert "1 could not be read and were left out" in texts(menu)
    again.templates.apply("Trend & more")
    assert on_chart(again) == ["EMA 9 21", "RSI 14"]
    again.deleteLater()


def test_unknown_indicators_of_a_template_are_left_out_and_that_is_said(trend: ChartWidget) -> None:
    templates = trend.templates.templates
    templates.save("Mixed", [*templates.indicators("trend & more"), {"key": "moon-phase", "indicator": "moon-phase"}])
    said, _ = done(trend, lambda: trend.templates.apply("Mixed"))
    assert on_chart(trend) == ["EMA 9 21", "RSI 14"]
    assert said == "Template “Mixed” applied, but for 1 that this chart cannot show."


def test_an_indicator_over_the_volume_brings_the_volume_back(qtbot: QtBot, trend: ChartWidget) -> None:
    trend.indicators.add("volume-average")
    trend.templates.save("Volume")
    trend.appearance.set_pane_layout(trend.appearance.pane_layout.without("volume"))
    trend.templates.apply("Volume")
    assert "volume" in trend.appearance.pane_layout.keys
    trend.appearance.set_chart_style(ChartStyle(underlaid=True))
    trend.templates.apply("Volume")
    assert "volume" not in trend.appearance.pane_layout.keys
    assert "volume-average" in [study.key for study in trend.indicators.studies]


def test_the_list_of_indicators_and_the_chart_s_menu_lead_to_the_templates(qtbot: QtBot, trend: ChartWidget) -> None:
    trend.open_indicators()
    picker = trend.window().findChild(IndicatorPicker)
    asked: list[QPoint] = []
    trend.indicators.open_templates = asked.append
    QTest.mouseClick(picker.templates, Qt.MouseButton.LeftButton)
    assert len(asked) == 1
    assert not picker.isVisible()
    for study in trend.indicators.studies:
        trend.indicators.remove(study.key)
    trend.templates.delete("Trend & more")
    menu = menu_of(trend)
    enabled = {action.text().partition("\t")[0]: action.isEnabled() for action in menu.actions()}
    assert not enabled["No templates yet"]
    assert not enabled["Save these indicators as…"]
    assert not enabled["Rename"]
    assert enabled["Take back: delete “Trend && more”"]


def test_with_nothing_to_take_back_nothing_is_offered(shown: ChartWidget) -> None:
    assert shown.templates.undo() is False
    assert not any(text.startswith("Take back") for text in texts(menu_of(shown)))
