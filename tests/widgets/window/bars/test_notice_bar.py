"""The sentence of the notice bar, its sign and its buttons."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.market.ports.exchange import FeedState
from widgets.view_values import StatusView
from widgets.window.bars.notice_bar import NoticeAction
from widgets.window.main_window import MainWindow


def test_the_same_notice_again_keeps_its_buttons(window: MainWindow) -> None:
    window.set_notice("The disk is full.", [NoticeAction.RETRY_DATABASE])
    button = window.notice_bar.buttons[NoticeAction.RETRY_DATABASE]
    window.set_notice("The disk is full.", [NoticeAction.RETRY_DATABASE])
    assert window.notice_bar.buttons[NoticeAction.RETRY_DATABASE] is button


def test_only_trouble_has_the_sign_of_a_warning(window: MainWindow) -> None:
    bar = window.notice_bar
    window.set_notice("The disk is full.")
    warning = bar.sign.pixmap().toImage()
    window.set_notice("EUR/USD: history only.", is_trouble=False)
    assert bar.sign.pixmap().toImage() != warning
    window.set_notice("The disk is full.")
    assert bar.sign.pixmap().toImage() == warning


def test_a_notice_can_be_dismissed(window: MainWindow, qtbot: QtBot) -> None:
    window.set_notice("Saved.", [NoticeAction.DISMISS])
    qtbot.mouseClick(window.notice_bar.buttons[NoticeAction.DISMISS], Qt.MouseButton.LeftButton)
    assert window.notice_bar.isHidden()


def test_a_countdown_comes_first_where_it_is_not_cut_off(window: MainWindow) -> None:
    waiting = StatusView(FeedState.BACKING_OFF, "The exchange has banned this address.", retry_in_s=107.2)
    bar = window.status_bar
    window.set_status(waiting)
    assert bar.feed.text() == "Reconnecting in 1 min 47 s · The exchange has banned this address."
    assert bar.feed.toolTip() == "The exchange has banned this address; trying again in 1 min 47 s."
    window.set_status(replace(waiting, retry_in_s=18.9))
    assert bar.feed.text().startswith("Reconnecting in 18 s · ")


def test_a_notice_that_counts_down_keeps_its_buttons(window: MainWindow) -> None:
    window.set_notice("Trying again in 19 s.", (NoticeAction.RETRY_FEED,))
    button = window.notice_bar.buttons[NoticeAction.RETRY_FEED]
    window.set_notice("Trying again in 18 s.", (NoticeAction.RETRY_FEED,))
    assert window.notice_bar.text.text() == "Trying again in 18 s."
    assert window.notice_bar.buttons[NoticeAction.RETRY_FEED] is button
