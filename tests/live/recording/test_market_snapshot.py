"""The market snapshot: the newest trade, quote and day of each symbol, and its trades per minute."""

from __future__ import annotations

import pytest

from app.live.recording.market_snapshot import MarketSnapshot
from app.market.interval import SECOND_US
from app.market.trade import DayTicker, Quote
from app.market.units import E8
from tests.live.helpers import START_US, SYMBOL, trade


def day(time_us: int, close: int, open_: int = 100) -> DayTicker:
    return DayTicker(SYMBOL, time_us, open_ * E8, 200 * E8, 50 * E8, close * E8, E8, E8)


def test_a_symbol_without_events_has_an_empty_snapshot() -> None:
    latest = MarketSnapshot().latest(SYMBOL)
    assert latest.last_price_e8 is None
    assert latest.change_percent is None
    assert latest.bid_ask_e8(0) == (None, None)
    assert latest.bid_ask_e8(1.5) == (None, None)
    assert latest.trades_per_minute(START_US) == 0


def test_older_trades_quotes_and_days_change_nothing() -> None:
    board = MarketSnapshot()
    board.note_all([trade(5, price=50), trade(4, price=40)])
    board.note_all([Quote(SYMBOL, 9, 1, 1, 2, 1), Quote(SYMBOL, 8, 5, 1, 6, 1)])
    board.note_all([day(20, 120), day(10, 110)])
    latest = board.latest(SYMBOL)
    assert latest.last_price_e8 == 50 * E8
    assert latest.bid_ask_e8(0) == (1, 2)
    assert latest.day is not None
    assert latest.day.close_e8 == 120 * E8


def test_the_days_price_stands_in_until_a_trade_comes() -> None:
    board = MarketSnapshot()
    board.note(day(10, 110))
    assert board.latest(SYMBOL).last_price_e8 == 110 * E8
    board.note(trade(1, price=90))
    assert board.latest(SYMBOL).change_percent == pytest.approx(-10.0)


def test_a_day_that_opened_at_nothing_has_no_change() -> None:
    board = MarketSnapshot()
    board.note(day(10, 110, open_=0))
    assert board.latest(SYMBOL).change_percent is None


def test_a_set_spread_lies_around_the_last_price_instead_of_the_exchanges_own() -> None:
    board = MarketSnapshot()
    board.note_all([trade(1, price=200), Quote(SYMBOL, 9, 1, 1, 2, 1)])
    assert board.latest(SYMBOL).bid_ask_e8(0.5) == (199 * E8, 201 * E8)
    assert board.latest(SYMBOL).bid_ask_e8(0) == (1, 2)


def test_trades_per_minute_counts_the_last_sixty_seconds_only() -> None:
    board = MarketSnapshot()
    board.note_all([trade(number, number) for number in range(1, 91)])
    now_us = START_US + 90 * SECOND_US
    assert board.latest(SYMBOL).trades_per_minute(now_us) == 60
    assert board.latest(SYMBOL).trades_per_minute(now_us + 59 * SECOND_US) == 1
    assert board.latest(SYMBOL).trades_per_minute(now_us + 60 * SECOND_US) == 0


def test_a_burst_is_counted_whole_in_bounded_memory() -> None:
    board = MarketSnapshot()
    board.note_all([trade(number, 1.0) for number in range(1, 5001)])
    latest = board.latest(SYMBOL)
    assert latest.trades_per_minute(START_US + 2 * SECOND_US) == 5000
    assert len(latest.per_second) == 1
