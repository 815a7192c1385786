"""The axis without closed time: against a list of the slots that are left, and its marks while the view moves."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.calendar.closed_slots import closed_slots
from app.market.calendar.open_axis import PLAIN_AXIS, OpenAxis
from app.market.calendar.weekly import Hours, WeeklyCalendar, WeekPeriod, forex
from app.market.interval import Interval
from tests.market.calendar.helpers import us
from widgets.chart.scales.time_marks import TimeTick, time_ticks
from widgets.chart.scales.time_scale import TimeScale
from widgets.chart.scales.zones import UTC_ZONE, zone_named

END = 80
ZONES = [UTC_ZONE, zone_named("America/New_York"), zone_named("Asia/Kathmandu")]


def ranges_of(closed: set[int]) -> np.ndarray:
    marked = np.zeros(END + 2, np.int8)
    marked[[slot + 1 for slot in closed]] = 1
    return np.flatnonzero(np.diff(marked)).reshape(-1, 2)


closed_sets = st.sets(st.integers(0, END - 1), max_size=END - 1)


def left_before(slot: int, closed: set[int]) -> int:
    """Count the slots on the axis from 0 up to a slot, exclusive; negative before 0."""
    return slot if slot < 0 else sum(each not in closed for each in range(slot))


@given(closed_sets)
def test_slots_on_the_axis_follow_each_other_and_a_closed_range_is_one_position(closed: set[int]) -> None:
    axis = OpenAxis(ranges_of(closed))
    assert axis.is_plain == (not closed)
    for slot in range(-3, END + 3):
        number = left_before(slot, closed)
        if slot in closed:
            assert axis.at(slot - 0.5) == axis.at(slot) == axis.at(slot + 0.4) == number - 0.5
            following = next(each for each in range(slot, END + 1) if each not in closed)
            assert axis.next_on_axis(slot) == following
            assert axis.slot_position(number - 0.5) == following - 0.5
        else:
            assert axis.at(slot) == number
            assert axis.at(slot + 0.25) == number + 0.25
            assert axis.slot_position(number) == slot
            assert axis.slot_position(number + 0.25) == slot + 0.25
            assert axis.next_on_axis(slot) == slot
    positions = np.arange(-3, END + 3, 0.25)
    assert axis.all_at(positions).tolist() == [axis.at(each) for each in positions.tolist()]


@given(closed_sets, st.floats(0, END), st.floats(0.2, 20), st.integers(0, END - 1), st.integers(-5, 5))
def test_a_view_counts_and_steps_over_the_slots_on_its_axis(
    closed: set[int], right: float, bar_px: float, slot: int, by: int
) -> None:
    view = TimeScale(width_px=100, bar_px=bar_px, right=right, axis=OpenAxis(ranges_of(closed)))
    left = [each for each in range(-200, END + 200) if each not in closed]
    for x in (0.0, 33.3, 100.0):
        assert view.slot_at(x) not in closed
        assert abs(view.x_of(view.slot_at(x)) - x) <= bar_px / 2 + 1e-6
        assert view.x_of(view.position_at(x)) == pytest.approx(x, abs=1e-6)
    for last in range(slot, min(slot + 10, END)):
        assert view.count(slot, last) == sum(each not in closed for each in range(slot, last + 1))
    if slot not in closed:
        assert view.slot_beside(slot, by) == left[left.index(slot) + by]


@given(closed_sets, closed_sets, st.floats(0, END), st.integers(0, END - 1))
def test_what_is_kept_stays_where_it_is_when_other_slots_are_left_out(
    before: set[int], after: set[int], right: float, kept: int
) -> None:
    view = TimeScale(width_px=100, bar_px=7, right=right, axis=OpenAxis(ranges_of(before)))
    x, axis = view.x_of(kept), OpenAxis(ranges_of(after))
    view.take_axis(axis, kept)
    assert view.axis is axis
    assert view.x_of(kept) == pytest.approx(x, abs=1e-6)


def test_an_axis_of_all_time_changes_no_number() -> None:
    positions = np.array([0.1, 12_000_000.3])
    assert PLAIN_AXIS.all_at(positions) is positions
    assert (PLAIN_AXIS.at(0.1), PLAIN_AXIS.slot_position(12_000_000.3)) == (0.1, 12_000_000.3)
    assert (PLAIN_AXIS.slots_per_position, PLAIN_AXIS.usual_distance) == (1.0, 0.0)


# Marks

INTERVALS = [Interval.parse(name) for name in "1s 5s 1m 3m 15m 1h 4h 1d".split()]
SHORT_DAYS = WeekPeriod({day: Hours(34_200, 57_600) for day in range(5)}, -(1 << 62), None)  # 09:30 to 16:00
EXCHANGE = WeeklyCalendar("X", ZoneInfo("America/New_York"), (SHORT_DAYS,))


def axis_of(calendar: WeeklyCalendar, interval: Interval) -> OpenAxis:
    first, end = interval.slot(us("2013-01-01")), interval.slot(us("2016-01-01"))
    return OpenAxis(closed_slots(calendar, interval, first, end))


AXES = {interval: axis_of(forex(), interval) for interval in INTERVALS}
SHORT_AXES = {interval: axis_of(EXCHANGE, interval) for interval in INTERVALS}


def marks(
    interval: Interval, axis: OpenAxis, at: float, places: float, least: float, zone_number: int
) -> list[TimeTick]:
    left, right = (axis.slot_position(each) for each in (at, at + places))
    return time_ticks(interval, left, right, least, ZONES[zone_number], axis)


@given(
    st.sampled_from(INTERVALS),
    st.sampled_from([AXES, SHORT_AXES]),
    st.integers(0, 500 * 86_400),
    st.floats(0, 400),
    st.floats(8, 120),
    st.integers(0, 2),
)
def test_marks_stand_on_the_axis_apart_from_each_other_and_stay_while_the_view_moves(
    interval: Interval, axes: dict[Interval, OpenAxis], second: int, by: float, least: float, zone_number: int
) -> None:
    axis = axes[interval]
    at = axis.at(interval.slot(us("2014-02-01") + second * 1_000_000))
    places = 10 * least
    found = marks(interval, axis, at, places, least, zone_number)
    slots = [tick.slot for tick in found]
    assert slots == sorted(set(slots))
    assert all(axis.next_on_axis(slot) == slot for slot in slots)
    ons = [axis.at(slot) for slot in slots]
    assert all(later - earlier >= max(1, 0.45 * least) for earlier, later in pairwise(ons))
    moved = marks(interval, axis, at + by, places, least, zone_number)
    both = (at + by + 1, at + places - 1)
    seen = [tick for tick in found if both[0] <= axis.at(tick.slot) <= both[1]]
    assert seen == [tick for tick in moved if both[0] <= axis.at(tick.slot) <= both[1]]


def test_a_week_of_hours_is_marked_by_its_days_and_sunday_evening_gives_way_to_monday() -> None:
    hour = Interval.parse("1h")
    ticks = time_ticks(hour, hour.slot(us("2014-04-30")), hour.slot(us("2014-05-08")), 14, UTC_ZONE, AXES[hour])
    assert [tick.text for tick in ticks if ":" not in tick.text] == [
        *("30 Apr", "May", "2 May", "5 May", "6 May", "7 May", "8 May")
    ]
    near = time_ticks(
        hour, hour.slot(us("2014-05-02T12:00")), hour.slot(us("2014-05-05T12:00")), 1, UTC_ZONE, AXES[hour]
    )
    opens = [datetime.fromtimestamp(hour.slot_open_us(tick.slot) / 1e6, UTC) for tick in near]
    assert (datetime(2014, 5, 4, 21, tzinfo=UTC), "4 May") in zip(opens, [t.text for t in near], strict=True)


def test_a_month_that_begins_on_a_weekend_is_marked_on_its_first_day_of_trading() -> None:
    day = Interval.parse("1d")
    ticks = time_ticks(day, day.slot(us("2014-01-20")), day.slot(us("2014-07-20")), 20, UTC_ZONE, AXES[day])
    assert [tick.text for tick in ticks] == ["Feb", "Mar", "Apr", "May", "Jun", "Jul"]
    assert [day.slot_open_us(tick.slot) for tick in ticks][:2] == [us("2014-02-02"), us("2014-03-02")]  # Sundays
