"""Ranges of time up to now: where they start by the calendar, and the interval that fills a width with one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.interval import SECOND_US, Interval
from widgets.chart.model.time_range import TimeRange, fitting_interval
from widgets.keys import key_text

DAY_US = 86_400 * SECOND_US
NOW_US = int(datetime(2026, 11, 29, 12, 30, tzinfo=UTC).timestamp()) * SECOND_US
LADDER = [Interval.parse(name) for name in "1m 5m 15m 30m 1h 2h 4h 6h 12h 1d 1w 1M".split()]


def us(text: str) -> int:
    return int(datetime.fromisoformat(f"{text}+00:00").timestamp()) * SECOND_US


def text(time_us: int | None) -> str:
    assert time_us is not None
    return datetime.fromtimestamp(time_us / SECOND_US, UTC).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("end", "day", "week", "month", "year"),
    [
        ("2026-11-29 12:30", "2026-11-28 12:30", "2026-11-22 12:30", "2026-10-29 12:30", "2025-11-29 12:30"),
        ("2026-03-31 00:00", "2026-03-30 00:00", "2026-03-24 00:00", "2026-02-28 00:00", "2025-03-31 00:00"),
        ("2024-02-29 23:59", "2024-02-28 23:59", "2024-02-22 23:59", "2024-01-29 23:59", "2023-02-28 23:59"),
        ("2026-01-15 06:00", "2026-01-14 06:00", "2026-01-08 06:00", "2025-12-15 06:00", "2025-01-15 06:00"),
    ],
)
def test_months_and_years_go_by_the_calendar(end: str, day: str, week: str, month: str, year: str) -> None:
    starts = [each.start_us(us(end)) for each in list(TimeRange)[:4]]
    assert [text(start) for start in starts] == [day, week, month, year]
    assert TimeRange.ALL.start_us(us(end)) is None


@pytest.mark.parametrize(
    ("width_px", "intervals"),
    [
        (150, "30m 4h 1d 1w"),
        (500, "15m 1h 6h 1w"),
        (950, "5m 1h 4h 1d"),
        (1300, "5m 30m 2h 1d"),
        (3400, "1m 15m 1h 12h"),
    ],
)
def test_each_range_fills_the_usual_widths_with_the_expected_candles(width_px: float, intervals: str) -> None:
    chosen = [fitting_interval(each.start_us(NOW_US) or 0, NOW_US, width_px).name for each in list(TimeRange)[:4]]
    assert " ".join(chosen) == intervals


@given(st.integers(1, 20 * 366 * 86_400), st.floats(1, 8000))
def test_no_other_interval_would_come_nearer_to_four_pixels(span_s: int, width_px: float) -> None:
    chosen = fitting_interval(NOW_US - span_s * SECOND_US, NOW_US, width_px)

    def candle_px(interval: Interval) -> float:
        return width_px * interval.length_us / max(span_s * SECOND_US, interval.length_us)

    def off(interval: Interval) -> float:
        wide = candle_px(interval)
        return max(wide / 4, 4 / wide)

    if candle_px(LADDER[-1]) < 2:
        assert chosen == LADDER[-1]
    else:
        assert candle_px(chosen) >= 2
        assert off(chosen) <= min(off(each) for each in LADDER if candle_px(each) >= 2) * (1 + 1e-9)


@given(st.sampled_from(LADDER), st.sampled_from(list(TimeRange)), st.integers(0, 9 * 366), st.integers(0, 86_399))
def test_a_range_has_as_many_candles_as_open_or_lie_in_it(
    interval: Interval, time_range: TimeRange, days: int, seconds: int
) -> None:
    last = interval.slot(NOW_US - seconds * SECOND_US)
    first = interval.slot(NOW_US - days * DAY_US)
    end_us = interval.slot_open_us(last + 1)
    start_us = time_range.start_us(end_us)
    counted = sum(
        1
        for slot in range(max(last - 3000, first), last + 1)
        if start_us is None or interval.slot_open_us(slot + 1) > start_us
    )
    found = time_range.first_slot(interval, last, first)
    assert found is not None
    candles = last - found + 1
    assert candles == max(counted, 1) if candles <= 3000 else counted == 3001


def test_without_a_first_candle_only_all_there_is_has_no_first_slot() -> None:
    hour = Interval.parse("1h")
    last = hour.slot(NOW_US)
    found = [each.first_slot(hour, last, None) for each in TimeRange]
    assert found == [*(last + 1 - count for count in (24, 168, 31 * 24, 365 * 24)), None]


def test_each_range_has_a_key() -> None:
    assert [key_text(each.command) for each in TimeRange] == ["Alt+1", "Alt+2", "Alt+3", "Alt+4", "Alt+5"]
