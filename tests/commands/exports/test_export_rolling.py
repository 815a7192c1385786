"""``cryptopipe export --rolling``: a candle of any length for every minute, in every format."""

from __future__ import annotations

import csv
import json
import time
from decimal import Decimal
from typing import Any

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from app.market.candle import Candle, combine
from app.market.columns.candle_columns import columns_of
from app.market.columns.rolling import MINUTE_US, rolling_windows
from app.market.indicators.phase_values import PhaseValues, figures_of
from app.market.indicators.research_names import named_indicators
from app.market.interval import ORIGIN_US
from storage.files.times import format_time
from tests.commands.exports.test_export_quotes import SYMBOL as EURUSD
from tests.commands.exports.test_export_quotes import day, export, rows_of
from tests.commands.play import Play
from tests.program import exchange, point_to
from tests.storage.research.helpers import MINUTE, START_US, some_minutes

__all__ = ["day"]

COUNT = 2_000
GAP = 700
MINUTES = [one for at, one in enumerate(some_minutes(COUNT)) if at != GAP]
RANGE = ("--from", "2024-08-08T23:54", "--to", format_time(START_US + COUNT * MINUTE_US).removesuffix("Z"))


def windows(minutes: list[Candle], length: int) -> dict[str, tuple[Candle, int]]:
    """Return the windows by the time of their start, each added up from its minutes, and the index of each."""
    by_time = {one.open_time_us: one for one in minutes}
    found = {}
    for open_us in range(min(by_time), max(by_time) + (2 - length) * MINUTE_US, MINUTE_US):
        parts = [by_time[at] for at in range(open_us, open_us + length * MINUTE_US, MINUTE_US) if at in by_time]
        if parts:
            one = combine(open_us, parts)._replace(complete=len(parts) == length)
            found[format_time(open_us)] = one, (open_us // MINUTE_US + length - ORIGIN_US // MINUTE_US) % length
    return found


@pytest.fixture
def stocked(play: Play) -> Play:
    play.world.store.save_klines("BTCUSDT", MINUTE, MINUTES)
    play.world.store.save_klines("ETHUSDT", MINUTE, some_minutes(100, seed=3))
    return play


def test_a_row_starts_every_minute_and_one_that_misses_a_minute_says_so(stocked: Play) -> None:
    path = stocked.folder / "hours.csv"
    code, out, errors = export(stocked, "BTCUSDT", "60m", "--rolling", "--stored", *RANGE, "--out", path)
    missing = format_time(START_US + GAP * MINUTE_US)
    assert (code, out) == (3, f"1,941 rolling candles of BTCUSDT 1h written to {path}.\n")
    assert errors.startswith(f"cryptopipe: 1 of 2,000 minutes is missing; it is {missing[:16]}. Not stored")
    assert errors.count("\n") == 1
    expected, rows = windows(MINUTES, 60), rows_of(path)
    assert [row["open_time"] for row in rows] == list(expected)
    assert list(rows[0])[-3:] == ["complete", "source", "minute_index"]
    for row in rows:
        candle, index = expected[row["open_time"]]
        assert int(row["minute_index"]) == index
        assert Decimal(row["high"]).scaleb(8) == candle.high_e8
        assert Decimal(row["volume"]).scaleb(8) == candle.volume_e8
        assert Decimal(row["quote_volume"]).scaleb(16) == candle.quote_volume_e16
        assert (row["complete"], row["closed"], row["source"]) == (str(candle.complete).lower(), "true", "kline")
    assert sum(row["complete"] == "false" for row in rows) == 60
    facts = json.loads(path.with_name("hours.csv.meta.json").read_text())
    span = {"from": format_time(START_US), "to": format_time(START_US + COUNT * MINUTE_US)}
    assert (facts["interval"], facts["rolling"], facts["rows"], facts["complete"]) == ("1h", True, 1_941, False)
    assert facts["asked"] == facts["given"] == span
    assert facts["missing"] == [[missing, format_time(START_US + (GAP + 1) * MINUTE_US)]]


@pytest.mark.parametrize("length", ["5m", "13m", "1h", "181m"])
def test_rows_of_index_0_are_the_candles_of_that_length(stocked: Play, length: str) -> None:
    rolling, ordinary = stocked.folder / "rolling.csv", stocked.folder / "ordinary.csv"
    assert export(stocked, "BTCUSDT", length, "--rolling", "--stored", *RANGE, "--out", rolling)[0] == 3
    assert export(stocked, "BTCUSDT", length, "--stored", *RANGE, "--out", ordinary)[0] == 3
    of_index_0 = [row for row in rows_of(rolling) if row.pop("minute_index") == "0"]
    # Of klines alone there is no candle where one is missing.
    assert [row for row in of_index_0 if row["complete"] == "true"] == rows_of(ordinary)
    assert len(of_index_0) > 9


@pytest.mark.parametrize(("length", "index"), [("5m", 2), ("1h", 17), ("181m", 100)])
def test_rows_of_another_index_are_the_candles_of_that_phase(stocked: Play, length: str, index: int) -> None:
    rolling, shifted = stocked.folder / "rolling.csv", stocked.folder / "shifted.csv"
    assert export(stocked, "BTCUSDT", length, "--rolling", "--stored", *RANGE, "--out", rolling)[0] == 3
    assert export(stocked, "BTCUSDT", f"{length}+{index}m", "--stored", *RANGE, "--out", shifted)[0] == 3
    of_index = [row for row in rows_of(rolling) if row.pop("minute_index") == str(index)]
    assert [row for row in of_index if row["complete"] == "true"] == rows_of(shifted)
    assert len(of_index) > 9


def test_every_format_has_the_same_rows(stocked: Play) -> None:
    paths = {}
    for form in ("csv", "tsv", "csv.gz", "parquet", "feather", "json", "jsonl", "xlsx"):
        paths[form] = path = stocked.folder / f"rows.{form}"
        assert export(stocked, "BTCUSDT", "13m", "--rolling", "--stored", *RANGE, "--out", path)[0] == 3
    expected = windows(MINUTES, 13)
    parquet, feather = pq.read_table(paths["parquet"]), pa.feather.read_table(paths["feather"])
    assert parquet.equals(feather)
    assert parquet.schema.field("minute_index").type == pa.int32()
    assert parquet.column("minute_index").to_pylist() == [index for _, index in expected.values()]
    assert [int(one.scaleb(8)) for one in parquet.column("close").to_pylist()] == [
        one.close_e8 for one, _ in expected.values()
    ]
    texts = rows_of(paths["csv"])
    assert [row["close"] for row in texts] == [str(one) for one in parquet.column("close").to_pylist()]
    with paths["tsv"].open(newline="") as file:
        assert list(csv.DictReader(file, delimiter="\t")) == texts
    objects = json.loads(paths["json"].read_text())
    assert objects == [json.loads(line) for line in paths["jsonl"].read_text().splitlines()]
    assert [(one["close"], one["minute_index"]) for one in objects] == [
        (row["close"], int(row["minute_index"])) for row in texts
    ]
    sheet = openpyxl.load_workbook(paths["xlsx"]).worksheets[0]
    names, *cells = sheet.iter_rows(values_only=True)
    at = names.index("minute_index")
    assert [row[at] for row in cells] == [int(row["minute_index"]) for row in texts]


def test_several_symbols_and_lengths_go_to_a_folder(stocked: Play) -> None:
    folder = stocked.folder / "out"
    options = ("--rolling", "--stored", "--format", "parquet", "--preset", "vectorbt", "--json", "--out", folder)
    code, printed, _ = export(stocked, "BTC,ETH", "5m,1h", *options)
    said = json.loads(printed)
    names = [f"{symbol}-{length}-rolling.parquet" for symbol in ("BTCUSDT", "ETHUSDT") for length in ("5m", "1h")]
    assert sorted(one.name for one in folder.glob("*.parquet")) == sorted(names)
    assert [(one["rows"], one["complete"]) for one in said["files"]] == [
        (1_996, False),
        (1_941, False),
        (96, True),
        (41, True),
    ]
    assert code == 0  # whoever names no range and wants what is stored has got it
    frame = pq.read_table(folder / names[0]).to_pandas()
    assert list(frame.columns) == ["Open", "High", "Low", "Close", "Volume", "minute_index"]
    assert frame.index.name == "Date"


def test_a_row_of_an_indicator_is_made_of_the_rows_of_its_index(stocked: Play) -> None:
    path = stocked.folder / "values.parquet"
    text = "rsi:14,macd,ema:20"
    range_ = ("--from", "2024-08-09T12:00", "--to", "2024-08-10")
    options = ("--rolling", "--stored", "--indicators", text, "--out", path)
    assert export(stocked, "BTCUSDT", "13m", *options, *range_)[0] == 0
    table = pq.read_table(path)
    whole = rolling_windows(columns_of(MINUTES), 13)
    values = PhaseValues(named_indicators(text), 13).add(figures_of(whole))
    opens = whole.column("open_time").to_pylist()
    from_row = opens.index(table.column("open_time")[0].as_py())
    shown = {"rsi_14": "rsi_14", "ema_20": "ema_20", "macd_12_26_9": "macd", "macd_12_26_9_signal": "macd_signal"}
    assert table.num_rows == 720 - 12
    for name, computed in shown.items():
        found = table.column(name).to_numpy()
        np.testing.assert_array_equal(found, values[computed][from_row : from_row + len(found)])
    assert np.isfinite(table.column("rsi_14").to_numpy()).all()
    alone = stocked.folder / "alone.parquet"
    short = ("--from", "2024-08-09T23:00", "--to", "2024-08-10")
    assert export(stocked, "BTCUSDT", "13m", *options[:-1], alone, *short)[0] == 0
    assert pq.read_table(alone).equals(table.slice(table.num_rows - 48))


def test_minutes_that_are_not_stored_are_fetched(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    with exchange() as server:
        point_to(server, monkeypatch)
        now_us = time.time_ns() // 1_000
        start_us = now_us - now_us % MINUTE_US - 200 * MINUTE_US
        path = play.folder / "fetched.csv"
        range_ = ("--from", format_time(start_us), "--to", format_time(start_us + 150 * MINUTE_US))
        code, _, errors = export(play, "BTC", "60m", "--rolling", *range_, "--zone", "Asia/Tokyo", "--out", path)
        assert (code, errors) == (0, "")
    rows = rows_of(path)
    assert len(rows) == 91
    assert {row["complete"] for row in rows} == {"true"}
    assert all(row["open_time"].endswith("+09:00") for row in rows)
    code, _, errors = export(play, "BTC", "60m", "--rolling", "--stored", *range_, "--zone", "Asia/Tokyo", "--out", "-")
    assert code == 0


def test_closed_time_of_quotes_is_not_missing(day: Play) -> None:
    path, ordinary = day.folder / "rolling.csv", day.folder / "ordinary.csv"
    options: tuple[Any, ...] = ("--price", "bid", "--from", "2019-02-03T20:00", "--to", "2019-02-05")
    code, _, errors = export(day, EURUSD, "1h", "--rolling", *options, "--out", path)
    assert code == 3  # Sunday's last two hours were not imported
    assert "120 of 1,680 minutes are missing; the first is 2019-02-03T22:00." in errors
    assert export(day, EURUSD, "1h", *options, "--out", ordinary)[0] == 3
    of_index_0 = [row for row in rows_of(path) if row.pop("minute_index") == "0"]
    assert of_index_0 == rows_of(ordinary)
    assert {row["complete"] for row in rows_of(path) if row["open_time"] >= "2019-02-04"} == {"true"}
    assert json.loads(path.with_name("rolling.csv.meta.json").read_text())["price"] == "bid"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("90s",), "A rolling window has whole minutes, and 90s has not"),
        (("1M",), "A rolling window has whole minutes, and 1M has not"),
        (("1h+5m",), "Rolling candles begin at every minute: write 1h instead of 1h+5m."),
        (("1h,trades",), "Only candles are rolling"),
        (("1h", "--preset", "freqtrade"), "rolling ones overlap: choose default or vectorbt"),
        (("1h", "--include-open"), "leave it out with --rolling"),
        (("1h", "--from", "2024-08-09T00:00", "--to", "2024-08-09T00:59"), "No whole window of 1h lies in that range"),
        (("1h", "--from", "2020-01-01", "--to", "2024-08-09", "--format", "xlsx"), "An Excel sheet holds"),
    ],
)
def test_what_cannot_roll_is_refused_in_one_sentence(stocked: Play, arguments: tuple[str, ...], sentence: str) -> None:
    code, out, errors = export(stocked, "BTCUSDT", *arguments, "--rolling", "--stored")
    assert (code, out, errors.count("\n")) == (2, "", 1)
    assert sentence in errors
