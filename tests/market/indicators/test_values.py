"""Values are the same however a series came to be, and however much of it is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.market.candle import Candle
from app.market.indicators import Indicator, Output, Session, find, indicators
from app.market.indicators.values import IndicatorValues
from app.market.interval import Interval
from app.market.series.series import CandleSeries
from app.market.units import E8, E16
from tests.depth import examples
from tests.market.indicators.helpers import MIDNIGHT, MINUTE, followed, last_of, series_of, walk

ALL = [indicator.key for indicator in indicators()]
SHORT = {"period": 3, "fast": 3, "slow": 5, "signal": 2}
EDGE = MIDNIGHT // 4096 * 4096 + 4096  # where one block of candles ends and the next begins


def values_of(key: str, **given_settings: int | str) -> IndicatorValues:
    indicator = find(key)
    assert indicator is not None
    return IndicatorValues(indicator, given_settings)


def short(key: str) -> IndicatorValues:
    indicator = find(key)
    assert indicator is not None
    return values_of(key, **{name: SHORT[name] for name in indicator.defaults if name in SHORT})


def candle(slot: int, price: int, volume: int) -> Candle:
    amounts = (price * E8, (price + volume) * E8, price * E8 // 2, price * E8)
    return Candle(
        MINUTE.slot_open_us(slot), *amounts, volume * E8, volume * price * E16, 1, volume * E8 // 3, volume * E16
    )


def candles(first: int, figures: list[int]) -> list[Candle]:
    return [candle(first + at, 1 + figure % 50, figure % 7) for at, figure in enumerate(figures)]


def assert_same(left: dict[str, np.ndarray], right: dict[str, np.ndarray]) -> None:
    for name, column in left.items():
        np.testing.assert_allclose(column, right[name], rtol=1e-9, atol=1e-9, err_msg=name)


figures = st.lists(st.integers(0, 400), min_size=1, max_size=60)
changes = st.lists(
    st.one_of(
        st.tuples(st.just("tick"), st.integers(0, 2), figures.map(lambda some: some[:3])),
        st.tuples(st.just("prepend"), st.integers(0, 3), figures),
        st.tuples(st.just("merge"), st.integers(-70, 70), figures),
        st.tuples(st.just("upsert"), st.integers(-70, 70), figures.map(lambda some: some[:1])),
        st.tuples(st.just("begins"), st.integers(0, 1), st.just([])),
    ),
    max_size=8,
)


def apply(series: CandleSeries, change: str, by: int, some: list[int]) -> None:
    first, last = int(series.slots[0]), int(series.slots[-1])
    if change == "begins":
        series.set_begins(begins=bool(by))
    elif change == "prepend":
        series.prepend(candles(first - by - len(some), some))
    elif change == "merge":
        series.merge(candles((first + last) // 2 + by, some))
    else:
        for at, figure in enumerate(some):
            series.upsert(candle((last + by + at) if change == "tick" else EDGE + by, 1 + figure % 50, figure % 7))


@given(st.sampled_from(ALL), figures, st.integers(-90, 5), changes)
@settings(max_examples=examples(80))
def test_what_is_kept_up_to_date_equals_what_is_computed_anew(
    key: str, some: list[int], start: int, made: list[tuple[str, int, list[int]]]
) -> None:
    series = CandleSeries("X", MINUTE)
    series.replace(candles(EDGE + start, some))
    kept = short(key)
    kept.follow(series)
    for change in made:
        apply(series, *change)
        assert_same(followed(kept, series), followed(short(key), series))


@pytest.mark.parametrize("key", ALL)
def test_a_tick_and_a_new_candle_at_the_end_equal_all_computed_anew(key: str) -> None:
    series = series_of(walk(1500), EDGE - 1499)
    kept = values_of(key)
    kept.follow(series)
    for slot, price, volume in [(EDGE, 61_000, 2), (EDGE, 61_002, 3), (EDGE + 1, 60_900, 0), (EDGE + 2, 61_100, 5)]:
        series.upsert(candle(slot, price, volume))
        assert_same(followed(kept, series), followed(values_of(key), series))


@pytest.mark.parametrize("key", ALL)
def test_a_repaired_candle_changes_the_values_after_it_in_the_next_block_too(key: str) -> None:
    series = series_of(walk(1600), EDGE - 1500)
    kept = values_of(key)
    kept.follow(series)
    series.upsert(candle(EDGE - 2, 50_000, 9))
    assert_same(followed(kept, series), followed(values_of(key), series))


@pytest.mark.parametrize("key", ALL)
def test_a_tick_costs_as_many_candles_in_a_long_series_as_in_a_short_one(key: str) -> None:
    indicator = find(key)
    assert indicator is not None
    lengths = []

    def counting(bars, **given_settings):  # type: ignore[no-untyped-def]  # because it stands for any computation
        lengths.append(len(bars))
        return indicator.compute(bars, **given_settings)

    for count in (5_000, 50_000):
        watched = Indicator(
            **{field: getattr(indicator, field) for field in Indicator.__dataclass_fields__} | {"compute": counting}
        )
        series = series_of(walk(count), EDGE + 700 - count)
        kept = IndicatorValues(watched, {})
        kept.follow(series)
        lengths.clear()
        series.upsert(candle(EDGE + 699, 50, 1))
        kept.follow(series)
        assert len(lengths) == 1
        assert lengths[0] < 4096


@pytest.mark.parametrize("key", ALL)
@pytest.mark.parametrize("loaded", [40, 300, 1100, 2500])
def test_prepending_changes_no_value_that_was_drawn(key: str, loaded: int) -> None:
    whole = walk(5000)
    first = EDGE + 300 - 5000
    part = series_of(last_of(whole, loaded), first + 5000 - loaded, begins=False)
    before = followed(values_of(key), part)
    after = followed(values_of(key), series_of(whole, first))
    for name, column in before.items():
        known = np.isfinite(column)
        expected = after[name][-loaded:]
        scale = float(np.nanmax(np.abs(after[name])))
        np.testing.assert_allclose(column[known], expected[known], rtol=1e-9, atol=scale * 1e-10, err_msg=name)
    if loaded == 2500:
        assert all(np.isfinite(column[-300:]).all() for column in before.values())


def test_no_value_is_drawn_before_enough_candles_are_loaded() -> None:
    part = series_of(last_of(walk(500), 100), begins=False)
    column = followed(values_of("sma", period=20), part)["sma"]
    assert np.isnan(column[:19]).all()
    assert np.isfinite(column[19:]).all()
    assert np.isnan(followed(values_of("ema", period=20), part)["ema"]).all()
    part.set_begins(begins=True)
    assert np.isfinite(followed(values_of("ema", period=20), part)["ema"][19:]).all()


def test_a_session_without_its_beginning_has_no_value() -> None:
    part = series_of(walk(2000), MIDNIGHT + 100, begins=False)
    column = followed(values_of("vwap"), part)["vwap"]
    assert np.isnan(column[:1340]).all()
    assert np.isfinite(column[1345:]).all()


@pytest.mark.parametrize("name", ["1s", "13m", "1h", "1d", "3d", "1w", "1M"])
def test_a_session_begins_with_the_candle_that_opens_in_it(name: str) -> None:
    interval = Interval.parse(name)
    series = series_of(walk(400), interval.slot(MINUTE.slot_open_us(MIDNIGHT)) - 200, interval=interval)
    delta = followed(values_of("cvd"), series)["delta"]
    own = 2 * series.column("taker_buy_volume") - series.column("volume")
    days = series.column("open_time_us") // 86_400_000_000
    for at in range(1, len(series)):
        expected = own[at] + (delta[at - 1] if days[at] == days[at - 1] else 0.0)
        assert delta[at] == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_nothing_is_calculated_across_a_hole() -> None:
    figures_of = walk(200)
    series = CandleSeries("X", MINUTE)
    opens = np.array([MINUTE.slot_open_us(MIDNIGHT + at + (7 if at >= 120 else 0)) for at in range(200)], np.int64)
    series.replace_columns(opens, **figures_of)
    column = followed(values_of("sma", period=20), series)["sma"]
    assert np.isfinite(column[19:120]).all()
    assert np.isnan(column[120:139]).all()
    assert np.isfinite(column[139:]).all()


@pytest.mark.parametrize("key", ALL)
def test_one_candle_and_none_and_equal_prices_and_no_volume_are_no_errors(key: str) -> None:
    empty = CandleSeries("X", MINUTE)
    assert all(len(column) == 0 for column in followed(values_of(key), empty).values())
    for count in (1, 2, 19, 20, 60):
        series = CandleSeries("X", MINUTE)
        series.replace([candle(MIDNIGHT + at, 7, 0) for at in range(count)])
        series.set_begins(begins=True)
        outputs = followed(values_of(key), series)
        assert all(len(column) == count and not np.isinf(column).any() for column in outputs.values())
    last = {name: column[-1] for name, column in outputs.items()}
    flat = {"sma": 7, "ema": 7, "middle": 7, "upper": 7, "lower": 7, "macd": 0, "signal": 0, "histogram": 0}
    for name, value in last.items():
        if name in flat:
            assert value == flat[name]
        elif name in ("vwap", "rsi"):
            assert np.isnan(value)


@given(
    st.sampled_from(["sma", "bollinger", "macd"]),
    st.integers(0, 30),
    st.lists(st.tuples(st.integers(-10, 300), st.integers(0, 3)), min_size=1, max_size=3),
    st.data(),
)
@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.too_slow])
def test_every_level_of_detail_is_first_highest_lowest_and_last(
    key: str, hole: int, asked: list[tuple[int, int]], data: st.DataObject
) -> None:
    series = CandleSeries("X", MINUTE)
    series.replace(
        [candle(EDGE - 100 + at + (hole if at > 130 else 0), 1 + at * 7919 % 97, at % 5) for at in range(260)]
    )
    kept = short(key)
    kept.follow(series)
    name = kept.indicator.outputs[-1].name
    for first, width in asked:
        level = data.draw(st.integers(0, 9))
        low, high = EDGE - 100 + first, EDGE - 100 + first + 40**width
        bars = kept.between(name, low, high, level)
        slots, column = series.slots, kept.column(name)
        assert bars.span == 1 << level
        assert bars.slot.tolist() == sorted(
            {int(slot) >> level << level for slot in slots if low >> level <= slot >> level <= high >> level}
        )
        for at, block in enumerate(bars.slot.tolist()):
            inside = column[(slots >= block) & (slots < block + bars.span)]
            if np.isnan(inside).all():
                assert np.isnan(bars.close[at])
                continue
            assert (bars.high[at], bars.low[at]) == (np.nanmax(inside), np.nanmin(inside))
            assert np.isfinite(bars.open[at])
            if np.isfinite(inside).all():
                assert (bars.open[at], bars.close[at]) == (inside[0], inside[-1])
        series.upsert(candle(int(slots[data.draw(st.integers(0, 259))]), data.draw(st.integers(1, 99)), 3))
        kept.follow(series)


def test_what_a_function_gives_that_is_no_number_is_not_drawn() -> None:
    odd = Indicator(
        "odd", "Odd", "Odd", "", lambda bars: np.array([np.inf, -np.inf, np.nan, 1.0]), lambda: 0, (Output("odd"),)
    )
    column = followed(IndicatorValues(odd, {}), series_of(walk(4)))["odd"]
    assert np.isnan(column[:3]).all()
    assert column[3] == 1.0


def test_a_session_may_be_a_week_or_a_month() -> None:
    blocks = values_of("vwap", session=Session.WEEK.value).blocks(Interval.parse("1h"))
    block = blocks.of(Interval.parse("1h").slot(MINUTE.slot_open_us(MIDNIGHT)))
    assert block.last - block.first + 1 == 7 * 24
    assert block.origin == block.first


def test_a_chart_without_indicators_does_without_the_library() -> None:
    code = "import sys, app.window.window_controller; sys.exit('talib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=False).returncode == 0


def test_sessions_of_several_candles_begin_where_their_first_one_opens() -> None:
    series = series_of(walk(3000), MIDNIGHT - 700)
    kept = values_of("cvd")
    kept.follow(series)
    begins = kept.beginnings(series.slots)
    assert begins is not None
    assert (np.flatnonzero(begins) - 700).tolist() == [0, 1440]
    days = series_of(walk(20), 9000, interval=Interval.parse("1d"))
    kept.follow(days)
    assert not kept.beginnings(days.slots).any()  # type: ignore[union-attr]  # because CVD has sessions
    average = values_of("ema")
    average.follow(series)
    assert average.beginnings(series.slots) is None


def with_bare(figures: dict[str, np.ndarray], rows: slice, *, quote: bool = False) -> dict[str, np.ndarray]:
    """The figures, of which a file brought these rows: without what takers bought and, unless ``quote``, was paid."""
    known = {name: column.copy() for name, column in figures.items()}
    names = ("taker_buy_volume", "taker_buy_quote_volume") + (() if quote else ("quote_volume",))
    for name in names:
        known[name][rows] = 0
    known["trades"][rows] = figures["volume"][rows] > 0  # as an import counts them
    return known


@pytest.mark.parametrize("key", ["vwap", "cvd"])
def test_a_session_has_no_value_after_a_candle_with_prices_and_volume_alone(key: str) -> None:
    figures = walk(3000)
    figures["volume"][99:104] += 1
    figures["quote_volume"][99:104] += 60_000
    whole = followed(values_of(key), series_of(figures))
    for name, column in followed(values_of(key), series_of(with_bare(figures, slice(100, 103)))).items():
        assert np.isnan(column[100:1440]).all()
        for known in (slice(0, 100), slice(1440, 3000)):  # the days are sessions of their own
            np.testing.assert_array_equal(column[known], whole[name][known])


def test_a_candle_without_a_trade_knows_its_part_of_a_session() -> None:
    figures = walk(50)
    figures["volume"][20:23] = 0
    series = series_of(with_bare(figures, slice(20, 23)))
    assert np.isfinite(followed(values_of("cvd"), series)["delta"]).all()
    assert np.isfinite(followed(values_of("vwap"), series)["vwap"][1:]).all()


def test_a_candle_with_a_quote_volume_alone_counts_in_vwap_and_not_in_cvd() -> None:
    figures = walk(300)
    series = series_of(with_bare(figures, slice(100, 103), quote=True))
    assert np.isfinite(followed(values_of("vwap"), series)["vwap"][100:]).all()
    assert np.isnan(followed(values_of("cvd"), series)["delta"][103:]).all()


def test_a_candle_of_one_sale_is_known() -> None:
    figures = walk(3)
    for name in ("open", "high", "low", "close"):
        figures[name][1] = 100.0
    figures |= {"volume": np.ones(3), "quote_volume": np.full(3, 100.0), "trades": np.array([9, 1, 9])}
    figures["taker_buy_volume"] = np.array([1.0, 0.0, 1.0])
    assert followed(values_of("cvd"), series_of(figures))["delta"].tolist() == [1.0, 0.0, 1.0]
