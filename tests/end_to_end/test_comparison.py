"""Candles counted from stored trades equal the exchange's, on every edition; a changed field is found and named."""

from __future__ import annotations

import asyncio
import csv
import gzip
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.live.charts.candle_history import CandleHistory
from app.live.transfers.comparison import CandleComparison, ComparisonReport
from app.market.builder import CandleBuilder, finish
from app.market.candle import Candle, CandleSource
from app.market.candle_request import CandleRequest
from app.market.comparison import FieldDifference
from app.market.coverage import IdRanges
from app.market.errors import FeedRejected
from app.market.interval import SECOND_US, Interval
from app.market.trade import Trade
from app.market.units import parse_e8
from storage.candles.store import PostgresStore
from storage.database import Database
from storage.postgres.connection import connect
from tests.depth import examples
from tests.live.helpers import START_US, FakeExchange, HandClock
from tests.market.helpers import recorded_trades
from tests.servers import editions, shared_server
from tests.tables import our_tables

MINUTE = Interval.parse("1m")
LATER_US = 10 * 86_400 * SECOND_US
INTERVALS = [Interval.parse(name) for name in ("5s", "1m", "7m", "1h", "181m", "1d")]
KLINE_FIELDS = ("open_e8", "high_e8", "low_e8", "close_e8", "volume_e8", "taker_buy_volume_e8")
COLUMNS = ("open", "high", "low", "close", "volume", "taker_buy_volume")
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module", params=editions())
def database(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with our_tables(shared_server(request.param)) as url:
        opened = Database.open(url, tmp_path_factory.mktemp("compare"))
        yield opened
        assert opened.close()


def record(database: Database, trades: Sequence[Trade]) -> None:
    assert database.writer.put(trades)
    assert asyncio.run(database.writer.flush(30.0))


def compared(
    store: PostgresStore, exchange: FakeExchange, clock: HandClock, request: CandleRequest
) -> tuple[ComparisonReport, list[FieldDifference]]:
    async def run() -> tuple[ComparisonReport, list[FieldDifference]]:
        found: list[FieldDifference] = []
        history = CandleHistory(exchange, store)
        return await CandleComparison(request, history, store, clock, found.extend).run(), found

    return asyncio.run(run())


def market(seed: int, count: int, spacing_s: float) -> list[Trade]:
    """Trades with ids from 1 of a symbol of their own; the first and last minutes are in no candle asked for."""
    symbol, dice, time_us, trades = f"C{next(NUMBERS)}USDT", random.Random(seed), START_US, []
    for trade_id in range(1, count + 1):
        time_us += dice.randrange(round(2 * spacing_s * SECOND_US) + 1)
        price, quantity = dice.randrange(1, 10**4) * 10**6, dice.randrange(1, 10**6) * 10**2
        trades.append(Trade(symbol, trade_id, time_us, price, quantity, dice.random() < 0.5))
    return trades


def klines(trades: Sequence[Trade], interval: Interval) -> list[Candle]:
    """The candles of all these trades as the exchange publishes them."""
    builder = CandleBuilder(interval)
    for one in trades:
        builder.add(one)
    held = IdRanges([(trades[0].trade_id, trades[-1].trade_id)])
    made = finish(builder.candles(), interval, held, now_us=trades[-1].time_us + LATER_US // 2)
    return [
        one._replace(first_trade_id=None, last_trade_id=None, complete=True, source=CandleSource.KLINE)
        for one in made
        if one.closed
    ]


def whole_range(trades: Sequence[Trade], interval: Interval) -> CandleRequest:
    first, last = trades[0].time_us, trades[-1].time_us
    return CandleRequest(trades[0].symbol, interval, interval.open_time_us(first), interval.next_open_us(last))


@settings(max_examples=examples(8), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32),
    spacing_s=st.sampled_from([0.5, 20.0, 300.0]),
    interval=st.sampled_from(INTERVALS),
    field=st.sampled_from([None, *KLINE_FIELDS]),
    is_stored=st.booleans(),
)
def test_trades_and_klines_of_one_fold_are_equal_and_one_changed_field_is_named(
    database: Database, seed: int, spacing_s: float, interval: Interval, field: str | None, is_stored: bool
) -> None:
    trades = market(seed, 60, spacing_s)
    record(database, trades)
    clock = HandClock(trades[-1].time_us + LATER_US)
    exchange = FakeExchange([one._replace(symbol="BTCUSDT") for one in trades], clock)
    request, published = whole_range(trades, interval), klines(trades, interval)
    published = [one for one in published if one.open_time_us < request.end_us]
    assert len(published) == len(request.slots)
    if is_stored or field is not None:
        database.store.save_klines(request.symbol, interval, published, (request.start_us, request.end_us))
        exchange.failure = FeedRejected("nobody may ask")
    else:
        request = request._replace(symbol="BTCUSDT")  # the exchange has one symbol
        with connect(database.url) as connection:
            connection.execute("UPDATE symbols SET name = 'BTCUSDT-' || id WHERE name = 'BTCUSDT'")
            connection.execute("UPDATE symbols SET name = 'BTCUSDT' WHERE name = %s", (trades[0].symbol,))
    expected = []
    if field is not None and len(published) > 1:  # not the last: what it lacks nobody can tell
        at = seed % (len(published) - 1)
        changed = published[at]._replace(**{field: getattr(published[at], field) + 1})
        database.store.save_klines(request.symbol, interval, [changed])
        expected = [(published[at].open_time_us, COLUMNS[KLINE_FIELDS.index(field)])]
    report, found = compared(database.store, exchange, clock, request)
    assert [(one.open_time_us, one.field) for one in found] == expected
    assert (report.compared, report.differing, report.missing) == (len(request.slots), len(expected), [])


def test_a_candle_that_lacks_trades_is_named_and_one_whose_trades_were_lost_differs(database: Database) -> None:
    trades = market(7, 200, 6.0)
    symbol, published = trades[0].symbol, klines(trades, MINUTE)
    missing, lost = trades[60], trades[120]
    record(database, [one for one in trades if one != missing])
    with connect(database.url) as connection:
        connection.execute("DELETE FROM trades USING symbols s WHERE s.id = symbol_id AND name = %s AND trade_id = %s",
                           (symbol, lost.trade_id))  # fmt: skip
    clock = HandClock(trades[-1].time_us + LATER_US)
    exchange = FakeExchange([], clock)
    exchange.failure = FeedRejected("nobody may ask")
    request = whole_range(trades, MINUTE)
    database.store.save_klines(symbol, MINUTE, published[:-1], (request.start_us, request.end_us))
    report, found = compared(database.store, exchange, clock, request)
    at_us = MINUTE.open_time_us(missing.time_us)
    assert (at_us, MINUTE.next_open_us(at_us)) in report.missing
    assert "Trades are missing there" in report.lack
    assert {one.open_time_us for one in found} == {MINUTE.open_time_us(lost.time_us)}
    assert {"volume", "trades", "quote_volume"} <= {one.field for one in found}
    assert report.compared + report.uncompared == len(request.slots)


def test_what_the_exchange_does_not_give_and_what_is_not_over_is_not_compared(database: Database) -> None:
    trades = market(8, 100, 6.0)
    record(database, trades)
    clock = HandClock(trades[-1].time_us)
    exchange = FakeExchange([], clock)
    exchange.failure = FeedRejected("The exchange says no.")
    request = whole_range(trades, MINUTE)
    report, found = compared(database.store, exchange, clock, request)
    assert (report.compared, report.differing, found) == (0, 0, [])
    assert report.missing == [(request.start_us, request.end_us)]
    assert report.uncompared == len(request.slots)
    assert "not fetched: The exchange says no (" in report.lack
    assert "Not over yet (2)." in report.lack


def test_ten_recorded_minutes_equal_the_archives_klines_in_every_column(
    database: Database, shared_data: Callable[[str], Path]
) -> None:
    path = shared_data("archive/BTCUSDT-5m-2024-08.csv.gz")
    record(database, [one._replace(symbol="RECORDED") for one in recorded_trades(shared_data)])
    start_us = 1_723_161_300 * SECOND_US
    request = CandleRequest("RECORDED", Interval.parse("5m"), start_us, start_us + 10 * MINUTE.length_us)
    with gzip.open(path, "rt", newline="") as file:
        wanted = [kline(row) for row in csv.reader(file) if int(row[0]) * 1_000 in range(start_us, request.end_us)]
    database.store.save_klines("RECORDED", request.interval, wanted, (request.start_us, request.end_us))
    clock = HandClock(request.end_us + LATER_US)
    report, found = compared(database.store, FakeExchange([], clock), clock, request)
    assert found == []
    assert (report.compared, report.missing) == (2, [])


def kline(row: list[str]) -> Candle:
    open_ms, open_, high, low, close, volume, _, quote, trades, taker, taker_quote, *_ = row
    return Candle(
        int(open_ms) * 1_000,
        *map(parse_e8, (open_, high, low, close, volume)),
        parse_e8(quote) * 10**8,
        int(trades),
        parse_e8(taker),
        parse_e8(taker_quote) * 10**8,
        source=CandleSource.KLINE,
    )
