"""The import dialog: what it asks of files, how columns are mapped, and what it says of an import."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.market.ports.row_files import ReadingOptions, RowKind
from widgets.dialogs.import_dialog import ImportDialog, ImportFileView, ImportOutcomeView, ImportState

TRADES, TABLE = Path("BTCUSDT-trades-2026-11-26.zip"), Path("kraken.csv")
CHOICES = ("trade_id", "time", "price", "quantity", "side")


@pytest.fixture
def dialog(qtbot: QtBot, prepared: QApplication) -> Iterator[ImportDialog]:
    made = ImportDialog([TRADES, TABLE])
    made.show()
    made.begin()
    yield made
    made.state = ImportState.EDITING
    made.close()
    made.deleteLater()


def recognised(dialog: ImportDialog) -> None:
    header = ("id", "time", "price", "qty")
    columns = {"trade_id": "id", "time": "time", "price": "price", "quantity": "qty"}
    rows = (("1", "1700000000000", "60000", "0.1"),)
    about = "Binance trades · BTCUSDT"
    dialog.set_file(
        ImportFileView(TRADES, 94_100_000, about=about, kind=RowKind.TRADES, symbol="BTCUSDT", header=header,
                       columns=columns, rows=rows, choices=CHOICES)
    )  # fmt: skip
    unknown = ImportFileView(TABLE, 1_000, problem="Which is what?", header=("ts", "preis"), rows=(("17", "6"),))
    dialog.set_file(unknown)


def test_each_file_is_asked_for_and_shown_with_what_it_is(dialog: ImportDialog, qtbot: QtBot) -> None:
    assert not dialog.preview.isVisible()
    recognised(dialog)
    texts = [dialog.table.item(row, 1).text() for row in range(2)]
    assert texts == ["Binance trades · BTCUSDT", "Which is what?"]
    assert dialog.table.item(0, 2).text() == "94.1\u00a0MB"
    assert dialog.preview.mapping() == {"trade_id": "id", "time": "time", "price": "price", "quantity": "qty"}
    assert dialog.symbol.text() == "BTCUSDT"
    with qtbot.waitSignal(dialog.import_requested) as asked:
        dialog.start_button.click()
    assert asked.args == [[(TRADES, ReadingOptions())]]  # the other is not understood yet


def test_kind_symbol_and_columns_are_chosen_where_they_are_not_recognised(dialog: ImportDialog, qtbot: QtBot) -> None:
    recognised(dialog)
    dialog.table.setCurrentCell(1, 0)
    assert dialog.problem.text() == "Which is what?"
    with qtbot.waitSignal(dialog.preview_requested) as asked:
        dialog.kind.setCurrentIndex(1)
        dialog.kind.activated.emit(1)
    options = ReadingOptions(kind=RowKind.TRADES)
    assert asked.args == [TABLE, options]
    dialog.set_file(ImportFileView(TABLE, 1, about="stale"))  # of the options before
    assert dialog.table.item(1, 1).text() == "Which is what?"
    rows = (("17", "6"),)
    dialog.set_file(
        ImportFileView(TABLE, 1, options, problem="No price", header=("ts", "preis"), rows=rows, choices=CHOICES)
    )
    with qtbot.waitSignal(dialog.preview_requested) as asked:
        box = dialog.preview.cellWidget(0, 1)
        box.setCurrentIndex(CHOICES.index("price") + 1)
        box.activated.emit(box.currentIndex())
    assert asked.args == [TABLE, options._replace(columns={"price": "preis"})]
    dialog.symbol.setText("btc/usdt")
    with qtbot.waitSignal(dialog.preview_requested) as asked:
        dialog.symbol.editingFinished.emit()
    assert asked.args[1].symbol == "BTCUSDT"
    dialog.remove_button.click()
    assert dialog.table.rowCount() == 1


def test_progress_report_and_refused_rows_are_shown(dialog: ImportDialog, qtbot: QtBot, tmp_path: Path) -> None:
    recognised(dialog)
    dialog.start_button.click()
    dialog.set_progress(TRADES, 18_400_000, 0.62, "412,000 rows/s, 27 s left")
    assert dialog.outcome.text() == f"{TRADES.name} · 18,400,000 rows · 412,000 rows/s, 27 s left"
    assert dialog.progress.value() == 620
    # Hidden, it goes on; Esc hides it, too.
    dialog.hide_button.click()
    assert not dialog.isVisible()
    dialog.show()
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.isVisible()
    assert dialog.state is ImportState.RUNNING
    dialog.show()
    dialog.add([Path("more.csv")])  # not while it runs
    assert dialog.table.rowCount() == 2
    with qtbot.waitSignal(dialog.cancel_requested):
        dialog.cancel_button.click()
    dialog.set_progress(TRADES, 20_000_000, 0.7, "too late")
    assert dialog.outcome.text() == "Cancelling; what was stored stays…"
    refused = tmp_path / "a.refused.csv"
    outcome = ImportOutcomeView(TRADES, 30, 20, 5, 5, 2, "Row 7 is the first refused: no price.", refused)
    dialog.completed([outcome], "The import was cancelled; run it again to go on.")
    assert dialog.outcome.text() == (
        "30 rows read: 20 stored, 5 held already, 5 refused. 2 ids are missing inside. "
        "The import was cancelled; run it again to go on. Row 7 is the first refused: no price. "
        "1 file was left out: the list says why."
    )
    with qtbot.waitSignal(dialog.folder_requested) as asked:
        dialog.refused_link.clicked.emit()
    assert asked.args == [refused]
    assert dialog.cancel_button.text() == "Close"
    assert dialog.hide_button.isHidden()
    # What was left out can be explained now.
    dialog.table.setCurrentCell(1, 0)
    assert dialog.kind.isVisible()
    with qtbot.waitSignal(dialog.preview_requested) as asked:
        dialog.kind.setCurrentIndex(1)
        dialog.kind.activated.emit(1)
    assert asked.args == [TABLE, ReadingOptions(kind=RowKind.TRADES)]
    assert dialog.state is ImportState.EDITING
    dialog.completed([outcome])
    dialog.add([Path("more.csv")])  # another round
    assert dialog.state is ImportState.EDITING
    assert dialog.table.rowCount() == 3
