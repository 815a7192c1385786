"""Toasts: what they say, how they are undone, and when they go away."""

from __future__ import annotations

from itertools import pairwise

from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QEnterEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from widgets.alerts.alert_toast import AlertToast, ToastText
from widgets.controls.toast import PLAIN_SHOWN_MS, SHOWN_MS
from widgets.window.main_window import MainWindow

CONTROL = Qt.KeyboardModifier.ControlModifier


def test_no_part_of_a_toast_is_a_window_of_its_own_for_a_moment(window: MainWindow, shown_windows: list[str]) -> None:
    window.toasts.show("Removed.", "Undo", lambda: None)
    window.toasts.show("Copied.")
    text = ToastText("BTC/USDT above 1", "1.1 at 06:00 UTC", "trade 7", "Name")
    window.toasts.put(AlertToast(window, text, can_show=True, can_pause=True))
    plain = AlertToast(window, ToastText("Feed lost"), can_show=False, can_pause=False)
    window.toasts.put(plain)
    assert shown_windows == []
    assert [line.isVisible() for line in plain.lines] == [True, False, False, False]
    assert not plain.show_button.isVisible()
    assert not plain.pause_button.isVisible()


def test_a_toast_takes_no_focus_lies_in_the_window_and_its_button_undoes(window: MainWindow, qtbot: QtBot) -> None:
    toasts, undone = window.toasts, []
    focus = QApplication.focusWidget()
    toast = toasts.show("ETH/USDT removed.", "Undo", lambda: undone.append("ETH"))
    assert QApplication.focusWidget() is focus
    for size in ((960, 600), (800, 600), (1280, 720)):
        window.resize(*size)
        QApplication.processEvents()
        assert window.rect().contains(toast.geometry())
        assert toast.geometry().bottom() < window.status_bar.geometry().top()
    qtbot.mouseClick(toast.button, Qt.MouseButton.LeftButton)
    assert undone == ["ETH"]
    assert toasts.shown == ()


def test_ctrl_z_undoes_the_newest_first_and_does_nothing_once_they_are_gone(window: MainWindow, qtbot: QtBot) -> None:
    undone: list[str] = []
    for name in ("a", "b"):
        window.toasts.show(name, "Undo", lambda name=name: undone.append(name))
    window.toasts.show("Copied.")
    for _ in range(3):
        qtbot.keyClick(window.chart, Qt.Key.Key_Z, CONTROL)
    assert undone == ["b", "a"]
    assert [toast.text.text() for toast in window.toasts.shown] == ["Copied."]


def test_in_a_field_ctrl_z_is_the_fields_own(window: MainWindow, qtbot: QtBot) -> None:
    undone: list[str] = []
    window.toasts.show("a", "Undo", lambda: undone.append("a"))
    window.choosers.open_picker()
    qtbot.keyClicks(window.symbol_picker.edit, "eth")
    qtbot.keyClick(window.symbol_picker.edit, Qt.Key.Key_Z, CONTROL)
    assert undone == []
    assert window.symbol_picker.edit.text() != "eth"


def test_a_toast_goes_by_itself_but_not_under_the_pointer_nor_with_the_focus(window: MainWindow) -> None:
    toasts = window.toasts
    toast, plain = toasts.show("a", "Undo", lambda: None), toasts.show("b")
    timer = toasts._timers[toast]
    assert (timer.interval(), toasts._timers[plain].interval()) == (SHOWN_MS, PLAIN_SHOWN_MS)
    QApplication.sendEvent(toast, QEnterEvent(QPointF(5, 5), QPointF(5, 5), QPointF(5, 5)))
    assert not timer.isActive()
    QApplication.sendEvent(toast, QEvent(QEvent.Type.Leave))
    assert timer.isActive()
    toast.button.setFocus()
    timer.timeout.emit()
    assert toast in toasts.shown
    window.chart.setFocus()
    timer.timeout.emit()
    assert toasts.shown == (plain,)


def test_three_toasts_at_most_and_none_covers_another(window: MainWindow) -> None:
    for number in range(5):
        window.toasts.show(
            f"{number}: a sentence that is so long that it takes more than one line", "Undo", lambda: None
        )
    shown = window.toasts.shown
    assert [toast.text.text()[0] for toast in shown] == ["2", "3", "4"]
    for above, below in pairwise(shown):
        assert above.geometry().bottom() < below.geometry().top()
    shown[1].close_button.click()
    assert [toast.text.text()[0] for toast in window.toasts.shown] == ["2", "4"]
