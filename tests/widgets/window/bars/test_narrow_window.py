"""The window in little room: nothing leaves it, nothing overlaps, and what left the bar is in its menu."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QAction
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QWidget
from pytestqt.qtbot import QtBot

from app.market.interval import Interval
from tests.widgets.cleanup import close_and_delete
from tests.widgets.conftest import BTCUSDT, ETHUSDT, IDRT, SATS
from tests.widgets.window.long_texts import LONG_QUOTE, LONG_STATUS
from widgets.chart.chart_widget import ChartWidget
from widgets.keys import key_text
from widgets.theme import text_size
from widgets.theme.palettes import DARK
from widgets.view_values import QuoteView, WatchRow
from widgets.window.bars.top_bar_fit import BarFit, fits
from widgets.window.main_window import MainWindow
from widgets.workspace.link_badge import badge_icon

WIDTHS = (800, 960, 1100, 1280, 1440, 1920)
PERCENTS = (100, 125, 150, 175, 200)


@pytest.fixture(scope="module")
def shown(prepared: QApplication) -> Iterator[MainWindow]:
    """A window with all that it can show, for tests that change its size and that of its text."""
    made = MainWindow(ChartWidget())
    made.set_symbols([BTCUSDT, ETHUSDT, SATS, IDRT])
    made.set_interval(Interval.parse("13m"))
    made.set_interval(Interval.parse("5m"))
    made.set_symbol(BTCUSDT)
    made.set_price_style("Heikin-Ashi")
    made.top_bar.set_arrangement("4 × 4")
    made.top_bar.set_links(badge_icon(DARK, 1), "Linked: symbol, time, crosshair", "S T C")
    made.set_simulated(True)
    made.set_watchlist([WatchRow(BTCUSDT, 61693.94, -0.53), WatchRow(SATS, 0.00000012, 14.1), WatchRow(ETHUSDT)])
    made.set_quote(QuoteView(BTCUSDT, 61693.94, -0.53))
    made.set_status(LONG_STATUS)
    made.show()
    yield made
    text_size.set_percent(100)
    made.allow_close()
    close_and_delete(made)


def settle() -> None:
    for _ in range(4):
        QApplication.processEvents()


def set_room(window: MainWindow, width: int, height: int, percent: int) -> None:
    text_size.set_percent(percent)
    window.resize(width, height)
    settle()


def place(window: MainWindow, part: QWidget) -> QRect:
    return QRect(part.mapTo(window, QPoint()), part.size())


def controls(window: MainWindow) -> list[QWidget]:
    """The buttons and labels of the bars, and the side panel's handle."""
    bars = (window.top_bar, window.chart.bar, window.status_bar)
    parts = [part for bar in bars for part in bar.findChildren(QWidget) if isinstance(part, QAbstractButton | QLabel)]
    inner = window.top_bar.symbol
    return [part for part in (*parts, window.side_panel.handle) if part.isVisible() and part.parent() is not inner]


def outside(window: MainWindow) -> list[str]:
    return [_name(part) for part in controls(window) if not window.rect().contains(place(window, part))]


def overlaps(window: MainWindow) -> list[tuple[str, str]]:
    parts = [part for part in controls(window) if part is not window.side_panel.handle]
    return [
        (_name(one), _name(other))
        for number, one in enumerate(parts)
        for other in parts[number + 1 :]
        if place(window, one).intersects(place(window, other)) and not one.isAncestorOf(other)
    ]


def _name(part: QWidget) -> str:
    return f"{part.accessibleName() or getattr(part, 'text', str)()} {part.geometry().getRect()}"


@pytest.mark.parametrize("percent", PERCENTS)
@pytest.mark.parametrize("width", WIDTHS)
def test_every_control_lies_in_the_window_and_none_overlaps(shown: MainWindow, width: int, percent: int) -> None:
    set_room(shown, width, 600, percent)
    assert (shown.width(), shown.height()) == (width, 600)
    assert shown.minimumWidth() <= 800
    assert shown.minimumHeight() <= 600
    assert outside(shown) == []
    assert overlaps(shown) == []
    assert shown.top_bar.width() == shown.status_bar.width() == width
    assert shown.status_bar.geometry().bottom() < 600
    assert shown.chart.width() >= 150
    assert shown.chart.height() >= 150
    assert shown.rect().contains(place(shown, shown.chart))
    assert not place(shown, shown.chart).intersects(place(shown, shown.side_panel))


