"""Candles of ticks against sums made by hand, however the ticks are split into parts."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.quotes.tick import PriceSide, Tick
from tests.tick_candles import candle_of_tick, combine_ticks, with_places

_PRICES = st.integers(min_value=1, max_value=10**12)
_TICKS = st.lists(
    st.builds(
        Tick,
        symbol=st.just("oanda:EURUSD"),
        time_us=st.integers(min_value=0, max_value=20),
        place=st.just(0),
        bid_e8=_PRICES,
        ask_e8=_PRICES,
        bid_size_e8=st.integers(min_value=0, max_value=10**9),
        ask_size_e8=st.integers(min_value=0, max_value=10**9),
    ),
    min_size=1,
    max_size=30,
).map(lambda ticks: list(with_places(sorted(ticks, key=lambda tick: tick.time_us))))


def _prices(ticks: list[Tick], side: PriceSide) -> list[int]:
    if side is PriceSide.MID:
        return [(tick.bid_e8 + tick.ask_e8) // 2 for tick in ticks]
    return [tick.bid_e8 if side is PriceSide.BID else tick.ask_e8 for tick in ticks]


@given(_TICKS, st.randoms(use_true_random=False), st.sets(st.integers(min_value=1, max_value=29)))
def test_parts_add_up_to_the_candle_of_all_ticks(ticks, random, cuts):
    cuts = [0, *sorted(cut for cut in cuts if cut < len(ticks)), len(ticks)]
    groups = [ticks[start:end] for start, end in pairwise(cuts)]
    parts = [combine_ticks(0, [candle_of_tick(0, tick) for tick in group]) for group in groups]
    random.shuffle(parts)

    whole = combine_ticks(0, parts)

    for side in PriceSide:
        prices = _prices(ticks, side)
        assert whole.bar(side) == (prices[0], max(prices), min(prices), prices[-1])
    assert whole.ticks == len(ticks)
    assert whole.bid_volume_e8 == sum(tick.bid_size_e8 for tick in ticks)
    assert whole.ask_volume_e8 == sum(tick.ask_size_e8 for tick in ticks)
    assert whole.first == (ticks[0].time_us, 0)
    assert whole.last == (ticks[-1].time_us, ticks[-1].place)


@given(_TICKS)
def test_places_distinguish_ticks_with_equal_times_in_their_order(ticks):
    assert len({(tick.time_us, tick.place) for tick in ticks}) == len(ticks)
    assert [tick.place for tick in ticks if tick.time_us == ticks[0].time_us] == list(
        range(sum(tick.time_us == ticks[0].time_us for tick in ticks))
    )


def test_no_parts_make_no_candle():
    with pytest.raises(ValueError, match="at least one part"):
        combine_ticks(0, [])
