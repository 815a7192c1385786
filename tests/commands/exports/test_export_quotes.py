"""cryptopipe export of quotes and of their candles, from what an import stored: by commands alone."""

from __future__ import annotations

import csv
import json
import lzma
import shutil
import struct
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from app.main import main
from app.market.file_columns import CANDLE_COLUMNS
from storage.postgres.connection import connect
from tests.commands.imports.test_import_quotes import ticks_of
from tests.commands.play import Play
from tests.storage.quotes.helpers import clear

SYMBOL = "dukascopy:EURUSD"
DAY = ("--from", "2019-02-04", "--to", "2019-02-05")
SATURDAY_TO_TUESDAY = ("--from", "2019-02-02", "--to", "2019-02-05")


def export(play: Play, *arguments: object) -> tuple[int, str, str]:
    code = main(["export", *map(str, arguments)])
    return code, *play.capsys.readouterr()


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def published(path: Path) -> dict[int, tuple[Decimal, ...]]:
    """Return the candles of one of Dukascopy's own files: by second, open, high, low, close and volume."""
    found = {}
    for second, *bar, volume in struct.iter_unpack(">IIIIIf", lzma.decompress(path.read_bytes())):
        open_, close, low, high = (Decimal(value) / 100_000 for value in bar)
        if volume or low != high:  # the others fill time without ticks
            found[second] = open_, high, low, close, Decimal(volume)
    return found


@pytest.fixture
def day(play: Play, shared_data: Callable[[str], Path]) -> Play:
    """The recorded day, imported."""
    shutil.copytree(shared_data("dukascopy") / "datafeed/EURUSD", play.folder / "EURUSD")
    assert play.run(*hours(play))[0] == 0
    return play


def hours(play: Play) -> list[Path]:
    """Return the files of ticks, without those of candles."""
    return sorted((play.folder / "EURUSD/2019/01/04").glob("*_ticks.bi5"))


def test_candles_of_the_recorded_day_equal_those_that_dukascopy_published(day: Play) -> None:
    tree = day.folder / "EURUSD/2019"
    files = {
        ("1m", "bid"): (tree / "01/04/BID_candles_min_1.bi5", 0),
        ("1m", "ask"): (tree / "01/04/ASK_candles_min_1.bi5", 0),
        ("1h", "bid"): (tree / "01/BID_candles_hour_1.bi5", 3 * 86_400),
        ("1d", "bid"): (tree / "BID_candles_day_1.bi5", 34 * 86_400),
    }
    for (interval, price), (file, begin_s) in files.items():
        path = day.folder / f"{price}-{interval}.csv"
        code, _, errors = export(day, SYMBOL, interval, "--price", price, *DAY, "--out", path)
        assert (code, errors) == (0, "")
        oracle = {second: row for second, row in published(file).items() if begin_s <= second < begin_s + 86_400}
        length_s = {"1m": 60, "1h": 3_600, "1d": 86_400}[interval]
        rows = rows_of(path)
        assert len(rows) == len(oracle) == 86_400 // length_s
        for at, row in enumerate(rows):
            *prices, volume = oracle[begin_s + at * length_s]
            assert [Decimal(row[name]) for name in ("open", "high", "low", "close")] == prices
            assert float(row[f"{price}_volume"]) == pytest.approx(float(volume), rel=1e-5)
            assert (row["closed"], row["complete"], row["source"]) == ("true", "true", "dukascopy")
            assert Decimal(row["volume"]) == int(row["trades"]) > 0
    mids = day.folder / "mids.csv"
    assert export(day, SYMBOL, "1h", *DAY, "--out", mids)[0] == 0
    asks = day.folder / "asks.csv"
    assert export(day, SYMBOL, "1h", "--price", "ask", *DAY, "--out", asks)[0] == 0
    for mid, bid, ask in zip(rows_of(mids), rows_of(day.folder / "bid-1h.csv"), rows_of(asks), strict=True):
        assert Decimal(mid["close"]) == (Decimal(bid["close"]) + Decimal(ask["close"])) / 2
    facts = json.loads(mids.with_name("mids.csv.meta.json").read_text())
    assert [facts[name] for name in ("source", "price", "completeness")] == ["dukascopy", "mid", "as published"]


def test_where_there_are_no_ticks_candles_are_the_brokers_own(day: Play) -> None:
    before = day.folder / "before.csv"
    assert export(day, SYMBOL, "1m", "--price", "bid", *DAY, "--out", before)[0] == 0
    assert day.run(day.folder / "EURUSD")[0] == 0
    after = day.folder / "after.csv"
    assert export(day, SYMBOL, "1m", "--price", "bid", *DAY, "--out", after)[0] == 0
    assert after.read_text() == before.read_text()
    path = day.folder / "hours.csv"
    code, _, errors = export(
        day, SYMBOL, "1h", "--price", "bid", "--from", "2019-02-01", "--to", "2019-03-01", "--out", path
    )
    oracle = published(day.folder / "EURUSD/2019/01/BID_candles_hour_1.bi5")
    rows = rows_of(path)
    assert [[Decimal(row[name]) for name in ("open", "high", "low", "close")] for row in rows] == [
        list(values[:4]) for values in oracle.values()
    ]
    assert {row["source"] for row in rows} == {"dukascopy"}
    assert (code, errors) == (0, "")


def test_quotes_of_the_recorded_day_come_back_as_they_were(day: Play) -> None:
    stored = ticks_of(day)
    path = day.folder / "quotes.parquet"
    code, out, errors = export(day, SYMBOL, "quotes", *DAY, "--out", path)
    assert (code, out, errors) == (0, f"136,741 quotes of {SYMBOL} written to {path}.\n", "")
    with connect(day.world.url) as connection:
        clear(connection)
    code, report = day.report(path)
    assert (code, report["stored"]) == (0, 136_741)
    assert ticks_of(day) == stored


