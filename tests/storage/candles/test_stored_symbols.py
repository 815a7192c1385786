"""What is stored of each symbol, on every edition, against a count of all rows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from app.market.candle import Candle, CandleSource
from app.market.interval import SECOND_US, Interval
from app.market.stored_symbol import DAY_US, DayState
from app.market.symbol import Symbol
from storage.candles import stored_symbols
from storage.retention.policy import confirm, enforce
from storage.schema.retention_period import RetentionPeriod
from tests.storage.helpers import START_US, World, some_trades

MINUTE = Interval.parse("1m")


def kline(open_us: int) -> Candle:
    return Candle(open_us, 3, 4, 1, 2, 5, 6, 7, 2, 3, source=CandleSource.KLINE)


def test_counts_ends_and_shares_are_those_of_the_rows(world: World) -> None:
    world.store.save_symbols(
        [
            Symbol("BTCUSDT", "BTC", "USDT", 10**6, 10**3),
            Symbol("ETHUSDT", "ETH", "USDT", 10**6, 10**4, "BREAK"),
            Symbol("ADABTC", "ADA", "BTC", 1, 10**7),
        ]
    )
    trades = some_trades(2_000)
    held = [one for one in trades if not 300 <= one.trade_id < 340]
    world.record(held)
    old = [one._replace(symbol="ETHUSDT", time_us=one.time_us - 60 * DAY_US) for one in trades[:500]]
    world.record(old)
    opens = [MINUTE.open_time_us(START_US) + number * MINUTE.length_us for number in range(3_000)]
    world.store.save_klines("ADABTC", MINUTE, [kline(at) for at in opens], (opens[0], opens[-1] + MINUTE.length_us))
    found = {one.symbol.name: one for one in world.store.stored_symbols()}
    assert list(found) == ["ADABTC", "BTCUSDT", "ETHUSDT"]
    btc, eth, ada = found["BTCUSDT"], found["ETHUSDT"], found["ADABTC"]
    assert (btc.trades, btc.missing, btc.dropped, btc.active) == (1_960, 40, 0, False)
    assert (btc.first, btc.last) == ((100, held[0].time_us), (2_099, held[-1].time_us))
    assert btc.share == 1_960 / 2_000
    assert (eth.symbol.status, eth.trades, eth.first) == ("BREAK", 500, (100, old[0].time_us))
    assert (ada.trades, ada.first, ada.share, ada.is_stored) == (0, None, None, True)
    (series,) = ada.candles
    assert series[:6] == ("1m", CandleSource.KLINE, opens[0], opens[-1], 3_000, True)
    for one in btc.candles:
        (row,) = world.rows(
            f"SELECT count(*), (extract(epoch FROM min(open_time)) * 1000000)::bigint,"
            f" (extract(epoch FROM max(open_time)) * 1000000)::bigint FROM rollup_{one.interval}"
            f" WHERE symbol_id = (SELECT id FROM symbols WHERE name = 'BTCUSDT')"
        )
        assert (one.rows, one.first_us, one.last_us) == row
    assert [one.interval for one in btc.candles] == ["5s", "1m", "15m", "1h", "1d"]
    for name, one in found.items():
        candles = tuple(part._replace(rows=0, is_exact=False, size_bytes=0) for part in one.candles)
        assert world.store.stored_symbol(name) == replace(one, candles=candles, trades_bytes=0)
    assert world.store.stored_symbol("NOSUCH") is None
    # Each has its own partition or chunk here, which are of about the same size.
    assert btc.trades_bytes > 100_000
    assert eth.trades_bytes > 50_000
    assert ada.size_bytes > 300_000


def test_an_estimate_shares_out_the_rows_that_the_server_knows_of(world: World, monkeypatch) -> None:
    world.record(some_trades(2_000))
    with world.connect() as connection:
        connection.execute("ANALYZE")
    monkeypatch.setattr(stored_symbols, "_COUNTED_BYTES", 0)
    exact = {one.interval: one.rows for one in world.store.stored_symbols()[0].candles if one.is_exact}
    assert exact == {}
    for one in world.store.stored_symbols()[0].candles:
        ((rows,),) = world.rows(f"SELECT count(*) FROM rollup_{one.interval}")
        assert one.rows == rows


@pytest.mark.parametrize("counted_bytes", [stored_symbols._COUNTED_BYTES, 0])
def test_candles_of_aggregated_trades_are_said_to_be_that(
    world: World, monkeypatch: pytest.MonkeyPatch, counted_bytes: int
) -> None:
    monkeypatch.setattr(stored_symbols, "_COUNTED_BYTES", counted_bytes)
    midnight = START_US - START_US % DAY_US
    opens = [midnight + day * DAY_US + number * MINUTE.length_us for day in range(4) for number in range(3)]
    added_up = [kline(at)._replace(source=CandleSource.AGGTRADES) for at in opens]
    hour = Interval.parse("1h")
    world.store.save_klines("AGGUSDT", MINUTE, added_up)
    world.store.save_klines("MIXUSDT", MINUTE, [*map(kline, opens[:6]), *added_up[6:9], *map(kline, opens[9:])])
    world.store.save_klines("XUSDT", MINUTE, list(map(kline, opens)))
    world.store.save_klines("XUSDT", hour, [kline(midnight)])
    world.record(some_trades(10, symbol="XUSDT"))
    assert {
        one.symbol.name: [(held.interval, held.source) for held in one.candles] for one in world.store.stored_symbols()
    } == {
        "AGGUSDT": [("1m", CandleSource.AGGTRADES)],
        "MIXUSDT": [("1m", CandleSource.MIXED)],
        "XUSDT": [
            *((interval, CandleSource.TRADES) for interval in ("5s", "1m", "15m", "1h", "1d")),
            ("1m", CandleSource.KLINE),
            ("1h", CandleSource.KLINE),
        ],
    }


def test_days_tell_what_is_held_missing_and_fetched(world: World) -> None:
    midnight = START_US - START_US % DAY_US
    trades = some_trades(300)
    spread = [one._replace(time_us=midnight + number * DAY_US // 100) for number, one in enumerate(trades)]
    held = [one for one in spread if not (310 <= one.trade_id < 320 or 195 <= one.trade_id < 205)]
    world.record(held)
    minutes = [midnight + 5 * DAY_US + number * MINUTE.length_us for number in range(10)]
    world.store.save_klines("BTCUSDT", MINUTE, [kline(at) for at in minutes])
    days = world.store.stored_days("BTCUSDT")
    assert [(one.day_us - midnight) // DAY_US for one in days] == [0, 1, 2, 5]
    assert [one.trades for one in days] == [95, 95, 90, 0]
    assert days[0].missing + days[1].missing == 10
    assert days[2].missing == 10
    assert days[2].share == 0.9
    assert [one.state for one in days] == [DayState.PARTLY, DayState.PARTLY, DayState.PARTLY, DayState.CANDLES]
    assert world.store.stored_days("NOPE") == []


def test_a_day_of_aggregated_trades_is_no_day_of_klines(world: World) -> None:
    midnight = START_US - START_US % DAY_US
    hour = Interval.parse("1h")
    opens = [midnight + day * DAY_US + number * MINUTE.length_us for day in range(3) for number in range(3)]
    added_up = [kline(at)._replace(source=CandleSource.AGGTRADES) for at in opens]
    world.store.save_klines("BTCUSDT", MINUTE, [*added_up[:5], kline(opens[5]), *map(kline, opens[6:])])
    world.store.save_klines("ETHUSDT", MINUTE, added_up)
    world.store.save_klines("ETHUSDT", hour, [kline(midnight + DAY_US)])
    for symbol, expected in (
        ("BTCUSDT", [(False, True), (True, True), (True, False)]),
        ("ETHUSDT", [(False, True), (True, True), (False, True)]),
    ):
        days = world.store.stored_days(symbol)
        assert [(one.has_klines, one.has_aggtrades) for one in days] == expected
        assert {one.state for one in days} == {DayState.CANDLES}


def test_dropped_trades_are_told_from_those_stored(world: World) -> None:
    recent_us = 400 * DAY_US
    with world.connect() as connection:
        (now_us,) = connection.execute("SELECT (extract(epoch FROM now()) * 1000000)::bigint").fetchone() or (0,)
    trades = some_trades(100)
    old = [one._replace(time_us=now_us - recent_us + one.trade_id * SECOND_US) for one in trades]
    new = [one._replace(trade_id=one.trade_id + 100, time_us=now_us - 200 * SECOND_US) for one in trades]
    world.record(old)
    world.record(new)
    with world.connect() as connection:
        connection.execute("UPDATE late_days SET stored_at = stored_at - interval '30 days'")
        confirm(connection, RetentionPeriod.parse("90d"))
        enforce(connection)
    (found,) = world.store.stored_symbols()
    assert (found.trades, found.dropped, found.missing) == (100, 100, 0)
    assert found.first == (100, None)
    assert not found.active  # no program that records is connected
