"""Indicators of a market that closes: its candles follow each other across closed time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.market.calendar.closed_slots import closed_slots, open_slots
from app.market.calendar.open_axis import OpenAxis
from app.market.calendar.weekly import forex
from app.market.indicators import Session, find, indicators
from app.market.indicators.values import IndicatorValues
from app.market.interval import Interval
from app.market.series.series import CandleSeries
from tests.depth import examples
from tests.market.calendar.helpers import us
from tests.market.indicators.helpers import followed, series_of, walk

HOUR = Interval.parse("1h")
FIRST, END = HOUR.slot(us("2014-04-01")), HOUR.slot(us("2014-09-01"))
AXIS = OpenAxis(closed_slots(forex(), HOUR, HOUR.slot(us("2013-01-01")), HOUR.slot(us("2016-01-01"))))
SLOTS = np.array(list(open_slots(forex(), HOUR, FIRST, END)), np.int64)
COUNTED = [one.key for one in indicators() if not isinstance(one.warm_up(**one.defaults), Session)]


def values_of(key: str) -> IndicatorValues:
    indicator = find(key)
    assert indicator is not None
    return IndicatorValues(indicator, {})


def week_series(figures: dict[str, np.ndarray], slots: np.ndarray, *, begins: bool = True) -> CandleSeries:
    series = CandleSeries("X", HOUR)
    series.replace_columns(np.array([HOUR.slot_open_us(slot) for slot in slots.tolist()], np.int64), **figures)
    series.set_begins(begins=begins)
    return series


@pytest.mark.parametrize("key", COUNTED)
def test_values_are_those_of_the_same_candles_without_closed_time_between(key: str) -> None:
    figures = walk(len(SLOTS))
    kept = values_of(key)
    kept.follow(week_series(figures, SLOTS), AXIS)
    together = followed(values_of(key), series_of(figures, FIRST, interval=HOUR))
    for name, column in together.items():
        assert np.isfinite(column).any()
        np.testing.assert_allclose(kept.column(name), column, rtol=1e-9, atol=1e-9, err_msg=name)


@given(st.sampled_from(["ema", "rsi", "sma", "vwap", "cvd"]), st.integers(1, 300), st.data())
@settings(max_examples=examples(40))
def test_what_is_kept_up_to_date_equals_what_is_computed_at_once(key: str, start: int, data: st.DataObject) -> None:
    figures, kept = walk(len(SLOTS)), values_of(key)

    def loaded(first: int, end: int) -> CandleSeries:
        return week_series(
            {name: column[first:end] for name, column in figures.items()}, SLOTS[first:end], begins=False
        )

    end = start + data.draw(st.integers(1, 400))
    series = loaded(start, end)
    kept.follow(series, AXIS)
    whole = loaded(0, end)
    kept.follow(whole, AXIS)
    once = values_of(key)
    once.follow(whole, AXIS)
    for output in kept.indicator.outputs:
        np.testing.assert_array_equal(kept.column(output.name), once.column(output.name))


def test_a_session_of_a_day_begins_on_sunday_with_its_first_open_candle() -> None:
    kept, series = values_of("cvd"), week_series(walk(len(SLOTS)), SLOTS)
    kept.follow(series, AXIS)
    begins = kept.beginnings(series.slots)
    assert begins is not None
    opens = series.column("open_time_us")[begins].tolist()
    assert us("2014-05-04T21:00") in opens
    assert us("2014-05-05") in opens
    row = series.index_at_slot(HOUR.slot(us("2014-05-04T22:00")))
    assert np.isfinite(kept.column("delta")[row])


def test_what_must_be_loaded_is_counted_in_candles() -> None:
    monday = HOUR.slot(us("2014-05-05T10:00"))
    blocks = values_of("sma").blocks(HOUR, AXIS)
    needed = blocks.first_needed(monday)
    assert AXIS.at(monday) - AXIS.at(needed) == blocks.warm_up > 0
    assert monday - needed == blocks.warm_up + 48
    seconds = Interval.parse("1s")
    second_axis = OpenAxis(
        closed_slots(forex(), seconds, seconds.slot(us("2014-05-01")), seconds.slot(us("2014-05-09")))
    )
    open_ = seconds.slot(us("2014-05-04T21:00:05"))
    blocks = values_of("ema").blocks(seconds, second_axis)
    assert seconds.slot_open_us(blocks.first_needed(open_)) < us("2014-05-02T21:00")
    assert not blocks.reaches_too_far(open_)
    assert blocks.of(blocks.last_touched(open_)).last >= open_


def test_without_an_axis_closed_time_is_not_known_and_breaks_a_line() -> None:
    series = week_series(walk(len(SLOTS)), SLOTS)
    average = values_of("sma")
    average.follow(series)
    row = series.index_at_slot(HOUR.slot(us("2014-05-04T21:00")))
    (output,) = average.indicator.outputs
    assert np.isnan(average.column(output.name)[row])
    average.follow(series, AXIS)
    assert np.isfinite(average.column(output.name)[row])
