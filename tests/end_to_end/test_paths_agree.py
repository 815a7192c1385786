"""Live builder, SQL and export agree exactly on random trades, some missing or absent, every interval and edition."""

from __future__ import annotations

import csv
import itertools
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.market.builder import CandleBuilder, finish
from app.market.coverage import IdRanges
from app.market.interval import MENU_INTERVALS, SECOND_US, Interval
from app.market.trade import Trade
from storage.database import Database
from storage.integrity.gap_report import read_gaps
from storage.postgres.connection import connect
from tests.candle_files import candle_row, write_candles
from tests.depth import examples
from tests.servers import EMBEDDED, editions, shared_server
from tests.tables import our_tables

INTERVALS = [*MENU_INTERVALS, *(Interval.parse(name) for name in ("13m", "181m", "90s", "2m+1m", "1h+5m", "181m+60m"))]
START_US = Interval.parse("1d").open_time_us(1_709_200_000 * SECOND_US)  # 2024-02-29, a month of its own kind

# Mostly bursts and seconds, sometimes minutes, hours and days between trades.
STEPS_US = st.one_of(
    st.integers(0, 2_000),
    st.integers(0, 90 * SECOND_US),
    st.integers(0, 3 * 3_600 * SECOND_US),
    st.just(40 * 86_400 * SECOND_US),
)
AMOUNTS = st.one_of(st.integers(1, 10**12), st.sampled_from([1, 10**8, 9_200_000_000 * 10**8]))

SECONDS_INTERVALS = [interval for interval in INTERVALS if interval.seconds and interval.seconds < 60]
BUSY_INTERVALS = [*SECONDS_INTERVALS, *(Interval.parse(name) for name in ("7s", "90s", "1m", "13m"))]

MOST_CANDLES = 2_000
NUMBERS = itertools.count()


@st.composite
def markets(draw):
    """Trades of one symbol with consecutive ids, a few missing or absent, in some order of arrival."""
    symbol = f"S{next(NUMBERS)}USDT"  # examples repeat what is drawn; the database must not
    time_us, trades = START_US, []
    rows = draw(st.lists(st.tuples(STEPS_US, AMOUNTS, AMOUNTS, st.booleans(), st.booleans()), min_size=1, max_size=30))
    absent = []
    for trade_id, (step_us, price, quantity, side, missing) in enumerate(rows, start=draw(st.integers(1, 10**9))):
        time_us += step_us
        if not missing or draw(st.booleans()):
            trades.append(Trade(symbol, trade_id, time_us, price, quantity, side))
        elif draw(st.booleans()):
            absent.append(trade_id)
    return symbol, trades, draw(st.permutations(trades)), absent


@st.composite
def busy_hours(draw):
    """Up to 200 trades within one hour, a few missing: what intervals of seconds are for."""
    symbol = f"S{next(NUMBERS)}USDT"
    chance = random.Random(draw(st.integers(0, 2**32)))
    count = draw(st.integers(50, 200))
    time_us, trades, absent = START_US + chance.randrange(3_600) * SECOND_US, [], []
    for trade_id in range(1, count + 1):
        time_us += chance.choice((0, chance.randrange(2_000), chance.randrange(5 * SECOND_US)))
        if chance.random() > 0.05:
            price, quantity = chance.randrange(1, 10**12), chance.randrange(1, 10**12)
            trades.append(Trade(symbol, trade_id, time_us, price, quantity, chance.random() < 0.5))
        elif chance.random() < 0.5:
            absent.append(trade_id)
    return symbol, trades, chance.sample(trades, len(trades)), absent


@pytest.fixture(scope="module", params=editions())
def database(request, tmp_path_factory):
    with our_tables(shared_server(request.param)) as url:
        opened = Database.open(url, tmp_path_factory.mktemp("agree"))
        yield opened
        assert opened.close()


# Slow; on the other editions test_candles in tests/storage compares SQL and builder on every interval.
@pytest.mark.parametrize("database", [EMBEDDED], indirect=True, scope="module")
@settings(max_examples=examples(8), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(market=markets())
def test_live_sql_and_export_agree_on_every_interval(database, tmp_path, market):
    # Very many empty candles would only take time; the busy hours look at seconds.
    _, trades, *_ = market
    most_us = (trades[-1].time_us - trades[0].time_us) // MOST_CANDLES if trades else 0
    fitting = [one for one in INTERVALS if one not in SECONDS_INTERVALS and one.length_us > most_us]
    assert_paths_agree(database, tmp_path, market, fitting)


@settings(max_examples=examples(12), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(market=busy_hours())
def test_they_agree_on_intervals_of_seconds_in_a_busy_hour(database, tmp_path, market):
    assert_paths_agree(database, tmp_path, market, BUSY_INTERVALS)


def assert_paths_agree(database, tmp_path, market, intervals) -> None:
    symbol, trades, arrivals, absent = market
    store_all(database, arrivals)
    database.store.save_absent(symbol, [(one, one) for one in absent])
    held = IdRanges((one, one) for one in sorted([*(trade.trade_id for trade in trades), *absent]))
    assert database.store.coverage(symbol) == held
    if held:
        assert missing_ids(database, symbol) == held.complement(held.first, held.last)
    for interval in intervals:
        builder = CandleBuilder(interval)
        for trade in arrivals:
            builder.add(trade)
        live = finish(builder.candles(), interval, held)
        assert live or not trades
        assert database.store.candles(symbol, interval) == live
        path = tmp_path / "candles.csv"
        write_candles(database.store.iter_candles(symbol, interval), path, interval)
        with path.open(newline="") as file:
            header, *written = csv.reader(file)
        assert [tuple(row) for row in written] == [candle_row(candle) for candle in live]
        assert header[0] == "open_time"


def missing_ids(database, symbol) -> IdRanges:
    """Return what the command that lists gaps counts as missing."""
    with connect(database.url) as connection:
        gaps = read_gaps(connection, [symbol])
    return IdRanges((gap.first_trade_id, gap.last_trade_id) for gap in gaps if not gap.absent)


def store_all(database, trades) -> None:
    """Put the trades in two lots and wait until they are committed, as the recorder's loop would."""
    for lot in (trades[::2], trades[1::2]):
        assert database.writer.put(lot)
    assert database.writer.drain(20.0)
