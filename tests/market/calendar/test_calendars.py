"""When markets are open: against recorded tables of sessions, the local clock, and a model that counts minutes."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.calendar.always_open import AlwaysOpen
from app.market.calendar.calendar import Calendar
from app.market.calendar.closed_slots import closed_slots, first_of_open, open_slots
from app.market.calendar.instrument_schedule import calendar_of
from app.market.calendar.session_table import ListedSession, SessionTable
from app.market.calendar.spans import Spans, spans_of
from app.market.calendar.weekly import FOREX_WEEK, Hours, WeeklyCalendar, WeekPeriod, forex
from app.market.errors import MalformedMessage
from app.market.interval import Interval
from tests.market.calendar.helpers import (
    MINUTE_US,
    listed_sessions,
    minutes,
    open_at,
    open_length_us,
    open_minutes_of,
    us,
)

FindData = Callable[[str], Path]
NEW_YORK = ZoneInfo("America/New_York")


def description(shared_data: FindData, name: str) -> WeeklyCalendar:
    text = shared_data(f"dukascopy/json/instrument-{name}.json").read_text(encoding="utf-8")
    return calendar_of(json.loads(text), name)


def is_forex_week(time_us: int) -> bool:
    local = datetime.fromtimestamp(time_us / 1e6, UTC).astimezone(NEW_YORK)
    hours = local.weekday() * 24 + local.hour + local.minute / 60
    return hours < 4 * 24 + 17 or hours >= 6 * 24 + 17


# Twenty years of recorded sessions


@pytest.mark.parametrize("code", ["xnys", "cmes"])
def test_every_minute_of_twenty_years_is_open_or_closed_as_the_asserted_table_says(
    shared_data: FindData, code: str
) -> None:
    sessions = listed_sessions(shared_data(f"sessions/{code}.csv.gz"))
    table, times = SessionTable(code.upper(), sessions), minutes("2003-01-01", "2023-01-01")
    expected = open_minutes_of(sessions, times)
    assert 0.1 < expected.mean() < 0.9
    assert (open_at(table, times) == expected).all()
    assert open_length_us(table, int(times[0]), int(times[-1]) + MINUTE_US) == expected.sum() * MINUTE_US


def test_sessions_of_a_table_have_their_breaks_half_days_and_holidays() -> None:
    day = us("2024-12-24")
    hour = 60 * MINUTE_US
    table = SessionTable(
        "XTKS",
        [
            ListedSession(date(2024, 12, 24), day, day + 6 * hour, (day + 2 * hour, day + 3 * hour)),
            ListedSession(date(2024, 12, 26), day + 48 * hour, day + 51 * hour, None, is_half_day=True, notes="early"),
        ],
        {date(2024, 12, 25): "Christmas"},
    )
    full, christmas, half = table.sessions(day, day + 72 * hour)
    assert (full.total_minutes, full.is_half_day, full.is_holiday) == (300, False, False)
    assert christmas == (date(2024, 12, 25), None, None, 0, False, True, "Christmas")
    assert (half.total_minutes, half.is_half_day, half.notes) == (180, True, "early")
    assert [each.date.day for each in table.sessions(day + 24 * hour, day + 48 * hour)] == [25]
    assert not table.is_open(day + 2 * hour)
    assert table.is_open(day + 3 * hour)
    assert table.closed_spans(day, day + 50 * hour).tolist() == [
        [day + 2 * hour, day + 3 * hour],
        [day + 6 * hour, day + 48 * hour],
    ]
    assert table.closes
    # It says nothing of times before and after.
    assert table.is_open(day - 1)
    assert table.is_open(day + 1000 * hour)
    assert table.sessions(day, day) == []


# The forex week


@pytest.mark.parametrize("change", ["2014-03-09", "2014-11-02"])  # New York sets its clocks on these Sundays
def test_the_forex_week_goes_by_new_yorks_clock_across_the_changes_to_and_from_daylight_saving(change: str) -> None:
    start = us(change) - 10 * 86_400_000_000
    times = np.arange(start, start + 20 * 86_400_000_000, MINUTE_US, dtype=np.int64)
    expected = [is_forex_week(time_us) for time_us in times.tolist()]
    assert open_at(forex(), times).tolist() == expected
    weekends = forex().closed_spans(start, start + 20 * 86_400_000_000)
    lengths = [(end - begin) / 3.6e9 for begin, end in weekends.tolist() if begin > start]
    assert (47.0 if change == "2014-03-09" else 49.0) in lengths
    assert 48.0 in lengths


def test_twenty_years_of_weekends_begin_and_end_at_17_new_york() -> None:
    weekends = forex().closed_spans(us("2003-01-01"), us("2023-01-01"))
    assert len(weekends) == 1044
    for start_us, end_us in weekends[:-1].tolist():
        start, end = (datetime.fromtimestamp(at / 1e6, UTC).astimezone(NEW_YORK) for at in (start_us, end_us))
        assert (start.weekday(), start.hour, start.minute) == (4, 17, 0)
        assert (end.weekday(), end.hour, end.minute) == (6, 17, 0)


def test_the_forex_session_of_monday_opens_on_sunday_evening() -> None:
    sunday_evening = us("2014-05-04T21:00")
    (session,) = forex().sessions(sunday_evening, sunday_evening + 1)
    assert (session.date, session.start_us) == (date(2014, 5, 5), sunday_evening)
    assert (session.total_minutes, session.is_half_day) == (1440, False)
    assert forex().sessions(sunday_evening - 1, sunday_evening) == []
    # A day of 23 and one of 25 hours, as the clocks change inside of them.
    assert [each.total_minutes for each in forex().sessions(us("2014-03-09T12:00"), us("2014-03-11"))][:1] == [1440]


def test_recorded_ticks_lie_in_the_forex_week(shared_data: FindData) -> None:
    for day in ("20140501", "20140502", "20140504"):
        with zipfile.ZipFile(shared_data(f"oanda/eurusd_tick_{day}.zip")) as archive:
            text = archive.read(archive.namelist()[0]).decode()
        offsets = np.array([int(line.partition(",")[0]) for line in text.split()], np.int64)
        times = us(f"{day[:4]}-{day[4:6]}-{day[6:]}") + offsets * 1000
        assert len(times) > 1000
        assert open_at(forex(), times).all()


# Instruments' descriptions


def test_the_description_of_eur_usd_has_the_forex_week_and_its_holidays(shared_data: FindData) -> None:
    calendar = description(shared_data, "EUR-USD")
    assert calendar.closes
    found = {each.date: each for each in calendar.sessions(us("2025-12-22"), us("2026-01-03"))}
    assert len(found) == 10
    christmas, new_year = found[date(2025, 12, 25)], found[date(2026, 1, 1)]
    assert (christmas.total_minutes, christmas.is_half_day) == (600, True)  # 22:00 to 08:00 UTC
    assert (new_year.start_us, new_year.total_minutes, new_year.is_holiday) == (None, 0, True)
    assert {each.total_minutes for each in found.values()} == {0, 600, 1440}
    summer = us("2026-07-10"), us("2026-07-11")
    assert calendar.closed_spans(*summer).tolist() == [[us("2026-07-10T21:00"), us("2026-07-11")]]
    # It holds its weeks from a moment in 1970 on.
    assert not calendar.is_open(0)


def test_recorded_candles_end_where_the_description_closes(shared_data: FindData) -> None:
    recorded = json.loads(shared_data("dukascopy/json/candles-minute-EUR-USD-BID-2026-7-10.json").read_text())
    opens_ms = recorded["timestamp"] + np.cumsum(recorded["times"]) * recorded["shift"]
    calendar = description(shared_data, "EUR-USD")
    assert open_at(calendar, opens_ms.astype(np.int64) * 1000).all()
    closes = calendar.closed_spans(us("2026-07-10"), us("2026-07-11"))[0, 0]
    assert closes == (int(opens_ms[-1]) + 60_000) * 1000


def test_the_description_of_btc_usd_is_always_open_but_for_its_holidays(shared_data: FindData) -> None:
    calendar = description(shared_data, "BTC-USD")
    assert calendar.closes
    assert len(calendar.closed_spans(us("2020-01-01"), us("2027-01-01"))) == 6
    (session,) = calendar.sessions(us("2023-02-20T12:00"), us("2023-02-20T13:00"))
    assert (session.date, session.start_us, session.total_minutes) == (date(2023, 2, 20), us("2023-02-20"), 1440)


@pytest.mark.parametrize(
    "broken", [{}, {"defaultTimezone": "Mars/Olympus"}, {"tradeSchedule": [{"sessions": {"NODAY": [{}]}}]}]
)
def test_a_description_that_cannot_be_read_is_named(shared_data: FindData, broken: dict[str, object]) -> None:
    whole = json.loads(shared_data("dukascopy/json/instrument-EUR-USD.json").read_text()) if broken else {}
    with pytest.raises(MalformedMessage, match="the schedule of EURUSD"):
        calendar_of({**whole, **broken}, "EURUSD")


def test_a_market_that_opens_as_it_closes_never_closes() -> None:
    day = us("2024-12-24")
    days = [ListedSession(date(2024, 12, 24 + at), day + at * DAY_US, day + (at + 1) * DAY_US) for at in range(3)]
    assert not SessionTable("24/7", days).closes
    whole = WeekPeriod({weekday: Hours(0, 86_400) for weekday in range(7)}, 0, None)
    assert not WeeklyCalendar("X", UTC, (whole,)).closes
    assert forex().closes


def test_weeks_may_change_at_a_moment() -> None:
    change = us("2024-01-10")
    before, after = {day: Hours(0, 3600) for day in range(7)}, {day: Hours(0, 7200) for day in range(7)}
    calendar = WeeklyCalendar("X", UTC, (WeekPeriod(before, 0, change), WeekPeriod(after, change, None)))
    found = calendar.sessions(us("2024-01-08"), us("2024-01-13"))
    assert [each.total_minutes for each in found] == [60, 60, 120, 120, 120]


# What follows for any calendar

DAY_US = 86_400_000_000
ORIGIN = us("2024-03-01")
HOURS = 24 * 40
tables = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 40)), min_size=1, max_size=12)
moments = st.integers(0, HOURS * 60)


def table_of(drawn: list[tuple[int, int]]) -> SessionTable:
    """
    Return sessions made of pauses and lengths in hours, the first at the origin, the last reaching to the end.

    Every other of the ten days after the last one's date is a holiday.
    """
    sessions, at = [], 0
    for number, (pause, length) in enumerate(drawn):
        at += pause if number else 0
        sessions.append((at, at + length))
        at += length
    sessions.append((max(at, HOURS) + 1, max(at, HOURS) + 2))
    days = [date(2024, 3, 1) + timedelta(number) for number in range(len(sessions))]
    return SessionTable(
        "X",
        [
            ListedSession(d, ORIGIN + a * 60 * MINUTE_US, ORIGIN + b * 60 * MINUTE_US)
            for d, (a, b) in zip(days, sessions, strict=True)
        ],
        {days[-1] + timedelta(number): "closed" for number in range(1, 11, 2)},
    )


def calendars() -> st.SearchStrategy[Calendar]:
    holidays = st.lists(st.tuples(moments, st.integers(1, 3000)), max_size=4)
    return st.one_of(
        st.just(AlwaysOpen()),
        tables.map(table_of),
        holidays.map(
            lambda rows: forex(spans_of((ORIGIN + a * MINUTE_US, ORIGIN + (a + n) * MINUTE_US) for a, n in rows))
        ),
    )


def is_open_by_minute(calendar: Calendar) -> list[bool]:
    """Ask for every minute alone."""
    return [calendar.is_open(ORIGIN + minute * MINUTE_US) for minute in range(0, HOURS * 60, 30)]


@given(calendars(), moments, moments)
def test_any_calendar_answers_as_its_minutes_do(calendar: Calendar, one: int, other: int) -> None:
    model = np.repeat(is_open_by_minute(calendar), 30) if not isinstance(calendar, WeeklyCalendar) else None
    first, end = min(one, other), max(one, other)
    start_us, end_us = ORIGIN + first * MINUTE_US, ORIGIN + end * MINUTE_US
    times = np.arange(start_us, end_us, MINUTE_US, dtype=np.int64)
    is_open = open_at(calendar, times)
    if model is not None:
        assert is_open.tolist() == model[first:end].tolist()
    assert open_length_us(calendar, start_us, end_us) == is_open.sum() * MINUTE_US
    spans = calendar.closed_spans(start_us, end_us)
    assert sum(end - start for start, end in spans.tolist()) == (~is_open).sum() * MINUTE_US
    covered = np.zeros(len(times), np.bool_)
    for session in calendar.sessions(start_us, end_us):
        if session.start_us is not None and session.end_us is not None:
            covered |= (times >= session.start_us) & (times < session.end_us)
            assert session.total_minutes * MINUTE_US <= session.end_us - session.start_us
    assert not (is_open & ~covered & (times >= ORIGIN)).any()


@given(calendars(), moments, moments)
def test_any_calendar_lists_a_session_by_its_own_time_and_a_holiday_by_its_day(
    calendar: Calendar, one: int, other: int
) -> None:
    start_us, end_us = (ORIGIN + minute * MINUTE_US for minute in sorted((one, other)))
    around = calendar.sessions(ORIGIN - 10 * DAY_US, ORIGIN + 100 * DAY_US)
    days = [us(each.date.isoformat()) for each in around]
    times = [
        (day, day + DAY_US) if each.start_us is None or each.end_us is None else (each.start_us, each.end_us)
        for day, each in zip(days, around, strict=True)
    ]
    assert calendar.sessions(start_us, end_us) == [
        each
        for each, (begin_us, stop_us) in zip(around, times, strict=True)
        if start_us < end_us and begin_us < end_us and start_us < stop_us
    ]


def test_a_holiday_is_listed_in_the_morning_before_its_market_would_have_opened() -> None:
    hours = {day: Hours(14 * 3600, 20 * 3600) for day in range(7)}
    closed = spans_of([(us("2024-12-25"), us("2024-12-26"))])
    calendar = WeeklyCalendar("X", UTC, (WeekPeriod(hours, 0, None),), closed)
    (christmas,) = calendar.sessions(us("2024-12-25T06:00"), us("2024-12-25T07:00"))
    assert (christmas.date, christmas.is_holiday) == (date(2024, 12, 25), True)


@given(calendars(), st.sampled_from("1m 7m 15m 1h 4h 1d 3d 1w 1M".split()), moments, st.integers(0, 400))
def test_a_slot_is_closed_where_all_its_minutes_are(calendar: Calendar, name: str, minute: int, count: int) -> None:
    interval = Interval.parse(name)
    first = interval.slot(ORIGIN + minute * MINUTE_US)
    end = min(first + count, interval.slot(ORIGIN + HOURS * 60 * MINUTE_US))
    ranges = closed_slots(calendar, interval, first, end).tolist()
    closed = {slot for start, stop in ranges for slot in range(start, stop)}
    assert all(start < stop for start, stop in ranges)
    for slot in range(first, end):
        is_closed = open_length_us(calendar, interval.slot_open_us(slot), interval.slot_open_us(slot + 1)) == 0
        assert (slot in closed) == is_closed
    left = [slot for slot in range(first, end) if slot not in closed]
    assert list(open_slots(calendar, interval, first, end)) == left
    for last in range(max(first, end - 3), end):
        for counted in (left[-1:], left):
            counted = [slot for slot in counted if slot <= last]
            if counted:
                assert first_of_open(calendar, interval, last, len(counted)) == counted[0]


def test_the_slots_before_a_weekend_are_found_from_its_middle_in_few_questions() -> None:
    class Asked(WeeklyCalendar):
        times = 0

        def closed_spans(self, start_us: int, end_us: int) -> Spans:
            self.times += 1
            return super().closed_spans(start_us, end_us)

    calendar = Asked("FOREX", ZoneInfo("America/New_York"), (WeekPeriod(FOREX_WEEK, -(1 << 62), None),))
    minute = Interval.parse("1m")
    sunday, friday = minute.slot(us("2024-03-03T12:00")), minute.slot(us("2024-03-01T22:00")) - 1
    assert first_of_open(calendar, minute, sunday, 1) == friday
    assert calendar.times == 1
    assert first_of_open(calendar, minute, sunday, 7 * 1440) == minute.slot(us("2024-02-21T22:00"))
    assert calendar.times < 5


def test_crypto_is_always_open_and_a_session_is_a_day_in_utc() -> None:
    crypto = AlwaysOpen()
    assert not crypto.closes
    assert crypto.is_open(us("2024-12-25"))
    days = crypto.sessions(us("2024-03-01T12:00"), us("2024-03-03"))
    assert [(each.date, each.start_us, each.total_minutes) for each in days] == [
        (date(2024, 3, 1), us("2024-03-01"), 1440),
        (date(2024, 3, 2), us("2024-03-02"), 1440),
    ]
    assert open_length_us(crypto, us("2024-03-01"), us("2024-03-02")) == 1440 * MINUTE_US
    assert list(open_slots(None, Interval.parse("1m"), 3, 6)) == [3, 4, 5]
