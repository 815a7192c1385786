"""Served candles equal the stored ones to the digit, and the answer reports what is not stored."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pyarrow.ipc
import pytest

from app.market.candle import Candle
from app.market.interval import SECOND_US, Interval
from app.market.quotes.tick import Tick
from app.market.trade import Trade
from storage.database import Database
from storage.files.times import format_time
from tests.serving.helpers import StillClock, record, served
from tests.storage.helpers import START_US, folded, some_trades

MINUTE, MINUTE_US = Interval.parse("1m"), 60 * SECOND_US
DAY_LATER = START_US + 86_400 * SECOND_US


def iso(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).isoformat().replace("+00:00", "Z")


def as_candle(one: Candle) -> dict[str, float]:
    prices = (one.open_e8, one.high_e8, one.low_e8, one.close_e8)
    return {
        "time": one.open_time_us // SECOND_US,
        **{name: price / 10**8 for name, price in zip(("open", "high", "low", "close"), prices, strict=True)},
        "volume": one.trades,
        "base_volume": one.volume_e8 / 10**8,
    }


def as_bar(one: Candle) -> dict[str, float]:
    return {name: value for name, value in as_candle(one).items() if "volume" not in name}


def slow_trades(count: int, step_s: float = 10.0, first_id: int = 1) -> list[Trade]:
    """Trades from the first id of all on, ``step_s`` apart, from a minute's begin on."""
    begin_us = MINUTE.open_time_us(START_US)
    return [
        one._replace(trade_id=first_id + number, time_us=begin_us + round(number * step_s * SECOND_US))
        for number, one in enumerate(some_trades(count))
    ]


