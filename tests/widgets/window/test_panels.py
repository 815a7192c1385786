"""The texts and colours of the quote panel, top bar, status bar and notice bar."""

from __future__ import annotations

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from app.market.ports.exchange import FeedState
from tests.widgets.conftest import BTCUSDT, ETHUSDT
from widgets.controls.number_format import UNKNOWN
from widgets.view_values import DownloadView, QuoteView, StatusView
from widgets.window.main_window import MainWindow
from widgets.window.notice_bar import NoticeAction

QUOTE = QuoteView(
    BTCUSDT, 61693.94, -0.53, 61693.93, 3.78826, 61693.94, 1.54698, 62745.14, 54730.0, 45298.1, 19904, 204, True, "Yes"
)
STATUS = StatusView(
    FeedState.LIVE, "", 23.4, 312, "Embedded PostgreSQL 18.4", "", 1204, 0, 204, False, 0, 1_723_162_523_000_000
)


def tone(widget: QWidget) -> str:
    return str(widget.property("tone") or "")


def test_the_quote_panel_shows_the_book_the_last_day_and_stored_trades(window: MainWindow) -> None:
    window.set_quote(QUOTE)
    panel = window.quote_panel
    assert (panel.bid.price.text(), panel.bid.quantity.text()) == ("61,693.93", "3.788 BTC")
    assert (panel.ask.price.text(), panel.ask.quantity.text()) == ("61,693.94", "1.547 BTC")
    figures = {name: figure.text() for name, figure in panel.figures.items()}
    assert figures.pop("Ticks received") == UNKNOWN  # of a symbol with trades; its row is hidden
    assert list(figures.values()) == [
        "0.01",
        "62,745.14",
        "54,730.00",
        "45,298 BTC",
        "Yes",
        "19,904",
        "204 · repairing",
    ]
    assert tone(panel.figures["Missing trades"]) == "warning"


def test_no_missing_trades_means_no_warning(window: MainWindow) -> None:
    window.set_quote(QUOTE)
    window.set_quote(QuoteView(BTCUSDT, stored_trades=19904))
    assert window.quote_panel.figures["Missing trades"].text() == "0"
    assert tone(window.quote_panel.figures["Missing trades"]) == ""


def test_long_gaps_are_offered_for_download_which_shows_progress_and_can_be_stopped(
    window: MainWindow, qtbot: QtBot
) -> None:
    row = window.quote_panel.download
    window.set_quote(QUOTE)
    assert row.isHidden()
    window.set_quote(replace(QUOTE, download=DownloadView(1_234_567, 1_234_567, 9)))
    assert (row.text.text(), row.button.text(), row.bar.isHidden()) == ("Takes about 9 min", "Download trades", True)
    assert "1,234,567 trades" in row.toolTip() + row.button.toolTip()
    with qtbot.waitSignal(window.requests.download_requested, timeout=1000):
        row.button.click()
    window.set_quote(replace(QUOTE, download=DownloadView(1_000_000, 250_000, 2, is_running=True)))
    assert (row.text.text(), row.button.text()) == ("250,000 to go, about 2 min", "Stop")
    assert (row.bar.value(), row.bar.isHidden()) == (750, False)
    with qtbot.waitSignal(window.requests.download_stop_requested, timeout=1000):
        row.button.click()
    window.set_quote(QUOTE)
    assert row.isHidden()


@pytest.mark.parametrize(
    ("minutes", "words"),
    [(0, "less than a minute"), (61, "about 1 h 1 min"), (60 * 47, "about 47 h"), (60 * 1234, "about 51 days")],
)
def test_the_time_of_a_download_is_rough(window: MainWindow, minutes: int, words: str) -> None:
    window.set_quote(replace(QUOTE, download=DownloadView(9, 9, minutes)))
    assert window.quote_panel.download.text.text() == f"Takes {words}"


def test_unknown_values_are_shown_as_unknown(window: MainWindow) -> None:
    window.set_quote(QuoteView(BTCUSDT))
    assert {figure.text() for figure in window.quote_panel.figures.values()} == {"–"}


