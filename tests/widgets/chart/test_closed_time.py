"""A chart of a market that closes: closed time takes no room, and everything else goes on right across it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication, QMenu
from pytestqt.qtbot import QtBot

from app.market.calendar.always_open import AlwaysOpen
from app.market.calendar.calendar import Calendar
from app.market.calendar.closed_slots import open_slots
from app.market.calendar.open_axis import PLAIN_AXIS
from app.market.calendar.spans import spans_of
from app.market.calendar.weekly import forex
from app.market.interval import MENU_INTERVALS, Interval
from app.market.series.series import CandleSeries
from tests.depth import examples
from tests.market.calendar.helpers import us
from tests.widgets.chart.charts import BTC, candle, canvas_of, is_drawn_at, picture, series_of, settle, zigzag
from tests.widgets.chart.recorded_week import EURUSD, recorded_week
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.model.chart_style import TimeStyle
from widgets.chart.model.closed_time import ClosedTime
from widgets.chart.model.time_range import TimeRange
from widgets.chart.scales.time_scale import TimeScale
from widgets.view_values import GapBand

QUARTER, HOUR = Interval.parse("15m"), Interval.parse("1h")
FRIDAY, SUNDAY = us("2014-05-02T20:45"), us("2014-05-04T21:00")
FOREX = forex()


def week(interval: Interval, start: str, end: str, calendar: Calendar = FOREX) -> list[int]:
    """The slots between two times in which the market is open."""
    return list(open_slots(calendar, interval, interval.slot(us(start)), interval.slot(us(end))))


def candles(slots: Iterable[int], interval: Interval = QUARTER) -> CandleSeries:
    """Candles of 100 to 110 and back."""
    rows = [
        candle(slot, *((100.0, 110.0) if at % 2 else (110.0, 100.0)), interval=interval)
        for at, slot in enumerate(slots)
    ]
    return series_of(rows, interval)


def scale_of(chart: ChartWidget) -> TimeScale:
    return chart._scene.time_scale


def x_of(chart: ChartWidget, time_us: int) -> float:
    assert chart.series is not None
    return scale_of(chart).x_of(chart.series.interval.slot(time_us))


@pytest.fixture
def friday(qtbot: QtBot, chart: ChartWidget) -> ChartWidget:
    """A chart of a week in quarters of an hour, until Sunday 23:00, in view from Friday noon on."""
    chart.set_calendar(FOREX)
    series = candles(week(QUARTER, "2014-04-28", "2014-05-04T23:00"))
    series.set_begins(begins=True)
    chart.set_series(series, BTC)
    settle(qtbot, chart)
    return chart


# The axis


@pytest.mark.parametrize("interval", MENU_INTERVALS, ids=str)
def test_candles_follow_each_other_without_a_hole_in_every_interval(interval: Interval) -> None:
    seconds = interval.length_us < 60_000_000
    slots = week(
        interval, "2014-05-02T20:50" if seconds else "2014-04-20", "2014-05-04T21:10" if seconds else "2014-05-12"
    )
    assert len(slots) > 1 or interval.months
    axis = ClosedTime().axis_for(candles(slots, interval), FOREX)
    on_axis = axis.all_at(np.array(slots, np.float64))
    assert (np.diff(on_axis) == 1).all()
    if interval.length_us <= HOUR.length_us:
        assert (np.diff(slots) > 1).any()


@given(st.sets(st.integers(0, 24 * 14), min_size=1), st.sets(st.integers(0, 24 * 14)))
def test_a_candle_keeps_its_place_though_the_calendar_calls_its_time_closed(held: set[int], more: set[int]) -> None:
    first = HOUR.slot(us("2014-05-01"))
    is_open = set(week(HOUR, "2014-04-25", "2014-05-20"))
    making, series = ClosedTime(), candles([first + each for each in sorted(held)], HOUR)
    for slot in (None, *sorted(more)):
        if slot is not None:
            series.upsert(candle(first + slot, 100, 110, interval=HOUR))
        axis = making.axis_for(series, FOREX)
        shown = sorted(is_open | set(series.slots.tolist()))
        assert np.diff(axis.all_at(np.array(shown, np.float64))).tolist() == [1] * (len(shown) - 1)
        assert making.axis_for(series, FOREX) is axis


def test_an_axis_is_made_again_only_where_it_differs() -> None:
    making, slots = ClosedTime(), week(QUARTER, "2014-04-28", "2014-05-04T23:00")
    series = candles(slots)
    axis = making.axis_for(series, FOREX)
    series.upsert(candle(slots[-1] + 1, 100, 110, interval=QUARTER))
    assert making.axis_for(series, FOREX) is axis
    assert making.axis_for(series, None) is PLAIN_AXIS
    assert making.axis_for(series, AlwaysOpen()) is PLAIN_AXIS
    assert making.axis_for(series, FOREX) is axis


# The chart


def test_sunday_stands_beside_friday_and_a_line_marks_the_break(friday: ChartWidget) -> None:
    bar_px = scale_of(friday).bar_px
    assert x_of(friday, SUNDAY) - x_of(friday, FRIDAY) == pytest.approx(bar_px)
    line, image = x_of(friday, SUNDAY) - bar_px / 2, picture(friday)
    colours = friday._scene.colours
    assert is_drawn_at(image, QPointF(line, 60), colours.closed.name(), 0.9)
    assert not is_drawn_at(image, QPointF(line - 5 * bar_px, 60), colours.closed.name(), 0.9)
    assert friday._scene.breaks == [QUARTER.slot(SUNDAY) - 0.5]


def test_closed_time_is_shown_where_the_user_wants_it_and_that_is_remembered(qtbot: QtBot, friday: ChartWidget) -> None:
    last = x_of(friday, us("2014-05-04T22:45"))
    with qtbot.waitSignal(friday.appearance_changed):
        _menu_entry(friday, "Show closed time").trigger()
    settle(qtbot, friday)
    assert x_of(friday, us("2014-05-04T22:45")) == pytest.approx(last)  # the latest candle stays
    assert x_of(friday, SUNDAY) - x_of(friday, FRIDAY) == pytest.approx(scale_of(friday).bar_px * (48 * 4 + 1))
    assert friday._scene.breaks == []
    again = ChartWidget()
    again.restore_appearance(friday.appearance_values())
    assert again.appearance.time_style.shows_closed
    again.deleteLater()
    _menu_entry(friday, "Show closed time").trigger()
    settle(qtbot, friday)
    assert x_of(friday, SUNDAY) - x_of(friday, FRIDAY) == pytest.approx(scale_of(friday).bar_px)


def _menu_entry(chart: ChartWidget, text: str) -> object:
    canvas = canvas_of(chart)
    at = QPoint(200, 200)
    QApplication.sendEvent(
        canvas.viewport(), QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, canvas.mapToGlobal(at))
    )
    menu = next(each for each in chart.findChildren(QMenu) if each.isVisible())
    menu.close()
    return next((each for each in menu.actions() if each.text() == text), None)


def test_a_market_that_never_closes_is_drawn_as_without_a_calendar(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.set_series(series_of(zigzag(1000)), BTC)
    for factor in (1.0, 0.3, 0.1, 40.0):
        chart.set_calendar(None)
        chart.navigator.zoom(factor)
        settle(qtbot, chart)
        before = picture(chart)
        chart.set_calendar(AlwaysOpen())
        settle(qtbot, chart)
        assert scale_of(chart).axis is PLAIN_AXIS
        assert picture(chart) == before
    assert _menu_entry(chart, "Show closed time") is None


def test_the_centre_stays_when_a_calendar_comes(qtbot: QtBot, friday: ChartWidget) -> None:
    friday.set_calendar(None)
    settle(qtbot, friday)
    friday.show_time(us("2014-05-01T12:00"))
    settle(qtbot, friday)
    friday.set_calendar(FOREX)
    settle(qtbot, friday)
    assert friday.center_time_us() == pytest.approx(us("2014-05-01T12:00"), abs=1_000_000)
    assert x_of(friday, SUNDAY) - x_of(friday, FRIDAY) == pytest.approx(scale_of(friday).bar_px)


def test_the_crosshair_steps_from_friday_to_sunday_and_back(qtbot: QtBot, friday: ChartWidget) -> None:
    friday.reading_tools.point_at(QPointF(x_of(friday, FRIDAY) + 3.4, 150))
    settle(qtbot, friday)
    assert friday._scene.crosshair.time_text == "02 May 2014 20:45"
    friday.reading_tools.step_crosshair(1)
    settle(qtbot, friday)
    assert friday._scene.crosshair.time_text == "04 May 2014 21:00"
    friday.reading_tools.step_crosshair(-1)
    settle(qtbot, friday)
    assert friday._scene.crosshair.time_text == "02 May 2014 20:45"
    # Every pixel has a candle under it, none is in the weekend.
    for x in range(0, int(x_of(friday, us("2014-05-04T22:45"))), 3):
        friday.reading_tools.point_at(QPointF(x, 150))
        friday.frame_now()
        assert FOREX.is_open(QUARTER.slot_open_us(friday._scene.crosshair.slot))


def test_the_view_pans_zooms_and_jumps_across_the_weekend(qtbot: QtBot, friday: ChartWidget) -> None:
    assert friday.series is not None
    friday.show_time(us("2014-05-03T12:00"))  # a Saturday: where Friday and Sunday meet
    settle(qtbot, friday)
    middle = scale_of(friday).width_px / 2
    assert x_of(friday, FRIDAY) < middle < x_of(friday, SUNDAY)
    friday.navigator.zoom(3.0, middle)
    settle(qtbot, friday)
    assert x_of(friday, FRIDAY) < middle < x_of(friday, SUNDAY)
    before = x_of(friday, FRIDAY)
    friday.navigator.pan(90)
    settle(qtbot, friday)
    assert x_of(friday, FRIDAY) == pytest.approx(before + 90)
    friday.navigator.follow_latest()
    settle(qtbot, friday)
    assert friday.is_following
    friday.navigator.show_first()
    settle(qtbot, friday)
    assert x_of(friday, us("2014-04-28")) == pytest.approx(48 + scale_of(friday).bar_px / 2)


def test_the_view_before_comes_back(qtbot: QtBot, friday: ChartWidget) -> None:
    friday.set_series(candles(week(QUARTER, "2014-04-28", "2014-05-08")), BTC)
    friday.show_time(us("2014-05-03T12:00"))
    settle(qtbot, friday)
    assert not friday.is_following
    before = friday.visible_range_us()
    friday.navigator.follow_latest()
    settle(qtbot, friday)
    assert friday.visible_range_us() != before
    friday.navigator.go_back()
    settle(qtbot, friday)
    assert friday.visible_range_us() == pytest.approx(before, abs=2_000_000)


def test_the_view_follows_the_first_candle_after_the_weekend_by_one_place(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.set_calendar(FOREX)
    series = candles(week(QUARTER, "2014-04-28", "2014-05-02T21:00"))
    chart.set_series(series, BTC)
    settle(qtbot, chart)
    last = x_of(chart, FRIDAY)
    series.upsert(candle(QUARTER.slot(SUNDAY), 100, 110, interval=QUARTER))
    chart.series_changed()
    settle(qtbot, chart)
    assert chart.is_following
    assert x_of(chart, SUNDAY) == pytest.approx(last)
    assert x_of(chart, FRIDAY) == pytest.approx(last - scale_of(chart).bar_px)


def test_older_candles_move_nothing_even_if_some_lie_in_closed_time(qtbot: QtBot, friday: ChartWidget) -> None:
    assert friday.series is not None
    friday.show_time(us("2014-04-29T12:00"))
    settle(qtbot, friday)
    before = x_of(friday, us("2014-04-30"))
    older = [
        *week(QUARTER, "2014-04-24", "2014-04-26"),
        *week(QUARTER, "2014-04-26T11:00", "2014-04-26T12:00", AlwaysOpen()),
    ]
    friday.series.prepend(candle(slot, 100, 110, interval=QUARTER) for slot in sorted(set(older)))
    friday.series_changed()
    settle(qtbot, friday)
    assert x_of(friday, us("2014-04-30")) == pytest.approx(before)
    gone = x_of(friday, us("2014-04-27T21:00")) - x_of(friday, us("2014-04-25T20:45"))
    assert gone == pytest.approx(5 * scale_of(friday).bar_px)  # four candles of a Saturday are in between


def test_an_interval_keeps_the_time_under_the_centre(qtbot: QtBot, friday: ChartWidget) -> None:
    friday.show_time(us("2014-05-01T12:00"))
    settle(qtbot, friday)
    friday.set_series(None, BTC)
    friday.set_series(candles(week(HOUR, "2014-04-01", "2014-05-04T23:00"), HOUR), BTC)
    settle(qtbot, friday)
    assert friday.center_time_us() == pytest.approx(us("2014-05-01T12:00"), abs=2_000_000)


def test_a_range_of_a_week_has_its_five_days(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.set_calendar(FOREX)
    chart.set_series(candles(week(HOUR, "2014-04-01", "2014-05-02T21:00"), HOUR), BTC)
    chart.ranges.show(TimeRange.WEEK, HOUR, None)
    settle(qtbot, chart)
    assert chart.candles_width_px / scale_of(chart).bar_px == pytest.approx(120)
    assert chart.ranges.current is TimeRange.WEEK
    chart.appearance.change_time_style(TimeStyle(shows_closed=True))
    settle(qtbot, chart)
    assert chart.candles_width_px / scale_of(chart).bar_px == pytest.approx(168)
    assert chart.ranges.current is TimeRange.WEEK


def test_a_measure_counts_the_candles_and_a_gap_has_no_width_of_its_own(qtbot: QtBot, friday: ChartWidget) -> None:
    friday.reading_tools.toggle_measure(QPointF(x_of(friday, FRIDAY) - 7, 100))
    friday.reading_tools.point_at(QPointF(x_of(friday, SUNDAY) + 7, 150))
    settle(qtbot, friday)
    assert friday._scene.measure.lines[1] == "3 bars · 2 d"
    friday.set_gaps([GapBand(FRIDAY, SUNDAY, missing=3, repairing=False)])
    settle(qtbot, friday)
    (gap,) = friday._scene.gaps
    scale = scale_of(friday)
    assert scale.x_of(gap.right) - scale.x_of(gap.left) == pytest.approx(2 * scale.bar_px)


def test_an_indicators_line_goes_right_across(qtbot: QtBot, friday: ChartWidget) -> None:
    friday.indicators.add("sma")
    settle(qtbot, friday)
    (study,) = friday.indicators.studies
    (output,) = study.outputs
    column = study.values.column(output.name)
    rows = [friday.series.index_at_slot(QUARTER.slot(at)) for at in (FRIDAY, SUNDAY)]
    value = float(column[rows].mean())
    middle = (x_of(friday, FRIDAY) + x_of(friday, SUNDAY)) / 2
    colour = study.colour_of(friday._scene.palette, output.name).name()
    assert is_drawn_at(picture(friday), QPointF(middle, friday._scene.price.y_of(value)), colour)


@pytest.mark.parametrize("name", ["1m", "15m", "1h"])
def test_a_recorded_week_has_no_hole(
    qtbot: QtBot, chart: ChartWidget, shared_data: Callable[[str], Path], name: str
) -> None:
    series = recorded_week(shared_data, Interval.parse(name))
    chart.set_calendar(FOREX)
    chart.set_series(series, EURUSD)
    settle(qtbot, chart)
    assert len(series) > 40
    assert (np.diff(series.slots) > 1).sum() == 1  # the weekend, and no minute besides
    assert np.diff(scale_of(chart).xs_of(series.slots)) == pytest.approx(scale_of(chart).bar_px)
    chart.show_time(us("2014-05-03"))
    settle(qtbot, chart)
    middle = scale_of(chart).width_px / 2
    assert x_of(chart, us("2014-05-02T20:59:58")) < middle < x_of(chart, SUNDAY)


# Sessions


def test_sessions_are_named_at_their_opens_and_every_other_is_shaded(qtbot: QtBot, friday: ChartWidget) -> None:
    texts = [name.text for name in friday._scene.session_names]
    assert texts == ["Fri 2 May", "Mon 5 May"]
    monday = friday._scene.session_names[-1]
    assert monday.left == QUARTER.slot(SUNDAY) - 0.5
    assert len(friday._scene.day_bands) == 1
    _menu_entry(friday, "Show sessions").trigger()
    settle(qtbot, friday)
    assert (friday._scene.session_names, friday._scene.day_bands) == ([], [])
    friday.appearance.set_time_style(TimeStyle(shaded=True, shows_sessions=False))
    assert friday._scene.day_bands


def test_a_short_session_says_so(qtbot: QtBot, chart: ChartWidget) -> None:
    chart.set_calendar(forex(spans_of([(us("2025-12-25T08:00"), us("2025-12-25T22:00"))])))
    chart.set_series(candles(week(QUARTER, "2025-12-22", "2025-12-26T12:00", chart._scene.calendar)), BTC)
    settle(qtbot, chart)
    assert [name.text for name in chart._scene.session_names][-2:] == ["Thu 25 Dec · half day", "Fri 26 Dec"]
    closed = us("2025-12-25T07:45"), us("2025-12-25T22:00")
    assert x_of(chart, closed[1]) - x_of(chart, closed[0]) == pytest.approx(scale_of(chart).bar_px)


# Levels of detail


@pytest.mark.parametrize("bar_px", [3.0, 0.7, 0.13, 0.02])
def test_at_every_width_bars_touch_across_weekends(qtbot: QtBot, chart: ChartWidget, bar_px: float) -> None:
    chart.set_calendar(FOREX)
    slots = week(QUARTER, "2013-01-02", "2014-05-02T21:00")
    chart.set_series(candles(slots), BTC)
    scale_of(chart).bar_px = bar_px
    chart.navigator.follow_latest()
    settle(qtbot, chart)
    image, scene = picture(chart), chart._scene
    colours = {scene.colours.rising.name(), scene.colours.falling.name()}
    row = int(scene.price.y_of(105.0))
    first = max(int(scale_of(chart).x_of(slots[0])), 0) + 4
    last = int(scale_of(chart).x_of(slots[-1])) - 4
    empty = [x for x in range(first, last) if image.pixelColor(x, row).name() not in colours]
    longest = max((len(run) for run in _runs(empty)), default=0)
    assert longest <= (2 if bar_px > 2 else 1)


def _runs(columns: list[int]) -> list[list[int]]:
    runs: list[list[int]] = [columns[:1]]
    for before, column in pairwise(columns):
        if column == before + 1:
            runs[-1].append(column)
        else:
            runs.append([column])
    return runs


# Whatever comes

arrivals = st.lists(
    st.one_of(
        st.tuples(st.just("older"), st.integers(1, 200)),
        st.tuples(st.just("newer"), st.integers(1, 3)),
        st.tuples(st.just("in closed time"), st.integers(0, 47)),
        st.tuples(st.just("closed time shown"), st.integers(0, 1)),
        st.tuples(st.just("calendar"), st.integers(0, 2)),
        st.tuples(st.just("pan"), st.integers(-900, 900)),
        st.tuples(st.just("zoom"), st.integers(-3, 3)),
    ),
    max_size=12,
)


@given(arrivals, st.booleans())
@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_comes_the_latest_candle_or_the_centre_stays_on_its_pixel(
    chart: ChartWidget, made: list[tuple[str, int]], starts_back: bool
) -> None:
    chart.set_calendar(FOREX)
    chart.appearance.set_time_style(TimeStyle())
    series = candles(week(HOUR, "2014-04-22", "2014-05-05T04:00"), HOUR)
    chart.set_series(series, BTC, follow=True)
    chart.navigator.fit()
    chart.frame_now()
    if starts_back:
        chart.show_time(us("2014-04-28T12:00"))
        chart.frame_now()
    for change, amount in made:
        scale, was_following, last = scale_of(chart), chart.is_following, int(series.slots[-1])
        centre, last_x, bar_px = scale.centre, scale.x_of(last), scale.bar_px
        moves, has_range = change in ("pan", "zoom"), chart.ranges.current is not None
        if change == "older":
            first = int(series.slots[0])
            series.prepend(candle(slot, 100, 110, interval=HOUR) for slot in range(first - amount, first))
        elif change == "newer":
            for slot in list(open_slots(FOREX, HOUR, last + 1, last + 100))[:amount]:
                series.upsert(candle(slot, 100, 110, interval=HOUR))
        elif change == "in closed time":
            series.upsert(candle(HOUR.slot(us("2014-05-02T21:00")) + amount, 100, 110, interval=HOUR))
        elif change == "closed time shown":
            chart.appearance.change_time_style(TimeStyle(shows_closed=bool(amount)))
        elif change == "calendar":
            chart.set_calendar((None, FOREX, AlwaysOpen())[amount])
        elif change == "pan":
            chart.navigator.pan(amount)
        else:
            chart.navigator.zoom(2.0**amount)
        chart.series_changed()
        chart.frame_now()
        # A range of time that comes in force changes the width of candles with what is left out of it.
        moves = moves or has_range or chart.ranges.current is not None
        if not moves and was_following:
            assert scale.x_of(int(series.slots[-1])) == pytest.approx(last_x, abs=1e-6)
        elif not moves:
            assert scale.x_of(centre) == pytest.approx(scale.width_px / 2, abs=bar_px / 2 + 1e-6)
        places = scale.axis.all_at(series.slots)
        assert (np.diff(places) >= 1).all()
        assert (np.diff(places) % 1 == 0).all()
