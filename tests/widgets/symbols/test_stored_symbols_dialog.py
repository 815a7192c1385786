"""The dialog of stored symbols: the list, its order and filter, the calendar of days, and what it asks for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.market.candle import CandleSource
from app.market.stored_symbol import DAY_US, DayHeld, StoredCandles, StoredSymbol, StoredTicks, StoredTrade
from app.market.symbol import Symbol
from widgets.symbols.completeness_calendar import CompletenessCalendar, day_sentence, share_in_words
from widgets.symbols.stored_symbols_dialog import StoredSymbolsDialog
from widgets.symbols.stored_symbols_model import Scope
from widgets.symbols.symbol_page import texts_of

TUESDAY_US = (date(2026, 11, 17) - date(1970, 1, 1)).days * DAY_US


def stored(base: str, trades: int, missing: int = 0) -> StoredSymbol:
    symbol = Symbol(f"{base}USDT", base, "USDT", 10**6, 10**3)
    if not trades:
        return StoredSymbol(symbol, candles=(StoredCandles("1m", CandleSource.KLINE, 0, 60_000_000, 2, True, 200),))
    first, last = StoredTrade(1, TUESDAY_US), StoredTrade(trades + missing, TUESDAY_US + DAY_US)
    return StoredSymbol(symbol, trades, 0, missing, first, last, trades * 26)


SYMBOLS = [
    stored("ADA", 40, 1),
    stored("BTC", 400),
    stored("ETH", 300),
    stored("LTC", 0),
    StoredSymbol(Symbol("XRPUSDT", "XRP", "USDT")),
]
DAYS = [
    DayHeld(TUESDAY_US - DAY_US, 100),
    DayHeld(TUESDAY_US, 90, 10),
    DayHeld(TUESDAY_US + DAY_US, has_klines=True),
]


@pytest.fixture
def dialog(qtbot: QtBot, prepared: QApplication) -> Iterator[StoredSymbolsDialog]:
    made = StoredSymbolsDialog("ETHUSDT")
    made.resize(1180, 700)
    made.show()
    yield made
    made.close()
    made.deleteLater()


def names(dialog: StoredSymbolsDialog) -> list[str]:
    return [one.symbol.base for one in dialog.model.rows]


def test_it_says_that_it_reads_and_why_it_cannot(dialog: StoredSymbolsDialog, qtbot: QtBot) -> None:
    with qtbot.waitSignal(dialog.symbols_requested):
        dialog.ask()
    assert dialog.state.text() == "Reading what is stored…"
    assert dialog.again_button.isHidden()
    dialog.failed("The database is away.")
    assert dialog.state.text() == "The database is away."
    with qtbot.waitSignal(dialog.symbols_requested):
        dialog.again_button.click()
    dialog.set_symbols([], [])
    assert "Nothing is stored yet" in dialog.state.text()
    assert not dialog.state.isHidden()


def test_the_list_is_sorted_and_filtered_and_keeps_the_symbol_chosen(dialog: StoredSymbolsDialog, qtbot: QtBot) -> None:
    asked: list[str] = []
    dialog.days_requested.connect(asked.append)
    dialog.set_symbols(SYMBOLS, ["BTCUSDT", "XRPUSDT"])
    assert asked == ["ETHUSDT"]
    assert names(dialog) == ["BTC", "ETH", "ADA", "LTC", "XRP"]  # recorded counts as stored
    dialog.table.horizontalHeader().setSortIndicator(0, Qt.SortOrder.AscendingOrder)
    assert names(dialog) == ["ADA", "BTC", "ETH", "LTC", "XRP"]
    dialog.table.horizontalHeader().setSortIndicator(2, Qt.SortOrder.AscendingOrder)
    assert names(dialog)[0] == "ADA"  # the least complete
    assert dialog.page.name.text() == "ETH/USDT"
    recorded = next(one for one in dialog.scopes.buttons() if one.text() == Scope.RECORDED.value)
    recorded.click()
    assert sorted(names(dialog)) == ["BTC", "XRP"]
    next(one for one in dialog.scopes.buttons() if one.text() == Scope.ALL.value).click()
    QTest.keyClicks(dialog.search, "lt")
    assert names(dialog) == ["LTC"]
    assert dialog.page.name.text() == "LTC/USDT"
    QTest.keyClicks(dialog.search, "zzz")
    assert dialog.state.text() == "No symbol is named so."
    dialog.search.clear()
    assert len(names(dialog)) == 5
    assert "4 symbols stored, 2 recorded · 740 trades" in dialog.totals.text()


def test_the_page_says_what_candles_were_made_of(dialog: StoredSymbolsDialog) -> None:
    eth = next(one for one in SYMBOLS if one.symbol.base == "ETH")
    kinds = [StoredCandles("1m", source, 0, 60_000_000, 2, True, 200) for source in CandleSource]
    dialog.set_symbols([replace(eth, candles=tuple(kinds))], [])
    texts = texts_of(dialog.page)
    for said in ("Candles from trades", "Exchange's candles", "Aggregated candles"):
        assert f"{said}, 1m" in texts


def test_a_symbol_of_quotes_is_listed_with_its_ticks_and_its_brokers_candles(dialog: StoredSymbolsDialog) -> None:
    symbol = Symbol("oanda:EURUSD", "EUR", "USD")
    candles = (StoredCandles("1h", CandleSource.KLINE, 0, 3_600_000_000, 2, True, 200),)
    quoted = StoredSymbol(symbol, candles=candles, ticks=StoredTicks(1_234, 0, TUESDAY_US, TUESDAY_US + DAY_US, 5_000))
    dialog.set_symbols([quoted, stored("BTC", 400)], [])
    assert names(dialog) == ["EUR", "BTC"]  # the most rows first
    texts = [dialog.model.index(0, column).data() for column in range(4)]
    assert texts == ["EUR/USD · OANDA", "1.23\N{NO-BREAK SPACE}k ticks", "–", "5\N{NO-BREAK SPACE}kB"]
    assert "400 trades, 1.23\N{NO-BREAK SPACE}k ticks" in dialog.totals.text()
    dialog.set_days("oanda:EURUSD", [])
    said = texts_of(dialog.page)
    assert {"Ticks", "1,234", "Broker's candles, 1h", "Days are listed for trades, not for ticks."} <= set(said)
    assert "17 Nov 2026 00:00:00" in " ".join(said)


def test_the_calendar_is_moved_by_keys_and_clicks_and_goes_to_its_day(
    dialog: StoredSymbolsDialog, qtbot: QtBot
) -> None:
    dialog.set_symbols(SYMBOLS, [])
    dialog.set_days("BTCUSDT", DAYS)  # of one that was left meanwhile
    assert not dialog.page.calendar.isEnabled()
    dialog.set_days("ETHUSDT", DAYS)
    calendar = dialog.page.calendar
    assert calendar.chosen == DAYS[2]
    calendar.setFocus()
    QTest.keyClick(calendar, Qt.Key.Key_Up)
    assert calendar.chosen == DAYS[1]
    assert "Tuesday 17 November 2026" in texts_of(dialog.page)
    assert "90 of 100 trades, 10 missing: 90\u202f%." in texts_of(dialog.page)
    assert calendar.accessibleDescription().startswith("Tuesday 17 November 2026: 90 of 100")
    with qtbot.waitSignal(dialog.day_requested) as gone:
        QTest.keyClick(calendar, Qt.Key.Key_Return)
    assert gone.args == ["ETHUSDT", TUESDAY_US]
    monday = calendar.square_of(date(2026, 11, 16)).center().toPoint()
    QTest.mouseClick(calendar, Qt.MouseButton.LeftButton, pos=monday)
    assert calendar.chosen == DAYS[0]
    with qtbot.waitSignal(dialog.day_requested) as gone:
        dialog.page.day_button.click()
    assert gone.args == ["ETHUSDT", TUESDAY_US - DAY_US]
    QTest.mouseClick(calendar, Qt.MouseButton.LeftButton, pos=QPoint(1, 1))
    assert calendar.chosen == DAYS[0]
    with qtbot.waitSignal(dialog.chart_requested) as gone:
        dialog.page.chart_button.click()
    assert gone.args == ["ETHUSDT"]


def test_years_are_turned_as_far_as_there_are_days(qtbot: QtBot, prepared: QApplication) -> None:
    calendar = CompletenessCalendar()
    qtbot.addWidget(calendar)
    long_ago = TUESDAY_US - 800 * DAY_US
    calendar.set_days({day.day_us: day for day in [DayHeld(long_ago, 1), *DAYS]})
    assert (calendar.year, calendar.years) == (2026, (2024, 2026))
    calendar.turn(-1)
    calendar.turn(-1)
    calendar.turn(-1)
    assert calendar.year == 2024
    calendar.turn(9)
    assert calendar.year == 2026


def test_where_there_is_no_room_for_both_the_page_has_a_way_back(dialog: StoredSymbolsDialog, qtbot: QtBot) -> None:
    dialog.resize(900, 560)
    dialog.set_symbols(SYMBOLS, [])
    assert dialog.page.isHidden() or not dialog.page.isVisible()
    QTest.keyClick(dialog.search, Qt.Key.Key_Down)
    QTest.keyClick(dialog.search, Qt.Key.Key_Return)
    assert dialog.page.isVisible()
    assert dialog.page.name.text() == "ADA/USDT"
    assert not dialog.table.isVisible()
    dialog.page.back_button.click()
    assert dialog.table.isVisible()
    dialog.resize(1180, 700)
    assert dialog.page.isVisible()
    assert dialog.table.isVisible()


def test_what_is_missing_is_never_called_everything() -> None:
    assert share_in_words(0.9999999) == "99.999\u202f%"
    assert share_in_words(1.0) == "100\u202f%"
    assert day_sentence(DayHeld(0, 2, 0, True)).startswith("2 trades, all of them.")
    assert day_sentence(DayHeld(0)) == "Nothing is stored."
    assert day_sentence(DayHeld(0, has_klines=True)) == "Candles alone: the exchange's."
    both = day_sentence(DayHeld(0, 2, has_klines=True, has_aggtrades=True))
    assert both.endswith("all of them. Candles are stored, too: the exchange's and those of aggregated trades.")
