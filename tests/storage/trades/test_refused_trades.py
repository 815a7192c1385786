"""Which trades no database can hold."""

from __future__ import annotations

import pytest

from app.market.trade import Trade
from storage.trades.refused_trades import refusal_reason
from tests.storage.helpers import START_US


@pytest.mark.parametrize(
    "change",
    [
        {"symbol": ""},
        {"symbol": "A" * 101},
        {"symbol": "A\x00B"},
        {"symbol": "half of \ud83d"},
        {"trade_id": -1},
        {"trade_id": 2**63},
        {"time_us": 0},
        {"time_us": 2**62},
        {"price_e8": 0},
        {"price_e8": 2**63},
        {"quantity_e8": -5},
    ],
)
def test_a_trade_that_no_database_can_hold_has_a_reason(change: dict[str, object]) -> None:
    good = Trade("BTCUSDT", 1, START_US, 1, 1, True)
    assert refusal_reason(good) == refusal_reason(good._replace(symbol="币安人生USDT")) == ""
    assert refusal_reason(good._replace(**change)) != ""