@pytest.mark.parametrize("ending", ["csv", "csv.gz", "tsv", "parquet", "feather", "json", "jsonl", "xlsx"])
def test_every_format_brings_the_same_quotes_back(play: Play, ending: str) -> None:
    lines = ["1398902400292,1.38676,1.38686,1.5,0.75", "1398902400292,1.38677,1.38687,1,1", "1398902401000,1.4,1.5,0,0"]
    given = play.file("ticks.csv", "\n".join(["time,bid,ask,bid_size,ask_size", *lines]) + "\n")
    assert play.run(given, "--symbol", "oanda:EURUSD")[0] == 0
    stored = ticks_of(play)
    path = play.folder / f"quotes.{ending}"
    assert export(play, "oanda:EURUSD", "quotes", "--out", path)[0] == 0
    with connect(play.world.url) as connection:
        clear(connection)
    assert play.report(path)[1]["stored"] == 3
    assert ticks_of(play) == stored


def test_open_time_that_was_not_fetched_is_missing_and_closed_time_is_not(day: Play) -> None:
    path = day.folder / "out.csv"
    code, _, errors = export(day, SYMBOL, "quotes", *SATURDAY_TO_TUESDAY, "--out", path)
    assert code == 3
    # From Sunday, 22:00 UTC, on.
    assert errors == (
        "cryptopipe: 120 minutes of open time were not fetched; the first is 2019-02-03T22:00. Fetch them with "
        "cryptopipe history dukascopy:EURUSD quotes, or import them.\n"
    )
    facts = json.loads(path.with_name("out.csv.meta.json").read_text())
    assert (facts["complete"], facts["missing"]) == (False, [["2019-02-03T22:00:00Z", "2019-02-04T00:00:00Z"]])
    code, out, errors = export(day, SYMBOL, "1h", *SATURDAY_TO_TUESDAY, "--out", path, "--stored", "--json")
    assert code == 3
    assert "2 of 72 candles are missing; the first is 2019-02-03T22:00." in errors
    assert (json.loads(out)["rows"], json.loads(out)["missing"]) == (24, facts["missing"])
    # Without a range it is what is stored.
    assert export(day, SYMBOL, "1h", "--out", path) == (0, f"24 candles of {SYMBOL} 1h written to {path}.\n", "")


def test_silence_that_was_watched_is_an_empty_candle_also_where_a_range_begins(play: Play) -> None:
    tree = play.folder / "EURUSD/2019/01/04"
    tree.mkdir(parents=True)
    record = struct.pack(">IIIff", 59_000, 114_545, 114_543, 1.0, 2.0)
    (tree / "08h_ticks.bi5").write_bytes(lzma.compress(record, lzma.FORMAT_ALONE))
    (tree / "09h_ticks.bi5").touch()
    (tree / "10h_ticks.bi5").write_bytes(lzma.compress(record, lzma.FORMAT_ALONE))
    assert play.run(play.folder)[0] == 0
    path = play.folder / "out.csv"
    code, _, errors = export(
        play, SYMBOL, "1m", "--from", "2019-02-04T09:30", "--to", "2019-02-04T10:01", "--out", path, "--price", "bid"
    )
    assert (code, errors) == (0, "")
    rows = rows_of(path)
    assert [row["open_time"][11:16] for row in rows] == [f"09:{at}" for at in range(30, 60)] + ["10:00"]
    assert {(row["open"], row["trades"], row["bid_volume"]) for row in rows[:-1]} == {("1.14543000", "0", "0.00000000")}
    assert (rows[-1]["trades"], rows[-1]["bid_volume"], rows[-1]["ask_volume"]) == ("1", "2.00000000", "1.00000000")
    assert {(row["first_trade_id"], row["last_trade_id"]) for row in rows} == {("", "")}
    assert list(rows[0]) == [*CANDLE_COLUMNS, "bid_volume", "ask_volume"]


def test_what_a_broker_does_not_have_is_refused_with_code_two(day: Play) -> None:
    assert "has quotes, and neither trades nor gaps" in export(day, SYMBOL, "trades")[2]
    assert "has trades, not quotes" in export(day, "BTCUSDT", "quotes")[2]
    assert "--price is for candles of quotes" in export(day, "BTCUSDT", "1m", "--price", "bid")[2]
    for arguments in ((SYMBOL, "gaps"), ("BTCUSDT", "quotes"), ("BTCUSDT", "1m", "--price", "ask")):
        assert export(day, *arguments)[0] == 2


def test_the_file_named_by_its_rows_says_its_broker_without_a_colon(day: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(day.folder)
    assert export(day, SYMBOL, "quotes", "--from", "2019-02-04T10:00", "--to", "2019-02-04T10:10")[0] == 0
    (path,) = day.folder.glob("dukascopy-EURUSD-quotes-*.csv")
    path.with_name(path.name + ".meta.json").unlink()
    code, report = day.report(path)
    assert (code, report["stored"], report["held"]) == (0, 0, report["read"])
    assert report["files"][0]["symbol"] == SYMBOL


def test_symbols_are_listed_with_their_quotes(day: Play) -> None:
    assert main(["symbols", "--json"]) == 0
    (one,) = json.loads(day.capsys.readouterr().out)
    assert (one["symbol"], one["trades"], one["ticks"]["ticks"]) == (SYMBOL, 0, 136_741)
    assert main(["symbols", "dukascopy:eur/usd"]) == 0
    assert "136,741" in day.capsys.readouterr().out
