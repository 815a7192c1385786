"""
The rows of the tables against each window added up by itself, however they were built.

The tables are plain ones on every edition; that they are made there, filled and dropped is tested on all.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from app.market.candle import Candle
from app.market.errors import UsageError
from app.market.interval import Interval
from tests.depth import mostly_deep
from tests.storage.helpers import PATIENCE_S
from tests.storage.research.helpers import MINUTE_US, START_US, Place, expected_rows, some_minutes

LENGTHS = [1, 5, 13, 60, 181]
BUILD = """
import sys
from storage.postgres.connection import connect
from storage.research.research_store import Research
from storage.sides.market_store import MarketStore
store = MarketStore(lambda: connect(sys.argv[1]))
print("begun", flush=True)
Research(lambda: connect(sys.argv[1]), store).build(["BTCUSDT"], [1, 5, 13, 60, 181], indicators="rsi_14,cvd")
store.close()
print("done", flush=True)
"""


def assert_equal(found: list[tuple[object, ...]], expected: list[tuple[object, ...]]) -> None:
    """The same rows; a price of a kind per quantity may differ by a unit in the last place."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one[:8] == other[:8]
        assert one[9:] == other[9:]
        assert one[8] == (None if other[8] is None else pytest.approx(other[8], rel=1e-15))


@pytest.mark.parametrize("seed", mostly_deep([1, 2, 3], [1]))
def test_rows_equal_each_window_added_up_by_itself(place: Place, seed: int) -> None:
    dice = random.Random(seed)
    gone = {at for start in dice.sample(range(900), 4) for at in range(start, start + dice.choice((1, 7, 200)))}
    minutes = [one for one in some_minutes(1_000, seed=seed) if (one.open_time_us - START_US) // MINUTE_US not in gone]
    lengths = [1, *dice.sample(range(2, 300), 3)]
    place.save(minutes)
    built = place.research.build(["BTCUSDT"], lengths)
    for minutes_of, one in zip(lengths, built, strict=True):
        expected = expected_rows(minutes, minutes_of)
        assert_equal(place.table(minutes_of), expected)
        assert (one.rows, one.written) == (len(expected), len(expected))
        assert one.incomplete == sum(row[9] < minutes_of for row in expected)


@pytest.mark.embedded_only
def test_rows_of_index_0_are_the_candles_of_that_length(place: Place) -> None:
    place.save(some_minutes(3_000))
    place.research.build(["BTCUSDT"], LENGTHS)
    for minutes in LENGTHS:
        found = [row for row in place.table(minutes) if row[1] == 0]
        candles = {
            one.open_time_us + minutes * MINUTE_US: one
            for one in place.store.candles("BTCUSDT", Interval.parse(f"{minutes}m"))
        }
        assert len(found) > 10
        for row in found:
            one = candles[row[0]]
            assert row[2:6] == (one.open_e8 / 1e8, one.high_e8 / 1e8, one.low_e8 / 1e8, one.close_e8 / 1e8)
            assert row[6:8] == (one.volume_e8 / 1e8, one.trades)
            assert one.complete


@pytest.mark.embedded_only
def test_a_missing_minute_marks_all_rows_that_cover_it(place: Place) -> None:
    minutes = some_minutes(300)
    del minutes[150]
    place.save(minutes)
    place.research.build(["BTCUSDT"], [60])
    lacking = [row[0] for row in place.table(60) if row[9] < 60]
    assert lacking == [START_US + (151 + at) * MINUTE_US for at in range(60)]


@pytest.mark.embedded_only
def test_a_second_run_and_overlapping_ranges_give_the_same_rows(place: Place) -> None:
    minutes = some_minutes(4_000)
    place.save([one for at, one in enumerate(minutes) if not 2_000 <= at < 2_050])
    cuts = [START_US + at * MINUTE_US for at in (500, 2_010, 2_300, 3_100)]
    for start, end in ((cuts[1], cuts[3]), (None, cuts[2]), (cuts[0], cuts[1]), (cuts[2], None)):
        place.research.build(["BTCUSDT"], [13, 60], start, end, indicators="rsi_14,cvd")
    in_parts = [place.everything(length) for length in (13, 60)]
    again = place.research.build(["BTCUSDT"], [13, 60])
    assert [(one.written, one.updated) for one in again] == [(0, 0), (0, 0)]
    place.research.drop(["BTCUSDT"])
    place.research.build(["BTCUSDT"], [13, 60], indicators="rsi_14,cvd")
    assert [place.everything(length) for length in (13, 60)] == in_parts


@pytest.mark.embedded_only
def test_a_range_has_the_rows_whose_last_minute_is_in_it(place: Place) -> None:
    minutes = some_minutes(500)
    place.save(minutes)
    start_us, end_us = START_US + 100 * MINUTE_US, START_US + 200 * MINUTE_US
    place.research.build(["BTCUSDT"], [60], start_us, end_us)
    assert_equal(place.table(60), expected_rows(minutes, 60, start_us, end_us))
    assert len(place.table(60)) == 100


@pytest.mark.embedded_only
def test_a_build_that_fails_leaves_no_thread(place: Place) -> None:
    place.save(some_minutes(500))

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        place.research.build(["BTCUSDT"], [5, 60], on_progress=fail)
    assert caught.value.__traceback__ is not None  # which still holds the builder's frames
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("research")]


