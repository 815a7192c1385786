"""Alerts in the real window: set, shown, dragged, fired, paused, changed by another program, proved."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from PySide6.QtCore import QPointF, Qt
from pytestqt.qtbot import QtBot

from app.concurrency.background import in_background
from app.market.alerts.alert import Incident, Repeat
from app.market.alerts.language import read_rule
from app.market.alerts.stored_alert import AlertState, NewAlert, StoredAlert
from app.sandbox.market.simulated import SimulatedMarket
from storage.postgres.connection import connect
from tests.end_to_end.helpers import Running, open_window, run_on_qt_loop, settings_in, until
from tests.sandbox.helpers import serving
from widgets.alerts.alert_toast import AlertToast
from widgets.alerts.alert_views import AlertForm
from widgets.alerts.alerts_model import FIRING_COLUMNS, FiringColumn, Shelf
from widgets.chart.model.pane_layout import PRICE
from widgets.window.main_window import MainWindow


@asynccontextmanager
async def window_of(
    data_dir: Path, url: str, *, rate: float = 40.0, prepare: Callable[[MainWindow], object] = lambda window: None
) -> AsyncIterator[Running]:
    async with serving(SimulatedMarket(seed=5, rate=rate)) as server:
        settings = settings_in(data_dir, server.ws_url, server.rest_url, symbols="BTCUSDT,ETHUSDT", database_url=url)
        async with open_window(settings, prepare=prepare) as running:
            await until(lambda: running.engine.database is not None and running.engine.database.writer.status.stored)
            await until(lambda: running.session is not None and len(running.session.series))
            # The desktop of whoever runs the tests shows none of it.
            running.controller.alerts.announcer.notifications.problem = "This is a test."
            yield running


def last_price(running: Running) -> float:
    price = running.chart.last_price
    assert price is not None
    return price


def toasts(window: MainWindow) -> list[AlertToast]:
    return [one for one in window.toasts.shown if isinstance(one, AlertToast)]


async def add(running: Running, rule: str, name: str = "", symbol: str = "BTCUSDT") -> int:
    database = running.engine.database
    assert database is not None
    new = NewAlert(symbol, read_rule(rule), Repeat.EVERY, name)
    return await in_background(lambda: database.alerts.add(new), "test")


async def judged_beyond(running: Running, trade_id: int) -> StoredAlert:
    """Wait until the only alert is judged for good beyond a trade; return it."""
    database = running.engine.database
    assert database is not None
    async with asyncio.timeout(30):
        while True:
            (found,) = await in_background(database.alerts.read, "test")
            if (found.judged_to or 0) > trade_id:
                return found
            await asyncio.sleep(0.05)


def test_an_alert_set_on_the_chart_shows_as_a_line_and_fires_with_a_toast(
    qtbot: QtBot, data_dir: Path, tables_url: str
) -> None:
    async def work() -> None:
        async with window_of(data_dir, tables_url) as running:
            window, controller = running.window, running.controller.alerts
            assert not running.chart.has_alert_lines
            assert window.status_bar.alerts.isHidden()
            running.chart.alert_requested.emit(None)
            dialog = controller.dialog
            assert dialog is not None
            assert dialog.is_editing
            editor = dialog.editor
            assert editor.chosen_symbol.name == "BTCUSDT"
            editor.when.kind.setCurrentIndex([kind.value for kind in editor.when.kinds].index("Price moves by"))
            editor.when.fields["percent"].setText("0.001")
            editor.when.fields["within"].setCurrentText("10s")
            editor.when.changed.emit()
            await until(lambda: "Would" in editor.outcome.text())
            assert editor.save_button.isEnabled()
            editor.save_button.click()
            await until(lambda: not dialog.is_editing)
            await until(lambda: len(controller.alerts) == 1)
            assert window.status_bar.alerts.text() == "1 alert watching"
            dialog.reject()
            await until(lambda: toasts(window) and controller.alerts[0].firings)
            toast = toasts(window)[-1]
            assert toast.accessibleName().startswith("BTC/USDT")
            assert "trade" in toast.accessibleName()
            fired_us = next(one for one in controller.alerts if one.firings).firings[-1].time_us
            toast.show_button.click()
            await until(lambda: abs((running.chart.center_time_us() or 0) - fired_us) < 600_000_000)
            assert toast not in window.toasts.shown
            running.chart.navigator.follow_latest()
            await add(running, f"price crosses {last_price(running) * 1.001:.2f}", name="near")
            await until(lambda: running.chart.has_alert_lines and len(running.chart.alert_lines.lines) == 1)
            assert running.chart.alert_lines.lines[0].text == "Crosses"
            assert window.status_bar.alerts.text() == "1 alert watching"  # the first one fires once, and has

    run_on_qt_loop(work)


def test_a_dragged_line_is_saved_on_release_and_esc_puts_it_back(qtbot: QtBot, data_dir: Path, tables_url: str) -> None:
    async def work() -> None:
        async with window_of(data_dir, tables_url, rate=5) as running:
            controller, chart = running.controller.alerts, running.chart
            alert_id = await add(running, f"price crosses up {last_price(running) * 1.0005:.2f}", name="drag me")
            await until(lambda: chart.has_alert_lines and chart.alert_lines.lines)
            lines = chart.alert_lines
            (line,) = lines.lines
            chart.navigator.stretch(PRICE, 3.0)  # wherever the price is, the line is in view
            await until(lambda: lines.painting.y_of(line.price) is not None)
            y = lines.painting.y_of(line.price)
            assert y is not None
            assert lines.press(QPointF(100, y), Qt.KeyboardModifier.NoModifier)
            lines.drag(QPointF(120, y + 30))
            drag = lines.painting.drag
            assert drag is not None
            assert drag.price < line.price
            assert lines.cancel()
            assert lines.painting.drag is None
            assert lines.lines == [line]
            assert lines.press(QPointF(100, y), Qt.KeyboardModifier.NoModifier)
            lines.drag(QPointF(120, y - 20))
            lines.release(QPointF(120, y - 20))
            await until(lambda: lines.lines and lines.lines[0].price > line.price)
            (alert,) = controller.alerts
            assert (alert.alert_id, alert.name, alert.version) == (alert_id, "drag me", 2)
            assert alert.text.startswith("price crosses up")

    run_on_qt_loop(work)


def test_what_another_program_changes_is_seen(qtbot: QtBot, data_dir: Path, tables_url: str) -> None:
    async def work() -> None:
        async with window_of(data_dir, tables_url, rate=5) as running:
            controller, database = running.controller.alerts, running.engine.database
            assert database is not None
            alert_id = await add(running, f"price crosses {last_price(running) * 1.001:.2f}")
            await until(lambda: running.chart.has_alert_lines and running.chart.alert_lines.lines)
            await in_background(lambda: database.alerts.pause(alert_id), "test")
            await until(lambda: not running.chart.alert_lines.lines)
            assert running.window.status_bar.alerts.text() == "0 alerts watching"
            await in_background(lambda: database.alerts.resume(alert_id), "test")
            await until(lambda: running.chart.alert_lines.lines)
            await in_background(lambda: database.alerts.remove(alert_id), "test")
            await until(lambda: not controller.alerts)
            await until(lambda: not running.chart.alert_lines.lines)

    run_on_qt_loop(work)


def test_the_dialog_lists_pauses_and_proves_and_a_trade_number_goes_to_its_place(
    qtbot: QtBot, data_dir: Path, tables_url: str
) -> None:
    async def work() -> None:
        async with window_of(data_dir, tables_url) as running:
            window, controller = running.window, running.controller.alerts
            fast = await add(running, "moves 0.001% in 10s", name="Fast move")
            await add(running, "recorder in trouble", symbol="")
            # What is provisional is not proved yet.
            await until(lambda: any(not each.is_provisional for one in controller.alerts for each in one.firings))
            window.requests.alerts_requested.emit()
            dialog = controller.dialog
            assert dialog is not None
            await until(lambda: dialog.model.rows and dialog.history_model.rows)
            assert {row.title for row in dialog.model.rows} == {"Fast move", "Recorder in trouble for 10s"}
            await until(lambda: dialog.check_button.isEnabled())
            assert "agree" in dialog.proof.text()
            assert dialog.history_model.rows[0].why.endswith(" s")
            dialog.switch_requested.emit(fast, False)
            await until(lambda: dialog.model.number(Shelf.PAUSED) == 1)
            assert [row.title for row in dialog.model.rows] == ["Recorder in trouble for 10s"]
            trade = FIRING_COLUMNS.index(FiringColumn.TRADE)
            fired_us = dialog.history_model.rows[0].time_us
            dialog.history.clicked.emit(dialog.history_model.index(0, trade))
            await until(lambda: abs((running.chart.center_time_us() or 0) - fired_us) < 600_000_000)
            assert controller.dialog is None

    run_on_qt_loop(work)


def test_pausing_from_a_toast_keeps_the_firing_and_ends_the_others(
    qtbot: QtBot, data_dir: Path, tables_url: str
) -> None:
    async def work() -> None:
        async with window_of(data_dir, tables_url) as running:
            window, controller = running.window, running.controller.alerts
            await add(running, "moves 0.001% in 10s")
            await until(lambda: toasts(window))
            toasts(window)[-1].pause_button.click()
            await until(lambda: controller.alerts and controller.alerts[0].state(0) is AlertState.PAUSED)
            paused = controller.alerts[0].pauses[-1]
            found = await judged_beyond(running, paused.after_id + 50)
            assert found.firings
            assert all(one.trade_id <= paused.after_id for one in found.firings if not one.is_provisional)
            database = running.engine.database
            assert database is not None
            agrees, sentence = await in_background(database.alerts.proof_in_words, "test")
            assert agrees, sentence

    run_on_qt_loop(work)


def test_a_draft_says_what_is_missing_and_a_deleted_alert_comes_back(
    qtbot: QtBot, data_dir: Path, tables_url: str
) -> None:
    async def work() -> None:
        async with window_of(data_dir, tables_url, rate=5) as running:
            window, controller = running.window, running.controller.alerts
            controller.open_new("oanda:EURUSD")
            assert controller.dialog is None
            assert window.toasts.shown[-1].spoken == "Alerts are judged by trades: oanda:EURUSD has quotes alone."
            controller.open_new("BTCUSDT")
            dialog = controller.dialog
            assert dialog is not None
            editor = dialog.editor
            # The last price, which the keys ask for where the crosshair is away.
            price, _, candle = editor.form.when.removeprefix("price crosses ").partition(" of ")
            assert float(price) == pytest.approx(last_price(running), rel=0.01)
            assert candle == "1m"
            assert editor.save_button.isEnabled()
            editor.set_form(AlertForm(None, "BTCUSDT", ""), 0)
            assert not editor.save_button.isEnabled()
            assert editor.outcome.text() == "Fill in the condition."
            editor.set_form(AlertForm(None, "BTCUSDT", "price enters 5 to 9"), 0)
            editor.when.fields["low"].setText("10")
            editor.when.changed.emit()
            assert "write the lower price first" in editor.outcome.text()
            editor.when.fields["low"].setText("4")
            editor.when.changed.emit()
            editor.name.setText("Cheap")
            editor.save_button.click()
            await until(lambda: len(controller.alerts) == 1)
            (alert,) = controller.alerts
            assert (alert.name, alert.text) == ("Cheap", "price enters 4 to 9")
            await until(lambda: dialog.model.rows)
            dialog.edit_requested.emit(alert.alert_id)
            assert editor.form.name == "Cheap"
            editor.delete_button.click()
            await until(lambda: not controller.alerts)
            await until(lambda: window.toasts.undo_latest())
            await until(lambda: [one.name for one in controller.alerts] == ["Cheap"])
            dialog.reject()

    run_on_qt_loop(work)


def test_what_the_user_sets_is_listed_at_once_however_long_a_read_took_before(
    qtbot: QtBot, data_dir: Path, tables_url: str
) -> None:
    async def work() -> None:
        async with window_of(data_dir, tables_url, rate=5) as running:
            controller = running.controller.alerts
            controller._read_s = 60.0  # a database that hung
            assert controller._pause_s < 10
            controller.read(600.0)  # as after a firing
            controller.open_new("BTCUSDT", 1.0)
            assert controller.dialog is not None
            controller.dialog.editor.save_button.click()
            await until(lambda: len(controller.alerts) == 1)
            controller.dialog.reject()

    run_on_qt_loop(work)


def test_a_deleted_alert_comes_back_as_paused_as_it_was_and_one_that_has_fired_does_not_wait(
    qtbot: QtBot, data_dir: Path, tables_url: str
) -> None:
    async def work() -> None:
        async with window_of(data_dir, tables_url, rate=5) as running:
            window, controller, database = running.window, running.controller.alerts, running.engine.database
            assert database is not None
            until_us = 1 << 60
            paused = await add(running, "price crosses 7", name="Paused")
            await in_background(lambda: database.alerts.pause(paused, until_us), "test")
            await add(running, "price crosses 8", name="Waiting")
            once = NewAlert("", read_rule("recorder in trouble"), Repeat.ONCE, "Fired")
            fired = await in_background(lambda: database.alerts.add(once), "test")
            trouble = Incident(fired, "", 1_700_000_000_000_000, "The disk is full.")
            await in_background(lambda: database.alerts.save_incidents([trouble]), "test")
            controller.read()
            await until(lambda: len(controller.alerts) == 3 and any(one.incidents for one in controller.alerts))
            for name, state in (("Paused", "paused"), ("Waiting", "waiting"), ("Fired", "paused")):
                (alert,) = (one for one in controller.alerts if one.name == name)
                controller._delete(alert.alert_id)
                await until(lambda: len(controller.alerts) == 2)
                await until(lambda: window.toasts.undo_latest())
                await until(lambda: len(controller.alerts) == 3)
                (again,) = (one for one in controller.alerts if one.name == name)
                assert again.state(until_us - 1).value == state
                assert again.is_paused(until_us) == (name == "Fired")

    run_on_qt_loop(work)


def test_trades_received_before_an_alert_was_set_or_resumed_do_not_meet_it_though_they_are_stored_later(
    qtbot: QtBot, data_dir: Path, tables_url: str
) -> None:
    async def work() -> None:
        async with window_of(data_dir, tables_url, rate=100) as running:
            controller, tracker = running.controller.alerts, running.engine.recorder.tracker("BTCUSDT")
            assert tracker is not None
            bounds = []
            for change in (
                lambda: (controller.open_new("BTCUSDT", 1.0), controller.dialog.editor.save_button.click()),
                lambda: controller.switch(controller.alerts[0].alert_id, True),
            ):
                with connect(tables_url) as connection, connection.transaction():
                    connection.execute("LOCK TABLE coverage IN EXCLUSIVE MODE")  # a database that hangs as it writes
                    hung_at = tracker.ids.newest or 0
                    await until(lambda hung_at=hung_at: (tracker.ids.newest or 0) > hung_at + 50)
                    bounds.append(tracker.ids.newest or 0)
                    change()
                    await until(lambda: len(controller.alerts) == 1 and not controller.alerts[0].is_paused(0))
                    (alert,) = controller.alerts
                    last = alert.pauses[-1].until_id
                    assert last is not None
                    assert bounds[-1] <= last < bounds[-1] + 50
                    assert alert.alert.is_paused_at(hung_at + 1, 0)
                    assert not alert.alert.is_paused_at(last + 1, 0)
                assert controller.dialog is not None
                controller.switch(controller.alerts[0].alert_id, False)
                await until(lambda: controller.alerts[0].is_paused(0))
            controller.dialog.reject()

    run_on_qt_loop(work)
