"""Everything that can be used has a name to be read aloud, can be reached by Tab, and shows when it is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator

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
from widgets.dialogs.export_dialog import ExportDialog
from widgets.symbols.symbols_dialog import SymbolsDialog
from widgets.theme.palettes import DARK, LIGHT, Palette
from widgets.view_values import WatchRow
from widgets.window.main_window import MainWindow
from widgets.window.notice_bar import NoticeAction


@pytest.fixture
def whole(qtbot: QtBot, prepared: QApplication) -> Iterator[MainWindow]:
    """The window with the real chart, a notice, an indicator with a pane, and the diagnostics open."""
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
    chart.add_indicator("rsi")
    window.show()
    qtbot.waitExposed(window)
    window.toggle_diagnostics()
    window.activateWindow()
    QApplication.processEvents()
    yield window
    window.allow_close()
    close_and_delete(window)


def nameless(window: QWidget) -> list[str]:
    """Which visible widgets take the focus, or clicks, and tell a screen reader no name."""
    found = []
    for widget in window.findChildren(QWidget):
        if not widget.isVisible() or isinstance(widget, QScrollBar | QSplitterHandle):
            continue
        if widget.focusPolicy() == Qt.FocusPolicy.NoFocus or widget.focusProxy() is not None:
            continue
        told = QAccessible.queryAccessibleInterface(widget)
        if told is None or not told.text(QAccessible.Text.Name).strip():
            found.append(f"{type(widget).__name__} {widget.objectName()} in {type(widget.parent()).__name__}")
    return found


OPENERS: dict[str, Callable[[MainWindow], object]] = {
    "nothing": lambda window: None,
    "symbol picker": lambda window: window.open_symbol_picker("b"),
    "adding": lambda window: window.open_symbol_picker(adding=True),
    "interval entry": lambda window: window.open_interval_entry("13x"),
    "indicators": lambda window: window.chart.open_indicators(),
    "indicator's settings": lambda window: window.chart.open_study_settings("rsi"),
    "zones": lambda window: window.chart.open_zone_picker(),
    "date": lambda window: window.chart.open_date_entry(),
    "keys": lambda window: window.keys_overview.toggle(),
}


@pytest.mark.parametrize("opener", OPENERS)
def test_everything_that_can_be_used_has_a_name(whole: MainWindow, opener: str) -> None:
    OPENERS[opener](whole)
    QApplication.processEvents()
    assert nameless(whole) == []


DIALOGS: dict[str, Callable[[], QDialog]] = {
    "export": lambda: ExportDialog([BTCUSDT], BTCUSDT, Interval.parse("1m")),
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
    assert nameless(made) == []
    first = made.focusWidget()
    assert first is not None
    reached: list[QWidget] = []
    while (control := QApplication.focusWidget()) is not None and control not in reached:
        reached.append(control)
        QTest.keyClick(control, Qt.Key.Key_Tab)
    # Of radio buttons that belong together, Tab reaches the chosen one, and arrows the others.
    left_out = [one for one in controls_of(made) if one not in reached and not isinstance(one, QRadioButton)]
    assert [f"{type(one).__name__} {one.accessibleName()}" for one in left_out] == []


def controls_of(window: QWidget) -> list[QWidget]:
    """The visible controls that Tab is to reach."""
    return [
        widget
        for widget in window.findChildren(QWidget)
        if widget.isVisible() and widget.isEnabled() and widget.focusPolicy() & Qt.FocusPolicy.TabFocus
        if widget.focusProxy() is None and not isinstance(widget, QScrollBar)
    ]


@pytest.mark.parametrize("palette", [DARK, LIGHT], ids=lambda palette: palette.name)
def test_tab_alone_reaches_every_control_and_shows_it(whole: MainWindow, palette: Palette) -> None:
    whole.set_palette(palette)
    whole.chart.set_palette(palette)
    whole.top_bar.symbol.setFocus(Qt.FocusReason.TabFocusReason)
    reached: list[QWidget] = []
    unseen: list[str] = []
    while (control := QApplication.focusWidget()) is not None and control not in reached:
        reached.append(control)
        with_focus = look_of(whole, control)
        whole.focusNextPrevChild(True)
        if look_of(whole, control) == with_focus:
            unseen.append(f"{type(control).__name__} {control.accessibleName()}")
    assert [f"{type(one).__name__} {one.accessibleName()}" for one in controls_of(whole) if one not in reached] == []
    assert unseen == []


def look_of(window: MainWindow, control: QWidget) -> QImage:
    QApplication.processEvents()
    return window.grab(QRect(control.mapTo(window, QPoint()), control.size())).toImage()
