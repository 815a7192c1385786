"""``cryptopipe export``: what it delivers, what it says of the rest, and how it ends early."""

from __future__ import annotations

import csv
import gzip
import json
import signal
import time
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from app.live.environment.ban_file import FILE_NAME as BAN_FILE
from app.live.transfers import exchange_patience
from app.main import main
from app.market.trade import Trade
from storage.database import Database
from storage.files.times import format_time
from tests.program import (
    exchange,
    hanging_url,
    needs_signals,
    point_to,
    silent_server,
    started,
    wait_for,
)

MINUTE_US = 60_000_000


pytestmark = pytest.mark.usefixtures("surroundings")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_only_what_is_stored_where_nothing_is_recorded_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "BTCUSDT", "1m", "--stored", "--out", str(tmp_path / "a.csv")]) == 2
    assert "Nothing is recorded in" in capsys.readouterr().err


def test_a_range_not_stored_is_fetched_and_what_is_not_to_be_had_is_named(
    tmp_path: Path, data_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange_patience, "AWAY_S", 0.0)
    monkeypatch.chdir(tmp_path)
    with exchange() as server:
        point_to(server, monkeypatch)
        now_us = time.time_ns() // 1_000
        start_us = now_us - now_us % MINUTE_US - 100 * MINUTE_US
        first, middle, last = (format_time(start_us + minutes * MINUTE_US) for minutes in (0, 60, 70))
        # A name that only the exchange knows yet, and the file's own name.
        assert main(["export", "btc", "1m", "--from", first, "--to", middle, "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        path = Path(said["path"])
        stamp = path.name.removeprefix("BTCUSDT-1m-").removesuffix(".csv")
        assert path.parent.resolve() == tmp_path
        assert stamp == f"{compact(start_us)}-{compact(start_us + 60 * MINUTE_US)}"
        span = {"from": first, "to": middle}
        meta = json.loads((tmp_path / f"{path.name}.meta.json").read_text())
        assert meta == {key: said[key] for key in meta}
        assert (said["asked"], said["given"], said["complete"], said["missing"]) == (span, span, True, [])
        assert (said["symbol"], said["interval"], said["rows"], said["source"]) == ("BTCUSDT", "1m", 60, "kline")
        rows = rows_of(path)
        assert [row["open_time"] for row in rows] == [format_time(start_us + at * MINUTE_US) for at in range(60)]
        assert {(row["closed"], row["complete"], row["source"]) for row in rows} == {("true", "true", "kline")}
        # What is stored, and a range before the symbol was listed.
        assert main(["export", "BTC/USDT", "1m", "--from", first, "--to", last, "--stored", "--out", "stored.csv"]) == 3
        printed = capsys.readouterr()
        assert printed.out == "60 candles of BTCUSDT 1m written to stored.csv.\n"
        assert printed.err.startswith(f"cryptopipe: 10 of 70 candles are missing; the first is {middle[:16]}. Not sto")
        assert rows_of(tmp_path / "stored.csv") == rows
        meta = json.loads((tmp_path / "stored.csv.meta.json").read_text())
        assert (meta["asked"], meta["given"]) == ({"from": first, "to": last}, span)
        assert (meta["complete"], meta["missing"]) == (False, [[middle, last]])
        assert main(["export", "BTC", "1d", "--from", "2020-01-01", "--to", "2020-01-03", "--out", "none.csv"]) == 3
        assert "the first is 2020-01-01T00:00. BTCUSDT is traded since 20" in capsys.readouterr().err
        assert rows_of(tmp_path / "none.csv") == []
        # A ban is obeyed at once, and the file that is to be replaced has what is stored.
        server.faults.rest.fail_next(418, times=None, path="/klines", retry_after_s=3_600)
        assert main(["export", "BTC", "1m", "--from", first, "--to", last, "--out", "stored.csv"]) == 3
        said = capsys.readouterr().err
        assert f"{middle[:16]}. Not stored, and not fetched: 127.0.0.1" in said
        assert "has banned this address" in said
        assert server.faults.counts["rest"] == 1
        assert rows_of(tmp_path / "stored.csv") == rows
        (data_dir / BAN_FILE).unlink()
    # The exchange is away: what is stored by now is written, and kept where it is to be replaced.
    assert main(["export", "BTC", "1m", "--from", first, "--to", last, "--out", "stored.csv"]) == 3
    assert f"{middle[:16]}. Not stored, and not fetched: Cannot reach 127.0.0.1" in capsys.readouterr().err
    assert rows_of(tmp_path / "stored.csv") == rows
    assert main(["export", "BTC", "1m", "--from", first, "--to", middle, "--out", "-"]) == 0
    printed = capsys.readouterr()
    assert printed.out == path.read_text()
    assert printed.err == ""


def test_several_symbols_and_intervals_go_to_a_folder_in_the_format_and_the_form_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with exchange() as server:
        point_to(server, monkeypatch)
        now_us = time.time_ns() // 1_000
        start_us = now_us - now_us % MINUTE_US - 60 * MINUTE_US
        span = ["--from", format_time(start_us), "--to", format_time(start_us + 30 * MINUTE_US)]
        several = ["export", "BTC,btc-usdt", "1m,5m", *span, "--out", "new/folder", "--format", "parquet", "--json"]
        assert main(several) == 0
        said = json.loads(capsys.readouterr().out)
        names = ["BTCUSDT-1m.parquet", "BTCUSDT-5m.parquet"]
        assert [Path(one["path"]).name for one in said["files"]] == names
        assert said["complete"]
        tables = [pq.read_table(tmp_path / "new" / "folder" / name) for name in names]
        assert [table.num_rows for table in tables] == [one["rows"] for one in said["files"]]
        assert tables[0].num_rows == 30
        # One file: the preset's own name and format; names, order and zone as asked for.
        assert main(["export", "BTC", "1m", *span, "--preset", "freqtrade", "--stored"]) == 0
        frame = pa.feather.read_table(tmp_path / "BTC_USDT-1m.feather")
        assert frame.schema.names == ["date", "open", "high", "low", "close", "volume"]
        assert frame.column("close").to_pylist() == [float(one) for one in tables[0].column("close").to_pylist()]
        capsys.readouterr()
        options = ["--columns", "close,open_time", "--zone", "Asia/Tokyo", "--format", "jsonl", "--out", "-"]
        assert main(["export", "BTC", "1m", *span, "--stored", *options]) == 0
        rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert list(rows[0]) == ["close", "open_time"]
        assert rows[0]["close"] == str(tables[0].column("close")[0])
        assert datetime.fromisoformat(rows[0]["open_time"]) == tables[0].column("open_time")[0].as_py()
        assert rows[0]["open_time"].endswith("+09:00")


def test_trades_and_gaps_come_from_the_store_alone_and_what_is_missing_is_named(
    tmp_path: Path, data_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    database = Database.open(None, data_dir)
    start_us = 1_723_161_600_000_000
    trades = [
        Trade(
            "BTCUSDT", number, start_us + number * 250_000, 6_000_000_000_000 + number, 10**6 * number, number % 2 == 0
        )
        for number in range(1, 101)
    ]
    assert database.writer.put([one for one in trades if one.trade_id not in (40, 41)])
    assert database.writer.drain(20.0)
    database.close()
    assert main(["export", "btc", "trades,gaps", "--out", "all", "--format", "csv.gz"]) == 0
    printed = capsys.readouterr()
    names = [Path("all") / f"BTCUSDT-{rows}.csv.gz" for rows in ("trades", "gaps")]
    assert printed.out == f"98 trades of BTCUSDT written to {names[0]}.\n1 gap of BTCUSDT written to {names[1]}.\n"
    assert printed.err == "cryptopipe: BTCUSDT trades: 2 trades are missing; the first is 40, at 2024-08-09T00:00:09.\n"
    lines = gzip.decompress(names[0].read_bytes()).decode().splitlines()
    assert lines[0] == "symbol,trade_id,time,price,quantity,is_buyer_maker"
    assert lines[1] == "BTCUSDT,1,2024-08-09T00:00:00.250000Z,60000.00000001,0.01000000,false"
    assert gzip.decompress(names[1].read_bytes()).decode().splitlines() == [
        "symbol,first_trade_id,last_trade_id,missing,status,after,before",
        "BTCUSDT,40,41,2,open,2024-08-09T00:00:09.750000Z,2024-08-09T00:00:10.500000Z",
    ]
    # Where the last of several cannot be written, those before it are whole, and named.
    trades_path, gaps_path = (Path("part") / f"BTCUSDT-{rows}.csv" for rows in ("trades", "gaps"))
    gaps_path.mkdir(parents=True)
    for as_json in ([], ["--json"]):
        assert main(["export", "btc", "trades,gaps", "--out", "part", *as_json]) == 1
        printed = capsys.readouterr()
        assert printed.err == (
            f"cryptopipe: {gaps_path} cannot be written: Is a directory. Nothing was left behind. "
            f"1 file is whole: {trades_path}.\n"
        )
        assert sorted(path.name for path in (tmp_path / "part").iterdir()) == [
            "BTCUSDT-gaps.csv",
            "BTCUSDT-trades.csv",
            "BTCUSDT-trades.csv.meta.json",
        ]
        if as_json:
            document = json.loads(printed.out)
            assert document["complete"] is False
            assert document["failure"] == printed.err.removeprefix("cryptopipe: ").partition(" 1 file is")[0]
            assert [one["path"] for one in document["files"]] == [str(trades_path)]
        else:
            assert printed.out == f"98 trades of BTCUSDT written to {trades_path}.\n"
    # A range that is asked for and not whole is an exit code of its own; one without a hole is not.
    whole = ["--from", "2024-08-09T00:00:01", "--to", "2024-08-09T00:00:05"]
    assert main(["export", "BTC", "trades", *whole, "--json", "--out", "a.parquet"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["interval"], said["rows"], said["complete"], said["missing"]) == ("trades", 16, True, [])
    later = ["--from", "2024-08-09T00:00:01", "--to", "2024-08-09T00:01"]
    assert main(["export", "BTC", "trades", *later, "--out", "-"]) == 3
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == 96
    assert printed.err.startswith("cryptopipe: 2 trades are missing; the first is 40")
    assert main(["export", "BTC", "trades", "--preset", "ccxt"]) == 2
    assert "--preset ccxt is for candles" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--format", "doc"], "“doc” is not a format: choose one of csv, csv.gz"),
        (["--out", "a.txt"], "“a.txt” names no format: let it end in one of .csv"),
        (["--out", "a.csv", "--format", "json"], "“a.csv” is not the name of a json file"),
        (["--preset", "excel"], "“excel” is not a preset: choose one of default"),
        (["--zone", "Berlin"], "“Berlin” is not a time zone: write it like Europe/Berlin"),
        (["--columns", "open,price"], "“price” is not a column here: choose from open_time"),
        (["--columns", "open,sma_5", "--indicators", "sma:5,rsi"], "--columns leaves out rsi_14, which --indicators"),
        (["--format", "xlsx", "--out", "-"], "An Excel workbook cannot go to standard output"),
        (["--json", "--out", "-"], "would both print on standard output"),
        (["--format", "xlsx", "--to", "2024-08-08"], "1,048,575 rows and these are 3,857,760"),
    ],
)
def test_what_cannot_be_written_is_refused_before_it_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert main(["export", "BTCUSDT", "1m", "--from", "2017-04-08", *arguments]) == 2
    assert sentence in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_several_files_into_one_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (str(tmp_path / "a.csv"), "-"):
        assert main(["export", "BTCUSDT,ETHUSDT", "1m", "--from", "2024-08-08", "--out", path]) == 2
        assert "name a folder with --out" in capsys.readouterr().err


def compact(time_us: int) -> str:
    text = format_time(time_us)[:16].replace("-", "").replace(":", "")
    return text.removesuffix("T0000")


@needs_signals
def test_a_signal_interrupts_export_while_the_exchange_is_silent_and_the_old_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    arguments = ["export", "BTCUSDT", "1m", "--from", "2024-08-08", "--to", "2024-08-09", "--out", str(path)]
    with silent_server() as silent:
        monkeypatch.setenv("CRYPTOPIPE_BINANCE_REST_URL", f"http://{silent.address}")
        for number in (signal.SIGINT, signal.SIGKILL):
            before = len(silent.connections)
            with started(*arguments) as process:
                wait_for(lambda before=before: len(silent.connections) > before, process)
                process.send_signal(number)
                printed = process.communicate(timeout=40)
                if number == signal.SIGINT:
                    assert printed == ("", "cryptopipe: the export was cancelled and left no file.\n")
                    assert process.returncode == 1
    assert [one.name for one in tmp_path.iterdir()] == ["a.csv"]
    assert path.read_text() == "old"


@needs_signals
def test_a_signal_interrupts_export_while_the_database_hangs(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with silent_server() as database:
        arguments = [
            "export",
            "BTCUSDT",
            "1m",
            "--out",
            str(path),
            "--database-url",
            hanging_url(database.address),
        ]
        with started(*arguments) as process:
            wait_for(lambda: database.connections, process)
            process.send_signal(signal.SIGINT)
            printed = process.communicate(timeout=20)
            assert process.returncode == 1
        assert printed == ("", "cryptopipe: the export was cancelled and left no file.\n")
        with started(*arguments) as process:
            wait_for(lambda: len(database.connections) == 2, process)
            process.send_signal(signal.SIGINT)
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=3)
            assert process.returncode == 1
    assert list(tmp_path.iterdir()) == []
