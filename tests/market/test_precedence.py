"""Which of two candles of one slot counts, and that the store and the chart choose the same one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.live.charts.candle_merger import CandleMerger
from app.market.candle import Candle, CandleSource, empty_candle
from app.market.coverage import IdRanges
from app.market.interval import SECOND_US, Interval
from app.market.precedence import add_better, better, rank
from storage.candles.candle_precedence import merged

MINUTE = Interval.parse("1m")
OPEN_US = MINUTE.open_time_us(1_700_000_000 * SECOND_US)
SYMBOL = "BTCUSDT"


@st.composite
def candles(draw: st.DrawFn) -> Candle:
    """Draw a candle of one slot, whatever its source says of it."""
    trades = draw(st.integers(0, 3))
    close_e8 = draw(st.integers(1, 5))
    source = draw(st.sampled_from(CandleSource))
    closed, complete = draw(st.booleans()), draw(st.booleans())
    quote = draw(st.sampled_from([0, 5]))
    taker = 2 if quote else 0
    return Candle(OPEN_US, 1, 9, 1, close_e8, 5, quote, trades, taker, taker, None, None, closed, complete, source)


@given(candles(), candles())
def test_the_better_of_two_is_one_of_them_and_neither_ranks_above_it(one: Candle, other: Candle) -> None:
    chosen = better(one, other)
    assert chosen in (one, other)
    assert rank(chosen) == max(rank(one), rank(other))
    if rank(one) == rank(other):
        assert chosen is other


@given(candles(), candles())
def test_proving_empty_candles_changes_the_choice_of_no_other(one: Candle, other: Candle) -> None:
    chosen = better(one, other, empty_is_proven=True)
    assert chosen is one or rank(chosen) >= rank(one, empty_is_proven=True)
    if one.trades:
        assert chosen is better(one, other)


@given(st.lists(candles(), min_size=1, max_size=6))
def test_of_many_candles_of_one_slot_the_best_stays(given_candles: list[Candle]) -> None:
    known: dict[int, Candle] = {}
    add_better(known, given_candles)
    assert [rank(candle) for candle in known.values()] == [max(map(rank, given_candles))]


def test_a_proven_empty_candle_stays_when_its_kline_is_added() -> None:
    stored = empty_candle(OPEN_US, 3)
    known = {OPEN_US: stored}
    add_better(known, [stored._replace(source=CandleSource.KLINE)], empty_is_proven=True)
    assert known[OPEN_US].source is CandleSource.TRADES


@given(st.sampled_from([CandleSource.KLINE, CandleSource.AGGTRADES]), st.integers(0, 3), st.integers(0, 3))
def test_a_complete_candle_that_knows_all_figures_counts_before_one_of_prices_and_volume(
    source: CandleSource, trades: int, bare_trades: int
) -> None:
    full = Candle(OPEN_US, 1, 9, 1, 3, 5, 5, trades, 2, 2, source=source)
    bare = Candle(OPEN_US, 1, 9, 1, 3, 5, 0, bare_trades, 0, 0, source=source)
    assert better(full, bare) is full
    assert better(bare, full) is full


@given(st.integers(1, 4), st.integers(0, 4), st.booleans(), st.booleans())
def test_store_and_chart_choose_the_same_of_a_candle_of_trades_and_a_kline(
    traded: int, published: int, is_held: bool, is_followed: bool
) -> None:
    """``is_held``: the trade before the candle is; without it the candle is incomplete. ``is_followed``: by a trade."""
    slot, last_id = MINUTE.slot(OPEN_US), 9 + traded
    folded = Candle(OPEN_US, 1, 9, 1, 3, 5, 5, traded, 2, 2, 10, last_id)
    following = Candle(MINUTE.next_open_us(OPEN_US), 1, 9, 1, 3, 5, 5, 1, 2, 2, last_id + 1, last_id + 1)
    kline = Candle(OPEN_US, 1, 9, 1, 4, 5, 5, published, 2, 2, source=CandleSource.KLINE)

    def read(klines: dict[int, Candle]) -> Candle:
        found = merged(
            MINUTE,
            IdRanges([(1 if is_held else 10, last_id + is_followed)]),
            before=None,
            traded=[folded],
            after=following if is_followed else None,
            klines=klines,
            first=slot,
            last=slot,
            now_us=None,
        )
        return found[0]

    alone, stored = read({}), read({OPEN_US: kline})
    assert (alone.closed, alone.complete) == (is_followed, is_held and is_followed)
    for pages in ([alone, kline], [kline, alone]):
        merger = CandleMerger(SYMBOL, MINUTE)
        for page in pages:
            merger.merge_page([page])
        bar = merger.series.bar(0)
        assert (bar.source, bar.trades) == (stored.source, stored.trades)


@given(candles(), candles())
def test_the_chart_ranks_its_columns_as_the_rule_ranks_candles(one: Candle, other: Candle) -> None:
    one, other = one._replace(closed=True), other._replace(closed=True)
    merger = CandleMerger(SYMBOL, MINUTE)
    merger.merge_page([one])
    merger.merge_page([other])
    assert rank(merger.series.bar(0)) == max(rank(one), rank(other))
