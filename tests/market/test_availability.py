"""The availability of a range is that of each of its candles, looked at one by one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.market.availability import Origin, StoredTimes, availability, quote_availability
from app.market.calendar.weekly import forex
from app.market.candle_request import CandleRequest
from app.market.coverage import IdRanges
from app.market.interval import SECOND_US, Interval

INTERVALS = [Interval.parse(name) for name in ("1s", "13s", "1m", "1h", "3d", "1w", "1M")]
NOW_S = 1_723_161_600


@st.composite
def cases(draw: st.DrawFn) -> tuple[CandleRequest, StoredTimes, int]:
    interval = draw(st.sampled_from(INTERVALS))
    step_s = max(interval.length_us // SECOND_US // 3, 1)

    def spans(most: int) -> list[tuple[int, int]]:
        """Times about now, disjoint and rising, often at a candle's edge."""
        edges = sorted(draw(st.sets(st.integers(-40, 10), min_size=0, max_size=most)))
        shift = draw(st.sampled_from([0, 0, 1, -1]))
        times = [(NOW_S + edge * step_s) * SECOND_US + shift for edge in edges]
        return [(a, b) for a, b in zip(times[::2], times[1::2], strict=False) if a < b]

    start, length = draw(st.integers(-40, 10)), draw(st.integers(1, 40))
    asked = CandleRequest(
        "BTCUSDT",
        interval,
        (NOW_S + start * step_s) * SECOND_US,
        (NOW_S + (start + length) * step_s) * SECOND_US,
        draw(st.booleans()),
        draw(st.booleans()),
    )
    listed = draw(st.sampled_from([None, -40, -20, -3]))
    listed_us = None if listed is None else (NOW_S + listed * step_s) * SECOND_US
    klines = IdRanges((a, b - 1) for a, b in spans(8))
    if listed_us is not None:
        klines.add_range(0, listed_us - 1)
    return asked, StoredTimes(tuple(spans(8)), klines, listed_us), NOW_S * SECOND_US


@given(cases())
def test_each_candle_has_the_origin_that_fits_it(drawn: tuple[CandleRequest, StoredTimes, int]) -> None:
    asked, stored, now_us = drawn
    found = {
        slot: stretch.origin
        for stretch in availability(asked, stored, now_us)
        for slot in range(stretch.first, stretch.last + 1)
    }
    assert list(found) == list(asked.slots)
    for slot, origin in found.items():
        open_us, end_us = asked.interval.slot_open_us(slot), asked.interval.slot_open_us(slot + 1)
        is_listed = stored.listed_us is None or end_us > stored.listed_us
        has_begun = open_us <= now_us if asked.include_open else end_us <= now_us
        if any(first < open_us and end_us <= last for first, last in stored.traded):
            assert origin is Origin.TRADES
        elif is_listed and not stored.klines.missing(open_us, end_us - 1):
            assert origin is Origin.KLINES
        elif asked.fetch and is_listed and has_begun:
            assert origin is Origin.FETCH
        else:
            assert origin is Origin.NOWHERE


def test_what_is_stored_first_is_known_without_the_time_before_the_listing() -> None:
    assert StoredTimes().first_us is None
    assert StoredTimes(klines=IdRanges([(0, 99)]), listed_us=100).first_us is None
    assert StoredTimes(klines=IdRanges([(0, 300)]), listed_us=100).first_us == 100
    assert StoredTimes(((50, 60),), IdRanges([(70, 80)])).first_us == 50


@given(cases())
def test_a_candle_of_quotes_has_its_origin_and_closed_time_has_no_candle(
    drawn: tuple[CandleRequest, StoredTimes, int],
) -> None:
    asked, stored, now_us = drawn
    market = forex()
    found = {
        slot: stretch.origin
        for stretch in quote_availability(asked, stored, now_us, market)
        for slot in range(stretch.first, stretch.last + 1)
    }
    for slot in asked.slots:
        open_us, end_us = asked.interval.slot_open_us(slot), asked.interval.slot_open_us(slot + 1)
        closed = IdRanges((a, b - 1) for a, b in market.closed_spans(open_us, end_us).tolist())
        is_listed = stored.listed_us is None or end_us > stored.listed_us
        if not closed.missing(open_us, end_us - 1):
            assert slot not in found
        elif not (closed | IdRanges(stored.traded)).missing(open_us, end_us - 1) or (
            asked.include_open and open_us <= now_us < end_us
        ):
            assert found[slot] is Origin.TRADES
        elif is_listed and not stored.klines.missing(open_us, end_us - 1):
            assert found[slot] is Origin.KLINES
        else:
            assert found[slot] is Origin.NOWHERE
    assert set(found) <= set(asked.slots)
    assert list(found) == sorted(found)