def test_a_spread_from_a_setting_has_no_quantities(window: MainWindow) -> None:
    window.set_quote(QuoteView(BTCUSDT, bid=61690.0, ask=61700.0))
    assert window.quote_panel.bid.quantity.text() == "by spread setting"


def test_another_symbol_clears_the_old_figures_at_once(window: MainWindow) -> None:
    window.set_quote(QUOTE)
    window.set_symbol(ETHUSDT)
    assert window.top_bar.price.text() == ""
    assert window.quote_panel.bid.price.text() == "–"
    assert window.windowTitle() == "ETH/USDT · cryptopipe"
    window.set_quote(QUOTE)
    assert window.top_bar.price.text() == ""


@pytest.mark.parametrize(("change", "expected"), [(-0.53, "falling"), (0.53, "rising"), (0.0, ""), (None, "")])
def test_the_price_is_coloured_by_direction(window: MainWindow, change: float | None, expected: str) -> None:
    window.set_quote(QuoteView(BTCUSDT, 61693.94, change))
    assert window.top_bar.price.text() == "61,693.94"
    assert tone(window.top_bar.price) == expected


def test_a_shorter_price_does_not_move_the_interval_bar(window: MainWindow, qtbot: QtBot) -> None:
    window.set_quote(QuoteView(BTCUSDT, 100000.01, -10.5))
    qtbot.waitUntil(lambda: window.top_bar.price.width() >= window.top_bar.price.sizeHint().width())
    place = window.top_bar.intervals.x()
    window.set_quote(QuoteView(BTCUSDT, 99999.0, -9.1))
    window.top_bar.layout().activate()
    assert window.top_bar.intervals.x() == place


def test_trades_that_contradict_stored_ones_are_counted_in_the_status_bar(window: MainWindow) -> None:
    refused = window.status_bar.contradictions
    assert not refused.isVisible()
    window.set_status(replace(STATUS, contradictions=2))
    assert (refused.text(), refused.isVisible()) == ("2 trades refused", True)
    window.set_status(replace(STATUS, contradictions=1))
    assert refused.text() == "1 trade refused"


def test_while_all_is_well_the_status_bar_shows_figures(window: MainWindow) -> None:
    window.set_status(STATUS)
    bar = window.status_bar
    assert bar.feed.text() == "Live · 23\u00a0ms"
    assert bar.rate.text() == "312 trades/s"
    assert bar.database.text() == "Embedded PostgreSQL 18.4 · 1,204 rows/s"
    assert bar.queue.text() == "Queue 0"
    assert bar.missing.text() == "204 trades missing"
    assert bar.time.text() == "09 Aug 2024 00:15:23 UTC"
    assert (bar.missing.isVisible(), bar.malformed.isVisible(), bar.badge.isVisible()) == (True, False, False)
    assert tone(bar.dot) == "rising"


def test_trades_on_disk_are_shown_and_a_full_spool_says_why_it_takes_no_more(
    window: MainWindow,
) -> None:
    spool = window.status_bar.spool
    window.set_status(STATUS)
    assert not spool.isVisibleTo(window)
    window.set_status(replace(STATUS, spooled=128_455))
    assert (spool.text(), spool.isVisibleTo(window)) == ("On disk 128,455", True)
    window.set_status(replace(STATUS, spooled=128_455, spool_reason="The spool on disk has reached its 1,024 MB."))
    assert spool.text() == "On disk 128,455 · takes no more"
    assert spool.toolTip() == "The spool on disk has reached its 1,024 MB."


def test_a_read_only_database_is_described_in_plain_words(window: MainWindow) -> None:
    why = "Reading only: the server is a standby, so trades are not recorded."
    window.set_status(replace(STATUS, read_only_reason=why))
    bar = window.status_bar
    assert bar.database.text() == "Embedded PostgreSQL 18.4 · Reading only: not recording"
    assert bar.database.toolTip() == why
    assert tone(bar.database) == "dim"
    window.set_status(replace(STATUS, read_only_reason=why, database_reason="The server is away."))
    assert bar.database.text() == "Embedded PostgreSQL 18.4 · The server is away."
    assert tone(bar.database) == "warning"


