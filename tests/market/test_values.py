"""The small values: symbols and tickers."""

from __future__ import annotations

import pytest

from app.market.symbol import Symbol
from app.market.trade import DayTicker
from app.market.units import E8


@pytest.mark.parametrize(
    ("step_e8", "places"), [(1, 8), (10, 7), (1_000_000, 2), (E8, 0), (50_000_000, 1), (10 * E8, 0)]
)
def test_the_steps_say_how_many_places_are_shown(step_e8: int, places: int) -> None:
    symbol = Symbol("BTCUSDT", "BTC", "USDT", tick_size_e8=step_e8, step_size_e8=step_e8)
    assert symbol.price_decimals == symbol.quantity_decimals == places


def test_a_symbol_shows_its_assets_where_they_are_known() -> None:
    assert Symbol("BTCUSDT", "BTC", "USDT").display_name == "BTC/USDT"
    assert Symbol("BTCUSDT", "", "").display_name == "BTCUSDT"
    assert not Symbol("XUSDT", "X", "USDT", status="BREAK").is_trading


def test_a_day_without_a_trade_has_no_change() -> None:
    assert DayTicker("X", 1, 0, 0, 0, 0, 0, 0).change_percent == 0
    assert DayTicker("X", 1, 200, 0, 0, 150, 0, 0).change_percent == -25