def test_larger_text_never_enlarges_the_window(shown: MainWindow) -> None:
    set_room(shown, 800, 600, 100)
    shown.side_panel.ask_open(True)
    shown.toggle_diagnostics()
    for percent in (150, 200, 400, 100):
        set_room(shown, 800, 600, percent)
        assert (shown.width(), shown.height()) == (800, 600)
        assert outside(shown) == []
    shown.toggle_diagnostics()


def test_each_part_that_left_is_in_the_overflow_menu_which_is_absent_while_empty(shown: MainWindow) -> None:
    set_room(shown, 1920, 600, 100)
    assert shown.top_bar.overflow_button.isHidden()
    for width in range(1500, 660, -40):
        set_room(shown, width, 600, 125)
        fit, listed = shown.top_bar.fit, [action.text() for action in shown.top_bar.overflow.actions()]
        assert fit.has_overflow == bool(listed) == shown.top_bar.overflow_button.isVisible()
        expected = {
            "Custom interval\t13m": fit.custom,
            f"Search symbols…\t{key_text('symbols')}": fit.search,
            f"Export…\t{key_text('export')}": fit.export,
            "Arrange charts…": fit.layout,
            "Light theme": fit.theme,
            f"Indicators…\t{key_text('indicators')}": fit.styles,
            f"Alert…\t{key_text('alert')}": fit.styles,
            f"Compare…\t{key_text('compare_symbols')}": fit.styles and fit.compare,
            f"Linked: symbol, time, crosshair…\t{key_text('link_chart')}": fit.links,
            "Heikin-Ashi…": fit.styles,
        }
        assert {text for text, is_in_bar in expected.items() if not is_in_bar} == set(listed)
        assert all(not action.icon().isNull() for action in shown.top_bar.overflow.actions())


def test_what_is_chosen_in_the_overflow_menu_is_done(shown: MainWindow, qtbot: QtBot) -> None:
    set_room(shown, 800, 600, 175)
    signals = {
        "Custom": shown.requests.interval_requested,
        "Export": shown.requests.export_requested,
        "Light": shown.requests.theme_requested,
        "Indicators": shown.requests.indicators_requested,
        "Heikin-Ashi": shown.requests.chart_menu_requested,
        "Compare": shown.top_bar.compare_requested,
        "Linked": shown.top_bar.links_requested,
    }
    for name, signal in signals.items():
        with qtbot.waitSignal(signal, timeout=1000):
            entry(shown, name).trigger()
    entry(shown, "Search").trigger()
    assert shown.symbol_picker.isVisible()
    shown.symbol_picker.dismiss()


def entry(window: MainWindow, name: str) -> QAction:
    return next(action for action in window.top_bar.overflow.actions() if action.text().startswith(name))


def test_the_keyboard_reaches_the_overflow_menu(shown: MainWindow, qtbot: QtBot) -> None:
    set_room(shown, 800, 600, 125)
    shown.activateWindow()
    shown.top_bar.symbol.setFocus(Qt.FocusReason.TabFocusReason)
    for _ in range(40):
        if QApplication.focusWidget() is shown.top_bar.overflow_button:
            break
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
    assert QApplication.focusWidget() is shown.top_bar.overflow_button


def bar_places(window: MainWindow) -> dict[str, tuple[int, int, int, int]]:
    """The rectangles of all parts of the top bar but those within the symbol's button."""
    bar = window.top_bar
    return {
        _key(bar, part): place(window, part).getRect()
        for part in bar.findChildren(QWidget)
        if part.isVisible() and part.parent() is not bar.symbol
    }


def _key(bar: QWidget, part: QWidget) -> str:
    return str(bar.findChildren(QWidget).index(part))


