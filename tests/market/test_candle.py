"""The candles of its parts add up to a candle."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.candle import Candle, CandleSource, combine, empty_candle, has_prices_alone, has_taker_sides
from app.market.trade import Trade
from tests.market.helpers import candle_of, trades


@given(trades(least=1), st.sets(st.integers(1, 39)))
def test_any_cut_of_the_trades_combines_to_the_same_candle(given_trades: list[Trade], cuts: set[int]) -> None:
    edges = [0, *sorted(cut for cut in cuts if cut < len(given_trades)), len(given_trades)]
    parts = [candle_of(given_trades[first].time_us, given_trades[first:last]) for first, last in pairwise(edges)]
    assert combine(5, parts) == candle_of(5, given_trades)


@given(trades(least=1), st.integers(0, 3), st.integers(0, 3))
def test_empty_parts_around_trades_change_nothing(given_trades: list[Trade], before: int, after: int) -> None:
    whole = candle_of(0, given_trades)
    parts = [empty_candle(0, 777)] * before + [whole] + [empty_candle(0, whole.close_e8, closed=False)] * after
    assert combine(0, parts) == whole


def test_only_empty_parts_make_an_empty_candle() -> None:
    assert combine(60, [empty_candle(60, 5), empty_candle(120, 5, closed=False)]) == empty_candle(60, 5, closed=False)


def test_one_incomplete_part_makes_the_whole_incomplete_even_an_empty_one() -> None:
    assert not combine(0, [empty_candle(0, 5), empty_candle(1, 5, complete=False)]).complete


def test_the_source_is_mixed_where_the_parts_differ_and_empty_parts_do_not_count() -> None:
    kline = Candle(0, 1, 1, 1, 1, 1, 1, 1, 1, 1, source=CandleSource.KLINE)
    traded = kline._replace(source=CandleSource.TRADES, first_trade_id=5, last_trade_id=5)
    assert combine(0, [kline, traded]).source is CandleSource.MIXED
    assert combine(0, [kline, empty_candle(1, 1)]).source is CandleSource.KLINE
    assert combine(0, [kline, kline]).source is CandleSource.KLINE


def test_a_part_that_knows_prices_and_volume_alone_makes_a_candle_that_does() -> None:
    full = Candle(0, 1, 1, 1, 1, 4, 3, 2, 2, 1, source=CandleSource.KLINE)
    bare = full._replace(open_time_us=1, quote_volume_e16=0, trades=1, taker_buy_volume_e8=0)
    bare = bare._replace(taker_buy_quote_volume_e16=0)
    for parts in ([full, bare], [bare, full], [bare, bare]):
        whole = combine(0, parts)
        assert has_prices_alone(whole)
        assert (whole.volume_e8, whole.taker_buy_volume_e8, whole.taker_buy_quote_volume_e16) == (8, 0, 0)
    assert not has_prices_alone(combine(0, [full, empty_candle(1, 1)]))


def test_taker_sides_are_known_where_a_file_says_them_or_one_price_does() -> None:
    full = Candle(0, 2, 3, 1, 2, 4, 3, 2, 2, 1, source=CandleSource.KLINE)
    sold = full._replace(taker_buy_volume_e8=0, taker_buy_quote_volume_e16=0)
    for known in (full, sold, sold._replace(trades=1, high_e8=2, low_e8=2, open_e8=2), empty_candle(0, 1)):
        assert has_taker_sides(known)
    for unknown in (sold._replace(quote_volume_e16=0), sold._replace(trades=1)):
        assert not has_taker_sides(unknown)
        assert not has_taker_sides(combine(0, [unknown, unknown._replace(open_time_us=1)])) or unknown.quote_volume_e16


def test_no_parts_make_no_candle() -> None:
    with pytest.raises(ValueError, match="at least one part"):
        combine(0, [])


def test_an_empty_candle_is_the_close_before() -> None:
    candle = empty_candle(60, 123)
    assert candle[1:5] == (123, 123, 123, 123)
    assert candle[5:10] == (0, 0, 0, 0, 0)
    assert candle.first_trade_id is candle.last_trade_id is None
