"""The tables of sessions and of the gaps between them, filled from stored prices."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from app.market.calendar.calendar import Calendar
from app.market.calendar.session_table import ListedSession, SessionTable
from app.market.calendar.spans import spans_of
from app.market.calendar.weekly import forex
from app.market.candle import Candle, CandleSource
from app.market.interval import SECOND_US, Interval
from app.market.quotes.tick import Tick
from app.market.symbol import Symbol
from app.market.units import E8, parse_e8
from storage.postgres.connection import Connection, connect
from storage.quotes.tick_ledger import TickLedger
from storage.sides.market_store import MarketStore, ReadOnlyMarketStore
from tests.market.calendar.helpers import us
from tests.tables import our_tables
from tests.tick_candles import with_places

pytestmark = pytest.mark.mostly_embedded

SYMBOL = "oanda:EURUSD"
MINUTE_US, HOUR_US, DAY_US = 60 * SECOND_US, 3_600 * SECOND_US, 86_400 * SECOND_US
NEW_YORK = ZoneInfo("America/New_York")
TABLES = "trading_sessions, session_gaps, fetched_quotes, quotes, quote_klines, kline_ranges"


@pytest.fixture(scope="module")
def url(server_url: str) -> Iterator[str]:
    with our_tables(server_url) as url:
        yield url


@pytest.fixture
def connection(url: str) -> Iterator[Connection]:
    with connect(url) as connection:
        yield connection
        rollups = ", ".join(f"quote_rollup_{length}" for length in ("5s", "1m", "15m", "1h", "1d"))
        connection.execute(f"TRUNCATE {TABLES}, {rollups}; UPDATE symbols SET calendar = NULL".encode())


@pytest.fixture
def open_store(url: str) -> Iterator[Callable[..., MarketStore]]:
    stores: list[MarketStore] = []

    def open_store(kind: type[MarketStore] = MarketStore, **options: object) -> MarketStore:
        stores.append(kind(lambda: connect(url), **options))  # type: ignore[arg-type]  # because tests pass any option
        return stores[-1]

    yield open_store
    for store in stores:
        store.close()


def record(connection: Connection, prices: dict[str, int], symbol: str = SYMBOL) -> None:
    """Store ticks at these times, of that bid and an ask of the same."""
    ticks = [Tick(symbol, us(time), 0, price, price, E8, E8) for time, price in prices.items()]
    TickLedger(connection).store(list(with_places(ticks)), None)


def gaps(connection: Connection, symbol: str = SYMBOL) -> list[tuple[Any, ...]]:
    query = """
        SELECT session_date, prior_close, current_open, gap_amount, gap_direction FROM session_gaps
        WHERE symbol = %s ORDER BY session_date
    """
    return connection.execute(query, (symbol,)).fetchall()


def test_the_sessions_of_a_month_across_a_change_of_clocks_equal_brute_force(
    connection: Connection, open_store: Callable[..., MarketStore]
) -> None:
    start, end = datetime(2024, 3, 1, tzinfo=UTC), datetime(2024, 3, 31, tzinfo=UTC)  # New York's clocks: March 10
    record(connection, {"2024-03-01T00:00": E8})
    (kept,) = open_store().keep_sessions(us("2024-03-31") - 56 * DAY_US)
    assert (kept.symbol, kept.calendar) == (SYMBOL, "FOREX")

    open_minutes: dict[date, list[datetime]] = {}
    at = start - timedelta(days=1)
    while at < end:
        local = at.astimezone(NEW_YORK)
        trade_day = (local + timedelta(hours=7)).date()  # from 17:00 on it is the next day's session
        if trade_day.weekday() < 5:
            open_minutes.setdefault(trade_day, []).append(at)
        at += timedelta(minutes=1)
    expected = [
        (day, minutes[0], minutes[-1] + timedelta(minutes=1), len(minutes), False, False)
        for day, minutes in open_minutes.items()
        if minutes[-1] >= start
    ]
    query = """
        SELECT session_date, session_start, session_end, total_minutes, is_half_day, is_holiday FROM trading_sessions
        WHERE exchange = 'FOREX' ORDER BY session_date
    """
    assert connection.execute(query).fetchall() == expected
    assert {row[1].hour for row in expected} == {21, 22}
    assert kept.sessions == len(expected) == 21


def test_the_recorded_gap_of_a_weekend(
    connection: Connection, open_store: Callable[..., MarketStore], shared_data: Callable[[str], Path]
) -> None:
    ticks = [
        Tick(SYMBOL, us(f"{day}T00:00") + int(ms) * 1_000, 0, parse_e8(bid), parse_e8(ask), E8, E8)
        for day in ("2014-05-01", "2014-05-02", "2014-05-04")
        for ms, bid, ask in rows_of(shared_data(f"oanda/eurusd_tick_{day.replace('-', '')}.zip"))
    ]
    assert len(ticks) == 74_684
    TickLedger(connection).store(list(with_places(ticks)), None)
    open_store().keep_sessions(us("2014-05-06"))
    friday_end, sunday_open = us("2014-05-02T21:00"), us("2014-05-04T21:00")
    close = max((one for one in ticks if one.time_us < friday_end), key=lambda one: one.time_us)
    opened = min((one for one in ticks if one.time_us >= sunday_open), key=lambda one: one.time_us)
    found = {row[0]: (Decimal(row[1]), Decimal(row[2]), *row[3:]) for row in gaps(connection)}
    prior, current, amount, direction = found[date(2014, 5, 5)]
    assert (prior, current) == (mid(close), mid(opened))
    assert amount == current - prior
    assert direction == ("up" if current > prior else "down" if current < prior else "flat")
    assert sorted(found) == [date(2014, 5, 2), date(2014, 5, 5)]


def rows_of(file: Path) -> Iterator[list[str]]:
    with zipfile.ZipFile(file) as archive, archive.open(archive.namelist()[0]) as rows:
        yield from csv.reader(io.TextIOWrapper(rows, "utf-8"))


def mid(tick: Tick) -> Decimal:
    return Decimal((tick.bid_e8 + tick.ask_e8) // 2) / E8


def test_later_runs_make_the_last_gaps_again_and_keep_the_older_ones(
    connection: Connection, open_store: Callable[..., MarketStore]
) -> None:
    days = {f"2024-01-{day:02}T12:00": E8 + day for day in range(2, 32)}
    record(connection, days)
    store = open_store()
    (kept,) = store.keep_sessions(us("2024-02-01"))
    assert kept.gaps == len(gaps(connection)) == 21
    whole = gaps(connection)
    connection.execute("UPDATE session_gaps SET prior_close = 9")
    record(connection, {"2024-02-01T12:00": 2 * E8, "2024-01-31T12:30": 3 * E8})
    (kept,) = store.keep_sessions(us("2024-02-02"))
    assert kept.gaps == 22
    mended = gaps(connection)
    assert [row[1] for row in mended[:3]] == [9, 9, 9]
    assert mended[-3:] == [*whole[-2:], (date(2024, 2, 1), 3, 2, -1, "down")]
    store.keep_sessions(us("2024-02-02"), [SYMBOL], whole=True)
    assert gaps(connection)[:21] == whole
    assert store.keep_sessions(us("2024-02-02"), ["oanda:USDJPY"]) == []


def test_time_without_a_price_opens_no_session(connection: Connection, open_store: Callable[..., MarketStore]) -> None:
    record(connection, {"2024-01-04T12:00": E8, "2024-01-05T13:00": 3 * E8})
    TickLedger(connection).store([], (SYMBOL, us("2024-01-04T11:00"), us("2024-01-05T15:00")))  # all of it was watched
    open_store().keep_sessions(us("2024-01-06"))
    assert gaps(connection) == [(date(2024, 1, 5), 1, 3, 2, "up")]


def test_a_chosen_calendar_decides(connection: Connection, open_store: Callable[..., MarketStore]) -> None:
    open_us, day = us("2024-01-04T14:30"), date(2024, 1, 4)
    listed = [
        ListedSession(day + timedelta(days=one), open_us + one * DAY_US, open_us + one * DAY_US + 6 * HOUR_US)
        for one in range(2)
    ]
    exchange = SessionTable("XNYS", listed, {date(2024, 1, 6): "A holiday"})
    record(connection, {"2024-01-04T14:40": E8, "2024-01-04T20:40": 7 * E8, "2024-01-05T14:31": 2 * E8})
    asked: list[str] = []

    def named(name: str) -> Calendar:
        asked.append(name)
        return exchange

    store = open_store(calendars={SYMBOL: "XNYS"}, named_calendar=named)
    assert store.calendar_at_once(SYMBOL) is None
    (kept,) = store.keep_sessions(us("2024-01-08") - 56 * DAY_US)
    assert (kept.calendar, kept.sessions, asked) == ("XNYS", 3, ["XNYS"])  # two and a holiday
    assert store.calendar_at_once(SYMBOL) is store.calendar_of(SYMBOL) is exchange
    store.learn_calendar(SYMBOL, forex())
    assert store.calendar_of(SYMBOL) is exchange
    store.keep_sessions(us("2024-01-08"))
    assert gaps(connection) == [(date(2024, 1, 5), 1, 2, 1, "up")]


def test_a_session_after_days_without_prices_has_no_gap(
    connection: Connection, open_store: Callable[..., MarketStore]
) -> None:
    record(connection, {"2024-01-04T12:00": E8, "2024-01-05T13:00": 3 * E8, "2024-06-05T13:00": 9 * E8})
    (kept,) = open_store().keep_sessions(us("2024-06-06"))
    assert kept.gaps == 1
    record(connection, {"2024-06-06T13:00": 8 * E8})
    open_store().keep_sessions(us("2024-06-07"))
    assert gaps(connection) == [(date(2024, 1, 5), 1, 3, 2, "up"), (date(2024, 6, 6), 9, 8, -1, "down")]


def test_one_connection_is_enough(connection: Connection, open_store: Callable[..., MarketStore]) -> None:
    record(connection, {"2024-01-04T12:00": E8, "2024-01-05T13:00": 3 * E8})
    store = open_store(most=1)
    assert len(store.candles(SYMBOL, Interval.parse("1d"))) == 2  # the calendar is read on the way
    (kept,) = store.keep_sessions(us("2024-01-06"))
    assert kept.gaps == 1


def test_a_calendar_that_cannot_be_loaded_counts_as_none(open_store: Callable[..., MarketStore]) -> None:
    store = open_store(calendars={SYMBOL: "NOPE"})
    assert store.calendar_of(SYMBOL).name == "FOREX"


def test_the_holidays_of_a_description_are_kept(connection: Connection, open_store: Callable[..., MarketStore]) -> None:
    name = "dukascopy:EURUSD"
    record(connection, {"2024-12-20T12:00": E8, "2024-12-27T12:00": 2 * E8}, symbol=name)
    described = forex(spans_of([(us("2024-12-24T18:00"), us("2024-12-25T22:00"))]))
    described.name = name
    store = open_store()
    store.save_symbols([Symbol(name, "EUR", "USD", calendar=name)])
    store.learn_calendar(name, described)
    store.keep_sessions(us("2025-01-10"))
    later = open_store().calendar_of(name)
    assert later.name == name
    start_us, end_us = us("2024-12-19T22:00"), us("2025-02-20")
    assert later.sessions(start_us, end_us) == described.sessions(start_us, end_us)
    assert later.closed_spans(start_us, end_us).tolist() != forex().closed_spans(start_us, end_us).tolist()
    assert not later.is_open(us("2024-12-25T12:00"))
    assert later.is_open(us("2024-12-26T12:00"))
    assert not later.is_open(us("2024-11-30T12:00"))  # a Saturday before all that is stored


def test_a_store_that_only_reads_keeps_nothing(connection: Connection, open_store: Callable[..., MarketStore]) -> None:
    record(connection, {"2024-01-04T12:00": E8, "2024-01-05T13:00": 3 * E8})
    store = open_store(ReadOnlyMarketStore)
    assert store.keep_sessions(us("2024-01-06")) == []
    assert gaps(connection) == []
    assert store.calendar_of(SYMBOL).name == "FOREX"


def test_gaps_are_found_in_candles_of_the_broker_that_are_shorter_than_an_hour(
    connection: Connection, open_store: Callable[..., MarketStore]
) -> None:
    store = open_store()
    # The last hour of a week, and the first of the next.
    begin_us, again_us = us("2024-01-05T21:00"), us("2024-01-07T22:00")
    candles = [
        Candle(start_us + at * MINUTE_US, price, price, price, price, E8, 0, 1, 0, 0, source=CandleSource.KLINE)
        for start_us, price in ((begin_us, 5 * E8), (again_us, 7 * E8))
        for at in range(60)
    ]
    store.save_klines(SYMBOL, Interval.parse("1m"), candles, (begin_us, again_us + HOUR_US))
    record(connection, {"2024-01-08T12:00": E8})  # later than these
    (kept,) = store.keep_sessions(us("2024-01-09"))
    assert kept.gaps == 1
    assert gaps(connection) == [(date(2024, 1, 8), 5, 7, 2, "up")]
