"""Where candles open: by rule, by brute force, and as the exchange's own candles did."""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.errors import UsageError
from app.market.interval import EXCHANGE_INTERVALS, ORIGIN_US, SECOND_US, Interval, kline_interval_for
from tests.market.helpers import FindData, intervals, times_us


def us(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND_US


@given(intervals, times_us)
def test_every_time_is_in_exactly_one_candle(interval: Interval, time_us: int) -> None:
    open_us = interval.open_time_us(time_us)
    next_us = interval.next_open_us(time_us)
    assert open_us <= time_us < next_us
    assert interval.open_time_us(open_us) == open_us
    assert interval.open_time_us(next_us) == next_us
    assert interval.open_time_us(next_us - 1) == open_us


@given(intervals, times_us)
def test_slots_number_candles_without_a_hole(interval: Interval, time_us: int) -> None:
    slot = interval.slot(time_us)
    assert interval.slot_open_us(slot) == interval.open_time_us(time_us)
    assert interval.slot_open_us(slot + 1) == interval.next_open_us(time_us)
    assert interval.slot(interval.next_open_us(time_us)) == slot + 1


@given(intervals)
def test_slot_zero_opens_at_the_origin_or_in_january_2000(interval: Interval) -> None:
    opened = interval.slot_open_us(0)
    if interval.months:
        assert opened == us("2000-01-01")
    else:
        assert opened == interval.origin_us
        assert opened - interval.phase * 60 * SECOND_US in (ORIGIN_US, us("2000-01-04"))


@given(times_us, st.integers(1, 12))
def test_months_follow_the_calendar(time_us: int, months: int) -> None:
    interval = Interval(0, months)
    moment = datetime.fromtimestamp(time_us // SECOND_US, UTC)
    opened = datetime.fromtimestamp(interval.open_time_us(time_us) // SECOND_US, UTC)
    assert (opened.day, opened.hour, opened.minute, opened.second) == (1, 0, 0, 0)
    passed = (moment.year - opened.year) * 12 + moment.month - opened.month
    assert 0 <= passed < months
    assert ((opened.year - 2000) * 12 + opened.month - 1) % months == 0


def test_weeks_open_on_monday_and_days_at_midnight_utc() -> None:
    week, day = Interval.parse("1w"), Interval.parse("1d")
    for days in range(30):
        moment = datetime(2024, 2, 10, 17, 5, tzinfo=UTC) + timedelta(days=days)
        opened = datetime.fromtimestamp(week.open_time_us(int(moment.timestamp()) * SECOND_US) // SECOND_US, UTC)
        assert (opened.weekday(), opened.hour) == (0, 0)
        assert day.open_time_us(int(moment.timestamp()) * SECOND_US) == us(f"{moment:%Y-%m-%d}")


def test_intervals_of_our_own_align_to_the_first_monday_of_2000() -> None:
    assert Interval.parse("13m").open_time_us(ORIGIN_US + 13 * 60 * SECOND_US * 1000 + 5) == (
        ORIGIN_US + 13 * 60 * SECOND_US * 1000
    )
    assert Interval.parse("181m").origin_us == us("2000-01-03")


def test_three_days_open_as_the_exchanges_do() -> None:
    assert Interval.parse("3d").open_time_us(us("2017-12-01")) == us("2017-11-30")
    assert Interval.parse("3d").open_time_us(us("2017-12-03")) == us("2017-12-03")
    assert Interval.parse("72h") == Interval.parse("3d")


@given(intervals, intervals, times_us)
def test_what_tiles_never_straddles(short: Interval, long: Interval, time_us: int) -> None:
    if short.tiles(long):
        open_us, end_us = long.open_time_us(time_us), long.next_open_us(time_us)
        assert short.open_time_us(open_us) == open_us
        assert short.open_time_us(end_us) == end_us


def test_which_intervals_tile_which() -> None:
    def tiles(short: str, long: str) -> bool:
        return Interval.parse(short).tiles(Interval.parse(long))

    assert tiles("1m", "13m")
    assert tiles("1d", "3d")
    assert tiles("1m", "1M")
    assert tiles("1d", "1w")
    assert tiles("1M", "12M")
    assert not tiles("2m", "13m")
    assert not tiles("1w", "1M")
    assert not tiles("3d", "6d")
    assert not tiles("7h", "1d")
    assert not tiles("1M", "53w")
    assert not tiles("3d", "3w")


@given(intervals)
def test_a_name_reads_back(interval: Interval) -> None:
    assert Interval.parse(interval.name) == interval
    assert str(interval) == interval.name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("60m", "1h"),
        (" 4H ", "4h"),
        ("1440m", "1d"),
        ("7d", "1w"),
        ("90s", "90s"),
        ("1M", "1M"),
        ("1m", "1m"),
        ("1D", "1d"),
    ],
)
def test_equal_lengths_have_one_name_and_months_are_no_minutes(text: str, name: str) -> None:
    assert Interval.parse(text).name == name


@pytest.mark.parametrize(
    "text", ["", "m", "0m", "-1m", "1.5h", "1y", "1 m 2", "54w", "13M", "9999999s", "1m1", "١m", "1mm"]
)
def test_what_is_no_interval_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(UsageError, match=r"^“.*” .*\.$"):
        Interval.parse(text)


def test_the_exchanges_intervals_are_named_as_it_names_them() -> None:
    names = [interval.name for interval in EXCHANGE_INTERVALS]
    assert names == "1s 1m 3m 5m 15m 30m 1h 2h 4h 6h 8h 12h 1d 3d 1w 1M".split()
    assert [interval.length_us for interval in EXCHANGE_INTERVALS] == sorted(i.length_us for i in EXCHANGE_INTERVALS)


def octobot_rows(shared_data: FindData, folder: Path) -> list[tuple[str, list[float]]]:
    """Return (interval name, [open time s, o, h, l, c, v]) of every recorded ADA/BTC candle."""
    name = "klines/octobot_ADABTC_all_intervals_ExchangeHistoryDataCollector_1588110698.1060486.data.gz"
    path = folder / "octobot.sqlite"
    path.write_bytes(gzip.decompress(shared_data(name).read_bytes()))
    database = sqlite3.connect(path)
    try:
        rows = database.execute("SELECT time_frame, candle FROM ohlcv").fetchall()
    finally:
        database.close()
    return [(frame, json.loads(candle)) for frame, candle in rows]


def test_every_recorded_candle_opens_where_ours_do(shared_data: FindData, tmp_path: Path) -> None:
    seen = set()
    for frame, candle in octobot_rows(shared_data, tmp_path):
        interval = Interval.parse(frame)
        open_us = int(candle[0]) * SECOND_US
        assert interval.open_time_us(open_us) == open_us, f"{frame} candle at {candle[0]}"
        seen.add(frame)
    assert len(seen) == 15


def test_no_two_recorded_candles_share_a_slot(shared_data: FindData, tmp_path: Path) -> None:
    slots: dict[str, list[int]] = {}
    for frame, candle in octobot_rows(shared_data, tmp_path):
        slots.setdefault(frame, []).append(Interval.parse(frame).slot(int(candle[0]) * SECOND_US))
    for frame, numbers in slots.items():
        assert len(set(numbers)) == len(numbers), frame
    # The exchange was down for some hours in February 2020; longer candles show no missing slot.
    for frame in ("12h", "1d", "3d", "1w", "1M"):
        numbers = slots[frame]
        assert sorted(numbers) == list(range(min(numbers), max(numbers) + 1)), frame


def test_recorded_minutes_without_a_trade_are_the_close_before(shared_data: FindData, tmp_path: Path) -> None:
    minutes = sorted(candle for frame, candle in octobot_rows(shared_data, tmp_path) if frame == "1m")
    empty = 0
    for before, candle in pairwise(minutes):
        if candle[5] == 0:
            empty += 1
            assert candle[1:5] == [before[4]] * 4
    assert empty == 17


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("5min", "5m"),
        ("15", "15m"),
        ("1 hour", "1h"),
        ("4hrs", "4h"),
        ("30sec", "30s"),
        ("1day", "1d"),
        ("2weeks", "2w"),
        ("1mo", "1M"),
        ("3months", "3M"),
        ("H4", "4h"),
        ("m15", "15m"),
        ("MN1", "1M"),
    ],
)
def test_an_interval_as_other_programs_write_it_is_refused_with_ours(text: str, meant: str) -> None:
    Interval.parse(meant)
    with pytest.raises(
        UsageError, match=rf"^“{text}” is not an interval: did you mean {meant}\? If not, type a number"
    ):
        Interval.parse(text)


