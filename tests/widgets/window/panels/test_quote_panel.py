"""The texts and colours of the quote panel."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pytestqt.qtbot import QtBot

from tests.widgets.conftest import BTCUSDT, ETHUSDT
from tests.widgets.window.tones import tone
from widgets.controls.number_format import UNKNOWN
from widgets.view_values import DownloadView, QuoteView
from widgets.window.main_window import MainWindow

QUOTE = QuoteView(
    BTCUSDT, 61693.94, -0.53, 61693.93, 3.78826, 61693.94, 1.54698, 62745.14, 54730.0, 45298.1, 19904, 204, True, "Yes"
)


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
