"""The export dialog for symbols with quotes: the price of their candles, and closed time in the forecast."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.market.availability import StoredTimes
from app.market.calendar.always_open import AlwaysOpen
from app.market.file_columns import RowsOf
from app.market.interval import Interval
from app.market.quotes.tick import PriceSide
from app.market.symbol import Symbol
from tests.widgets.conftest import BTCUSDT
from tests.widgets.dialogs.export.conftest import start
from widgets.dialogs.export.export_dialog import ExportDialog, ExportState
from widgets.dialogs.export.rows_fields import FormStart, RowKind

EUR = Symbol("oanda:EURUSD", "EUR", "USD", tick_size_e8=1_000, step_size_e8=1)
HOUR = Interval.parse("1h")
HOUR_US = 3_600_000_000
# From a Friday to a Tuesday, without 48 hours of the weekend.
FRIDAY_US, TUESDAY_US = (int(datetime(2024, 8, day, tzinfo=UTC).timestamp()) * 1_000_000 for day in (9, 13))


@pytest.fixture
def dialog(qtbot: QtBot, prepared: QApplication, tmp_path: Path) -> Iterator[ExportDialog]:
    begin = FormStart(EUR, HOUR, (FRIDAY_US, TUESDAY_US), TUESDAY_US + HOUR_US, tmp_path, price=PriceSide.BID)
    made = ExportDialog([EUR, BTCUSDT], begin)
    made.show()
    yield made
    made.state = ExportState.DONE
    made.close()
    made.deleteLater()
    QApplication.processEvents()


def test_no_field_is_a_window_of_its_own_for_a_moment(shown_windows: list[str], dialog: ExportDialog) -> None:
    assert shown_windows == ["ExportDialog"]
    assert dialog.form.rows.rolling.isVisible()
    assert dialog.form.rows.price.isVisible()


def test_the_price_is_chosen_by_keyboard_and_offered_for_candles_of_quotes_alone(
    dialog: ExportDialog, qtbot: QtBot
) -> None:
    rows = dialog.form.rows
    assert (rows.price.isVisible(), rows.price.currentText(), rows.price.accessibleName()) == (
        True,
        "Bid",
        "Price of quotes",
    )
    rows.price.setFocus()
    QTest.keyClick(rows.price, Qt.Key.Key_Down)
    assert start(dialog, qtbot).plan.price is PriceSide.ASK
    assert not rows.price.isEnabled()
    dialog.failed("")
    rows.symbols.set_texts(["BTC/USDT"])
    assert not rows.price.isVisible()
    rows.symbols.set_texts(["BTC/USDT", "oanda:EUR/USD"])
    assert rows.price.isVisible()
    rows.kinds[RowKind.QUOTES].click()
    assert not rows.price.isVisible()


def test_another_price_is_asked_about_again_for_symbols_with_quotes(dialog: ExportDialog) -> None:
    wanted: list[object] = []
    dialog.stored_requested.connect(wanted.append)
    dialog.form.rows.symbols.set_texts(["BTC/USDT", "oanda:EUR/USD"])
    assert wanted == [[("BTCUSDT", HOUR), (EUR.name, HOUR)]]
    dialog.form.rows.price.setCurrentText("Ask")
    assert wanted[1:] == [[(EUR.name, HOUR)]]
    dialog.form.rows.include_open.click()
    assert len(wanted) == 2


def test_closed_time_is_neither_counted_nor_missing(dialog: ExportDialog) -> None:
    outcome, figure = dialog.foot.outcome, dialog.card.rows[0].figure
    whole = StoredTimes(((FRIDAY_US, TUESDAY_US - 1),))
    dialog.set_stored(EUR.name, HOUR, whole)
    assert outcome.text().startswith("48 rows, about")
    assert "lack" not in outcome.text()
    assert dialog.card.legend.texts == ["From stored quotes"]
    dialog.set_stored(EUR.name, HOUR, StoredTimes(((FRIDAY_US, TUESDAY_US - 2 * HOUR_US - 1),)))
    assert "The file will lack 2 candles, the first at 2024-08-12 22:00: not stored, or" in outcome.text()
    assert dialog.card.legend.texts == ["From stored quotes", "Not to be had"]
    # Its own calendar counts.
    dialog.set_stored(EUR.name, HOUR, whole, AlwaysOpen())
    assert outcome.text().startswith("96 rows, about")
    assert figure.text() == "100 %"


def test_sessions_are_offered_beside_quotes(dialog: ExportDialog, qtbot: QtBot) -> None:
    for kind, rows in ((RowKind.SESSIONS, RowsOf.SESSIONS), (RowKind.SESSION_GAPS, RowsOf.SESSION_GAPS)):
        dialog.form.rows.kinds[kind].click()
        assert start(dialog, qtbot).plan.files[0].rows is rows
        dialog.failed("")
