"""The texts and colours of the status bar."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.market.ports.exchange import FeedState
from tests.widgets.window.tones import tone
from widgets.view_values import StatusView
from widgets.window.main_window import MainWindow

STATUS = StatusView(
    FeedState.LIVE, "", 23.4, 312, "Embedded PostgreSQL 18.4", "", 1204, 0, 204, False, 0, 1_723_162_523_000_000
)


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