def test_errors_are_stated_in_words_and_in_colour(window: MainWindow) -> None:
    window.set_status(
        StatusView(
            FeedState.BACKING_OFF,
            "The exchange cannot be reached; check the network.",
            database="PostgreSQL 18.4",
            database_reason="The disk is full: free some space.",
            malformed=1,
            simulated=True,
        )
    )
    bar = window.status_bar
    assert "The exchange cannot be reached; check the network." in bar.feed.text()
    assert bar.feed.toolTip() == "The exchange cannot be reached; check the network."
    assert bar.database.text() == "PostgreSQL 18.4 · The disk is full: free some space."
    assert bar.malformed.text() == "1 message unreadable"
    assert bar.badge.isVisible()
    assert (tone(bar.dot), tone(bar.feed), tone(bar.database)) == ("warning", "warning", "warning")


@pytest.mark.parametrize("state", FeedState)
def test_every_state_of_the_feed_has_a_word(window: MainWindow, state: FeedState) -> None:
    window.set_status(StatusView(state))
    assert window.status_bar.feed.text()


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


def test_connections_that_are_down_are_shown_while_the_feed_is_live(window: MainWindow) -> None:
    bar = window.status_bar
    partly = replace(STATUS, feed_reason="It broke.", retry_in_s=5.0, connections=3, connections_down=1)
    window.set_status(partly)
    assert bar.feed.text() == "Live, 1 of 3 connections reconnecting in 5 s · It broke."
    assert bar.feed.toolTip() == "It broke; trying again in 5 s."
    assert (tone(bar.dot), tone(bar.feed)) == ("warning", "warning")
    refused = "S1 is not received: The exchange refused."
    window.set_status(replace(partly, feed_reason=refused, retry_in_s=None, connections_refused=True))
    assert bar.feed.text() == f"Live, 1 of 3 connections refused · {refused}"
    window.set_status(replace(STATUS, connections=3))
    assert bar.feed.text() == "Live · 23\u00a0ms"


def test_a_long_delay_is_shown_in_a_fitting_unit(window: MainWindow) -> None:
    window.set_status(replace(STATUS, delay_ms=7_300_000.0))
    assert window.status_bar.feed.text() == "Live · 2 h"


def test_history_that_waits_for_a_retry_is_shown_while_the_feed_is_live(window: MainWindow) -> None:
    bar = window.status_bar
    window.set_status(replace(STATUS, history_reason="The exchange was asked too much.", retry_in_s=19.0))
    assert bar.feed.text() == "Live · history in 19 s · The exchange was asked too much."
    assert (tone(bar.dot), tone(bar.feed)) == ("rising", "warning")
    window.set_status(STATUS)
    assert tone(bar.feed) == "dim"


@pytest.mark.parametrize(
    ("skew_s", "text", "tip"),
    [
        (3.24, "clock 3.2 s slow", "This computer's is 3.2 s behind"),
        (-412.0, "clock 7 min fast", "This computer's is 7 min ahead"),
        (-60.0 * 1_201_897, "clock 835 days fast", "This computer's is 835 days ahead"),
    ],
)
def test_a_wrong_clock_is_shown_until_it_is_right(window: MainWindow, skew_s: float, text: str, tip: str) -> None:
    time = window.status_bar.time
    window.set_status(replace(STATUS, skew_s=skew_s))
    assert (time.text(), tone(time)) == (f"09 Aug 2024 00:15:23 UTC · {text}", "warning")
    assert tip in time.toolTip()
    window.set_status(replace(STATUS, skew_s=0.2))
    assert (time.text(), tone(time)) == ("09 Aug 2024 00:15:23 UTC", "dim")


def test_a_notice_that_counts_down_keeps_its_buttons(window: MainWindow) -> None:
    window.set_notice("Trying again in 19 s.", (NoticeAction.RETRY_FEED,))
    button = window.notice_bar.buttons[NoticeAction.RETRY_FEED]
    window.set_notice("Trying again in 18 s.", (NoticeAction.RETRY_FEED,))
    assert window.notice_bar.text.text() == "Trying again in 18 s."
    assert window.notice_bar.buttons[NoticeAction.RETRY_FEED] is button
