"""Two candles are compared in every field; only roundings of the exchange are let pass."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.candle import Candle
from app.market.comparison import differences
from app.market.units import E8

FIELDS = {
    "open": "open_e8",
    "high": "high_e8",
    "low": "low_e8",
    "close": "close_e8",
    "volume": "volume_e8",
    "quote_volume": "quote_volume_e16",
    "trades": "trades",
    "taker_buy_volume": "taker_buy_volume_e8",
    "taker_buy_quote_volume": "taker_buy_quote_volume_e16",
}
EIGHT_PLACES = st.integers(0, 10**12).map(lambda amount: amount * E8)
CANDLES = st.builds(
    Candle,
    st.just(1_723_161_300_000_000),
    *[st.integers(1, 10**15)] * 5,
    EIGHT_PLACES.filter(bool),
    st.integers(1, 10**6),
    st.integers(0, 10**15),
    EIGHT_PLACES,
)


@given(CANDLES)
def test_equal_candles_have_no_difference(candle: Candle) -> None:
    assert differences(candle, candle._replace(first_trade_id=1, complete=False)) == []


@given(CANDLES, st.sampled_from(list(FIELDS)), st.integers(1, 10**10))
def test_a_changed_field_is_named_with_both_values(candle: Candle, name: str, by: int) -> None:
    field = FIELDS[name]
    by *= E8 if field.endswith("_e16") else 1
    exchange = candle._replace(**{field: getattr(candle, field) + by})
    (found,) = differences(candle, exchange)
    assert (found.open_time_us, found.field) == (candle.open_time_us, name)
    unit = {"_e8": 8, "e16": 16}.get(field[-3:], 0)
    assert Decimal(found.exchange) - Decimal(found.stored) == Decimal(by).scaleb(-unit)


@pytest.mark.parametrize(("off", "differs"), [(0, False), (3 * E8, False), (3 * E8 + 1, True)])
def test_a_quote_volume_with_more_than_eight_places_may_be_off_by_one_of_the_eighth_a_trade(
    off: int, differs: bool
) -> None:
    candle = Candle(0, 1, 1, 1, 1, 1, 12_345_678_901, 3, 0, 0)
    exchange = candle._replace(quote_volume_e16=candle.quote_volume_e16 + off)
    assert bool(differences(candle, exchange)) == differs


@given(CANDLES, st.integers(0, 10**6))
def test_of_a_candle_with_prices_and_volume_alone_only_those_are_compared(candle: Candle, trades: int) -> None:
    bare = candle._replace(quote_volume_e16=0, trades=trades, taker_buy_volume_e8=0, taker_buy_quote_volume_e16=0)
    assert differences(candle, bare) == []
    (found,) = differences(candle, bare._replace(volume_e8=bare.volume_e8 + 1))
    assert found.field == "volume"
