"""
The recordings, imported and exported by commands alone, add up to what their README says.

Each test has a database of its own and no exchange: all figures come from the files.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.main import main
from storage.postgres.connection import connect
from tests.program import set_surroundings, unchanged_process

NINE = (
    *("open", "high", "low", "close", "volume", "quote_volume", "trades", "taker_buy_volume", "taker_buy_quote_volume"),
)
OHLCV = NINE[:5]
# An interval, the one whose candles it is held against, and how many of those make one of it.
PARTS_OF_ADA = (
    *(("3m", "1m", 3), ("5m", "1m", 5), ("15m", "5m", 3), ("30m", "15m", 2), ("1h", "30m", 2), ("2h", "1h", 2)),
    *(("4h", "2h", 2), ("6h", "2h", 3), ("8h", "4h", 2), ("12h", "6h", 2), ("1d", "12h", 2), ("3d", "1d", 3)),
    ("1w", "1d", 7),
)
Row = dict[str, str]


class Desk(NamedTuple):
    """The two commands on one database."""

    folder: Path
    capsys: pytest.CaptureFixture[str]

    def bring(self, path: Path, *options: str) -> dict[str, Any]:
        """Import the file; return the report, in which nothing is refused."""
        report: dict[str, Any] = json.loads(self._run("import", str(path), "--json", *options))
        assert report["read"] == report["stored"] + report["held"]
        assert report["refused"] == report["missing"] == 0
        return report

    def candles(self, symbol: str, interval: str, *options: str) -> dict[str, Row]:
        """Export what is stored; return the rows by their open times."""
        path = self.folder / f"{symbol}-{interval}.csv"
        self._run("export", symbol, interval, "--stored", "--out", str(path), *options, codes=(0, 3))
        return rows_of(path)

    def candles_of_each(self, symbol: str, *intervals: str) -> dict[str, dict[str, Row]]:
        """Export what is stored at several intervals by one command; return the rows of each by their open times."""
        folder = self.folder / "each"
        printed = self._run(
            "export", symbol, ",".join(intervals), "--stored", "--out", str(folder), "--json", codes=(0, 3)
        )
        return {one["interval"]: rows_of(Path(one["path"])) for one in json.loads(printed)["files"]}

    def _run(self, *arguments: str, codes: Collection[int] = (0,)) -> str:
        """Run a command to its end; return what it printed."""
        code = main(list(arguments))
        printed = self.capsys.readouterr()
        assert code in codes, printed.err
        return printed.out


def rows_of(path: Path) -> dict[str, Row]:
    """Return a file's candles by their open times."""
    with path.open(newline="") as file:
        return {row["open_time"]: row for row in csv.DictReader(file)}


@pytest.fixture
def desk(
    tables_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Desk]:
    set_surroundings(monkeypatch, tmp_path, tmp_path / "data")
    monkeypatch.setenv("CRYPTOPIPE_DATABASE_URL", tables_url)
    with unchanged_process():
        yield Desk(tmp_path, capsys)


def figures(row: Row, names: Sequence[str] = NINE) -> list[Decimal]:
    return [Decimal(row[name]) for name in names]


def test_ten_minutes_of_btc_equal_the_expected_candles_in_every_column(
    desk: Desk, shared_data: Callable[[str], Path]
) -> None:
    for day in ("08", "09"):
        desk.bring(shared_data(f"ws_raw/examples_spot_btcusdt_202408{day}.gz"))
    rows = list(desk.candles("BTCUSDT", "1m", "--include-open").values())
    with shared_data("klines/derived_expected_1m_btcusdt_20240808_2354-0005.csv").open(newline="") as file:
        expected = list(csv.DictReader(file))
    for row in expected:
        row["taker_buy_volume"], row["taker_buy_quote_volume"] = row["taker_buy_base"], row["taker_buy_quote"]
    assert [figures(row) for row in rows] == [figures(row) for row in expected]
    assert [row["complete"] for row in rows] == [row["complete_bar"].lower() for row in expected]
    assert sum(int(row["trades"]) for row in rows) == 19_904
    assert {row["source"] for row in rows} == {"trades"}


