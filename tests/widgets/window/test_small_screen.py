"""On 800 x 600, with text up to twice as large, each dialog and panel is whole: nothing cut, nothing out of reach."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from PySide6.QtCore import QPoint, QSize
from PySide6.QtWidgets import QApplication, QDialog, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from tests.widgets.cleanup import close_and_delete
from tests.widgets.conftest import BTCUSDT, ETHUSDT
from tests.widgets.window.long_texts import cut_off, too_low
from widgets.controls import dialog_frame
from widgets.dialogs.about_dialog import AboutDialog
from widgets.dialogs.database_dialog import DatabaseDialog, DialogState, Fact
from widgets.dialogs.database_form import DatabaseChoice, DatabaseKind
from widgets.symbols.symbols_dialog import SymbolsDialog
from widgets.theme import text_size
from widgets.view_values import ComponentView, DownloadView, QuoteView
from widgets.window.bars.notice_bar import NoticeAction
from widgets.window.main_window import MainWindow

SCREEN = QSize(800, 600)
SENTENCE = "The exchange cannot be reached: check the connection to the internet. Trying again in 12 s."


@pytest.fixture(params=[100, 200])
def small(window: MainWindow, request: pytest.FixtureRequest) -> Iterator[MainWindow]:
    """The window on a small screen."""
    window.resize(SCREEN)
    text_size.set_percent(request.param)
    settle()
    yield window
    text_size.set_percent(100)
    settle()


def settle() -> None:
    for _ in range(4):
        QApplication.processEvents()


def place_in(part: QWidget, window: QWidget) -> tuple[QPoint, QPoint]:
    return part.mapTo(window, part.rect().topLeft()), part.mapTo(window, part.rect().bottomRight())


def test_a_notice_shows_its_whole_sentence_and_its_buttons(small: MainWindow) -> None:
    bar = small.notice_bar
    for text, actions in (
        ("Short.", (NoticeAction.RETRY_FEED,)),
        (SENTENCE, (NoticeAction.RETRY_FEED, NoticeAction.OPEN_SIMULATED_MARKET)),
        (SENTENCE, ()),
    ):
        small.set_notice(text, actions)
        settle()
        assert bar.text.height() >= bar.text.heightForWidth(bar.text.width())
        assert bar.height() >= bar.text.height()
        for part in (bar.text, *bar.buttons.values()):
            assert bar.rect().contains(part.mapTo(bar, part.rect().bottomRight()))
            assert part.isVisible()
    low = bar.height()
    small.set_notice("Short.")
    settle()
    assert bar.height() <= low


def test_the_overview_of_keys_needs_no_scrolling_sideways(small: MainWindow) -> None:
    overview = small.keys_overview
    overview.toggle()
    settle()
    assert overview.width() <= small.width()
    assert overview._sheet.width() <= overview._scroll.viewport().width()
    overview.toggle()
    small.resize(1400, 800)
    text_size.set_percent(100)
    settle()
    overview.toggle()  # two columns again
    settle()
    assert overview.width() > 800
    overview.toggle()


def test_a_picker_is_no_wider_than_the_window(small: MainWindow) -> None:
    small.choosers.open_picker()
    settle()
    assert small.rect().contains(small.symbol_picker.geometry())
    small.symbol_picker.dismiss()


def test_what_the_quote_panel_says_is_whole(window: MainWindow, qtbot: QtBot) -> None:
    window.resize(1000, 560)  # so low that the panel scrolls
    for minutes, is_running in ((0, False), (320, True)):
        window.set_quote(
            QuoteView(
                BTCUSDT,
                recording="Waiting for the exchange",
                stored_trades=123_456_789,
                missing_trades=90_000,
                repairing=True,
                watched=False,
                download=DownloadView(90_000, 80_000, minutes, is_running=is_running),
            )
        )
        settle()
        assert cut_off(window) == []
        assert too_low(window) == []
        text = window.quote_panel.download.text
        assert text.height() >= text.heightForWidth(text.width())
        button = window.quote_panel.watch_button
        assert button.isVisible()
        assert button.height() >= button.sizeHint().height()
    window.set_quote(QuoteView(BTCUSDT, recording="No · trading is halted at the exchange until further notice"))
    assert window.quote_panel.figures["Recording"].toolTip().endswith("further notice")


def dialogs(window: MainWindow) -> Iterator[QDialog]:
    meanings = dict.fromkeys(DatabaseKind, "The server that comes along keeps the trades in the data directory." * 2)
    remote = DatabaseChoice(DatabaseKind.REMOTE, {"host": "db.example", "dbname": "x", "sslmode": "verify-full"})
    database = DatabaseDialog(remote, meanings, read_url=lambda url: {}, parent=window)
    database.show()
    database.state = DialogState.TESTING
    database.tested([Fact(f"Fact {number}", "It is so. " * 12) for number in range(4)], "It can be used.", "rising")
    yield database
    yield SymbolsDialog(["BTCUSDT"], [BTCUSDT, ETHUSDT], window)
    yield AboutDialog(ComponentView("cryptopipe", "1.2.3", "MIT", "Permission is granted. " * 200), window)


def test_no_dialog_is_larger_than_the_screen_and_its_buttons_stay_in_view(
    small: MainWindow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dialog_frame, "room_for", lambda dialog: SCREEN)
    for dialog in dialogs(small):
        dialog.show()
        settle()
        assert dialog.width() <= SCREEN.width()
        assert dialog.height() <= SCREEN.height()
        for button in dialog.findChildren(QPushButton):
            assert button.icon().isNull()
            if button.isVisible():
                top_left, bottom_right = place_in(button, dialog)
                assert dialog.rect().contains(top_left)
                assert dialog.rect().contains(bottom_right)
        default = [button for button in dialog.findChildren(QPushButton) if button.isDefault()]
        shown = [button for button in dialog.findChildren(QPushButton) if button.isVisible()]
        last = max(shown, key=lambda button: (place_in(button, dialog)[1].y(), place_in(button, dialog)[1].x()))
        assert default == [last]
        close_and_delete(dialog)
