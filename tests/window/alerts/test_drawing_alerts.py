"""Alerts on drawings in the real window: from the bell to the firing, and what the list and the chart show of them."""

from __future__ import annotations

import uuid
from pathlib import Path

from PySide6.QtWidgets import QComboBox
from pytestqt.qtbot import QtBot

from app.market.drawings.drawing import Anchor, Drawing, DrawingKind, DrawingStyle, Extend
from tests.end_to_end.helpers import run_on_qt_loop, until
from tests.window.alerts.test_alert_controller import last_price, toasts, window_of


def level(price: float, text: str = "") -> Drawing:
    return Drawing(str(uuid.uuid4()), "BTCUSDT", DrawingKind.HORIZONTAL_LINE, (Anchor(0, price),), text=text)


def levels_about(price: float, text: str) -> Drawing:
    """Many levels, one of which the price soon crosses."""
    style = DrawingStyle(levels=tuple(1 + at / 50_000 for at in range(-25, 25)), extend=Extend.BOTH)
    anchors = Anchor(0, price), Anchor(1, 0.0)
    return Drawing(str(uuid.uuid4()), "BTCUSDT", DrawingKind.FIBONACCI_RETRACEMENT, anchors, style, text)


def test_a_drawing_is_chosen_by_its_name_has_a_bell_and_fires(qtbot: QtBot, data_dir: Path, tables_url: str) -> None:
    async def work() -> None:
        async with window_of(data_dir, tables_url) as running:
            window, chart, controller = running.window, running.chart, running.controller.alerts
            near, far = levels_about(last_price(running), "Supply"), level(1.0)
            running.engine.drawings.put(near, far)
            await until(lambda: len(chart.drawings.drawings) == 2)
            chart.drawings.ask_for_alert(near)
            dialog = controller.dialog
            assert dialog is not None
            editor = dialog.editor
            box = editor.when.fields["drawing"]
            assert isinstance(box, QComboBox)
            assert box.currentText() == "Fibonacci retracement “Supply”"
            assert sorted(box.itemText(at) for at in range(box.count())) == [
                "Fibonacci retracement “Supply”",
                "Horizontal line at 1.00",
            ]
            await until(lambda: "Would" in editor.outcome.text() or "No trades" in editor.outcome.text())
            editor.save_button.click()
            await until(lambda: not dialog.is_editing and len(controller.alerts) == 1)
            assert chart.drawings.set.alerts == {near.id: 1}
            await until(lambda: dialog.model.rows or controller.alerts[0].firings)
            dialog.reject()
            await until(lambda: toasts(window) and controller.alerts[0].firings)
            assert "the Fibonacci retracement “Supply”" in toasts(window)[-1].accessibleName()
            await until(lambda: chart.drawings.set.alerts == {})  # it fires once, and has

    run_on_qt_loop(work)


def test_a_drawing_that_is_removed_is_said_so_in_the_list_and_by_the_chart(
    qtbot: QtBot, data_dir: Path, tables_url: str
) -> None:
    async def work() -> None:
        async with window_of(data_dir, tables_url, rate=5) as running:
            chart, controller, said = running.chart, running.controller.alerts, list[str]()
            line = level(last_price(running) * 2)
            running.engine.drawings.put(line)
            await until(lambda: chart.drawings.drawings)
            chart.noted.connect(said.append)
            chart.drawings.ask_for_alert(line)
            dialog = controller.dialog
            assert dialog is not None
            await until(lambda: dialog.editor.save_button.isEnabled())
            dialog.editor.save_button.click()
            await until(lambda: dialog.model.rows)
            assert dialog.model.rows[0].title.startswith("Horizontal line at ")
            assert dialog.model.rows[0].distance is not None
            chart.drawings.remove(line)
            assert said[-1].startswith("Horizontal line removed; its alert fires no more.")
            await until(lambda: dialog.model.rows[0].title == "Price crosses a drawing that was removed")
            running.controller.chart_controller.drawings.undo()
            await until(lambda: dialog.model.rows[0].title.startswith("Horizontal line at "))

    run_on_qt_loop(work)