@pytest.mark.parametrize("text", ["5x", "0m", "0", "m", "", "fast", "1.5h"])
def test_nothing_is_suggested_for_what_is_like_no_interval(text: str) -> None:
    with pytest.raises(UsageError, match=r"is not an interval: type a number"):
        Interval.parse(text)


@pytest.mark.parametrize(("text", "name"), [("1h+5m", "1h+5m"), ("60m + 59m", "1h+59m"), ("1h+0m", "1h")])
def test_a_phase_is_written_behind_the_length(text: str, name: str) -> None:
    assert Interval.parse(text).name == name
    assert Interval.parse(name) == Interval.parse(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("1h+60m", "1h cannot begin 60 minutes later: it has the phases 0 to 59."),
        ("90s+1m", "90s cannot begin 1 minutes later: it has no phase."),
        ("1M+1m", "1M cannot begin 1 minutes later: it has no phase."),
        ("1m+1m", "1m cannot begin 1 minutes later: it has no phase."),
    ],
)
def test_a_phase_that_cannot_be_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=re.escape(sentence)):
        Interval.parse(text)


@given(st.integers(2, 5_000), st.data())
def test_candles_of_a_phase_are_the_windows_of_that_minute_index(minutes: int, data: st.DataObject) -> None:
    phase = data.draw(st.integers(0, minutes - 1))
    interval = Interval.parse(f"{minutes}m").with_phase(phase)
    time_us = data.draw(st.integers(-(10**9), 10**15))
    open_us, end_us = interval.open_time_us(time_us), interval.next_open_us(time_us)
    assert open_us <= time_us < end_us == open_us + minutes * 60 * SECOND_US
    ordinary = 1_440 if minutes == 4_320 else 0
    assert (end_us - ORIGIN_US) // (60 * SECOND_US) % minutes == (phase + ordinary) % minutes
    assert interval.slot_open_us(interval.slot(time_us)) == open_us
    offered = kline_interval_for(interval)
    assert offered.open_time_us(open_us) == open_us
