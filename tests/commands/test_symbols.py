"""``cryptopipe symbols``: what is stored of each symbol, as a table and as JSON."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from app.main import main
from app.market.candle import Candle, CandleSource
from app.market.interval import Interval
from app.market.quotes.tick import PriceSide, Tick
from app.market.symbol import Symbol
from storage.database import Database
from storage.files.times import format_time
from tests.program import set_surroundings, unchanged_process
from tests.servers import forget
from tests.storage.helpers import some_trades
from tests.storage.quotes.helpers import some_ticks

TRADES = [one for one in some_trades(1_000) if not 500 <= one.trade_id < 520]


@pytest.fixture(scope="module")
def recorded(reachable_folder: Path) -> Iterator[Database]:
    data_dir = reachable_folder / "symbols" / "data"
    data_dir.parent.mkdir(mode=0o711)
    database = Database.open(None, data_dir)
    try:
        facts = ("Binance", "crypto", "CRYPTO", "UTC", date(2017, 8, 17))
        database.store.save_symbols(
            [
                Symbol("BTCUSDT", "BTC", "USDT", 10**6, 10**3, "TRADING", *facts),
                Symbol("ADABTC", "ADA", "BTC", 1, 10**7, "BREAK"),
            ]
        )
        assert database.writer.put(TRADES)
        assert asyncio.run(database.writer.flush(30.0))
        yield database
    finally:
        database.close()
        forget(data_dir)


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    set_surroundings(monkeypatch, tmp_path, tmp_path / "data")
    with unchanged_process():
        yield


def test_every_symbol_is_listed_with_what_is_stored(
    recorded: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRYPTOPIPE_DATABASE_URL", recorded.url)
    assert main(["symbols", "--days", "--json"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    ada, btc = json.loads(printed.out)
    assert (ada["symbol"], ada["status"], ada["trades"], ada["first_trade"], ada["days"]) == (
        "ADABTC",
        "BREAK",
        0,
        None,
        [],
    )
    assert {name: btc[name] for name in ("symbol", "base", "quote", "status", "tick_size", "lot_size", "active")} == {
        "symbol": "BTCUSDT",
        "base": "BTC",
        "quote": "USDT",
        "status": "TRADING",
        "tick_size": "0.01000000",
        "lot_size": "0.00001000",
        "active": False,
    }
    described = (
        "broker",
        "name",
        "exchange",
        "asset_class",
        "calendar",
        "time_zone",
        "first_date",
        "last_date",
        "trading",
    )
    assert [btc[name] for name in described] == [
        "binance",
        "BTCUSDT",
        "Binance",
        "crypto",
        "CRYPTO",
        "UTC",
        "2017-08-17",
        "2024-08-08",
        True,
    ]
    assert [ada[name] for name in described] == ["binance", "ADABTC", *[None] * 6, False]
    assert (btc["trades"], btc["missing"], btc["share"]) == (980, 20, 0.98)
    assert btc["first_trade"] == {"id": 100, "time": format_time(TRADES[0].time_us)}
    assert btc["last_trade"] == {"id": 1_099, "time": format_time(TRADES[-1].time_us)}
    assert [(one["interval"], one["source"]) for one in btc["candles"]] == [
        (interval, "trades") for interval in ("5s", "1m", "15m", "1h", "1d")
    ]
    (day,) = btc["days"]
    assert (day["day"], day["trades"], day["missing"]) == ("2024-08-08", 980, 20)
    assert (day["klines"], day["aggtrades"]) == (False, False)
    assert main(["symbols", "btc"]) == 0
    said = capsys.readouterr().out
    assert "98.000 %" in said
    assert "ADABTC" not in said
    assert main(["symbols"]) == 0
    assert capsys.readouterr().out.endswith("1 more symbol is known, of which nothing is stored.\n")


def test_a_symbol_is_active_while_a_program_records_it(
    recorded: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRYPTOPIPE_DATABASE_URL", recorded.url)
    newest = TRADES[0]._replace(symbol="SOLUSDT", time_us=time.time_ns() // 1_000)
    assert recorded.writer.put([newest])
    assert asyncio.run(recorded.writer.flush(30.0))
    assert main(["symbols", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    active = {one["symbol"]: one["active"] for one in listed}
    assert [listed[-1][name] for name in ("base", "status", "tick_size")] == [None, None, None]  # not described yet
    assert active == {"ADABTC": False, "BTCUSDT": False, "SOLUSDT": True}


def test_a_symbol_with_quotes_is_listed_with_its_ticks_and_active_while_it_is_recorded(
    recorded: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRYPTOPIPE_DATABASE_URL", recorded.url)
    now_us = time.time_ns() // 1_000
    ended = some_ticks(5, symbol="oanda:USDJPY")
    newest = Tick("oanda:EURUSD", now_us, 0, 110_000_000, 110_010_000)
    assert recorded.tick_writer.put([*ended, newest])
    assert recorded.tick_writer.drain(30.0)
    assert main(["symbols", "--json"]) == 0
    active = {one["symbol"]: one["active"] for one in json.loads(capsys.readouterr().out)}
    assert (active["oanda:EURUSD"], active["oanda:USDJPY"]) == (True, False)
    assert main(["symbols"]) == 0
    said = capsys.readouterr().out
    of_trades, of_ticks, *_ = said.split("\n\n")
    assert "oanda:" not in of_trades
    head, *rows = (line.split() for line in of_ticks.splitlines())
    assert head[:6] == ["symbol", "status", "active", "tick", "lot", "ticks"]
    assert [row[:6] for row in rows] == [
        ["oanda:EURUSD", "unknown", "yes", "–", "–", "1"],
        ["oanda:USDJPY", "unknown", "no", "–", "–", "5"],
    ]
    assert main(["symbols", "oanda:EURUSD"]) == 0
    assert "trade" not in capsys.readouterr().out


def test_a_symbol_with_candles_of_its_broker_alone_is_listed_with_them(
    recorded: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRYPTOPIPE_DATABASE_URL", recorded.url)
    minute, start_us = Interval.parse("1m"), 1_700_000_040_000_000
    candles = [Candle(start_us + n * minute.length_us, 3, 4, 1, 2, 5, 0, 7, 0, 0) for n in range(3)]
    for side in PriceSide:
        recorded.store.of_side(side).save_klines("oanda:USDCAD", minute, candles, None)
    assert main(["symbols", "oanda:USDCAD", "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    (series,) = listed["candles"]
    assert [series[name] for name in ("interval", "source", "rows", "exact")] == ["1m", "kline", 3, True]
    assert (series["first"], series["last"]) == ("2023-11-14T22:14:00Z", "2023-11-14T22:16:00Z")
    assert [listed[name] for name in ("broker", "name", "first_date", "last_date")] == [
        "oanda",
        "USDCAD",
        "2023-11-14",
        "2023-11-14",
    ]
    assert listed["bytes"] > 0
    stored = recorded.store.stored_symbol("oanda:USDCAD")
    assert stored is not None
    assert [(one.interval, one.source) for one in stored.candles] == [("1m", CandleSource.KLINE)]
    assert main(["symbols"]) == 0
    assert "oanda:USDCAD  1m        kline" in capsys.readouterr().out


def test_what_is_not_there_gets_one_sentence(
    recorded: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["symbols"]) == 1
    assert "Nothing is recorded in" in capsys.readouterr().err
    monkeypatch.setenv("CRYPTOPIPE_DATABASE_URL", recorded.url)
    assert main(["symbols", "ETHUSDT"]) == 2
    assert "“ETHUSDT” is not in the database" in capsys.readouterr().err