@pytest.mark.embedded_only
def test_two_builds_at_once_give_the_rows_of_one(place: Place) -> None:
    minutes = some_minutes(3_000)
    place.save(minutes)
    failed: list[BaseException] = []

    def build() -> None:
        try:
            place.research.build(["BTCUSDT"], [5, 60], indicators="rsi_14,cvd")
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=build) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
    for length in (5, 60):
        assert_equal(place.table(length), expected_rows(minutes, length))
    together = [place.everything(length) for length in (5, 60)]
    place.research.drop(["BTCUSDT"])
    place.research.build(["BTCUSDT"], [5, 60], indicators="rsi_14,cvd")
    assert [place.everything(length) for length in (5, 60)] == together


@pytest.mark.embedded_only
def test_a_build_that_is_killed_anywhere_is_made_whole_by_the_next(place: Place) -> None:
    minutes = some_minutes(12_000)
    place.save(minutes)
    dice = random.Random(4)
    for _ in range(3):
        program = subprocess.Popen([sys.executable, "-c", BUILD, place.url], stdout=subprocess.PIPE, text=True)
        assert program.stdout is not None
        assert program.stdout.readline() == "begun\n"
        time.sleep(dice.uniform(0.2, 1.5))
        program.send_signal(signal.SIGKILL)
        program.communicate()
    subprocess.run([sys.executable, "-c", BUILD, place.url], check=True, timeout=10 * PATIENCE_S)
    killed = [place.everything(length) for length in LENGTHS]
    assert_equal(place.table(60), expected_rows(minutes, 60))
    place.research.drop(["BTCUSDT"])
    place.research.build(["BTCUSDT"], LENGTHS, indicators="rsi_14,cvd")
    assert [place.everything(length) for length in LENGTHS] == killed


@pytest.mark.embedded_only
def test_only_closed_minutes_have_rows(place: Place) -> None:
    minutes = some_minutes(10)
    place.save([*minutes[:-1], minutes[-1]._replace(closed=False, complete=False)])
    place.research.build(["BTCUSDT"], [1])
    assert len(place.table(1)) == 9


def test_symbols_lie_beside_each_other(place: Place) -> None:
    kept: dict[str, list[Candle]] = {
        name: some_minutes(200, seed=at) for at, name in enumerate(("BTCUSDT", "币安USDT"))
    }
    for name, minutes in kept.items():
        place.save(minutes, name)
    place.research.build(list(kept), [13])
    for name, minutes in kept.items():
        assert_equal(place.table(13, name), expected_rows(minutes, 13))
    place.research.drop(["币安USDT"], [13])
    assert place.rows("SELECT DISTINCT symbol FROM ohlcv_13m") == [("BTCUSDT",)]
    assert place.research.drop(["BTCUSDT"]) == [("BTCUSDT", 13)]
    assert place.rows("SELECT to_regclass('ohlcv_13m'), (SELECT count(*) FROM research_series)") == [(None, 0)]


@pytest.mark.embedded_only
def test_what_cannot_be_built_is_refused_with_a_sentence(place: Place) -> None:
    place.save(some_minutes(10))
    with pytest.raises(UsageError, match="give 1 to 32,767"):
        place.research.build(["BTCUSDT"], [40_000])
    with pytest.raises(UsageError, match="20 characters"):
        place.research.build(["A" * 21], [5])
    with pytest.raises(UsageError, match="not an indicator"):
        place.research.build(["BTCUSDT"], [5], indicators="nonsense")
    with pytest.raises(UsageError, match="research status"):
        place.research.drop(["BTCUSDT"])
    assert place.rows("SELECT count(*) FROM research_tables") == [(0,)]
    (built,) = place.research.build(["BTCUSDT"], [60])
    assert built.rows == 0
