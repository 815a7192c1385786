"""Candles of one price of ticks against a model that looks at every second."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.market.calendar.weekly import forex
from app.market.candle import CandleSource
from app.market.coverage import IdRanges
from app.market.interval import SECOND_US, Interval
from app.market.quote_candles.side_candles import finish_side, finished_bars, side_candle
from app.market.quotes.tick import PriceSide, Tick
from app.market.units import E8
from tests.tick_candles import candle_of_tick, combine_ticks

# 2026-07-10T20:55Z, five minutes before the forex week ends; it begins on Sunday at 21:00.
FRIDAY_US = 1_783_716_900 * SECOND_US
WEEKEND_US = 48 * 3_600 * SECOND_US
MINUTE = Interval.parse("1m")
FOREX = forex()


def candles(ticks, interval, side=PriceSide.MID):
    grouped = {}
    for one in ticks:
        grouped.setdefault(interval.open_time_us(one.time_us), []).append(one)
    return [
        side_candle(combine_ticks(at, [candle_of_tick(at, one) for one in part]), side)
        for at, part in sorted(grouped.items())
    ]


def tick(after_s: int) -> Tick:
    return Tick("oanda:EURUSD", FRIDAY_US + after_s * SECOND_US, 0, 100 + after_s, 104 + after_s)


def test_each_price_has_its_own_candle_and_the_volume_counts_ticks() -> None:
    found = {side: candles([tick(0), tick(30)], MINUTE, side)[0] for side in PriceSide}
    assert [found[side].close_e8 for side in (PriceSide.BID, PriceSide.MID, PriceSide.ASK)] == [130, 132, 134]
    assert {(one.volume_e8, one.trades, one.quote_volume_e16, one.source) for one in found.values()} == {
        (2 * E8, 2, 0, CandleSource.TICKS)
    }


def test_a_weekend_has_no_candle_and_what_ends_at_its_begin_is_complete() -> None:
    ticks = [tick(0), tick(200), tick(299), tick(300 + WEEKEND_US // SECOND_US)]
    fetched = IdRanges(
        [(ticks[0].time_us, ticks[2].time_us + SECOND_US - 1), (ticks[3].time_us, ticks[3].time_us + 59)]
    )

    finished = finish_side(candles(ticks, MINUTE), MINUTE, fetched, FOREX)

    assert [(one.open_time_us - FRIDAY_US) // (60 * SECOND_US) for one in finished] == [0, 1, 2, 3, 4, 5 + 48 * 60]
    assert [one.complete for one in finished] == [True] * 5 + [False]
    assert [one.trades for one in finished] == [1, 0, 0, 1, 1, 1]
    hour = Interval.parse("1h")
    assert [one.complete for one in finish_side(candles(ticks[:3], hour), hour, fetched, FOREX)] == [False]


def test_a_minute_that_nobody_watched_has_no_candle() -> None:
    ticks = [tick(0), tick(250)]
    finished = finish_side(candles(ticks, MINUTE), MINUTE, IdRanges([(ticks[0].time_us, ticks[0].time_us + 10)]), FOREX)
    assert [one.trades for one in finished] == [1, 1]
    assert [one.complete for one in finished] == [False, False]


@given(
    st.lists(st.integers(0, 599), min_size=1, max_size=20),
    st.lists(st.tuples(st.integers(0, 599), st.integers(1, 300)), max_size=6),
    st.sampled_from(["5s", "1m", "90s", "5m"]),
)
def test_what_is_complete_and_what_is_empty_follows_from_every_second(at, watched, name) -> None:
    interval = Interval.parse(name)
    seconds = {second for start, length in watched for second in range(start, start + length)}
    fetched = IdRanges()
    for second in seconds:
        fetched.add_range(FRIDAY_US + second * SECOND_US, FRIDAY_US + (second + 1) * SECOND_US - 1)
    ticks = [tick(one) for one in sorted(set(at))]

    finished = finish_side(candles(ticks, interval), interval, fetched, FOREX)

    def is_known(second: int) -> bool:
        return second in seconds or second >= 300  # the week ends after five minutes

    first_us, last_us = (interval.open_time_us(one.time_us) for one in (ticks[0], ticks[-1]))
    expected = []
    for open_us in range(first_us, last_us + 1, interval.length_us):
        covered = range((open_us - FRIDAY_US) // SECOND_US, (open_us - FRIDAY_US + interval.length_us) // SECOND_US)
        inside = [one for one in ticks if interval.open_time_us(one.time_us) == open_us]
        is_whole = all(map(is_known, covered))
        is_closed_time = covered[0] >= 300
        if inside or (is_whole and not is_closed_time):
            ended = open_us < last_us or bool(seconds and max(seconds) >= covered[-1])
            expected.append((open_us, len(inside), ended and is_whole))
    assert [(one.open_time_us, one.trades, one.complete) for one in finished] == expected

    bars = [(*one[:5], one.trades) for one in candles(ticks, interval)]
    assert finished_bars(bars, interval, fetched, FOREX) == finished
    for most in (1, 2, 7, len(finished)):
        assert finished_bars(bars, interval, fetched, FOREX, most) == finished[-most:]


def test_a_long_time_of_which_nothing_is_known_costs_nothing() -> None:
    ticks = [tick(0), tick(10 * 366 * 86_400)]
    second = Interval.parse("1s")
    found = finish_side(candles(ticks, second), second, IdRanges(), None)
    assert [one.trades for one in found] == [1, 1]


def test_of_a_long_time_without_ticks_only_the_newest_empty_candles_are_made() -> None:
    ticks = [tick(0), tick(10 * 366 * 86_400)]
    second = Interval.parse("1s")
    bars = [(*one[:5], one.trades) for one in candles(ticks, second)]
    fetched = IdRanges([(ticks[0].time_us, ticks[1].time_us + SECOND_US - 1)])
    found = finished_bars(bars, second, fetched, None, 1_000)
    assert [one.trades for one in found] == [0] * 999 + [1]
    assert {one.close_e8 for one in found[:-1]} == {ticks[0].mid_e8}
    assert [one.open_time_us for one in found] == [ticks[1].time_us - back * SECOND_US for back in range(999, -1, -1)]
