"""The dialog of alerts by itself: what it lists, in which order, by mouse and by keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.market.alerts.alert import Repeat
from app.market.alerts.stored_alert import AlertState
from app.market.symbol import Symbol
from app.market.units import E8
from tests.widgets.cleanup import close_and_delete
from widgets.alerts.alert_views import AlertForm, AlertRow, AlertsView, DraftCandle, DraftView, FiringRow
from widgets.alerts.alerts_dialog import AlertsDialog
from widgets.alerts.alerts_model import COLUMNS, FIRING_COLUMNS, ROW_ROLE, Column, FiringColumn, Shelf
from widgets.theme import text_size

XRP = Symbol("XRPUSDT", "XRP", "USDT", E8 // 10_000)
DAY_US = 86_400_000_000


def row(number: int, distance: float | None, state: AlertState = AlertState.WAITING) -> AlertRow:
    words = f"Price crosses 0.{number}, once"
    return AlertRow(number, XRP, f"Alert {number}", words, state, "bell", distance, number, "never", True, False)


VIEW = AlertsView(
    [row(1, 2.0), row(2, -0.5), row(3, None), row(4, 1.0, AlertState.PAUSED), row(5, 9.0, AlertState.FIRED)],
    [
        FiringRow(2, DAY_US, "Alert 2", XRP, "0.6181", 612_904_118, "0.618, then 0.6181", "3 min late"),
        FiringRow(3, DAY_US // 2, "Alert 3", None, "", None, "The disk is full."),
    ],
    [XRP],
)


@pytest.fixture
def dialog(qtbot: QtBot) -> Iterator[AlertsDialog]:
    made = AlertsDialog()
    made.set_view(VIEW)
    made.show()
    yield made
    close_and_delete(made)


def listed(dialog: AlertsDialog) -> list[int]:
    return [one.alert_id for one in dialog.model.rows]


def test_the_proof_says_that_it_is_older_than_the_newest_firing(dialog: AlertsDialog) -> None:
    dialog.set_proof("2 firings agree with the stored trades", agrees=True)
    dialog.set_view(replace(VIEW, history=VIEW.history[1:]))
    assert dialog.proof.text() == "✓ 2 firings agree with the stored trades"
    newer = replace(VIEW.history[0], time_us=2 * DAY_US)
    dialog.set_view(replace(VIEW, history=[newer, *VIEW.history]))
    assert dialog.proof.text() == "✓ 2 firings agree with the stored trades; newer ones are not checked"
    dialog.set_proof("3 firings agree with the stored trades", agrees=True)
    assert dialog.proof.text() == "✓ 3 firings agree with the stored trades"
    dialog.set_proof("The database hangs.", agrees=False)
    dialog.set_view(VIEW)
    assert dialog.proof.text() == "The database hangs."


def test_alerts_are_listed_by_their_distance_to_firing_on_three_shelves(dialog: AlertsDialog) -> None:
    assert listed(dialog) == [2, 1, 3]
    assert [button.text() for button in dialog.shelves.values()] == ["Watching 3", "Paused 1", "Ended 1"]
    dialog.shelves[Shelf.ENDED].click()
    assert listed(dialog) == [5]
    dialog.shelves[Shelf.WATCHING].click()
    dialog.search.setText("alert 3")
    assert listed(dialog) == [3]
    dialog.search.setText("nothing")
    assert not dialog.state.isHidden()
    dialog.search.clear()
    head = dialog.table.horizontalHeader()
    head.setSortIndicator(COLUMNS.index(Column.FIRED), Qt.SortOrder.DescendingOrder)
    assert listed(dialog) == [3, 2, 1]


def test_names_keep_their_room_where_text_is_large_and_the_dialog_narrow(prepared: QApplication) -> None:
    text_size.set_percent(200)
    try:
        dialog = AlertsDialog()
        dialog.set_view(VIEW)
        dialog.resize(800, 700)
        dialog.show()
        shown = [column for column in Column if not dialog.table.isColumnHidden(COLUMNS.index(column))]
        assert shown == [Column.ALERT, Column.SYMBOL, Column.DISTANCE, Column.ON]
        assert dialog.table.columnWidth(0) >= 250
        dialog.resize(1_600, 700)
        assert not any(dialog.table.isColumnHidden(at) for at in range(len(COLUMNS)))
        close_and_delete(dialog)
    finally:
        text_size.set_percent(100)


def test_a_row_is_opened_switched_and_deleted_by_keys_alone(dialog: AlertsDialog, qtbot: QtBot) -> None:
    dialog.table.setFocus()
    dialog.table.selectRow(0)
    with qtbot.waitSignal(dialog.edit_requested) as edited:
        QTest.keyClick(dialog.table, Qt.Key.Key_Return)
    with qtbot.waitSignal(dialog.switch_requested) as switched:
        QTest.keyClick(dialog.table, Qt.Key.Key_Space)
    with qtbot.waitSignal(dialog.delete_requested) as deleted:
        QTest.keyClick(dialog.table, Qt.Key.Key_Delete)
    assert (edited.args, switched.args, deleted.args) == ([2], [2, False], [2])
    dialog.history.setFocus()
    dialog.history.selectRow(0)
    with qtbot.waitSignal(dialog.firing_requested) as shown:
        QTest.keyClick(dialog.history, Qt.Key.Key_Return)
    assert shown.args == [VIEW.history[0]]


def test_a_click_on_the_switch_pauses_and_on_a_trade_goes_there(dialog: AlertsDialog, qtbot: QtBot) -> None:
    on = dialog.table.visualRect(dialog.model.index(0, COLUMNS.index(Column.ON))).center()
    with qtbot.waitSignal(dialog.switch_requested) as switched:
        QTest.mouseClick(dialog.table.viewport(), Qt.MouseButton.LeftButton, pos=on)
    assert switched.args == [2, False]
    at = dialog.history.visualRect(dialog.history_model.index(0, FIRING_COLUMNS.index(FiringColumn.TRADE))).center()
    with qtbot.waitSignal(dialog.firing_requested):
        QTest.mouseClick(dialog.history.viewport(), Qt.MouseButton.LeftButton, pos=at)
    with qtbot.assertNotEmitted(dialog.firing_requested):
        QTest.mouseClick(dialog.history.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(20, at.y()))


def test_all_that_is_painted_is_said_too(dialog: AlertsDialog) -> None:
    def spoken(column: Column) -> str:
        return str(dialog.model.index(0, COLUMNS.index(column)).data(Qt.ItemDataRole.AccessibleTextRole))

    assert spoken(Column.ALERT) == "Alert 2. Price crosses 0.2, once"
    assert (spoken(Column.TELLS), spoken(Column.ON), spoken(Column.DISTANCE)) == ("notification", "waiting", "0.50 %")
    why = dialog.history_model.index(0, FIRING_COLUMNS.index(FiringColumn.WHY)).data()
    assert why == "3 min late · 0.618, then 0.6181"
    assert dialog.table.accessibleName()
    assert dialog.history.accessibleName()


def test_the_editor_gives_back_the_alert_it_was_given(dialog: AlertsDialog) -> None:
    form = AlertForm(
        7, "XRPUSDT", "price crosses up 0.618 of 5m", Repeat.CANDLE, "Up", "A note", 30 * DAY_US, False, True
    )
    dialog.edit(form, DAY_US)
    assert dialog.editor.form == form
    assert not dialog.editor.symbol.isEnabled()
    QTest.keyClick(dialog, Qt.Key.Key_Escape)
    assert not dialog.is_editing
    assert dialog.isVisible()


def test_a_level_dragged_on_the_small_chart_is_the_new_price(dialog: AlertsDialog, qtbot: QtBot) -> None:
    dialog.edit(AlertForm(7, "XRPUSDT", "price crosses up 0.618"), DAY_US)
    candles = [DraftCandle(at * 60_000_000, 0.61, 0.63, 0.60, 0.62) for at in range(60)]
    dialog.editor.set_draft(DraftView(None, candles, [(600_000_000, 0.618)], (0.618,), "last 1 h", "Once.", ""))
    chart = dialog.editor.chart
    chart.resize(400, 200)
    chart.grab()
    y = round(chart._y(0.618))
    QTest.mousePress(chart, Qt.MouseButton.LeftButton, pos=QPoint(50, y))
    QTest.mouseMove(chart, QPoint(60, y + 20))
    QTest.mouseRelease(chart, Qt.MouseButton.LeftButton, pos=QPoint(60, y + 20))
    text = dialog.editor.when.fields["price"].text()  # type: ignore[union-attr]  # because it is a line edit
    assert 0.60 < float(text) < 0.618


def test_the_small_chart_shows_the_lines_of_a_drawing(dialog: AlertsDialog) -> None:
    candles = [DraftCandle(at * 60_000_000, 0.61, 0.63, 0.60, 0.62) for at in range(60)]
    chart = dialog.editor.chart
    chart.resize(400, 200)
    symbol = dialog.editor.chosen_symbol
    pictures = []
    for paths in ((), [[(0, 0.60), (3_540_000_000, 0.63)]], [[(0, 900.0), (3_540_000_000, 901.0)]]):
        chart.set_view(DraftView(None, candles, paths=paths), symbol)
        pictures.append(chart.grab().toImage())
    without, inside, far_away = pictures
    assert inside != without
    assert far_away == without  # it does not press the candles flat


def test_a_new_price_leaves_the_row_that_the_keys_are_on(dialog: AlertsDialog) -> None:
    dialog.table.selectRow(1)
    assert listed(dialog)[1] == 1
    dialog.set_view(replace(VIEW, rows=[row(1, 0.1), *VIEW.rows[1:]]))
    assert listed(dialog) == [1, 2, 3]
    assert dialog.table.currentIndex().data(ROW_ROLE).alert_id == 1


def test_the_row_that_takes_the_place_of_a_deleted_one_is_chosen(dialog: AlertsDialog) -> None:
    dialog.table.selectRow(1)
    dialog.set_view(replace(VIEW, rows=VIEW.rows[1:]))
    assert listed(dialog) == [2, 3]
    assert dialog.table.currentIndex().data(ROW_ROLE).alert_id == 3
    dialog.set_view(replace(VIEW, rows=VIEW.rows[1:2]))
    assert dialog.table.currentIndex().data(ROW_ROLE).alert_id == 2


def test_the_edited_symbol_stays_chosen_though_it_is_not_recorded(dialog: AlertsDialog) -> None:
    dialog.edit(AlertForm(None, "OLDUSDT", "price crosses 2"), 0)
    dialog.set_view(VIEW)
    assert dialog.editor.form.symbol == "OLDUSDT"
    assert dialog.editor.symbol.currentText() == "OLDUSDT"


def test_alerts_are_sorted_by_when_they_end_and_not_by_the_words_for_it(dialog: AlertsDialog) -> None:
    ends = {1: ("never", None), 2: ("12 Dec 2026", 12 * DAY_US), 3: ("5 Dec 2026", 5 * DAY_US)}
    rows = [replace(row(one, 1.0), ends=words, expires_us=end) for one, (words, end) in ends.items()]
    dialog.set_view(replace(VIEW, rows=rows))
    dialog.table.horizontalHeader().setSortIndicator(COLUMNS.index(Column.ENDS), Qt.SortOrder.AscendingOrder)
    assert listed(dialog) == [3, 2, 1]


def test_an_empty_shelf_does_not_say_that_there_are_no_alerts(dialog: AlertsDialog) -> None:
    dialog.shelves[Shelf.ENDED].click()
    dialog.set_view(replace(VIEW, rows=VIEW.rows[:4]))
    assert dialog.state.text() == "No alert is listed here."
    dialog.set_view(replace(VIEW, rows=[]))
    assert dialog.state.text().startswith("Nothing fires yet")


def test_no_field_is_a_window_of_its_own_for_a_moment(shown_windows: list[str], dialog: AlertsDialog) -> None:
    dialog.edit(AlertForm(None, "XRPUSDT", "price crosses 0.6"), 0)
    assert shown_windows == ["AlertsDialog"]
    assert dialog.editor.when.candle.isVisible()
    assert dialog.editor.when.candle.parentWidget() is not dialog.editor.when


def test_a_new_alert_begins_with_its_price_ready_to_be_typed_over(dialog: AlertsDialog, qtbot: QtBot) -> None:
    dialog.activateWindow()
    dialog.edit(AlertForm(None, "XRPUSDT", "price crosses 0.6"), 0)
    price = dialog.editor.when.fields["price"]
    qtbot.waitUntil(price.hasFocus)
    QTest.keyClicks(price, "0.7")
    assert dialog.editor.when.text == "price crosses 0.7 of 1m"


def test_the_editor_keeps_the_reason_and_forgets_the_draft_of_another_alert(dialog: AlertsDialog) -> None:
    dialog.edit(AlertForm(1, "XRPUSDT", "price crosses 2"), 0)
    dialog.editor.set_draft(DraftView(sentence="Would have fired once."))
    assert "fired once" in dialog.editor.outcome.text()
    dialog.edit(AlertForm(None, "XRPUSDT", ""), 0)
    assert dialog.editor.outcome.text() == "Fill in the condition."
    dialog.editor.set_draft(DraftView(sentence="Would have fired once."))
    assert dialog.editor.outcome.text() == "Fill in the condition."
