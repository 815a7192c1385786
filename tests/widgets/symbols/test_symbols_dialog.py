"""The dialog that edits the list of recorded symbols as a whole."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QPushButton
from pytestqt.qtbot import QtBot

from app.market.symbol import Symbol
from tests.widgets.conftest import BTCUSDT, DELISTED, ETHUSDT, IDRT, SATS
from widgets.symbols.symbols_dialog import SymbolsDialog, names_in, unknown_names


@pytest.fixture
def dialog(qtbot: QtBot, prepared: QApplication) -> Iterator[SymbolsDialog]:
    made = SymbolsDialog(["BTCUSDT", "GONEUSDT"], [BTCUSDT, ETHUSDT, SATS, IDRT, DELISTED])
    made.show()
    yield made
    made.close()
    made.deleteLater()


def save(dialog: SymbolsDialog) -> QPushButton:
    return dialog.save_button


@pytest.mark.parametrize("text", ["btcusdt,ETH/USDT", "BTCUSDT\nethusdt\n\nbtcusdt", '["BTCUSDT", "ETHUSDT"]'])
def test_names_are_read_however_they_are_pasted(text: str) -> None:
    assert names_in(text) == ["BTCUSDT", "ETHUSDT"]


def test_unknown_names_are_refused_in_one_sentence_that_lists_them(dialog: SymbolsDialog, qtbot: QtBot) -> None:
    dialog.edit.setPlainText("BTCUSDT, FOO, ETHUSDT, BAR")
    assert dialog.message.text() == "“FOO”, “BAR” are not symbols of the exchange: correct or remove them."
    assert not save(dialog).isEnabled()
    dialog.edit.setPlainText(", ".join(f"X{number}" for number in range(300)))
    assert dialog.message.text().startswith("“X0”, “X1”, “X2”, “X3”, “X4” and 295 more are not symbols")


def test_a_listed_symbol_may_stay_even_if_the_exchange_delisted_it(dialog: SymbolsDialog, qtbot: QtBot) -> None:
    dialog.edit.setPlainText("GONEUSDT VENUSDT")
    assert dialog.message.text() == "2 symbols · 1 not trading now"
    with qtbot.waitSignal(dialog.list_requested, timeout=1000) as request:
        qtbot.mouseClick(save(dialog), Qt.MouseButton.LeftButton)
    assert request.args == [["GONEUSDT", "VENUSDT"]]
    assert dialog.isVisible()  # the program decides


def test_all_of_a_quote_asset_can_be_added_and_undone(dialog: SymbolsDialog, qtbot: QtBot) -> None:
    assert dialog.quote.itemText(0) == "USDT · 3"
    qtbot.mouseClick(dialog.fill_button, Qt.MouseButton.LeftButton)
    assert dialog.names() == ["BTCUSDT", "GONEUSDT", "ETHUSDT", "1000SATSUSDT"]
    qtbot.mouseClick(dialog.sort_button, Qt.MouseButton.LeftButton)
    assert dialog.names() == ["1000SATSUSDT", "BTCUSDT", "ETHUSDT", "GONEUSDT"]
    dialog.edit.undo()
    dialog.edit.undo()
    assert dialog.names() == ["BTCUSDT", "GONEUSDT"]


def test_new_symbols_keep_the_text_that_is_typed(dialog: SymbolsDialog) -> None:
    dialog.edit.setPlainText("NEWUSDT")
    assert not save(dialog).isEnabled()
    dialog.quote.setCurrentIndex(1)
    dialog.set_symbols([BTCUSDT, ETHUSDT, IDRT, Symbol("NEWUSDT", "NEW", "USDT")])
    assert dialog.names() == ["NEWUSDT"]
    assert save(dialog).isEnabled()
    assert dialog.quote.currentData() == "IDRT"


def test_an_empty_list_cannot_be_saved(dialog: SymbolsDialog) -> None:
    dialog.edit.setPlainText("  , ")
    assert not save(dialog).isEnabled()


def test_a_broker_that_has_listed_nothing_refuses_nothing() -> None:
    known = ["BTCUSDT", "oanda:EURUSD"]
    names = ["BTCUSDT", "NOPE", "oanda:NOPE", "dukascopy:EURUSD"]
    assert unknown_names(names, known) == ["NOPE", "oanda:NOPE"]
    assert unknown_names(names, []) == []
