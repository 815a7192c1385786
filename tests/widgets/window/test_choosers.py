"""The choosers of the window: who gets what is picked, and that typing is learnt once."""

from __future__ import annotations

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from widgets.window.main_window import MainWindow


def test_a_symbol_is_picked_for_the_chart_unless_something_else_asked(window: MainWindow, qtbot: QtBot) -> None:
    for_chart: list[str] = []
    for_other: list[str] = []
    choosers = window.choosers
    window.requests.symbol_requested.connect(for_chart.append)

    def pick() -> None:
        qtbot.keyClick(choosers.picker.edit, Qt.Key.Key_Return)
        assert choosers.picker.isHidden()

    choosers.pick_symbol(for_other.append)
    qtbot.keyClicks(choosers.picker.edit, "eth")
    pick()
    assert (for_chart, for_other) == ([], ["ETHUSDT"])
    choosers.open_picker("eth")
    pick()
    assert (for_chart, for_other) == (["ETHUSDT"], ["ETHUSDT"])
    choosers.pick_symbol(for_other.append)
    choosers.picker.dismiss()  # nothing was picked, and the next pick is the chart's again
    choosers.open_picker("eth")
    pick()
    assert (for_chart, for_other) == (["ETHUSDT"] * 2, ["ETHUSDT"])


def test_typing_is_learnt_once_and_remembered(window: MainWindow, qtbot: QtBot) -> None:
    learnt: list[bool] = []
    window.choosers.typing_learnt.connect(lambda: learnt.append(True))
    window.choosers.open_entry()  # by its button
    window.interval_entry.dismiss()
    assert learnt == []
    assert window.layout_values()["typing"] is False
    window.chart.setFocus()
    with qtbot.waitSignal(window.layout_changed):
        qtbot.keyClick(window.chart, Qt.Key.Key_9)
    assert window.interval_entry.edit.text() == "9"
    window.interval_entry.dismiss()
    window.chart.setFocus()
    qtbot.keyClick(window.chart, Qt.Key.Key_8)
    window.interval_entry.dismiss()
    assert learnt == [True]
    assert window.layout_values()["typing"] is True
