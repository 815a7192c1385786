"""Time marks and days in zones with changing clocks, compared with a calendar asked second by second."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.market.interval import Interval
from tests.depth import examples
from tests.widgets.chart.charts import (
    BTC,
    MINUTE,
    candle,
    canvas_of,
    colour_at,
    picture,
    place,
    series_of,
    settle,
    zigzag,
)
from widgets.chart.chart_widget import ChartWidget
from widgets.chart.model.chart_style import TimeStyle
from widgets.chart.painting.axes import countdown_rect
from widgets.chart.painting.day_shading import day_bands
from widgets.chart.popups.zone_picker import ZoneButton, ZonePicker
from widgets.chart.scales.local_time import day_start
from widgets.chart.scales.time_marks import time_ticks
from widgets.chart.scales.time_scale import TimeScale
from widgets.chart.scales.time_text import full_time
from widgets.chart.scales.zones import UTC_ZONE, Zone, offset_text, zone_named, zone_names

BERLIN, NEW_YORK = zone_named("Europe/Berlin"), zone_named("America/New_York")
LORD_HOWE, KATHMANDU = zone_named("Australia/Lord_Howe"), zone_named("Asia/Kathmandu")
SAO_PAULO, APIA = zone_named("America/Sao_Paulo"), zone_named("Pacific/Apia")
ZONES = (UTC_ZONE, BERLIN, NEW_YORK, LORD_HOWE, KATHMANDU, SAO_PAULO, APIA)
INTRADAY = [Interval.parse(name) for name in ("1m", "5m", "13m", "15m", "1h", "4h", "181m", "12h")]
CHANGES = [  # moments within hours of a change of clocks
    (BERLIN, datetime(2024, 10, 27, 1, tzinfo=UTC)),
    (BERLIN, datetime(2024, 3, 31, 1, tzinfo=UTC)),
    (NEW_YORK, datetime(2024, 11, 3, 6, tzinfo=UTC)),
    (LORD_HOWE, datetime(2024, 4, 6, 15, tzinfo=UTC)),
    (LORD_HOWE, datetime(2024, 10, 5, 15, 30, tzinfo=UTC)),
    (SAO_PAULO, datetime(2018, 11, 4, 3, tzinfo=UTC)),  # midnight is skipped
    (APIA, datetime(2011, 12, 30, 10, tzinfo=UTC)),  # a day is
]
places = st.one_of(
    st.tuples(st.sampled_from(CHANGES), st.integers(-40, 40)).map(
        lambda one: (one[0][0], _us(one[0][1]) + one[1] * 3_600_000_000)
    ),
    st.tuples(st.sampled_from(ZONES), st.integers(_Y2008 := 1_199_145_600_000_000, _Y2008 + 25 * 31_557_600_000_000)),
)


def _us(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000


def shown(time_us: int, zone: Zone) -> datetime:
    return datetime.fromtimestamp(time_us // 1_000_000, zone.rules)


def labels(zone: Zone, interval: str, start: datetime, hours: float, least: float) -> list[str]:
    chosen = Interval.parse(interval)
    first = chosen.slot(_us(start))
    last = first + hours * 3600 / chosen.seconds
    return [tick.text for tick in time_ticks(chosen, first, last, least, zone)]


def test_an_hour_that_occurs_twice_is_marked_twice_with_the_zones_abbreviations() -> None:
    night = labels(BERLIN, "5m", datetime(2024, 10, 26, 22, tzinfo=UTC), 6, 12)
    assert night == ["27 Oct", "01:00", "02:00 CEST", "02:00 CET", "03:00", "04:00", "05:00"]
    night = labels(LORD_HOWE, "5m", datetime(2024, 4, 6, 13, tzinfo=UTC), 3.5, 6)
    assert night == ["7 Apr", "00:30", "01:00", "01:30 +11", "01:30 +1030", "02:00", "02:30", "03:00"]
    at = _us(datetime(2024, 10, 27, 0, 30, tzinfo=UTC))
    assert full_time(at, MINUTE, BERLIN.rules) == "27 Oct 2024 02:30 CEST"
    assert full_time(at + 3_600_000_000, MINUTE, BERLIN.rules) == "27 Oct 2024 02:30 CET"


def test_a_skipped_hour_is_not_marked() -> None:
    night = labels(BERLIN, "5m", datetime(2024, 3, 30, 23, tzinfo=UTC), 4, 12)
    assert night == ["31 Mar", "01:00", "03:00", "04:00", "05:00"]


def test_a_day_whose_midnight_is_skipped_begins_at_one() -> None:
    assert labels(SAO_PAULO, "15m", datetime(2018, 11, 4, 1, tzinfo=UTC), 5, 4) == [
        "22:00",
        "23:00",
        "4 Nov",
        "02:00",
        "03:00",
        "04:00",
    ]


def test_the_marks_of_an_offset_of_45_minutes_are_at_its_own_hours() -> None:
    assert labels(KATHMANDU, "15m", datetime(2024, 8, 8, 16, 15, tzinfo=UTC), 4, 4) == [
        "22:00",
        "23:00",
        "9 Aug",
        "01:00",
        "02:00",
    ]


def test_daily_candles_are_labelled_in_utc_in_every_zone() -> None:
    day = Interval.parse("1d")
    first = day.slot(_us(datetime(2024, 8, 1, tzinfo=UTC)))
    assert time_ticks(day, first, first + 40, 8, NEW_YORK) == time_ticks(day, first, first + 40, 8)
    assert full_time(day.slot_open_us(first), day, NEW_YORK.rules_for(day)) == "Thu 01 Aug 2024"


@settings(max_examples=examples(80))
@given(places, st.sampled_from(INTRADAY), st.floats(1, 60), st.integers(1, 250))
@example((BERLIN, _us(datetime(2024, 10, 26, 22, tzinfo=UTC))), Interval.parse("1h"), 1.5, 60)
@example((APIA, _us(datetime(2011, 12, 28, 22, tzinfo=UTC))), Interval.parse("4h"), 2.0, 60)
def test_marks_stand_where_a_calendar_says(
    place_: tuple[Zone, int], interval: Interval, least: float, span: int
) -> None:
    zone, start_us = place_
    first = interval.slot(start_us)
    ticks = time_ticks(interval, first, first + span, least, zone)
    opens = {slot: shown(interval.slot_open_us(slot), zone) for slot in range(first - 1, first + span + 1)}
    begins = [slot for slot in range(first, first + span + 1) if opens[slot].date() != opens[slot - 1].date()]
    for one, following in pairwise(ticks):
        assert following.slot - one.slot >= max(1, least / 2)
    bold = [tick.slot for tick in ticks if tick.bold]
    has_hours = max(least, 1) * interval.seconds <= 12 * 3600
    assert set(bold) == set(begins) if has_hours else set(bold) <= set(begins)
    for tick in ticks:
        local = opens[tick.slot]
        assert tick.text in (
            f"{local:%H:%M}",
            f"{local:%H:%M} {local.tzname()}",
            f"{local.day} {local:%b}",
            f"{local:%b}",
            str(local.year),
        )
    for before, after in pairwise(bold if has_hours else []):
        within = [tick.text for tick in ticks if before <= tick.slot < after]
        assert len(set(within)) == len(within)  # no time is said twice in a day


@settings(max_examples=examples(60))
@given(places, st.sampled_from(INTRADAY), st.integers(1, 250))
def test_days_are_shaded_by_the_date_on_which_their_candles_open(
    place_: tuple[Zone, int], interval: Interval, span: int
) -> None:
    zone, start_us = place_
    view = TimeScale(width_px=span * 8.0, bar_px=8.0, right=interval.slot(start_us) + span)
    bands = day_bands(interval, view, zone)
    for slot in range(int(view.left) + 1, int(view.right)):
        odd = shown(interval.slot_open_us(slot), zone).toordinal() % 2 == 1
        assert any(left < slot < right for left, right in bands) == odd


@settings(max_examples=examples(60))
@given(places)
def test_a_day_begins_at_the_first_second_of_its_date(place_: tuple[Zone, int]) -> None:
    zone, time_us = place_
    ordinal = shown(time_us, zone).toordinal()
    start = day_start(ordinal, zone.rules)
    assert shown(start * 1_000_000, zone).toordinal() == ordinal
    assert shown((start - 1) * 1_000_000, zone).toordinal() < ordinal
    lengths = {22.5, 23, 23.5, 24, 24.5, 25}
    assert (day_start(ordinal + 1, zone.rules) - start) / 3600 in lengths


@settings(max_examples=examples(60))
@given(
    st.sampled_from(ZONES), st.sampled_from(["1s", "1m", "1d", "1w", "12M"]), st.integers(-60, 260), st.floats(0.1, 1e6)
)
def test_marks_exist_at_any_time_and_zoom(zone: Zone, name: str, years: int, least: float) -> None:
    interval = Interval.parse(name)
    first = interval.slot(_us(datetime(2000 + years, 5, 5, tzinfo=UTC)))
    ticks = time_ticks(interval, first, first + min(20 * least, 1e5), least, zone)
    assert all(after.slot - before.slot >= max(1, least / 2) for before, after in pairwise(ticks) if least < 1e3)
    day_bands(interval, TimeScale(right=first), zone)


def test_marks_stay_put_while_panning() -> None:
    interval, span = MINUTE, 400
    first = interval.slot(_us(datetime(2024, 10, 26, 20, tzinfo=UTC)))
    everything = set(time_ticks(interval, first, first + 4 * span, 40, BERLIN))
    for at in range(first, first + 3 * span, 7):
        seen = set(time_ticks(interval, at, at + span, 40, BERLIN))
        assert seen == {tick for tick in everything if at <= tick.slot <= at + span}


def test_the_local_zone_has_the_rules_it_is_given_and_its_own_name() -> None:
    local = zone_named("local", BERLIN.rules)
    assert (local.name, local.title, local.rules) == ("local", "Local (Europe/Berlin)", BERLIN.rules)
    assert TimeStyle.from_values({"zone": "local"}, BERLIN.rules).zone.rules is BERLIN.rules


def test_a_zone_is_stored_by_its_name() -> None:
    assert zone_names()[:2] == ["UTC", "local"]
    assert {"Europe/Berlin", "Asia/Kathmandu", "America/New_York"} <= set(zone_names())
    for style in (TimeStyle(), TimeStyle(BERLIN, shaded=True), TimeStyle(zone_named("local"))):
        assert TimeStyle.from_values(style.to_values()) == style
    for nonsense in (None, 3, "x", {"zone": "../etc/passwd", "days shaded": 1}, {"zone": "Mars/Olympus"}, {"zone": 7}):
        assert TimeStyle.from_values(nonsense) == TimeStyle()
    summer, winter = (_us(datetime(2024, month, 15, tzinfo=UTC)) for month in (7, 1))
    said = [offset_text(zone.rules, at) for zone in (UTC_ZONE, BERLIN, NEW_YORK, KATHMANDU) for at in (summer, winter)]
    assert said == ["UTC", "UTC", "UTC+2", "UTC+1", "UTC−4", "UTC−5", "UTC+5:45", "UTC+5:45"]


def test_the_user_chooses_a_zone_by_typing_and_it_is_remembered(qtbot: QtBot, chart: ChartWidget) -> None:
    opened = datetime(2024, 8, 8, 22, tzinfo=UTC)
    first = MINUTE.slot(_us(opened))
    chart.set_series(series_of(zigzag(300, first)), BTC)
    chart.set_now(_us(opened + timedelta(hours=5)))
    settle(qtbot, chart)
    button = chart.findChild(ZoneButton)
    assert button.text() == "UTC"
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    picker = chart.findChild(ZonePicker)
    QTest.keyClicks(picker.edit, "atlantis")
    assert picker.message.isVisible()
    assert picker.message.text() == "No time zone matches “atlantis”."
    picker.edit.clear()
    QTest.keyClicks(picker.edit, "new york")
    with qtbot.waitSignal(chart.appearance_changed):
        QTest.keyClick(picker.edit, Qt.Key.Key_Return)
    assert (picker.isVisible(), button.text(), chart.appearance.time_style.zone) == (False, "UTC−4", NEW_YORK)
    chart.reading_tools.point_at(place(chart, first + 250, 105))
    settle(qtbot, chart)
    assert chart._scene.crosshair.time_text == "08 Aug 2024 22:10"
    again = ChartWidget()
    again.restore_appearance(chart.appearance_values())
    assert again.appearance.time_style == chart.appearance.time_style
    again.deleteLater()


def test_every_other_day_is_shaded_if_the_user_wants_it(qtbot: QtBot, chart: ChartWidget) -> None:
    hour = Interval.parse("1h")
    first = hour.slot(_us(datetime(2024, 8, 8, tzinfo=UTC)))
    chart.set_series(series_of(zigzag(80, first, hour), hour), BTC)
    settle(qtbot, chart)

    def grounds() -> set[str]:
        image = picture(chart)
        return {colour_at(image, place(chart, first + 20 + at + 0.5, 99.5)) for at in range(48)}

    assert len(grounds()) <= 2  # the ground and the grid
    chart.appearance.set_time_style(TimeStyle(shaded=True))
    settle(qtbot, chart)
    assert chart._scene.colours.shade.name() in grounds()


def test_the_countdown_repaints_its_own_strip_and_is_hidden_where_it_means_nothing(
    qtbot: QtBot, chart: ChartWidget
) -> None:
    first = MINUTE.slot(_us(datetime(2024, 8, 8, 22, tzinfo=UTC)))
    series = series_of([*zigzag(50, first), candle(first + 50, 100, 105, closed=False)])
    chart.set_series(series, BTC)
    opened = MINUTE.slot_open_us(first + 50)
    chart.set_now(opened)
    settle(qtbot, chart)
    assert chart._scene.countdown == "01:00"
    with qtbot.waitSignal(canvas_of(chart).painted) as painted:
        chart.set_now(opened + 1_000_000)
    (region,) = painted.args
    assert region.boundingRect() == countdown_rect(chart._scene).toAlignedRect()
    for late_s, text in ((60, "00:00"), (63, "00:00"), (66, "")):  # the next candle is late: nothing trades
        chart.set_now(opened + late_s * 1_000_000)
        settle(qtbot, chart)
        assert chart._scene.countdown == text
