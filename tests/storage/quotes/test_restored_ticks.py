"""Ticks that retention dropped are stored again where a file brings them, and their candles count each once."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import chain, groupby

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.market.interval import Interval
from app.market.quotes.tick import Tick
from app.market.quotes.tick_candle import TickCandle
from storage.postgres.connection import Connection, connect
from storage.postgres.pool import ConnectionPool
from storage.quotes.tick_columns import tick_columns
from storage.quotes.tick_ledger import TickLedger
from storage.quotes.tick_levels import LEVELS
from storage.quotes.tick_store import TickStore
from storage.writing.batch_writer import BatchResult
from tests.depth import examples
from tests.storage.quotes.helpers import (
    START_US,
    SYMBOL,
    assert_rollups_match,
    clear,
    rollups,
    some_ticks,
    stored_ticks,
)
from tests.tick_candles import candle_of_tick, combine_ticks, with_places

DAY_US = 86_400_000_000


@pytest.fixture
def ledger(url: str) -> Iterator[TickLedger]:
    with connect(url) as connection:
        yield TickLedger(connection)


def restore(ledger: TickLedger, ticks: list[Tick]) -> BatchResult:
    columns = tick_columns(ticks, ledger.symbol_ids([SYMBOL]))
    return ledger.store_columns(*columns, restores=True)


def drop(connection: Connection, ticks: list[Tick]) -> None:
    """Delete ticks as retention does: their candles stay."""
    connection.cursor().executemany(
        "DELETE FROM quotes WHERE time = timestamptz 'epoch' + %s * interval '1 microsecond' AND place = %s",
        [(tick.time_us, tick.place) for tick in ticks],
    )


@settings(max_examples=examples(15), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10_000), share=st.sampled_from([0.05, 0.5, 1.0]), pieces=st.integers(1, 5))
def test_what_was_dropped_comes_back_once(ledger: TickLedger, seed: int, share: float, pieces: int) -> None:
    clear(ledger.connection)
    dice = random.Random(seed)
    ticks = some_ticks(400, seed=seed)
    ledger.store(ticks)
    gone = [tick for tick in ticks if dice.random() < share]
    drop(ledger.connection, gone)
    assert ledger.store(ticks) == BatchResult(0, 0, len(gone))
    times = [list(group) for _, group in groupby(ticks, key=lambda tick: tick.time_us)]
    size = -(-len(times) // pieces)
    results = [restore(ledger, list(chain(*times[at : at + size]))) for at in range(0, len(times), size)]
    assert sum(one.fresh for one in results) == len(gone)
    assert stored_ticks(ledger.connection) == ticks
    assert_rollups_match(ledger.connection, ticks)
    assert restore(ledger, ticks) == BatchResult(0, 0)


def test_new_ticks_beside_those_that_were_dropped_count_in_the_candles(ledger: TickLedger) -> None:
    ticks = some_ticks(300)
    ledger.store(ticks[:200])
    drop(ledger.connection, ticks[:150])
    assert restore(ledger, ticks) == BatchResult(250, 0)
    assert stored_ticks(ledger.connection) == ticks
    assert_rollups_match(ledger.connection, ticks)


def test_places_that_stayed_free_move_no_first_or_last_tick_of_a_candle(ledger: TickLedger) -> None:
    """A live stream may leave places free; a file counts its ticks of one time from 0 on."""
    ticks = some_ticks(300)
    free = [tick._replace(place=2 * tick.place + 1) for tick in ticks]
    ledger.store(free)
    before = [rollups(ledger.connection, level.table) for level in LEVELS]
    drop(ledger.connection, free)
    in_a_file = list(with_places([tick._replace(place=0) for tick in free]))
    assert restore(ledger, in_a_file) == BatchResult(300, 0)
    assert [rollups(ledger.connection, level.table) for level in LEVELS] == before
    stored = stored_ticks(ledger.connection)
    assert [tick._replace(place=0) for tick in stored] == [tick._replace(place=0) for tick in free]
    assert restore(ledger, in_a_file) == BatchResult(0, 0)


def test_pages_of_columns_are_the_ticks_in_their_order(ledger: TickLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = some_ticks(500)
    ledger.store(ticks + some_ticks(100, symbol="dukascopy:EURUSD", seed=4))
    monkeypatch.setattr("storage.quotes.tick_pages._PAGE", 7)  # so that pages end inside a time
    pool = ConnectionPool(lambda: ledger.connection)
    store = TickStore(pool)
    start_us, end_us = ticks[20].time_us, ticks[-20].time_us
    inside = [tick for tick in ticks if start_us <= tick.time_us < end_us]
    rows = [row for page in store.iter_tick_columns(SYMBOL, start_us, end_us) for row in page.to_pylist()]
    names = ("bid", "ask", "bid_size", "ask_size")
    assert [tuple(int(row[name].scaleb(8)) for name in names) for row in rows] == [tick[3:] for tick in inside]
    assert [row["time"].timestamp() for row in rows] == [tick.time_us / 1e6 for tick in inside]
    assert store.count_ticks(SYMBOL, start_us, end_us) == len(inside)
    assert list(store.iter_tick_columns("oanda:XAUUSD", start_us, end_us)) == []


@pytest.mark.parametrize("name", ["1s", "4s", "7s", "13s"])
def test_days_that_came_back_have_candles_finer_than_those_stored(ledger: TickLedger, name: str) -> None:
    interval, connection = Interval.parse(name), ledger.connection
    first_us = START_US // DAY_US * DAY_US
    ticks = [
        tick for day in range(5) for tick in some_ticks(300, seed=day, start_us=first_us + day * DAY_US - 99_000_000)
    ]
    days = [[one for one in ticks if (one.time_us - first_us) // DAY_US == day] for day in range(-1, 5)]
    assert all(days)
    ledger.store(ticks)
    drop(connection, days[0] + days[1] + days[2] + days[3])
    kept_from_us = first_us + 3 * DAY_US
    connection.execute(
        "UPDATE quote_retention SET kept_from = timestamptz 'epoch' + %s * interval '1 microsecond'", (kept_from_us,)
    )
    restore(ledger, days[1] + days[2] + days[3][:50])
    whole = {first_us, first_us + DAY_US}

    def is_there(candle: TickCandle) -> bool:
        ends = (candle.open_time_us, candle.open_time_us + interval.length_us - 1)
        return all(at >= kept_from_us or at // DAY_US * DAY_US in whole for at in ends)

    grouped = groupby(ticks, key=lambda tick: interval.open_time_us(tick.time_us))
    candles = [combine_ticks(at, (candle_of_tick(at, one) for one in group)) for at, group in grouped]
    expected = [one for one in candles if is_there(one)]
    store = TickStore(ConnectionPool(lambda: connection))
    assert store.tick_candles(SYMBOL, interval) == expected
    for limit in (1, 10, 100, 1_000):
        assert store.tick_candles(SYMBOL, interval, limit=limit) == expected[-limit:]
    parts = list(store.iter_tick_candles(SYMBOL, interval, batch=17))
    assert [one for part in parts for one in part] == expected
    start_us, end_us = first_us + DAY_US - 50_000_000, first_us + DAY_US + 50_000_000
    within = [one for one in expected if start_us <= one.open_time_us < end_us]
    assert len(within) > 5
    assert store.tick_candles(SYMBOL, interval, start_us=start_us, end_us=end_us) == within
