"""Fixtures of the widgets' tests: symbols, and a window around a stand-in for the chart."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from app.market.interval import Interval
from app.market.symbol import Symbol
from app.market.units import parse_e8
from tests.widgets.cleanup import close_and_delete
from widgets.theme import style
from widgets.view_values import WatchRow
from widgets.window.main_window import MainWindow

BTCUSDT = Symbol("BTCUSDT", "BTC", "USDT", tick_size_e8=1_000_000, step_size_e8=1_000)
ETHUSDT = Symbol("ETHUSDT", "ETH", "USDT", tick_size_e8=1_000_000, step_size_e8=10_000)
SATS = Symbol("1000SATSUSDT", "1000SATS", "USDT", tick_size_e8=1, step_size_e8=100_000_000)
IDRT = Symbol("BTCIDRT", "BTC", "IDRT", tick_size_e8=1_000_000)
DELISTED = Symbol("VENUSDT", "VEN", "USDT", status="BREAK")


class _LeftOut(logging.Handler):
    """Collects reports of parts that a chart could not draw."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail any test in which a chart left out a part, which a user would not notice; except the tests about that."""
    handler, logger = _LeftOut(), logging.getLogger("widgets.chart.painting.paint_guard")
    logger.addHandler(handler)
    try:
        result = yield
    finally:
        logger.removeHandler(handler)
    if handler.records and item.path.stem != "test_paint_guard":
        pytest.fail(f"left out: {handler.records[0].getMessage()}\n{handler.records[0].exc_text}")
    return result


class _Windows(QObject):
    """Notes what is shown as a window."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show and isinstance(watched, QWidget) and watched.isWindow():
            self.seen.append(type(watched).__name__)
        return False


@pytest.fixture
def shown_windows(qapp: QApplication) -> Iterator[list[str]]:
    """The names of the classes of all that is shown as a window from now on: parts must not be, for a moment either."""
    windows = _Windows()
    qapp.installEventFilter(windows)
    yield windows.seen
    qapp.removeEventFilter(windows)


@pytest.fixture(scope="session")
def prepared(qapp: QApplication) -> QApplication:
    """The application with the program's base style and font."""
    style.prepare_application(qapp)
    return qapp


@pytest.fixture
def window(qtbot: QtBot, prepared: QApplication) -> Iterator[MainWindow]:
    """A shown window with a few symbols, on BTC/USDT 1m; the chart is an empty widget that takes the focus."""
    chart = QWidget()
    chart.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    made = MainWindow(chart)
    made.resize(1280, 720)
    made.set_symbols([BTCUSDT, ETHUSDT, SATS, IDRT, DELISTED])
    made.set_symbol(BTCUSDT)
    made.set_interval(Interval.parse("1m"))
    made.set_watchlist([WatchRow(BTCUSDT, 61693.94, -0.53), WatchRow(ETHUSDT, 2683.25, 14.1)])
    made.show()
    qtbot.waitExposed(made)
    made.activateWindow()
    chart.setFocus()
    yield made
    made.allow_close()
    close_and_delete(made)


@pytest.fixture(scope="session")
def exchange_symbols(shared_data: Callable[[str], Path]) -> list[Symbol]:
    """The 1,695 symbols of an exchangeInfo recorded on 2021-10-12."""
    with gzip.open(shared_data("rest/cryptofeed_BINANCE.0.gz"), "rt") as recording:
        text = recording.read()
    answer, _ = json.JSONDecoder().raw_decode(text, text.index("{"))
    return [_symbol(entry) for entry in answer["symbols"]]


def _symbol(entry: dict) -> Symbol:
    filters = {one["filterType"]: one for one in entry["filters"]}
    return Symbol(
        entry["symbol"],
        entry["baseAsset"],
        entry["quoteAsset"],
        parse_e8(filters["PRICE_FILTER"]["tickSize"]) or 1,
        parse_e8(filters["LOT_SIZE"]["stepSize"]) or 1,
        entry["status"],
    )
