"""The chart's rules without Qt: the positions of marks, the texts of the legend, the movements of scales."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.market.candle import CandleSource
from app.market.interval import MENU_INTERVALS, Interval
from app.market.series.series import Bar
from tests.widgets.chart.charts import BTC, MINUTE, candle, series_of
from widgets.chart.model.legend import Piece, completeness, fitting, format_quantity, legend_pieces
from widgets.chart.painting.scene import NO_BARS, GapMark
from widgets.chart.painting.scene_builder import gap_marks
from widgets.chart.scales.time_marks import time_ticks
from widgets.chart.scales.time_scale import TimeScale, position_of, time_at
from widgets.chart.scales.time_text import countdown, full_time
from widgets.chart.scales.value_marks import ValueTick, price_marks
from widgets.chart.scales.value_scale import Margins, ValueScale, volume_top
from widgets.view_values import GapBand

INTERVALS = [*MENU_INTERVALS, Interval.parse("13m"), Interval.parse("181m"), Interval.parse("90s")]


def price_ticks(low: float, high: float, height: float, least: float, decimals: int) -> list[ValueTick]:
    return price_marks(ValueScale(low, high), height, least, decimals)


def us(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()) * 1_000_000


def labels(interval: str, start_us: int, end_us: int, least: float) -> list[tuple[str, bool]]:
    chosen = Interval.parse(interval)
    return [(t.text, t.bold) for t in time_ticks(chosen, chosen.slot(start_us), chosen.slot(end_us), least)]


def test_prices_step_by_1_2_or_5_with_the_symbols_decimals() -> None:
    ticks = price_ticks(59_400, 63_100, 600, 56, 2)
    assert [tick.text for tick in ticks] == [f"{price:,}.00" for price in range(59_500, 63_001, 500)]
    assert [tick.text for tick in price_ticks(0.349, 0.3521, 300, 56, 4)] == ["0.3490", "0.3500", "0.3510", "0.3520"]


@given(st.floats(1e-8, 1e8), st.floats(1e-9, 2.0), st.floats(1, 4000), st.integers(0, 8))
def test_price_marks_are_apart_and_all_differ(low: float, share: float, height: float, decimals: int) -> None:
    high = low * (1 + share)
    ticks = price_ticks(low, high, height, 56, decimals)
    assert len({tick.text for tick in ticks}) == len(ticks)
    for one, next_ in pairwise(ticks):
        assert (next_.value - one.value) / (high - low) * height > 55


def test_days_begin_in_bold_between_hours() -> None:
    around = labels("1m", us(2024, 8, 8, 22, 50), us(2024, 8, 9, 0, 40), 20)
    assert around == [("23:00", False), ("23:30", False), ("9 Aug", True), ("00:30", False)]


def test_months_and_years_begin_in_bold_between_days() -> None:
    winter = labels("1d", us(2023, 12, 20), us(2024, 1, 12), 6)
    assert winter == [("22 Dec", False), ("2024", True), ("8 Jan", False)]
    assert labels("1M", us(2023, 6, 1), us(2024, 4, 1), 3) == [
        ("Jul", True),
        ("Oct", True),
        ("2024", True),
        ("Apr", True),
    ]


def test_marks_of_odd_intervals_label_their_candles_open_time() -> None:
    interval = Interval.parse("13m")
    start_us = us(2024, 8, 8, 10)
    for tick in time_ticks(interval, interval.slot(start_us), interval.slot(start_us) + 40, 6):
        opened = datetime.fromtimestamp(interval.slot_open_us(tick.slot) / 1e6, UTC)
        assert tick.text == f"{opened:%H:%M}"


@given(st.sampled_from(INTERVALS), st.integers(us(2001, 1, 1), us(2090, 1, 1)), st.floats(0.1, 90), st.floats(1, 3000))
def test_time_marks_are_apart_and_in_view(interval: Interval, time_us: int, least: float, span: float) -> None:
    left = interval.slot(time_us) + 0.3
    ticks = time_ticks(interval, left, left + span, least)
    assert all(left <= tick.slot <= left + span for tick in ticks)
    for one, next_ in pairwise(ticks):
        assert next_.slot - one.slot >= max(1, least / 2)


@given(st.sampled_from(INTERVALS), st.integers(us(2001, 1, 1), us(2090, 1, 1)))
def test_a_moment_has_one_position_and_back(interval: Interval, time_us: int) -> None:
    position = position_of(interval, time_us)
    slot = interval.slot(time_us)
    assert slot - 0.5 <= position <= slot + 0.5
    assert time_at(interval, position) == pytest.approx(time_us, abs=interval.length_us * 1e-6 + 1)


@given(
    st.floats(0.01, 100), st.floats(0, 800), st.integers(-(10**6), 10**9), st.integers(1, 10**6), st.floats(-5000, 5000)
)
def test_zooming_keeps_the_time_under_the_pointer_or_the_candles_in_view(
    factor: float, x: float, first: int, count: int, pan: float
) -> None:
    view = TimeScale(first=first, last=first + count - 1)
    view.show_latest()
    view.pan(pan)
    before = view.position_at(x)
    view.zoom(factor, x)
    assert view.left < view.last + 0.5
    assert view.right > view.first - 0.5
    if view.left < view.last - 4 and view.right > view.first + 4:
        assert view.position_at(x) == pytest.approx(before, abs=1e-3)


def test_equal_prices_still_have_a_height() -> None:
    view = ValueScale()
    view.fit(100.0, 100.0, 400, Margins(56, 24), 0.1)
    assert view.low < 100 < view.high


def test_a_fitted_axis_leaves_its_margins_and_one_set_by_hand_stays() -> None:
    view = ValueScale()
    view.fit(100.0, 200.0, 480, Margins(56, 24))
    assert view.share_of(200.0) * 480 == pytest.approx(56)
    assert view.share_of(100.0) * 480 == pytest.approx(480 - 24)
    view.stretch(2.0)
    before = (view.low, view.high)
    view.fit(1.0, 2.0, 480, Margins(56, 24))
    assert (view.low, view.high) == before


def test_the_zero_line_of_columns_stays_where_it_is() -> None:
    view = ValueScale(grounded=True)
    view.fit(0.0, 50.0, 124, Margins(24, 0))
    assert (view.low, view.share_of(50.0) * 124) == (0.0, pytest.approx(24))
    view.stretch(0.5)
    view.shift(0.3)
    assert (view.low, view.high) == (0.0, pytest.approx(62 / 2))


def test_the_volume_scale_does_not_change_with_every_tick() -> None:
    tops = set()
    for volume in range(901, 909):
        bars = series_of([candle(5, 100, 110, volume_e8=volume * 10**8)]).bars_between(0, 9)
        tops.add(volume_top(bars))
        assert volume_top(bars) >= volume
    assert tops == {910.0}
    assert volume_top(NO_BARS) == 1.0


def bar(**fields: object) -> Bar:
    series = series_of([candle(MINUTE.slot(us(2024, 8, 9)), 61_828.0, 61_782.25, volume_e8=1_507_700_000, **fields)])
    return series.bar(0)


def text(pieces: list[Piece]) -> str:
    return " ".join(piece.text for piece in pieces)


def test_the_legend_reads_as_a_line() -> None:
    assert text(legend_pieces(BTC, MINUTE, bar(trades=1255))) == (
        "BTC/USDT · 1m O 61,828.00 H 61,830.00 L 61,780.25 C 61,782.25 −45.75 (−0.07 %) "
        "V 15.077 Trades 1,255 Taker buys 13 % ✓ all trades"
    )
    assert text(legend_pieces(BTC, MINUTE, bar(complete=False), 204)).endswith("% 204 trades missing")
    assert text(legend_pieces(BTC, MINUTE, bar(complete=False), 1)).endswith("% 1 trade missing")
    assert text(legend_pieces(BTC, MINUTE, bar(complete=False))).endswith("incomplete")
    assert text(legend_pieces(BTC, MINUTE, bar(source=CandleSource.KLINE))).endswith("exchange's candle")


@pytest.mark.parametrize(
    ("fields", "missing", "words"),
    [
        ({}, 0, "from aggregated trades"),
        ({"complete": False}, 0, "incomplete, from aggregated trades"),
        ({}, 204, "from aggregated trades, 204 trades missing"),
    ],
)
def test_figures_of_aggregated_trades_never_pass_for_those_of_trades(
    fields: dict[str, object], missing: int, words: str
) -> None:
    found = bar(source=CandleSource.AGGTRADES, **fields)
    assert text(legend_pieces(BTC, MINUTE, found, missing)).endswith(f"Taker buys 13 % {words}")
    assert "aggregated trades, which an import brought" in completeness(found, missing).explanation
    narrow = fitting(legend_pieces(BTC, MINUTE, found, missing), 90, lambda some: float(len(text(list(some)))))
    assert words in text(narrow)
    assert "Taker" not in text(narrow)


def test_a_candle_of_parts_from_several_sources_says_so() -> None:
    assert completeness(bar(source=CandleSource.MIXED)).text == "from several sources"
    assert completeness(bar(source=CandleSource.MIXED, closed=False)).text == "exchange's candle, then trades"


def test_a_narrow_legend_drops_whole_fields_in_the_order_of_their_rank() -> None:
    pieces = legend_pieces(BTC, MINUTE, bar(complete=False), 204)

    def measure(some: list[Piece]) -> float:
        return float(len(text(list(some))))

    assert fitting(pieces, 1000, measure) == pieces
    assert "Trades" not in text(fitting(pieces, 130, measure))
    assert "Taker" in text(fitting(pieces, 130, measure))
    assert text(fitting(pieces, 90, measure)).startswith("BTC/USDT · 1m H 61,830.00")
    assert text(fitting(pieces, 60, measure)) == "BTC/USDT · 1m C 61,782.25 204 trades missing"
    assert text(fitting(pieces, 1, measure)) == "BTC/USDT · 1m"


@pytest.mark.parametrize(
    ("left_s", "expected"),
    [
        (37, "00:37"),
        (36.2, "00:37"),
        (3723, "1:02:03"),
        (2 * 86_400 + 3 * 3600 + 59, "2d 03h"),
        (0, "00:00"),
        (-9, "00:00"),
    ],
)
def test_the_countdown_ends_at_zero(left_s: float, expected: str) -> None:
    assert countdown(round(left_s * 1_000_000)) == expected


def test_full_times_and_quantities() -> None:
    assert full_time(us(2024, 8, 8, 23, 30), MINUTE) == "08 Aug 2024 23:30"
    assert full_time(us(2024, 8, 8), Interval.parse("1d")) == "Thu 08 Aug 2024"
    assert format_quantity(15.0774, 5) == "15.077"
    assert format_quantity(1_234_567.0, 0) == "1.235 M"


def test_gaps_that_share_a_candle_are_one_band_with_one_count() -> None:
    first, second, third = (MINUTE.slot_open_us(slot) for slot in (60_029, 60_030, 60_031))  # of one hour
    gaps = [
        GapBand(second + 1, second + 9, 126, repairing=True),
        GapBand(first, second, 368),
        GapBand(third, third, 1),
    ]
    assert gap_marks(gaps, MINUTE) == [
        GapMark(60_028.5, 60_030.5, "494 trades missing · repairing"),
        GapMark(60_030.5, 60_031.5, "1 trade missing"),
    ]
    assert [mark.text for mark in gap_marks(gaps, Interval.parse("1h"))] == ["495 trades missing · repairing"]
