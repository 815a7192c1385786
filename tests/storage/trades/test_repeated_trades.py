"""Which trades that come again are not the stored ones, against a comparison one by one."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.market.trade import Trade
from storage.postgres.batch_columns import trade_columns
from storage.trades import repeated_trades
from storage.trades.trade_ledger import TradeLedger
from tests.depth import examples
from tests.storage.helpers import World, compress, some_trades

ETH = [trade._replace(time_us=trade.time_us + 900) for trade in some_trades(600, symbol="ETHUSDT", seed=2)]
TRADES = [*some_trades(1_500), *ETH]


def other(trade: Trade, kind: str) -> Trade:
    """Return the trade with one value changed; the times of ``same`` differ below the millisecond only."""
    ms = trade.time_us // 1000 * 1000
    changes = {
        "price": {"price_e8": trade.price_e8 + 1},
        "quantity": {"quantity_e8": trade.quantity_e8 + 1},
        "maker": {"is_buyer_maker": not trade.is_buyer_maker},
        "later": {"time_us": ms + 1000},
        "years later": {"time_us": ms + 10**14},
        "same": {"time_us": ms + 999},
    }
    return trade._replace(**changes[kind])


@pytest.fixture
def stored_trades(world: World) -> Iterator[TradeLedger]:
    """A ledger that has stored the trades, compressed where that can be."""
    with world.connect() as connection:
        ledger = TradeLedger(connection)
        ledger.store(TRADES)
        compress(connection)
        yield ledger


@settings(max_examples=examples(12), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(),
    share=st.sampled_from([0.02, 0.3, 1.0]),
    kinds=st.lists(st.sampled_from(["price", "quantity", "maker", "later", "years later", "same"]), max_size=4),
)
def test_exactly_the_trades_that_differ_are_found_few_or_many(
    stored_trades: TradeLedger, seed: int, share: float, kinds: list[str]
) -> None:
    dice = random.Random(seed)
    again = {trade.trade_id: trade for trade in dice.sample(TRADES, max(len(kinds) + 1, int(share * len(TRADES))))}
    again = {(trade.symbol, trade.trade_id): trade for trade in again.values()}
    changed = {
        key: other(again[key], kind) for key, kind in zip(dice.sample(sorted(again), len(kinds)), kinds, strict=True)
    }
    expected = {
        (symbol, number) for (symbol, number), trade in changed.items() if trade != other(again[symbol, number], "same")
    }
    numbers = stored_trades.symbol_ids({"BTCUSDT", "ETHUSDT"})
    batch, contradictions = trade_columns(list({**again, **changed}.values()), numbers)
    assert not contradictions
    found = repeated_trades.unconfirmed(stored_trades.connection, batch)
    names = {number: name for name, number in numbers.items()}
    assert {
        (names[symbol], number)
        for symbol, number in zip(found.symbol_id.tolist(), found.trade_id.tolist(), strict=True)
    } == expected