@pytest.mark.parametrize(("width", "percent"), [(1440, 100), (1920, 150), (960, 100), (800, 200)])
def test_nothing_in_the_top_bar_moves_as_prices_symbols_and_intervals_change(
    shown: MainWindow, width: int, percent: int
) -> None:
    set_room(shown, width, 600, percent)
    shown.set_symbol(BTCUSDT)
    before = bar_places(shown)
    for last, change in ((9.99, 0.1), (123_456.78, -100.25), (0.01, None), (None, None), (99_999_999.99, 12_345.6)):
        shown.set_quote(QuoteView(BTCUSDT, last, change))
        settle()
        assert bar_places(shown) == before, last
    for symbol in (SATS, ETHUSDT, IDRT, BTCUSDT):
        shown.set_symbol(symbol)
        shown.set_quote(LONG_QUOTE if symbol is SATS else QuoteView(symbol, 1_234_567_890.0, 1234.5))
        settle()
        assert bar_places(shown) == before, symbol
    for name in ("13m", "1d", "1m", "90s", "999999s", "2h", "5m"):
        shown.set_interval(Interval.parse(name))
        settle()
        assert bar_places(shown) == before, name


def test_a_figure_too_long_for_its_slot_is_drawn_smaller_and_whole(shown: MainWindow) -> None:
    set_room(shown, 1440, 600, 100)
    shown.set_symbol(IDRT)
    shown.set_quote(QuoteView(IDRT, 1_234_567_890.12, 1.0))
    figure = shown.top_bar.price
    assert figure.text() == "1,234,567,890.12"
    font = figure.drawn_font()
    assert font.pixelSize() < figure.font().pixelSize()


def test_the_first_price_known_of_a_watched_symbol_makes_room_once(window: MainWindow) -> None:
    window.resize(1440, 600)
    window.set_watchlist([WatchRow(BTCUSDT, 61693.94), WatchRow(IDRT)])
    slot = window.top_bar.price.slot_px()
    window.update_watchlist([WatchRow(IDRT, 1_234_567_890.12)])
    wider = window.top_bar.price.slot_px()
    assert wider > slot
    window.update_watchlist([WatchRow(IDRT, 11_234_567_890.12)])
    assert window.top_bar.price.slot_px() == wider
    window.set_watchlist([WatchRow(BTCUSDT, 61693.94)])
    assert window.top_bar.price.slot_px() == slot


def test_parts_leave_in_the_order_of_their_importance() -> None:
    left, before = [], BarFit(2)
    for fit in fits(2):
        for name in BarFit.__dataclass_fields__:
            if getattr(fit, name) != getattr(before, name):
                left.append(name)
        before = fit
    assert left == [
        *("more_texts", "link_words", "market", "texts", "link_letters", "custom"),
        *("export", "layout", "theme", "compare", "search"),
        *("intervals", "intervals", "links", "change", "styles", "panel", "price"),
    ]
    assert before == BarFit(0, *[False] * 16)


def test_links_are_words_then_letters_then_a_badge_and_always_named(shown: MainWindow) -> None:
    links, seen = shown.top_bar.links, list[str]()
    for width in range(2400, 700, -20):
        set_room(shown, width, 600, 100)
        if links.isVisible():
            with_text = links.toolButtonStyle() is Qt.ToolButtonStyle.ToolButtonTextBesideIcon
            seen.append(links.text().strip() if with_text else "")
            assert links.width() >= links.sizeHint().width()
            assert links.accessibleName() == "Linked: symbol, time, crosshair"
            assert links.toolTip().startswith("Linked: symbol, time, crosshair")
    assert list(dict.fromkeys(seen)) == ["Linked: symbol, time, crosshair", "S T C", ""]
    set_room(shown, 1440, 600, 100)
    assert links.text().strip() == "S T C"


def test_the_status_bar_drops_whole_entries_and_cuts_none(shown: MainWindow) -> None:
    bar = shown.status_bar
    for width in range(1920, 640, -40):
        set_room(shown, width, 600, 100)
        for part in (bar.feed, bar.rate, bar.database, bar.queue, bar.missing, bar.time):
            assert part.isHidden() or part.width() >= part.sizeHint().width(), (width, part.text())
    set_room(shown, 960, 600, 100)
    assert bar.missing.isVisible()
    assert bar.queue.isHidden()