def test_the_archives_five_minutes_equal_the_recorded_trades_in_nine_columns(
    desk: Desk, shared_data: Callable[[str], Path]
) -> None:
    assert desk.bring(shared_data("archive/BTCUSDT-5m-2024-08.csv.gz"))["files"][0]["kind"] == "klines"
    published = desk.candles("BTCUSDT", "5m")
    for day in ("08", "09"):
        desk.bring(shared_data(f"ws_raw/examples_spot_btcusdt_202408{day}.gz"))
    together = desk.candles("BTCUSDT", "5m")
    for open_time in ("2024-08-08T23:55:00Z", "2024-08-09T00:00:00Z"):
        assert (published[open_time]["source"], together[open_time]["source"]) == ("kline", "trades")
        ours = figures(together[open_time])
        # The exchange rounds quote volumes to eight places.
        assert [round(one, 8) for one in ours] == figures(published[open_time])
    assert together.keys() == published.keys()


def test_thirty_days_of_minutes_add_up_to_the_archives_five_minutes(
    desk: Desk, shared_data: Callable[[str], Path]
) -> None:
    report = desk.bring(shared_data("klines/mintanam_BTC_USDT-1m.feather"))
    assert report["read"] == 43_209
    ours = desk.candles("BTCUSDT", "5m")
    with gzip.open(shared_data("archive/BTCUSDT-5m-2024-08.csv.gz"), "rt") as file:
        expected = {int(row[0]): [Decimal(text) for text in row[1:6]] for row in csv.reader(file)}
    compared = 0
    for row in ours.values():
        open_ms = open_time_ms(row["open_time"])
        if row["complete"] == "true" and open_ms in expected:
            assert figures(row, OHLCV) == expected[open_ms], row
            compared += 1
    assert compared > 7_000


def test_fifteen_intervals_of_ada_add_up_to_each_other(desk: Desk, shared_data: Callable[[str], Path]) -> None:
    name = "klines/octobot_ADABTC_all_intervals_ExchangeHistoryDataCollector_1588110698.1060486.data.gz"
    report = desk.bring(shared_data(name))
    assert report["read"] == 6_451
    assert {one["symbol"] for one in report["files"]} == {"ADABTC"}
    candles = desk.candles_of_each("ADABTC", "1m", *(whole for whole, _, _ in PARTS_OF_ADA))
    assert sum(1 for row in candles["1m"].values() if not Decimal(row["volume"])) == 17
    for whole, part, count in PARTS_OF_ADA:
        assert_adds_up(candles[whole], candles[part], count)


def assert_adds_up(wholes: dict[str, Row], parts: dict[str, Row], count: int) -> None:
    """Every candle of which all parts are there has their open, close, high, low and volume."""
    opens, ordered = sorted(wholes), sorted(parts)
    compared = 0
    for open_time, end in pairwise(opens):
        inside = [parts[at] for at in ordered if open_time <= at < end]
        if len(inside) != count:
            continue
        whole = wholes[open_time]
        assert Decimal(whole["volume"]) == sum(Decimal(row["volume"]) for row in inside), open_time
        assert Decimal(whole["high"]) == max(Decimal(row["high"]) for row in inside)
        assert Decimal(whole["low"]) == min(Decimal(row["low"]) for row in inside)
        assert whole["close"] == inside[-1]["close"]
        compared += 1
    assert compared > 20


