"""Every control has a name for a screen reader, can be reached by Tab, and shows when it has the focus."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QAccessible, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDialog, QRadioButton, QScrollBar, QSplitterHandle, QWidget
from pytestqt.qtbot import QtBot

from app.market.interval import Interval
from app.market.series.series import CandleSeries
from tests.widgets.cleanup import close_and_delete
from tests.widgets.conftest import BTCUSDT, ETHUSDT
from tests.widgets.dialogs.test_database_dialog import EMBEDDED, MEANINGS, REMOTE, parts_of
from widgets.chart.chart_widget import ChartWidget
from widgets.dialogs.database_dialog import DatabaseDialog
from widgets.dialogs.export.export_dialog import ExportDialog
from widgets.dialogs.export.rows_fields import FormStart
from widgets.symbols.symbols_dialog import SymbolsDialog
from widgets.theme.palettes import DARK, LIGHT, Palette
from widgets.view_values import WatchRow
from widgets.window.bars.notice_bar import NoticeAction
from widgets.window.main_window import MainWindow
from widgets.workspace.chart_grid import ChartGrid
from widgets.workspace.grid_layout import split_of


@pytest.fixture
def full_window(qtbot: QtBot, prepared: QApplication) -> Iterator[MainWindow]:
    """A window with the real chart, a notice, an indicator with its own pane, and open diagnostics."""
    chart = ChartWidget()
    window = MainWindow(chart)
    window.resize(1500, 1000)
    window.set_symbols([BTCUSDT, ETHUSDT])
    window.set_symbol(BTCUSDT)
    window.set_interval(Interval.parse("1m"))
    window.set_price_style("Candles")
    window.set_watchlist([WatchRow(BTCUSDT, 61693.94, -0.53), WatchRow(ETHUSDT, 2683.25, 14.1)])
    window.set_notice("The database cannot be reached.", tuple(NoticeAction))
    series = CandleSeries("BTCUSDT", Interval.parse("1m"))
    series.replace_columns(
        [series.interval.slot_open_us(12_000_000 + at) for at in range(300)],
        **{name: [100.0 + at % 9 for at in range(300)] for name in ("open", "high", "low", "close")},
        volume=[1.0] * 300,
    )
    chart.set_series(series, BTCUSDT)
    chart.indicators.add("rsi")
    window.show()
    qtbot.waitExposed(window)
    window.toggle_diagnostics()
    window.activateWindow()
    QApplication.processEvents()
    yield window
    window.allow_close()
    close_and_delete(window)


def widgets_without_name(window: QWidget) -> list[str]:
    """Return the visible widgets that take the focus but have no name for a screen reader."""
    found = []
    for widget in window.findChildren(QWidget):
        if not widget.isVisible() or isinstance(widget, QScrollBar | QSplitterHandle):
            continue
        if widget.focusPolicy() == Qt.FocusPolicy.NoFocus or widget.focusProxy() is not None:
            continue
        spoken = QAccessible.queryAccessibleInterface(widget)
        if spoken is None or not spoken.text(QAccessible.Text.Name).strip():
            found.append(f"{type(widget).__name__} {widget.objectName()} in {type(widget.parent()).__name__}")
    return found


OPENERS: dict[str, Callable[[MainWindow], object]] = {
    "nothing": lambda window: None,
    "symbol picker": lambda window: window.choosers.open_picker("b"),
    "adding": lambda window: window.choosers.open_picker(adding=True),
    "interval entry": lambda window: window.choosers.open_entry("13x"),
    "indicators": lambda window: window.chart.open_indicators(),
    "indicator's settings": lambda window: window.chart.indicators.open_settings("rsi"),
    "template's name": lambda window: window.chart.templates.open_save(),
    "zones": lambda window: window.chart.open_zone_picker(),
    "date": lambda window: window.chart.open_date_entry(),
    "keys": lambda window: window.keys_overview.toggle(),
}


@pytest.mark.parametrize("opener", OPENERS)
def test_every_usable_control_has_a_name(full_window: MainWindow, opener: str) -> None:
    OPENERS[opener](full_window)
    QApplication.processEvents()
    assert widgets_without_name(full_window) == []


DIALOGS: dict[str, Callable[[], QDialog]] = {
    "export": lambda: ExportDialog([BTCUSDT], FormStart(BTCUSDT, Interval.parse("1m"), None, 10**15, Path())),
    "symbols": lambda: SymbolsDialog(["BTCUSDT"], [BTCUSDT, ETHUSDT]),
    "embedded database": lambda: DatabaseDialog(EMBEDDED, MEANINGS, read_url=parts_of),
    "server": lambda: DatabaseDialog(REMOTE, MEANINGS, read_url=parts_of),
}


@pytest.mark.parametrize("dialog", DIALOGS)
def test_everything_in_a_dialog_has_a_name_and_is_reached_by_tab(
    qtbot: QtBot, prepared: QApplication, dialog: str
) -> None:
    made = DIALOGS[dialog]()
    qtbot.addWidget(made)
    made.show()
    made.activateWindow()
    QApplication.processEvents()
    assert widgets_without_name(made) == []
    first = made.focusWidget()
    assert first is not None
    reached: list[QWidget] = []
    while (control := QApplication.focusWidget()) is not None and control not in reached:
        reached.append(control)
        QTest.keyClick(control, Qt.Key.Key_Tab)
    # Tab reaches only the checked one of a group of radio buttons; the arrow keys reach the others.
    left_out = [one for one in controls_of(made) if one not in reached and not isinstance(one, QRadioButton)]
    assert [f"{type(one).__name__} {one.accessibleName()}" for one in left_out] == []


def controls_of(window: QWidget) -> list[QWidget]:
    """Return the visible controls that Tab must reach."""
    return [
        widget
        for widget in window.findChildren(QWidget)
        if widget.isVisible() and widget.isEnabled() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        if widget.focusProxy() is None and not isinstance(widget, QScrollBar)
    ]


@pytest.mark.parametrize("palette", [DARK, LIGHT], ids=lambda palette: palette.name)
def test_tab_alone_reaches_every_control_which_shows_its_focus(full_window: MainWindow, palette: Palette) -> None:
    full_window.set_palette(palette)
    full_window.chart.set_palette(palette)
    full_window.top_bar.symbol.setFocus(Qt.FocusReason.TabFocusReason)
    reached: list[QWidget] = []
    unseen: list[str] = []
    while (control := QApplication.focusWidget()) is not None and control not in reached:
        reached.append(control)
        with_focus = picture_of(full_window, control)
        full_window.focusNextPrevChild(True)
        if picture_of(full_window, control) == with_focus:
            unseen.append(f"{type(control).__name__} {control.accessibleName()}")
    assert [
        f"{type(one).__name__} {one.accessibleName()}" for one in controls_of(full_window) if one not in reached
    ] == []
    assert unseen == []


def picture_of(window: MainWindow, control: QWidget) -> QImage:
    QApplication.processEvents()
    return window.grab(QRect(control.mapTo(window, QPoint()), control.size())).toImage()


@pytest.mark.parametrize("palette", [DARK, LIGHT], ids=lambda palette: palette.name)
def test_several_charts_have_names_and_tab_reaches_their_heads(
    qtbot: QtBot, prepared: QApplication, palette: Palette
) -> None:
    grid = ChartGrid()
    for key in (1, 2):
        grid.add(key, ChartWidget()).head.set_chart(BTCUSDT, Interval.parse("15m"))
    grid.show_layout(split_of(True, (1, 2)))
    grid.set_active(1)
    grid.set_palette(palette)
    grid.resize(960, 600)
    qtbot.addWidget(grid)
    grid.show()
    qtbot.waitExposed(grid)
    grid.activateWindow()
    QApplication.processEvents()
    grid.frames[1].chart.setFocus()
    assert widgets_without_name(grid) == []
    reached: list[QWidget] = []
    while (control := QApplication.focusWidget()) is not None and control not in reached:
        reached.append(control)
        QTest.keyClick(control, Qt.Key.Key_Tab)
    left_out = [one for one in controls_of(grid) if one not in reached]
    assert [f"{type(one).__name__} {one.accessibleName()}" for one in left_out] == []
    assert {"Close the chart", "Maximise the chart", "Not linked"} <= {one.accessibleName() for one in reached}
