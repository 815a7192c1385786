"""The BTCUSDT recording, replayed over a real socket, arrives to the digit: in the database, the file, the chart."""

from __future__ import annotations

import csv
import gzip
import json
import re
import signal
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from app.market.interval import MENU_INTERVALS, Interval
from app.market.series.series import Bar
from app.market.trade import Trade
from app.market.units import parse_e8
from storage.database import Database
from storage.files.times import parse_time
from tests.end_to_end.helpers import (
    PROGRAM,
    RECORDED_TRADES,
    RECORDING,
    open_window,
    replay,
    run_on_qt_loop,
    run_program,
    sandbox_process,
    settings_in,
    until,
    wait_for,
)
from tests.sandbox.helpers import serving

EXPECTED_1M = "klines/derived_expected_1m_btcusdt_20240808_2354-0005.csv"
ARCHIVE_5M = "archive/BTCUSDT-5m-2024-08.csv.gz"
INTERVALS = [*MENU_INTERVALS, *(Interval.parse(name) for name in ("13m", "181m", "90s"))]

# The exchange's names of the columns that an exported candle shares with it.
SHARED = {
    "open": "open",
    "high": "high",
    "low": "low",
    "close": "close",
    "volume": "volume",
    "quote_volume": "quote_volume",
    "trades": "trades",
    "taker_buy_volume": "taker_buy_base",
    "taker_buy_quote_volume": "taker_buy_quote",
}


@pytest.fixture
def recording(shared_data):
    return [shared_data(name) for name in RECORDING]


@pytest.fixture
def full_minutes(shared_data):
    """The exchange's klines of the ten full minutes, by open time in µs."""
    with shared_data(EXPECTED_1M).open() as file:
        rows = [row for row in csv.DictReader(file) if row["complete_bar"] == "True"]
    assert len(rows) == 10
    return {int(row["open_time"]) * 1000: row for row in rows}


@pytest.fixture
def archived_5m(shared_data):
    """The archive's 5m bars that lie inside the recording, by open time in µs."""
    with gzip.open(shared_data(ARCHIVE_5M), "rt") as file:
        rows = [row for row in csv.reader(file) if row[0] in ("1723161300000", "1723161600000")]
    assert len(rows) == 2
    names = ["open", "high", "low", "close", "volume", "", "quote_volume", "trades", "taker_buy_base"]
    return {int(row[0]) * 1000: dict(zip([*names, "taker_buy_quote"], row[1:11], strict=True)) for row in rows}


def shared_columns(row):
    """Return the columns as exact numbers: scaled amounts, and the count of trades."""
    return {
        ours: int(row[name]) if ours == "trades" else parse_e8(trimmed(row[name]))
        for ours in SHARED
        for name in [ours if ours in row else SHARED[ours]]
    }


def trimmed(text):
    """Cut the zeros that the derived file carries beyond the eighth place."""
    return re.sub(r"(\.\d{8})0+$", r"\1", text)


def exported(path):
    with path.open() as file:
        return {parse_time(row["open_time"]): row for row in csv.DictReader(file)}


def test_collect_stores_every_trade_and_export_equals_the_exchange(
    recording, full_minutes, archived_5m, data_dir, tmp_path
):
    with sandbox_process("--replay", *map(str, recording), "--speed", "max") as environment:
        environment["CRYPTOPIPE_DATA_DIR"] = str(data_dir)
        collector = subprocess.Popen(
            [*PROGRAM, "collect", "--symbols", "BTCUSDT"], env=environment, stdout=subprocess.PIPE, text=True
        )
        try:
            wait_for(lambda: stored_trades(data_dir) == RECORDED_TRADES)
        finally:
            collector.send_signal(signal.SIGTERM)
            said, _ = collector.communicate(timeout=30)
        assert collector.returncode == 0
        assert said == f"{RECORDED_TRADES} trades of BTCUSDT received and stored.\n"
        for interval, published in (("1m", full_minutes), ("5m", archived_5m)):
            path = tmp_path / f"{interval}.csv"
            run_program(environment, "export", "btc/usdt", interval, "--out", str(path))
            written = exported(path)
            for open_us, row in published.items():
                assert shared_columns(written[open_us]) == shared_columns(row)
    assert all_stored_trades(data_dir) == recorded_trades(recording)


