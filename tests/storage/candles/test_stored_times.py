"""What a range is said to have stored are the candles that a reader gets complete."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.market.availability import Origin, StoredTimes, availability
from app.market.candle import Candle, CandleSource
from app.market.candle_request import CandleRequest
from app.market.coverage import IdRanges
from app.market.interval import SECOND_US, Interval
from app.market.trade import Trade
from tests.depth import examples
from tests.storage.helpers import START_US, World

pytestmark = pytest.mark.embedded_only

INTERVALS = [Interval.parse(name) for name in ("20s", "1m", "13m", "1h")]
MINUTE, HOUR = Interval.parse("1m"), Interval.parse("1h")
BASE_US = HOUR.open_time_us(START_US)
_symbols = itertools.count(1)


def origins(world: World, symbol: str, interval: Interval, hours: int = 3) -> dict[int, Origin]:
    """Where each candle of these hours comes from, by open time."""
    asked = CandleRequest(symbol, interval, BASE_US - HOUR.length_us, BASE_US + hours * HOUR.length_us)
    found = availability(asked, world.store.stored_times(symbol, interval), asked.end_us)
    return {
        interval.slot_open_us(slot): stretch.origin
        for stretch in found
        for slot in range(stretch.first, stretch.last + 1)
    }


@settings(max_examples=examples(12), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.tuples(st.sampled_from([0, 1, 20, 200]), st.sampled_from("sssma")), min_size=1, max_size=25),
    st.sampled_from([1, 2, 7_000]),
)
def test_they_are_those_of_trades_without_a_gap(world: World, steps: list[tuple[int, str]], first_id: int) -> None:
    symbol, seconds = f"S{next(_symbols)}USDT", 0
    trades, absent = [], []
    for trade_id, (step, kind) in enumerate(steps, first_id):
        seconds += step
        if kind == "s":
            trades.append(Trade(symbol, trade_id, BASE_US + seconds * SECOND_US, 10**8, 10**8, False))
        elif kind == "a":
            absent.append((trade_id, trade_id))
    if trades:
        world.record(trades)
    world.store.save_absent(symbol, absent)
    for interval in INTERVALS:
        stored = {one.open_time_us for one in world.store.candles(symbol, interval) if one.complete and one.closed}
        told = {at for at, origin in origins(world, symbol, interval).items() if origin is Origin.TRADES}
        assert told == stored if not absent else told <= stored


def test_klines_count_for_every_interval_that_they_add_up_to_but_not_before_the_listing(world: World) -> None:
    klines = [
        Candle(BASE_US + at * MINUTE.length_us, *[10**8] * 5, 10**16, 1, 0, 0, source=CandleSource.KLINE)
        for at in range(90)
    ]
    world.store.save_klines("BTCUSDT", MINUTE, klines, (BASE_US, BASE_US + 90 * MINUTE.length_us))
    world.store.save_listing("BTCUSDT", BASE_US - 30 * MINUTE.length_us)
    by_minute = [origin.name for origin in origins(world, "BTCUSDT", MINUTE).values()]
    assert by_minute == ["NOWHERE"] * 30 + ["FETCH"] * 30 + ["KLINES"] * 90 + ["FETCH"] * 90
    assert [one.name for one in origins(world, "BTCUSDT", HOUR).values()] == ["FETCH", "KLINES", "FETCH", "FETCH"]
    assert world.store.stored_times("NOPEUSDT", MINUTE) == StoredTimes((), IdRanges(), None)


def test_of_dropped_trades_only_the_hours_that_are_certain_count(world: World) -> None:
    world.record([Trade("BTCUSDT", n, BASE_US + n * 60 * SECOND_US, 10**8, 10**8, False) for n in range(2, 170)])
    dropped = datetime.fromtimestamp(BASE_US / 1e6, UTC) + timedelta(hours=2)
    with world.connect() as connection:
        connection.execute("DELETE FROM trades WHERE time < %s", (dropped,))
        connection.execute("UPDATE retention SET kept_from = %s", (dropped,))
    ((start_us, end_us),) = world.store.stored_times("BTCUSDT", MINUTE).traded
    assert start_us == HOUR.next_open_us(BASE_US + 120 * SECOND_US)
    assert end_us == BASE_US + 169 * 60 * SECOND_US
