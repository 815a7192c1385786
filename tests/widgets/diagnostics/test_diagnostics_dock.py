"""The diagnostics dock: opening and closing it, its plots, its log."""

from __future__ import annotations

import json
import logging

import pytest
from PySide6.QtCore import QRectF, Qt
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from widgets.diagnostics.diagnostics_log import MAX_LINES, LogPanel
from widgets.diagnostics.metric_tile import MetricTile, polylines, value_with_unit
from widgets.theme import text_size
from widgets.theme.palettes import DARK, LIGHT
from widgets.view_values import LogLine, MetricView
from widgets.window.main_window import MainWindow

PLOT = QRectF(0, 0, 100, 20)


def view(*values: float | None, name: str = "Trades received", unit: str = "/s", warns: bool = False) -> MetricView:
    return MetricView(name, "What it means", unit, values, warns)


def line(words: str, level: int = logging.INFO, fields: str = "", number: int = 0) -> LogLine:
    return LogLine(1_723_161_600_000_000 + number * 1_000_000, level, "app.x", words, fields)


def shown(panel: LogPanel) -> list[str]:
    """Return the texts of the lines shown, without time and level."""
    return [one[18:] for one in panel.view.toPlainText().splitlines()]


@pytest.fixture
def panel(qtbot: QtBot, prepared: QApplication) -> LogPanel:
    made = LogPanel()
    qtbot.addWidget(made)
    made.resize(500, 200)
    made.show()
    qtbot.waitExposed(made)
    return made


