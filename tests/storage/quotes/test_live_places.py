"""Values distinguish ticks of equal time, even when recorders count their places from different ticks."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.market.quotes.tick import Tick
from storage.postgres.connection import connect
from storage.quotes.tick_writer import LiveTickLedger
from storage.writing.batch_writer import BatchResult
from tests.depth import examples
from tests.storage.quotes.helpers import START_US, SYMBOL, assert_rollups_match, clear, stored_ticks
from tests.tables import our_tables
from tests.tick_candles import with_places

pytestmark = pytest.mark.embedded_only


@pytest.fixture
def ledgers(url: str) -> Iterator[tuple[LiveTickLedger, LiveTickLedger]]:
    with connect(url) as one, connect(url) as other:
        yield LiveTickLedger(one), LiveTickLedger(other)


@pytest.fixture(scope="module")
def shared_url(server_url: str) -> Iterator[str]:
    with our_tables(server_url) as url:
        yield url


def tick(number: int, time_us: int = START_US, place: int = 0) -> Tick:
    return Tick(SYMBOL, time_us, place, 10 + number, 20 + number, 5, 6)


def assert_holds(ledger: LiveTickLedger, ticks: list[Tick]) -> None:
    assert stored_ticks(ledger.connection) == ticks
    assert_rollups_match(ledger.connection, ticks)
    assert ledger.connection.execute("SELECT count(*) FROM refused_quotes").fetchone() == (0,)


def test_who_began_behind_the_first_of_two_ticks_and_stored_before_the_other_costs_none(
    ledgers: tuple[LiveTickLedger, LiveTickLedger],
) -> None:
    one, other = ledgers
    assert other.store([tick(2)]) == BatchResult(1, 0)
    assert one.store([tick(1), tick(2, place=1)]) == BatchResult(1, 0)
    assert one.store([tick(1), tick(2, place=1), tick(3, place=2)]) == BatchResult(1, 0)
    assert other.store([tick(3, place=1)]) == BatchResult(0, 0)
    assert_holds(one, [tick(2), tick(1, place=1), tick(3, place=2)])


def test_a_snapshot_of_this_run_and_what_the_last_one_left_on_disk_do_not_contradict_each_other(
    ledgers: tuple[LiveTickLedger, LiveTickLedger],
) -> None:
    ledger, _ = ledgers
    assert ledger.store([tick(1), tick(2)]) == BatchResult(2, 0)  # the second one is the snapshot's
    assert_holds(ledger, [tick(1), tick(2, place=1)])
    later = [tick(1, START_US + 1), tick(2, START_US + 1, 1), tick(2, START_US + 1)]
    assert ledger.store(later) == BatchResult(2, 0)
    assert_holds(ledger, [tick(1), tick(2, place=1), *later[:2]])


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sampled_from((0, 0, 1, 1_000_000)), min_size=1, max_size=30),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
)
def test_recorders_that_begin_anywhere_store_each_tick_once(
    shared_url: str, steps: list[int], recorders: int, dice: random.Random
) -> None:
    at_us, market = START_US, list[Tick]()
    for number, step in enumerate(steps):
        at_us += step
        market.append(tick(number, at_us))
    with connect(shared_url) as connection, connect(shared_url) as second:
        clear(connection)
        ledgers = LiveTickLedger(connection), LiveTickLedger(second)
        waiting = [list(with_places(market[0 if not n else dice.randrange(len(market)) :])) for n in range(recorders)]
        while any(waiting):
            mine = dice.randrange(recorders)
            size = dice.randrange(1, 6)
            part, waiting[mine] = waiting[mine][:size], waiting[mine][size:]
            ledger = ledgers[mine % 2] if dice.random() < 0.8 else LiveTickLedger(connection)
            ledger.store(part)
            if dice.random() < 0.2:
                assert ledger.store(part).fresh == 0
        held = stored_ticks(connection)
        assert sorted((one.time_us, *one[3:]) for one in held) == sorted((one.time_us, *one[3:]) for one in market)
        assert held == list(with_places(held))  # no place is left out
        assert_rollups_match(connection, held)
        assert connection.execute("SELECT count(*) FROM refused_quotes").fetchone() == (0,)
        if recorders == 1:
            assert held == list(with_places(market))
