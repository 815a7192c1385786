"""What is stored of a symbol, and by day: every missing id counts to exactly one day, held trades to their own."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from app.market.candle import CandleSource
from app.market.coverage import IdRanges
from app.market.stored_symbol import (
    DAY_US,
    DayHeld,
    DayState,
    DayTrades,
    StoredCandles,
    StoredSymbol,
    StoredTicks,
    StoredTrade,
    days_held,
    gaps_over_midnight,
)
from app.market.symbol import unknown_symbol


def folded(held: dict[int, int]) -> list[DayTrades]:
    """The days of trades, given as time by id."""
    days: dict[int, list[int]] = {}
    for trade_id, time_us in held.items():
        days.setdefault(time_us - time_us % DAY_US, []).append(trade_id)
    return [DayTrades(day, min(ids), max(ids), len(ids)) for day, ids in sorted(days.items())]


@given(st.integers(0, 2**32), st.sampled_from([0.0, 0.1, 0.6, 0.95]), st.sampled_from([0.05, 0.9]))
def test_every_missing_trade_counts_to_a_day_between_its_neighbours(seed: int, missing: float, spacing: float) -> None:
    dice = random.Random(seed)
    time_us, times = 19_000 * DAY_US, {}
    for trade_id in range(1, dice.randrange(3, 80)):
        time_us += dice.randrange(1, round(spacing * DAY_US))
        times[trade_id] = time_us
    held = {key: at for key, at in times.items() if key in (1, len(times)) or dice.random() >= missing}
    covered, days = IdRanges((key, key) for key in held), folded(held)
    crossing = gaps_over_midnight(days, covered)
    edges = {key: held[key] for first, last in crossing for key in (first - 1, last + 1)}
    found = days_held(days, covered, edges_us=edges)
    assert [one.day_us for one in found] == sorted({one.day_us for one in found})
    assert {one.day_us: one.trades for one in found if one.trades} == {one.day_us: one.trades for one in days}
    assert sum(one.missing for one in found) == len(times) - len(held)
    for one in found:
        if one.missing:
            assert any(
                held[first - 1] // DAY_US <= one.day_us // DAY_US <= held[last + 1] // DAY_US
                for first, last in covered.gaps()
            )
    inside = [gap for gap in covered.gaps() if gap not in crossing]
    by_day = {one.day_us: one.missing for one in found}
    for first, last in inside:
        assert by_day[held[first - 1] // DAY_US * DAY_US] >= last - first + 1


def test_a_gap_over_several_days_is_shared_out_by_time() -> None:
    days = [DayTrades(0, 1, 10, 10), DayTrades(3 * DAY_US, 111, 120, 10)]
    covered = IdRanges([(1, 10), (111, 120)])
    edges = {10: DAY_US // 2, 111: 3 * DAY_US}
    found = days_held(days, covered, edges_us=edges)
    assert [(one.day_us // DAY_US, one.trades, one.missing) for one in found] == [
        (0, 10, 20),
        (1, 0, 40),
        (2, 0, 40),
        (3, 10, 0),
    ]


def test_the_states_of_a_day() -> None:
    assert DayHeld(0, 5).state is DayState.WHOLE
    assert DayHeld(0, 5, 1).state is DayState.PARTLY
    assert DayHeld(0, 5, 1).share == 5 / 6
    assert DayHeld(0, has_klines=True).state is DayState.CANDLES
    assert DayHeld(0, has_aggtrades=True).state is DayState.CANDLES
    assert DayHeld(0).state is DayState.NOTHING
    found = days_held([], IdRanges(), kline_days=[0], aggtrade_days=[0, DAY_US])
    assert [(one.has_klines, one.has_aggtrades) for one in found] == [(True, True), (False, True)]
    assert days_held([], IdRanges(), kline_days=[DAY_US]) == [DayHeld(DAY_US, has_klines=True)]


def test_what_is_stored_begins_with_its_first_trade_tick_or_kline() -> None:
    def day(source: CandleSource, first_us: int) -> StoredCandles:
        return StoredCandles("1d", source, first_us, 5 * DAY_US, 3, True, 0)

    btc, midnight = unknown_symbol("BTCUSDT"), day(CandleSource.TRADES, 2 * DAY_US)
    first, last = StoredTrade(1, 2 * DAY_US + 7), StoredTrade(9, 5 * DAY_US + 8)
    traded = StoredSymbol(btc, 9, first=first, last=last, candles=(midnight,))
    assert (traded.first_us, traded.last_us, traded.rows) == (2 * DAY_US + 7, 5 * DAY_US + 8, 9)
    klines = StoredSymbol(btc, 9, first=first, last=last, candles=(midnight, day(CandleSource.KLINE, DAY_US)))
    assert klines.first_us == DAY_US
    dropped = StoredSymbol(btc, 4, first=StoredTrade(1, None), last=last, candles=(midnight,))
    assert dropped.first_us == 2 * DAY_US
    eur = StoredSymbol(unknown_symbol("oanda:EURUSD"), ticks=StoredTicks(6, 0, 3, 4, 0))
    assert (eur.first_us, eur.last_us, eur.rows) == (3, 4, 6)
    nothing = StoredSymbol(btc)
    assert (nothing.first_us, nothing.last_us, nothing.rows) == (None, None, 0)