def test_the_dock_is_closed_at_first_and_the_keys_open_and_close_it(window: MainWindow, qtbot: QtBot) -> None:
    dock = window.diagnostics
    assert not dock.isVisible()
    with qtbot.waitSignal(dock.opened):
        qtbot.keyClick(window, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert dock.isVisible()
    assert dock.log.filter.hasFocus()
    qtbot.keyClick(window, Qt.Key.Key_D, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
    assert not dock.isVisible()


def test_the_menu_opens_the_dock_and_its_cross_closes_it(window: MainWindow) -> None:
    menu = window.top_bar.menu_button.menu()
    (action,) = [one for one in menu.actions() if one.text().startswith("Diagnostics")]
    action.trigger()
    assert window.diagnostics.isVisible()
    window.diagnostics.close_button.click()
    assert not window.diagnostics.isVisible()
    assert window.chart.hasFocus()


def test_the_layout_remembers_whether_the_dock_is_open(window: MainWindow, qtbot: QtBot) -> None:
    closed = window.layout_bytes()
    window.toggle_diagnostics()
    opened = window.layout_bytes()
    other = MainWindow(QWidget())
    qtbot.addWidget(other)
    other.show()
    assert other.restore_layout(opened)
    assert other.diagnostics.isVisible()
    assert other.restore_layout(closed)
    assert not other.diagnostics.isVisible()
    other.allow_close()


def test_the_division_of_the_dock_and_the_logs_filter_are_restored(window: MainWindow, qtbot: QtBot) -> None:
    dock = window.diagnostics
    unmoved = dock.layout_values()
    dock.show()
    qtbot.waitExposed(dock)
    assert dock.layout_values() == unmoved == {"plots_share": 0.5, "level": logging.NOTSET, "filter": ""}
    plots, log = dock.splitter.sizes()
    dock.splitter.moveSplitter((plots + log) // 3, 1)
    dock.log.level.setCurrentIndex(dock.log.level.findData(logging.WARNING))
    dock.log.filter.setText("BTCUSDT")
    values = json.loads(json.dumps(dock.layout_values()))
    assert values["plots_share"] == pytest.approx(1 / 3, abs=0.02)
    other = MainWindow(QWidget())
    qtbot.addWidget(other)
    other.restore_layout(window.layout_bytes())
    other.resize(window.size())  # the restored size is limited to the screen, which is small without a display
    other.diagnostics.restore_layout(values)
    assert other.diagnostics.layout_values() == values
    other.show()
    qtbot.waitExposed(other)
    plots, log = other.diagnostics.splitter.sizes()
    assert plots / (plots + log) == pytest.approx(1 / 3, abs=0.02)
    other.diagnostics.log.add([line("of ETHUSDT", logging.ERROR), line("of BTCUSDT"), line("BTCUSDT!", logging.ERROR)])
    assert shown(other.diagnostics.log) == ["BTCUSDT!"]


@pytest.mark.parametrize(
    "values", [{}, {"plots_share": 7.0, "level": 11, "filter": 5}, {"plots_share": "x", "filter": "x" * 999}]
)
def test_invalid_layout_values_change_nothing(window: MainWindow, values: dict[str, object]) -> None:
    before = window.diagnostics.layout_values()
    window.diagnostics.restore_layout(values)
    assert window.diagnostics.layout_values() == before


def test_a_layout_older_than_the_diagnostics_leaves_them_closed(window: MainWindow, qtbot: QtBot) -> None:
    before = MainWindow(QWidget())
    qtbot.addWidget(before)
    before.removeDockWidget(before.diagnostics)
    before.diagnostics.setParent(None)
    state = before.layout_bytes()
    before.diagnostics.deleteLater()
    before.allow_close()
    assert window.restore_layout(state)
    assert not window.diagnostics.isVisible()
    window.toggle_diagnostics()
    assert window.diagnostics.isVisible()


def test_everything_in_the_dock_has_a_name_and_is_reached_by_the_keyboard(window: MainWindow) -> None:
    window.toggle_diagnostics()
    dock = window.diagnostics
    dock.metrics.set_views([view(1.0)])
    reachable = (
        dock.metrics,
        dock.close_button,
        dock.log.level,
        dock.log.filter,
        dock.log.copy_button,
        dock.log.folder_button,
        dock.log.view,
    )
    for part in reachable:
        assert part.focusPolicy() & Qt.FocusPolicy.TabFocus, part
        assert part.accessibleName(), part
    assert dock.metrics.tiles[0].accessibleName() == "Trades received: 1\u00a0/s, between 1\u00a0/s and 1\u00a0/s"


@pytest.mark.parametrize("palette", [DARK, LIGHT], ids=lambda palette: palette.name)
@pytest.mark.parametrize("width", [1000, 1600])
def test_the_dock_is_drawn_in_both_themes_narrow_and_wide(window: MainWindow, palette, width: int) -> None:
    window.set_palette(palette)
    window.resize(width, 720)
    window.toggle_diagnostics()
    dock = window.diagnostics
    dock.metrics.set_views([view(*range(number)) for number in range(17)])
    dock.log.add([line("hello")])
    QApplication.processEvents()
    picture = window.grab().toImage()
    seen = {picture.pixelColor(x, y).name() for x in range(0, width - 320, 3) for y in range(430, 690, 3)}
    assert {palette.panel, palette.background} <= seen
    assert dock.log.width() + dock.metrics.width() <= dock.width()


def test_more_room_makes_more_columns_of_tiles(window: MainWindow) -> None:
    window.toggle_diagnostics()
    metrics = window.diagnostics.metrics
    metrics.set_views([view(1.0) for _ in range(6)])
    window.resize(1900, 720)
    QApplication.processEvents()
    wide = len({tile.x() for tile in metrics.tiles})
    window.resize(1000, 720)
    QApplication.processEvents()
    assert 1 <= len({tile.x() for tile in metrics.tiles}) < wide


@pytest.mark.parametrize("percent", [100, 200])
def test_opened_in_a_window_made_narrow_the_dock_cuts_no_tile(window: MainWindow, percent: int) -> None:
    dock = window.diagnostics
    dock.metrics.set_views([view(1.0, 7.0) for _ in range(19)])
    window.resize(1440, 900)
    for _ in range(2):
        window.toggle_diagnostics()
        QApplication.processEvents()
    text_size.set_percent(percent)
    try:
        window.resize(1000, 700)
        QApplication.processEvents()
        window.toggle_diagnostics()
        QApplication.processEvents()
        assert window.width() == 1000
        room = dock.metrics.viewport().width()
        for tile in dock.metrics.tiles:
            assert tile.width() >= tile.minimumSizeHint().width()
            assert tile.height() == tile.sizeHint().height()
            assert tile.geometry().right() < room
    finally:
        text_size.set_percent(100)


def test_a_tile_without_values_says_that_there_is_no_data(qtbot: QtBot, prepared: QApplication) -> None:
    tile = MetricTile(view())
    qtbot.addWidget(tile)
    assert tile.value_text == "–"
    assert tile.accessibleName() == "Trades received: –"
    assert not tile.grab().isNull()


def test_a_value_of_some_seconds_ago_is_shown_and_an_older_one_is_not(qtbot: QtBot, prepared: QApplication) -> None:
    tile = MetricTile(view(7.0, None, None, None, None))
    qtbot.addWidget(tile)
    assert tile.value_text == "7\u00a0/s"
    tile.set_view(view(7.0, None, None, None, None, None))
    assert tile.value_text == "–"


def test_a_clock_that_is_off_by_hours_is_shown_in_hours(qtbot: QtBot, prepared: QApplication) -> None:
    tile = MetricTile(MetricView("Clock skew", "", "ms", (-3 * 3_600_000.0,)))
    qtbot.addWidget(tile)
    assert tile.value_text == "−3 h"


def test_a_spike_of_one_second_in_ten_minutes_is_drawn() -> None:
    values = [1.0] * 600
    values[250] = 9.0
    (drawn,) = polylines(values, PLOT, 1.0, 9.0)
    top = min(drawn, key=lambda point: point.y())
    assert top.y() == PLOT.top()
    assert abs(top.x() - 250 / 6) < 1.5
    assert max(point.x() for point in drawn) > 99


def test_unknown_seconds_leave_a_gap() -> None:
    values = [1.0] * 20 + [None] * 20 + [2.0] * 20
    assert len(polylines(values, PLOT, 1.0, 2.0)) == 2
    assert len(polylines([1.0, None, 2.0], PLOT, 1.0, 2.0)) == 1
    assert polylines([None, None], PLOT, 0.0, 1.0) == []


def test_a_value_that_never_changes_is_a_line_in_the_middle() -> None:
    (drawn,) = polylines([5.0] * 3, PLOT, 5.0, 5.0)
    assert {point.y() for point in drawn} == {10.0}


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (312.4, "/s", "312\u00a0/s"),
        (23.0, "ms", "23\u00a0ms"),
        (0.42, "ms", "0.4\u00a0ms"),
        (1234.0, "ms", "1.23\u00a0s"),
        (-2500.0, "ms", "−2.50\u00a0s"),
        (512.3, "MB", "512\u00a0MB"),
        (100.0, "trades", "100"),
        (1_234_567.0, "", "1.23\u00a0M"),
        (None, "ms", "–"),
    ],
)
def test_values_are_shown_with_their_unit(value: float | None, unit: str, expected: str) -> None:
    assert value_with_unit(value, unit) == expected


def test_the_log_is_filtered_by_level_and_by_text_or_symbol(panel: LogPanel) -> None:
    panel.add(
        [
            line("debugging", logging.DEBUG),
            line("repaired", fields="symbol=BTCUSDT missing=3"),
            line("ETHUSDT: silent", logging.WARNING),
            line("no database", logging.ERROR),
        ]
    )
    assert shown(panel) == ["debugging", "repaired", "ETHUSDT: silent", "no database"]
    panel.level.setCurrentIndex(2)
    assert shown(panel) == ["ETHUSDT: silent", "no database"]
    assert panel.line_count.text() == "2 of 4"
    panel.level.setCurrentIndex(0)
    panel.filter.setText("btcusdt")
    assert shown(panel) == ["repaired"]
    panel.add([line("late", fields="symbol=BTCUSDT"), line("other")])
    assert shown(panel) == ["repaired", "late"]
    panel.filter.setText("nothing like it")
    assert shown(panel) == []
    assert panel.view.placeholderText() == "No line matches the filter."


def test_the_log_follows_its_end_unless_scrolled_away(panel: LogPanel) -> None:
    panel.add([line(f"line {number}", number=number) for number in range(200)])
    bar = panel.view.verticalScrollBar()
    assert panel.is_following
    panel.add([line("newest")])
    assert bar.value() == bar.maximum()
    bar.setValue(50)
    first = panel.view.firstVisibleBlock().text()
    panel.add([line("newer still")])
    assert panel.view.firstVisibleBlock().text() == first
    assert not panel.is_following


def test_only_the_last_lines_are_kept_and_the_lines_in_view_stay_in_place(panel: LogPanel) -> None:
    panel.add([line(f"line {number}") for number in range(MAX_LINES)])
    panel.view.verticalScrollBar().setValue(500)
    first = panel.view.firstVisibleBlock().text()
    panel.add([line(f"new {number}") for number in range(10)])
    texts = shown(panel)
    assert len(texts) == MAX_LINES
    assert (texts[0], texts[-1]) == ("line 10", "new 9")
    assert panel.view.firstVisibleBlock().text() == first
    panel.filter.setText("new")
    panel.add([line("plain") for _ in range(MAX_LINES - 5)])
    assert shown(panel) == [f"new {number}" for number in range(5, 10)]
    panel.add([line("plain") for _ in range(5 * MAX_LINES)])
    assert shown(panel) == []


def test_copying_takes_the_selection_or_all_that_is_shown(panel: LogPanel) -> None:
    panel.add([line("one"), line("two", logging.ERROR)])
    panel.level.setCurrentIndex(3)
    panel.copy_button.click()
    assert QApplication.clipboard().text() == "00:00:00  error   two"
    panel.level.setCurrentIndex(0)
    panel.view.selectAll()
    panel.copy_button.click()
    assert QApplication.clipboard().text().splitlines()[0].endswith("one")


def test_levels_are_coloured_by_the_theme(panel: LogPanel) -> None:
    panel.add([line("careful", logging.WARNING)])
    for palette in (DARK, LIGHT):
        panel.set_palette(palette)
        cursor = panel.view.textCursor()
        cursor.setPosition(12)
        assert cursor.charFormat().foreground().color().name() == palette.warning


def test_opening_the_folder_is_a_request(panel: LogPanel, qtbot: QtBot) -> None:
    with qtbot.waitSignal(panel.folder_requested):
        panel.folder_button.click()


def test_a_narrow_log_hides_its_buttons_and_keeps_its_filter(panel: LogPanel) -> None:
    panel.resize(320, 200)
    QApplication.processEvents()
    assert panel.filter.isVisible()
    assert panel.filter.width() >= 150
    assert panel.line_count.isHidden()
    panel.resize(700, 200)
    QApplication.processEvents()
    assert not panel.line_count.isHidden()