def test_collect_reports_trades_that_contradict_stored_ones(recording, data_dir):
    trades = recorded_trades(recording[:1])
    other = trades[50]._replace(price_e8=trades[50].price_e8 + 1)
    database = Database.open(None, data_dir)
    try:
        assert database.writer.put([other])
        assert database.writer.drain(30)
    finally:
        database.close()
    with sandbox_process("--replay", str(recording[0]), "--speed", "max") as environment:
        environment["CRYPTOPIPE_DATA_DIR"] = str(data_dir)
        with subprocess.Popen(
            [*PROGRAM, "collect", "--symbols", "BTCUSDT"], env=environment, stdout=subprocess.PIPE, text=True
        ) as collector:
            try:
                wait_for(lambda: stored_trades(data_dir) == len(trades))
            finally:
                collector.send_signal(signal.SIGTERM)
                said, _ = collector.communicate(timeout=30)
    assert collector.returncode == 0
    assert said == (
        f"{len(trades)} trades of BTCUSDT received and stored.\n"
        "1 trade contradicts the stored trade with the same id: the stored one is kept, the other one is in the table "
        "refused_trades.\n"
    )
    assert other in all_stored_trades(data_dir)


def stored_trades(data_dir: Path) -> int:
    """Count through a connection of our own, beside the collector's."""
    if not (data_dir / "database").exists():
        return 0
    database = Database.open(None, data_dir)
    try:
        return database.store.coverage("BTCUSDT").count()
    finally:
        database.close()


def all_stored_trades(data_dir: Path) -> list[Trade]:
    database = Database.open(None, data_dir)
    try:
        coverage = database.store.coverage("BTCUSDT")
        return database.store.trades("BTCUSDT", coverage.first, coverage.last)
    finally:
        database.close()


def recorded_trades(files: list[Path]) -> list[Trade]:
    """Read the recording without any of the program's decoding."""
    trades = []
    for file in files:
        with gzip.open(file, "rt") as lines:
            for line in lines:
                event = json.loads(line.split(" ", 1)[1]).get("data", {})
                if event.get("e") == "trade":
                    price, quantity = (int(Decimal(event[key]) * 10**8) for key in "pq")
                    trades.append(Trade(event["s"], event["t"], event["T"] * 1000, price, quantity, event["m"]))
    return trades


@pytest.mark.timeout(240)
def test_the_window_shows_the_exchanges_candles_after_every_interval(recording, full_minutes, archived_5m, data_dir):
    async def scenario() -> None:
        async with serving(replay(recording)) as server:
            settings = settings_in(data_dir, server.ws_url, server.rest_url, symbols="BTCUSDT")
            async with open_window(settings) as running:
                await until(lambda: running.engine.recorder.trades_received == RECORDED_TRADES, seconds=90)
                for interval in [*INTERVALS, Interval.parse("5m"), Interval.parse("1m")]:
                    running.window.requests.interval_requested.emit(interval)
                    await until(lambda: running.session.joined)
                    await until(lambda: total_trades(running) == RECORDED_TRADES)
                    if interval.name == "5m":
                        assert_shows(running, archived_5m)
                assert_shows(running, full_minutes)
                await until(lambda: running.engine.database is not None)
                # What had waited for the database is given to it only once it is there.
                await until(
                    lambda: running.engine.database.store.coverage("BTCUSDT").count() == RECORDED_TRADES, seconds=20
                )

    run_on_qt_loop(scenario)


def total_trades(running) -> int:
    running.session.refresh()
    return int(running.session.series.column("trades").sum())


def assert_shows(running, published) -> None:
    series = running.session.series
    opens = series.column("open_time_us").tolist()
    assert len(opens) == len(set(opens))
    for open_us, row in published.items():
        bar: Bar = series.bar(opens.index(open_us))
        assert bar.closed
        assert bar.complete
        for ours, theirs in SHARED.items():
            assert getattr(bar, ours) == float(row[theirs]), (ours, row)