def test_aggregated_trades_of_xrp_stand_for_all_their_trades(desk: Desk, shared_data: Callable[[str], Path]) -> None:
    path = shared_data("agg/freqtrade_XRP_OLD-trades.json.gz")
    report = desk.bring(path)
    assert (report["read"], report["files"][0]["kind"], report["files"][0]["symbol"]) == (12_477, "aggtrades", "XRPETH")
    with gzip.open(path, "rt") as file:
        raw = [one["info"] if isinstance(one, dict) else one for one in json.load(file)]
    rows = list(desk.candles("XRPETH", "1m").values())
    assert sum(int(row["trades"]) for row in rows) == 14_672
    assert sum(Decimal(row["volume"]) for row in rows) == sum(Decimal(one["q"]) for one in raw)
    quote_volume = sum(Decimal(one["q"]) * Decimal(one["p"]) for one in raw)
    assert sum(Decimal(row["quote_volume"]) for row in rows) == quote_volume
    assert {row["source"] for row in rows} == {"aggtrades"}
    # Order flow: by which side's order each was struck.
    bought = [one for one in raw if not one["m"]]
    volumes = sum(Decimal(one["q"]) for one in bought), sum(Decimal(one["q"]) * Decimal(one["p"]) for one in bought)
    names = "taker_buy_volume", "taker_buy_quote_volume"
    assert tuple(sum(Decimal(row[name]) for row in rows) for name in names) == volumes
    times = [row["open_time"] for row in rows]
    for interval in ("1m", "5m"):
        flow = desk.candles("XRPETH", interval, "--indicators", "cvd")
        delta, compared = 0.0, 0
        for before, (at, row) in zip(["", *flow], flow.items(), strict=False):
            end = datetime.fromisoformat(at) + timedelta(minutes=int(interval[0]))
            inside = rows[bisect_left(times, at) : bisect_left(times, end.strftime("%Y-%m-%dT%H:%M:%SZ"))]
            for name in names:
                assert Decimal(row[name]) == sum(Decimal(minute[name]) for minute in inside), at
            assert row["source"] == "aggtrades"
            delta = 0.0 if before[:10] != at[:10] else delta  # it restarts each day
            delta += float(2 * Decimal(row["taker_buy_volume"]) - Decimal(row["volume"]))
            compared += bool(row["cvd_day"])  # none of a day whose beginning is not known
            assert float(row["cvd_day"] or delta) == pytest.approx(delta, abs=1e-6)
        assert compared, interval
    with connect(os.environ["CRYPTOPIPE_DATABASE_URL"]) as connection:
        sums = f"SELECT sum({names[0]}), sum({names[1]}), array_agg(DISTINCT source), sum(trades) FROM kline_log"
        assert connection.execute(f"{sums} WHERE symbol = 'XRPETH' AND seconds = 60").fetchone() == (
            *volumes,
            ["aggtrades"],
            14_672,
        )
        assert connection.execute("SELECT count(*) FROM trade_log").fetchone() == (0,)
    assert [at for at, row in enumerate(rows) if row["complete"] == "false"] == [0, len(rows) - 1]
    assert desk.bring(path)["held"] == 12_477


def test_four_hours_add_up_to_days(desk: Desk, shared_data: Callable[[str], Path]) -> None:
    path = shared_data("klines/pinets_BTCUSDC-4h-1704067200000.json.gz")
    assert desk.bring(path)["read"] == 4_140
    days = [row for row in desk.candles("BTCUSDC", "1d").values() if row["complete"] == "true"]
    assert len(days) == 690
    fours = list(desk.candles("BTCUSDC", "4h").values())
    for name in NINE[4:]:
        assert sum(Decimal(row[name]) for row in days) == sum(Decimal(row[name]) for row in fours), name


@pytest.mark.parametrize(
    ("name", "kind", "rows"),
    [
        ("archive/BTCUSDT-1m-2020-01-01.zip", "klines", 1_440),
        ("archive/BTCUSDT-5m-2025-01.csv.gz", "klines", 8_928),
        ("agg/BTCUSDT-aggTrades-2026-01-01.rows1-2500.csv", "aggtrades", 2_500),
        ("trades/lasota_trxusdt_trade_stream_us.first1000.csv", "trades", 1_000),
        ("trades/nautilus_btcusdt-trades.parquet", "trades", 2_001),
        ("klines/derived_BTCUSDT-1m_20240726-20240825.csv.gz", "candles", 43_209),
    ],
)
def test_every_other_file_of_trades_or_candles_is_stored_whole_and_the_second_time_held(
    desk: Desk, shared_data: Callable[[str], Path], name: str, kind: str, rows: int
) -> None:
    report = desk.bring(shared_data(name))
    assert (report["read"], report["stored"], report["files"][0]["kind"]) == (rows, rows, kind)
    again = desk.bring(shared_data(name))
    assert (again["stored"], again["held"]) == (0, rows)


def open_time_ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)