@pytest.mark.parametrize("interval", ["1s", "13s", "1m", "13m", "1h"])
async def test_candles_of_any_interval_equal_the_trades_to_the_digit(database: Database, interval: str) -> None:
    trades = some_trades(5_000, first_id=1)
    record(database, trades)
    expected = folded(trades, Interval.parse(interval))[:1000]
    first_us, last_us = expected[0].open_time_us, expected[-1].open_time_us
    async with served(database, clock=StillClock(DAY_LATER)) as client:
        answer = await client.get(
            "/candles", asset="BTC", duration=interval, startTime=iso(first_us), endTime=iso(last_us)
        )
        assert answer.status == 200
        assert list(answer.body)[:5] == ["asset", "duration", "startTime", "endTime", "candles"]
        assert answer.body["candles"] == [as_candle(one) for one in expected]
        assert (answer.body["asset"], answer.body["duration"]) == ("BTC", interval)
        assert (answer.body["startTime"], answer.body["endTime"]) == (iso(first_us), iso(last_us))
        seconds = {"from": first_us // SECOND_US, "to": last_us // SECOND_US}
        bars = await client.get("/api/candles", symbol="btc-usdt", timeframe=interval, **seconds)
        assert bars.body == [as_bar(one) for one in expected]
        newest = await client.get("/api/candles", symbol="BTCUSDT", interval=interval, limit=3)
        assert newest.body == [as_bar(one) for one in folded(trades, Interval.parse(interval))[-3:]]


async def test_both_ends_belong_to_the_range_and_the_first_thousand_come(database: Database) -> None:
    trades = slow_trades(6_100)
    record(database, trades)
    candles = folded(trades, MINUTE)
    begin_us = candles[0].open_time_us
    async with served(database, clock=StillClock(DAY_LATER)) as client:

        async def opens(**times: Any) -> tuple[list[int], str]:
            answer = await client.get("/candles", asset="BTCUSDT", duration="1m", **times)
            assert answer.status == 200
            told = answer.headers["X-Cryptopipe-Complete"]
            assert answer.body["complete"] == (told == "true")
            return [one["time"] * SECOND_US - begin_us for one in answer.body["candles"]], told

        three = ([0, MINUTE_US, 2 * MINUTE_US], "true")
        assert await opens(startTime=iso(begin_us), endTime=iso(begin_us + 2 * MINUTE_US)) == three
        assert await opens(startTime=iso(begin_us - 1), endTime=iso(begin_us + 3 * MINUTE_US - 1)) == three
        assert await opens(startTime=iso(begin_us + 1), endTime=iso(begin_us + MINUTE_US)) == ([MINUTE_US], "true")
        assert await opens(startTime=iso(begin_us), endTime=iso(begin_us)) == ([0], "true")
        assert await opens(startTime=iso(begin_us + 1), endTime=iso(begin_us + 2)) == ([], "true")
        cut, told = await opens(startTime=iso(begin_us), endTime=iso(begin_us + 1000 * MINUTE_US))
        assert (cut, told) == ([number * MINUTE_US for number in range(1000)], "false")
        whole, told = await opens(startTime=iso(begin_us), endTime=iso(begin_us + 999 * MINUTE_US))
        assert (whole, told) == (cut, "true")
        last = await client.get("/api/candles", symbol="BTC", interval="1m", limit=5)
        assert [one["time"] for one in last.body] == [one.open_time_us // SECOND_US for one in candles[-5:]]
        many = await client.get("/api/candles", symbol="BTC", timeframe="1m", **{"from": begin_us // SECOND_US})
        assert many.body == [as_bar(one) for one in candles]


async def test_what_is_missing_is_told_in_the_header_and_where_the_body_has_room(database: Database) -> None:
    trades = slow_trades(120)
    record(database, trades[:30] + trades[37:])  # seven trades of the minutes 5 and 6
    begin_us = trades[0].time_us
    async with served(database, clock=StillClock(DAY_LATER)) as client:

        async def told(first: int, last: int) -> tuple[str, list[list[int]]]:
            answer = await client.get(
                "/candles",
                asset="BTC",
                duration="1m",
                startTime=iso(begin_us + first * MINUTE_US),
                endTime=iso(begin_us + last * MINUTE_US),
            )
            missing = [[(at * SECOND_US - begin_us) // MINUTE_US for at in one] for one in answer.body["missing"]]
            bars = await client.get(
                "/api/candles",
                symbol="BTC",
                timeframe="1m",
                **{"from": begin_us // SECOND_US + 60 * first, "to": begin_us // SECOND_US + 60 * last},
            )
            assert bars.headers["X-Cryptopipe-Complete"] == answer.headers["X-Cryptopipe-Complete"]
            assert answer.headers["Cache-Control"] == (
                "private, max-age=0, must-revalidate" if missing else "private, max-age=86400"
            )
            return answer.headers["X-Cryptopipe-Complete"], missing

        assert await told(0, 3) == ("true", [])
        assert await told(7, 18) == ("true", [])
        assert await told(0, 10) == ("false", [[4, 7]])  # the end of minute 4 was not seen
        assert await told(-3, 1) == ("false", [[-3, 0]])  # before the first trade, though its id is the first of all
        assert await told(18, 25) == ("false", [[19, 26]])  # the last candle's end was not seen
        assert await told(40, 41) == ("false", [[40, 42]])
        database.store.save_listing("BTCUSDT", begin_us)
        assert await told(-3, 1) == ("true", [])


async def test_the_number_of_missing_times_is_said_where_they_are_too_many_to_list(database: Database) -> None:
    trades = slow_trades(6_000)
    record(database, [one for one in trades if one.trade_id % 18])  # the last of every third minute
    begin_us = trades[0].time_us
    async with served(database, clock=StillClock(DAY_LATER)) as client:
        few, many = [
            await client.get(
                "/candles",
                asset="BTC",
                duration="1m",
                startTime=iso(begin_us),
                endTime=iso(begin_us + last * MINUTE_US),
            )
            for last in (20, 999)
        ]
    assert len(few.body["missing"]) == few.body["missing_count"] > 5
    assert len(many.body["missing"]) == 200 < many.body["missing_count"]
    assert many.body["missing"][: len(few.body["missing"]) - 1] == few.body["missing"][:-1]


async def test_an_answer_may_be_kept_as_long_as_it_holds(database: Database) -> None:
    trades = slow_trades(60)  # ten minutes
    record(database, trades)
    begin_us = trades[0].time_us
    clock = StillClock(trades[-1].time_us + 2_500_000)  # 52.5 s into the last minute
    async with served(database, clock=clock) as client:
        closed = {"symbol": "BTC", "timeframe": "1m", "from": begin_us // SECOND_US, "to": begin_us // SECOND_US + 120}
        first = await client.get("/api/candles", **closed)
        assert first.headers["Cache-Control"] == "private, max-age=86400"
        again = await client.get("/api/candles", {"If-None-Match": f'"other", W/{first.headers["ETag"]}'}, **closed)
        assert (again.status, again.body) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
        assert again.headers["X-Cryptopipe-Complete"] == "true"
        assert (await client.get("/api/candles", {"If-None-Match": '"other"'}, **closed)).status == 200
        opened = await client.get("/api/candles", symbol="BTC", interval="1m", limit=10)
        assert opened.headers["Cache-Control"] == "private, max-age=7"
        assert opened.headers["X-Cryptopipe-Complete"] == "true"  # the open candle has all its trades so far
        record(database, [trades[-1]._replace(trade_id=61, time_us=clock.time_us, price_e8=1)])
        changed = await client.get(
            "/api/candles",
            {"If-None-Match": opened.headers["ETag"]},
            symbol="BTC",
            interval="1m",
            limit=10,
        )
        assert changed.status == 200
        assert changed.headers["ETag"] != opened.headers["ETag"]
        record(database, [trades[-1]._replace(trade_id=63, time_us=clock.time_us)])
        lacking = await client.get("/api/candles", symbol="BTC", interval="1m", limit=10)
        assert lacking.headers["X-Cryptopipe-Complete"] == "false"


CANDLES = {"asset": "BTC", "duration": "5m", "startTime": "2024-08-09", "endTime": "2024-08-10"}
BARS = {"symbol": "BTC", "timeframe": "1h", "from": "1723161600", "to": "1723165200"}


@pytest.mark.parametrize(
    ("path", "parameters", "sentence"),
    [
        ("/candles", CANDLES | {"duration": "5x"}, "“5x” is not an interval"),
        ("/candles", CANDLES | {"duration": ""}, "The parameter duration is missing."),
        ("/candles", {"duration": "5m"}, "The parameter asset is missing."),
        ("/candles", CANDLES | {"startTime": "noon"}, "startTime cannot be “noon”"),
        ("/candles", CANDLES | {"endTime": "2024-13-01"}, "endTime cannot be"),
        ("/candles", CANDLES | {"endTime": "2024-08-01"}, "The range ends before it begins"),
        ("/candles", CANDLES | {"asset": "A" * 500}, "is not a symbol"),
        ("/candles", CANDLES | {"asset": "a b"}, "“a b” is not a symbol"),
        (
            "/candles",
            CANDLES | {"starttime": "2024-08-09"},
            "There is no parameter “starttime”: did you mean startTime",
        ),
        ("/candles", CANDLES | {"limit": "-1"}, "limit cannot be “-1”"),
        ("/api/candles", BARS | {"from": "yesterday"}, "from cannot be “yesterday”: write Unix seconds"),
        ("/api/candles", BARS | {"from": "9" * 50}, "from cannot be"),
        ("/api/candles", BARS | {"to": "1723161599"}, "The range ends before it begins"),
        ("/api/candles", BARS | {"timeframe": "100w"}, "is too long"),
        ("/api/candles", BARS | {"limit": "1e3"}, "limit cannot be “1e3”"),
        ("/api/candles", {"symbol": "BTC"}, "The parameter timeframe or interval is missing."),
        ("/api/metadata", {"asset": "BTC"}, "There is no parameter “asset”"),
    ],
)
async def test_wrong_parameters_are_one_sentence(
    database: Database, path: str, parameters: dict[str, str], sentence: str
) -> None:
    record(database, some_trades(10))
    async with served(database) as client:
        answer = await client.get(path, **parameters)
    assert answer.status == 400
    assert list(answer.body) == ["error"]
    assert sentence in answer.body["error"]
    assert answer.body["error"].endswith((".", "?"))
    assert answer.headers["Cache-Control"] == "no-store"


async def test_names_that_mean_nothing_here_are_not_found(database: Database) -> None:
    record(database, some_trades(10))
    async with served(database) as client:
        for path, parameters in [
            ("/candles", CANDLES | {"asset": "DOGE"}),
            ("/candles", CANDLES | {"asset": "BTCUSDT' OR 1=1--"[:17].replace(" ", "")}),
            ("/candles", CANDLES | {"asset": "\x00"}),
            ("/api/metadata", {"symbol": "BTCUSD"}),
            ("/../../etc/passwd", {}),
            ("/candles/", CANDLES),
        ]:
            answer = await client.get(path, **parameters)
            assert answer.status == 404, path
            assert answer.body["error"].endswith((".", "?"))
        twice = await client.request("GET", "/candles?asset=BTC&asset=ETH&duration=1m")
        assert (twice.status, twice.body) == (400, {"error": "The parameter asset is given more than once."})


async def test_metadata_says_what_is_stored_of_each_symbol(database: Database) -> None:
    trades = slow_trades(100)
    record(database, trades)
    async with served(database) as client:
        one = await client.get("/api/metadata", symbol="BTC")
        every = await client.get("/api/metadata")
    assert every.body == [one.body]
    assert list(one.body)[:5] == ["symbol", "earliest", "latest", "tick_count", "timeframes"]
    assert {name: one.body[name] for name in list(one.body)[5:]} == {
        "broker": "binance",
        "kind": "trades",
        "completeness": "by ids",
    }
    assert one.body["symbol"] == "BTCUSDT"
    assert one.body["earliest"] == trades[0].time_us // SECOND_US
    assert one.body["latest"] == trades[-1].time_us // SECOND_US
    assert one.body["tick_count"] == 100
    assert {"1s", "5m", "1d", "1M"} <= set(one.body["timeframes"])


async def test_metadata_and_candles_of_quotes_are_answered(database: Database) -> None:
    begin_us = 1_783_504_800 * SECOND_US  # a Wednesday
    ticks = [Tick("oanda:EURUSD", begin_us + second * SECOND_US, 0, 117_000_000, 117_002_000) for second in range(120)]
    loader = database.tick_loader()
    loader.store_ticks(ticks, ("oanda:EURUSD", begin_us, begin_us + 120 * SECOND_US))
    loader.close()
    async with served(database) as client:
        one = await client.get("/api/metadata", symbol="oanda:EURUSD")
        candles = await client.get("/candles", asset="oanda:EURUSD", duration="1m")
        bid = await client.get("/candles", asset="oanda:EURUSD", duration="1m", price="bid")
        every = await client.get("/api/metadata")
        found = await client.get("/search", query="eur")
        described = await client.get("/symbols", symbol="OANDA:EURUSD")
        history = {"resolution": "1", "from": begin_us // SECOND_US, "to": begin_us // SECOND_US + 300}
        bars = await client.get("/history", symbol=found.body[0]["ticker"], **history)
        span = {"from": begin_us // 1_000, "to": begin_us // 1_000 + 60_000}
        arrow = await client.get("/quotes.arrow", symbol="oanda:eurusd", **span)
        cut = await client.get("/quotes.arrow", symbol="oanda:eurusd", limit=7, **span)
        wider = await client.get("/quotes.arrow", symbol="oanda:eurusd", **{"from": begin_us // 1_000 - 1})
        refused = await client.get("/trades.arrow", symbol="oanda:EURUSD", **span)
    assert every.body == [one.body]
    assert (one.body["broker"], one.body["kind"], one.body["completeness"]) == ("oanda", "quotes", "sampled")
    assert [bar["open"] for bar in bid.body["candles"]] == [1.17] * 2
    assert (found.body[0]["symbol"], found.body[0]["exchange"]) == ("EURUSD", "OANDA")
    assert (described.body["ticker"], described.body["volume_precision"]) == ("oanda:EURUSD", 0)
    assert (bars.body["c"], bars.body["v"]) == ([1.17001] * 2, [60.0] * 2)
    table = pyarrow.ipc.open_stream(arrow.body).read_all()
    assert table.column_names == ["ts", "bid", "ask", "bid_size", "ask_size", "time_us", "place"]
    assert table.slice(0, 1).to_pylist() == [
        {
            "ts": begin_us // 1_000,
            "bid": 1.17,
            "ask": 1.17002,
            "bid_size": 0.0,
            "ask_size": 0.0,
            "time_us": begin_us,
            "place": 0,
        }
    ]
    assert (table.num_rows, arrow.headers["X-Cryptopipe-Complete"]) == (61, "true")
    assert (pyarrow.ipc.open_stream(cut.body).read_all().num_rows, cut.headers["X-Cryptopipe-Complete"]) == (7, "false")
    assert wider.headers["X-Cryptopipe-Complete"] == "false"  # nobody watched the millisecond before
    assert (refused.status, "/quotes.arrow" in refused.body["error"]) == (400, True)
    assert (one.body["earliest"], one.body["latest"]) == (begin_us // SECOND_US, begin_us // SECOND_US + 119)
    assert one.body["tick_count"] == 120
    assert "1m" in one.body["timeframes"]
    assert [(bar["open"], bar["volume"]) for bar in candles.body["candles"]] == [(1.17001, 60)] * 2


async def test_closed_time_is_no_missing_candle_of_quotes(database: Database) -> None:
    friday_us = 1_783_715_400 * SECOND_US  # 2026-07-10T20:30, half an hour before forex closes
    open_us = friday_us + 30 * 60 * SECOND_US + 2 * 86_400 * SECOND_US
    loader = database.tick_loader()
    for begin_us in (friday_us, open_us):
        ticks = [Tick("oanda:EURUSD", begin_us + minute * 60_000_000, 0, 10**8, 10**8) for minute in range(30)]
        loader.store_ticks(ticks, ("oanda:EURUSD", begin_us, begin_us + 30 * 60_000_000))
    loader.close()
    asked = {"asset": "oanda:EURUSD", "duration": "5m", "startTime": format_time(friday_us)}
    async with served(database) as client:
        whole = await client.get("/candles", **asked, endTime=format_time(open_us + 25 * 60_000_000))
        longer = await client.get("/candles", **asked, endTime=format_time(open_us + 40 * 60_000_000))
    assert len(whole.body["candles"]) == 12
    assert (whole.body["missing_count"], whole.headers["X-Cryptopipe-Complete"]) == (0, "true")
    assert (longer.body["missing_count"], longer.headers["X-Cryptopipe-Complete"]) == (1, "false")
