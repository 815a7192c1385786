"""Each tick stored exactly once, whatever comes again, late, at once or is cut off: against a brute-force model."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.market.coverage import IdRanges
from app.market.errors import StoreSchemaMismatch
from app.market.quotes.tick import Tick
from storage.postgres.connection import connect
from storage.quotes import fetched_ranges
from storage.quotes.refused_ticks import MOST_SIZE_E8, refusal_reason
from storage.quotes.tick_ledger import TickLedger
from storage.schema.migrate import Migration, migrate, migrations
from storage.writing.batch_writer import BatchResult
from tests.depth import examples
from tests.storage.helpers import PATIENCE_S
from tests.storage.quotes.helpers import (
    START_US,
    SYMBOL,
    assert_rollups_match,
    clear,
    some_ticks,
    stored_ticks,
)
from tests.tables import our_tables

HOUR_US = 3_600_000_000


@pytest.fixture
def ledger(url: str) -> Iterator[TickLedger]:
    with connect(url) as connection:
        yield TickLedger(connection)


def assert_holds(ledger: TickLedger, ticks: list[Tick]) -> None:
    assert stored_ticks(ledger.connection) == sorted(ticks)
    assert_rollups_match(ledger.connection, sorted(ticks))


def refused(ledger: TickLedger) -> list[tuple[object, ...]]:
    return ledger.connection.execute(
        "SELECT (quote ->> 'bid_e8')::bigint, (stored ->> 'bid_e8')::bigint FROM refused_quotes ORDER BY id"
    ).fetchall()


def test_batches_are_stored_once_and_in_every_rollup(ledger: TickLedger) -> None:
    ticks = some_ticks(700)
    assert ledger.store(ticks[:400]) == BatchResult(400, 0)
    assert ledger.store(ticks[350:]) == BatchResult(300, 0)
    assert ledger.store(ticks) == BatchResult(0, 0)
    assert_holds(ledger, ticks)


def test_small_batches_that_go_on_are_stored_in_one_statement(ledger: TickLedger) -> None:
    ticks = sorted(some_ticks(300) + some_ticks(300, symbol="dukascopy:EURUSD"), key=lambda tick: tick.time_us)
    for start in range(0, 600, 7):
        part = ticks[start : start + 7]
        assert ledger.store(part) == BatchResult(len(part), 0)
        assert ledger.store(part[-1:]) == BatchResult(0, 0)  # as a snapshot after a reconnect repeats it
    assert_holds(ledger, ticks)


def test_a_large_batch_in_any_order_over_weeks_with_its_late_half_afterwards(ledger: TickLedger) -> None:
    ticks = [
        tick for week in range(6) for tick in some_ticks(1_500, seed=week, start_us=START_US + week * 7 * 24 * HOUR_US)
    ]
    assert ledger.store(ticks[::-2]).fresh == 4_500
    assert ledger.store(ticks[::-1]).fresh == 4_500
    assert_holds(ledger, ticks)


def test_a_tick_that_contradicts_the_stored_one_is_kept_aside_once(ledger: TickLedger) -> None:
    ticks = some_ticks(20)
    other = ticks[7]._replace(bid_e8=5)
    ledger.store(ticks)
    for _ in range(2):
        assert ledger.store([other]) == BatchResult(0, 1)
    assert ledger.store([ticks[3], ticks[3]._replace(bid_e8=6)]) == BatchResult(0, 1)
    assert refused(ledger) == [(5, ticks[7].bid_e8), (6, ticks[3].bid_e8)]
    assert_holds(ledger, ticks)


def test_what_a_source_counts_from_zero_again_after_a_break_is_no_contradiction(ledger: TickLedger) -> None:
    one, two = (Tick(SYMBOL, START_US, place, 10 + place, 20) for place in (0, 1))
    ledger.store([one, two])
    assert ledger.store([two._replace(place=0)]) == BatchResult(0, 0)
    later = [one._replace(time_us=START_US + 1), two._replace(time_us=START_US + 1)]
    assert ledger.store([*later, later[1]._replace(place=0)]) == BatchResult(2, 0)
    assert refused(ledger) == []
    assert_holds(ledger, [one, two, *later])


def test_two_equal_ticks_of_one_time_are_both_kept(ledger: TickLedger) -> None:
    same = [Tick(SYMBOL, START_US, place, 10, 20, 5, 6) for place in range(3)]
    assert ledger.store(same[:2]).fresh == 2
    assert ledger.store(same).fresh == 1
    assert_holds(ledger, same)


def test_ticks_that_retention_dropped_are_not_stored_again_and_their_candles_stay(ledger: TickLedger) -> None:
    ticks = some_ticks(200)
    ledger.store(ticks)
    ledger.connection.execute(
        "DELETE FROM quotes WHERE time < (SELECT time FROM quotes ORDER BY time OFFSET 90 LIMIT 1)"
    )
    left = stored_ticks(ledger.connection)
    result = TickLedger(ledger.connection).store(ticks)
    assert result == BatchResult(0, 0, len(ticks) - len(left))
    assert stored_ticks(ledger.connection) == left
    assert_rollups_match(ledger.connection, ticks)
    earlier = some_ticks(50, start_us=START_US - HOUR_US)
    assert ledger.store(earlier).fresh == 50
    assert_rollups_match(ledger.connection, [*earlier, *ticks])


def test_times_that_were_fetched_are_joined_also_without_a_tick(ledger: TickLedger) -> None:
    ticks = some_ticks(30)
    end_us = START_US + HOUR_US
    assert ledger.store(ticks, (SYMBOL, START_US, end_us)).fresh == 30
    assert ledger.store([], (SYMBOL, end_us + HOUR_US, end_us + 2 * HOUR_US)) == BatchResult(0, 0)
    number = ledger.symbol_ids([SYMBOL])[SYMBOL]
    both = [(START_US, end_us - 1), (end_us + HOUR_US, end_us + 2 * HOUR_US - 1)]
    assert list(fetched_ranges.read(ledger.connection, number)) == both
    ledger.store([], (SYMBOL, end_us, end_us + HOUR_US))
    assert list(fetched_ranges.read(ledger.connection, number)) == [(START_US, end_us + 2 * HOUR_US - 1)]
    assert ledger.store([]) == BatchResult(0, 0)


def test_nothing_is_stored_in_the_tables_of_a_newer_program(ledger: TickLedger) -> None:
    ticks = some_ticks(40)
    ledger.store(ticks[:10])
    migrate(ledger.connection, [*migrations(), Migration(len(migrations()) + 1, "newer", "CREATE TABLE newer ()")])
    for part in (ticks[10:20], ticks[:5]):
        with pytest.raises(StoreSchemaMismatch, match="newer version"):
            ledger.store(part)
    assert stored_ticks(ledger.connection) == ticks[:10]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"symbol": ""}, "its symbol is no name"),
        ({"time_us": 0}, "its time is out of range"),
        ({"place": 40_000}, "its place is out of range"),
        ({"bid_e8": 0}, "its bid or ask is out of range"),
        ({"ask_e8": 2**62}, "its bid or ask is out of range"),
        ({"bid_size_e8": -1}, "its size is out of range"),
        ({"ask_size_e8": MOST_SIZE_E8 + 1}, "its size is out of range"),
        ({}, ""),
    ],
)
def test_what_no_database_can_store_is_known_beforehand(change: dict[str, object], reason: str) -> None:
    assert refusal_reason(some_ticks(1)[0]._replace(**change)) == reason


def test_the_largest_that_is_not_refused_can_be_stored(ledger: TickLedger) -> None:
    largest = Tick(SYMBOL, START_US, 2**15 - 1, 2**62 - 1, 2**62 - 1, MOST_SIZE_E8, MOST_SIZE_E8)
    assert refusal_reason(largest) == ""
    assert ledger.store([largest, largest._replace(place=0)]).fresh == 2
    assert_holds(ledger, [largest._replace(place=0), largest])


@pytest.fixture(scope="module")
def shared_url(server_url: str) -> Iterator[str]:
    with our_tables(server_url) as url:
        yield url


# Times in few candles, so that batches meet; several places of one time; two contents of one identity.
TICKS = st.lists(
    st.tuples(
        st.sampled_from([SYMBOL, "dukascopy:EURUSD"]),
        st.sampled_from([0, 1, 2_500_000, 4_999_999, 5_000_000, 60_000_000, HOUR_US, 40 * 24 * HOUR_US]),
        st.integers(0, 2),
        st.integers(1, 2),
    ),
    max_size=12,
)


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(TICKS, max_size=6), same_connection=st.booleans())
def test_any_batches_leave_what_a_dictionary_would(
    shared_url: str, batches: list[list[tuple[str, int, int, int]]], same_connection: bool
) -> None:
    held: dict[tuple[str, int, int], Tick] = {}
    with connect(shared_url) as connection:
        clear(connection)
        ledger = TickLedger(connection)
        for batch in batches:
            ledger = ledger if same_connection else TickLedger(connection)
            ticks = [Tick(symbol, START_US + us, place, value, value + 1, value) for symbol, us, place, value in batch]
            before = len(held)
            # First come, first kept; also within a batch.
            for tick in ticks:
                held.setdefault(tick[:3], tick)
            assert ledger.store(ticks).fresh == len(held) - before
        assert stored_ticks(connection) == sorted(held.values())
        assert_rollups_match(connection, sorted(held.values()))


def test_two_writers_with_the_same_ticks_store_each_once(url: str) -> None:
    ticks = some_ticks(3_000)
    fresh: list[int] = []

    def write(seed: int) -> None:
        with connect(url) as connection:
            ledger = TickLedger(connection)
            size = 90 + seed * 40
            for start in range(0, len(ticks), size):
                fresh.append(ledger.store(ticks[start : start + size]).fresh)

    threads = [threading.Thread(target=write, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(fresh) == len(ticks)
    with connect(url) as connection:
        assert_holds(TickLedger(connection), ticks)


KILLED = """
import sys
from storage.postgres.connection import connect
from storage.quotes.tick_ledger import TickLedger
from tests.storage.quotes.helpers import SYMBOL, START_US, some_ticks
ticks = some_ticks(30_000)
with connect(sys.argv[1]) as connection:
    ledger = TickLedger(connection)
    for start in range(0, len(ticks), 500):
        part = ticks[start : start + 500]
        ledger.store(part, (SYMBOL, part[0].time_us, part[-1].time_us + 1))
        print(start, flush=True)
"""


def test_a_program_killed_in_the_middle_leaves_whole_batches_and_is_repeated_without_harm(url: str) -> None:
    ticks = some_ticks(30_000)
    with subprocess.Popen([sys.executable, "-c", KILLED, url], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for _ in range(4):
            assert process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    with connect(url) as connection:
        ledger = TickLedger(connection)
        held = stored_ticks(connection)
        deadline = time.monotonic() + PATIENCE_S
        while held != (held := stored_ticks(connection)):  # the server may still be committing
            assert time.monotonic() < deadline
        assert 2_000 <= len(held) < len(ticks)
        assert len(held) % 500 == 0
        assert held == ticks[: len(held)]
        assert_rollups_match(connection, held)
        number = ledger.symbol_ids([SYMBOL])[SYMBOL]
        fetched = fetched_ranges.read(connection, number)
        assert IdRanges((tick.time_us, tick.time_us) for tick in held) - fetched == IdRanges()
        assert fetched.last == held[-1].time_us
        assert ledger.store(ticks).fresh == len(ticks) - len(held)
        assert_holds(ledger, ticks)
