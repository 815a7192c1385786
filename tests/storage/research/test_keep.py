"""
Kept series against series built from nothing, after whatever has happened to their candles.

Tables of rolling windows are partitioned alike on every edition. So what begins with stored klines is tested on one,
and what begins with trades or quotes, which are hypertables elsewhere, on all.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.market.candle import Candle
from app.market.interval import Interval
from storage.database import Database
from storage.research.keeper import ResearchKeeper
from storage.research.tables import locked_series
from tests.depth import mostly_deep
from tests.market.calendar.helpers import us
from tests.storage.helpers import PATIENCE_S, World, some_trades
from tests.storage.quotes.helpers import SYMBOL, some_ticks
from tests.storage.research.helpers import MINUTE_US, START_US, Place, keep_once, some_minutes, time_of

INDICATORS = "rsi_14,atr_14,cvd,macd,ema_20,vwap_week"
DAY_US = 86_400_000_000


def keep(place: Place) -> int:
    with place.connect() as connection:
        return keep_once(connection, place.store)


def assert_as_new(place: Place, lengths: list[int], symbol: str = "BTCUSDT", start_us: int | None = None) -> None:
    """The rows and values are those of tables built from nothing."""
    kept = [place.everything(length) for length in lengths]
    assert all(kept)
    place.research.drop([symbol])
    place.research.build([symbol], lengths, start_us, indicators=INDICATORS, keep=True)
    for length, rows in zip(lengths, kept, strict=True):
        assert place.everything(length) == rows, length


@pytest.mark.embedded_only
def test_rows_follow_as_minutes_close(place: Place) -> None:
    minutes, lengths = some_minutes(700, missing=lambda dice: dice.random() < 0.02), [1, 5, 60]
    place.save(minutes[:400])
    place.research.build(["BTCUSDT"], lengths, indicators=INDICATORS, keep=True)
    for at in range(400, len(minutes)):
        if at % 70 == 0 or at > len(minutes) - 5:
            place.save(minutes[: at + 1])
            assert keep(place) >= 3
            assert keep(place) == 0
    place.save(minutes)
    keep(place)
    assert_as_new(place, lengths)


@pytest.mark.embedded_only
@pytest.mark.parametrize("seed", mostly_deep([1, 2], [1]))
def test_late_and_corrected_candles_change_all_rows_and_values_that_they_touch(place: Place, seed: int) -> None:
    dice, lengths = random.Random(seed), [1, 13, 60]
    minutes = some_minutes(5_000, seed=seed)
    late = set(dice.sample(range(1, 4_999), 300)) | set(range(1_500, 1_700))
    place.save([one for at, one in enumerate(minutes) if at not in late])
    place.research.build(["BTCUSDT"], lengths, indicators=INDICATORS, keep=True)
    parts = dice.sample(sorted(late), len(late))
    for part in (parts[:3], parts[3:200], parts[200:]):
        place.save([minutes[at] for at in part])
        assert keep(place)
    corrected = [minutes[at]._replace(trades=77) for at in (5, 2_345, 4_990)]
    place.save(corrected)
    assert keep(place)
    assert keep(place) == 0
    assert_as_new(place, lengths)


@pytest.mark.embedded_only
def test_older_candles_that_come_later_get_rows(place: Place) -> None:
    minutes = some_minutes(4_000)
    place.save(minutes[2_500:])
    place.research.build(["BTCUSDT"], [5, 60], indicators=INDICATORS, keep=True)
    place.save(minutes[:2_500])
    assert keep(place)
    assert_as_new(place, [5, 60])


@pytest.mark.embedded_only
def test_rows_before_the_time_from_which_they_are_kept_are_left_alone(place: Place) -> None:
    minutes, start_us = some_minutes(3_000), START_US + 1_000 * MINUTE_US
    place.save(minutes[:2_000])
    place.research.build(["BTCUSDT"], [60], start_us, indicators=INDICATORS, keep=True)
    place.save(minutes)
    assert keep(place) == 1_000
    assert place.rows("SELECT min(timestamp) FROM ohlcv_60m") == [(time_of(start_us + MINUTE_US),)]
    assert_as_new(place, [60], start_us=start_us)


@pytest.mark.embedded_only
def test_a_series_that_a_build_is_at_work_on_waits(place: Place) -> None:
    minutes = some_minutes(300)
    place.save(minutes[:200])
    place.research.build(["BTCUSDT"], [5, 13], keep=True)
    place.save(minutes)
    with place.connect() as builder, locked_series(builder, "BTCUSDT", [5]):
        assert keep(place) == 100
        assert len(place.everything(5)) == 196
    assert keep(place) == 100
    assert keep(place) == 0


@pytest.mark.embedded_only
def test_series_that_nobody_keeps_stay_as_they_are(place: Place) -> None:
    minutes = some_minutes(300)
    place.save(minutes[:200])
    place.research.build(["BTCUSDT"], [5], keep=True)
    place.research.build(["BTCUSDT"], [5], keep=False)
    place.save(minutes)
    assert keep(place) == 0
    assert len(place.everything(5)) == 196


def test_gaps_of_trades_that_are_repaired_mend_their_rows(world: World) -> None:
    place = Place(world.url)
    try:
        trades = [one._replace(time_us=START_US + at * 7_000_000) for at, one in enumerate(some_trades(6_000))]
        world.record([*trades[:1_000], *trades[1_200:4_000]])
        place.research.build(["BTCUSDT"], [1, 13], indicators=INDICATORS, keep=True)
        lacking = place.rows("SELECT count(*) FROM ohlcv_13m WHERE window_minutes < 13")[0][0]
        world.record(trades[4_000:])
        assert keep(place)
        assert place.rows("SELECT count(*) FROM ohlcv_13m WHERE window_minutes < 13")[0][0] == lacking
        world.record(trades)
        assert keep(place)
        assert place.rows("SELECT count(*) FROM ohlcv_13m WHERE window_minutes < 13")[0][0] < lacking
        assert keep(place) == 0
        assert_as_new(place, [1, 13])
    finally:
        place.store.close()


def test_quotes_have_rows_of_their_mid_and_closed_time_is_not_missing(url: str, tmp_path: Path) -> None:
    database, place = Database.open(url, tmp_path), Place(url)
    try:
        close_us = us("2014-05-02 21:00")  # of the forex week, which opens again two days later
        open_us = close_us + 2 * DAY_US
        before = [one for one in some_ticks(6_000, start_us=close_us - 7_000_000_000) if one.time_us < close_us]
        ticks = [*before, *some_ticks(6_000, start_us=open_us, seed=2)]
        assert database.tick_writer.put(ticks)
        assert database.tick_writer.drain(PATIENCE_S)
        place.research.build([SYMBOL], [5, 3_000], keep=True)
        found = place.table(5, SYMBOL)
        candles = {one.open_time_us: one for one in place.store.candles(SYMBOL, Interval.parse("5m"))}
        compared = [row for row in found if row[1] == 0 and row[0] - 5 * MINUTE_US in candles]
        assert len(compared) > 20
        for row in compared:
            one = candles[row[0] - 5 * MINUTE_US]
            assert row[2:6] == (one.open_e8 / 1e8, one.high_e8 / 1e8, one.low_e8 / 1e8, one.close_e8 / 1e8)
            assert (row[6], row[7], row[8]) == (one.trades, one.trades, None)
        assert {row[13] for row in found if row[0] > open_us} == {True}
        assert {row[13] for row in found if row[0] <= close_us} == {False}
        # Nobody fetched these ticks, so their minutes are incomplete; those of the weekend are not missing.
        across = place.table(3_000, SYMBOL)
        assert {(row[9], row[10]) for row in across if row[0] > open_us} == {(2_880, True)}
    finally:
        place.store.close()
        assert database.close()


@pytest.fixture
def keepers() -> Iterator[list[ResearchKeeper]]:
    made: list[ResearchKeeper] = []
    yield made
    for one in made:
        one.close()


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_program_that_records_keeps_the_rows(place: Place, keepers: list[ResearchKeeper]) -> None:
    minutes: list[Candle] = some_minutes(600)
    place.save(minutes[:300])
    place.research.build(["BTCUSDT"], [5], indicators=INDICATORS, keep=True)
    keepers += [
        ResearchKeeper(place.connect, place.store.pool, place.store, first_after_s=0.0, every_s=0.1) for _ in range(2)
    ]
    for count in (310, 450, 600):
        place.save(minutes[:count])
        wait_for(lambda: len(place.everything(5)) == count - 4)  # noqa: B023  # because it is called in this round
    wait_for(lambda: place.rows("SELECT count(*) FROM ohlcv_5m WHERE cvd IS NULL") == [(0,)])
    for one in keepers:
        one.close()
    assert_as_new(place, [5])
