"""``cryptopipe history``: what it brings, what it says of the rest, and that nothing is fetched twice."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

import pytest

from app.live.transfers.downloads import retries
from app.live.transfers.downloads.download import DownloadProgress
from app.live.transfers.downloads.outcome import DownloadOutcome
from app.live.transfers.process_lines import message_of
from app.main import main
from app.market.ports.archive import DAY_US
from app.market.trade import Trade
from app.runtime.shutdown import SHUTDOWN_S
from app.sandbox.server.server import SandboxServer
from storage.database import Database
from storage.files.times import format_time
from tests.program import exchange, needs_signals, point_to, started, wait_for

HOUR_US = DAY_US // 24


@pytest.fixture(autouse=True)
def _no_waits(named_tables: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "WAITS_S", (0,) * 10)


def today_us() -> int:
    now_us = time.time_ns() // 1_000
    return now_us - now_us % DAY_US


def wanted(server: SandboxServer, start_us: int, end_us: int) -> list[Trade]:
    first, end = (server.source.first_id_from("BTCUSDT", at_us) for at_us in (start_us, end_us))
    return server.source.trades("BTCUSDT", first, end - first)


def stored(url: str, data_dir: Path) -> list[Trade]:
    database = Database.open(url, data_dir)
    try:
        return database.store.trades("BTCUSDT", 0, 1 << 62)
    finally:
        database.close()


def test_trades_come_from_archive_and_exchange_and_a_second_run_asks_for_nothing(
    data_dir: Path, named_tables: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Over for more than a day at any hour: the exchange's clock need not be asked for.
    start_us, end_us = today_us() - 4 * DAY_US, today_us() - 2 * DAY_US + 2 * HOUR_US
    arguments = ["--from", format_time(start_us), "--to", format_time(end_us)]
    with exchange(rate=0.05) as server:
        point_to(server, monkeypatch)
        # A name that only the exchange knows yet.
        assert main(["history", "btc", "trades", *arguments, "--source", "rest", "--json"]) == 0
        printed = capsys.readouterr()
        said = json.loads(printed.out)
        assert printed.err == ""
        trades = wanted(server, start_us, end_us)
        assert (said["read"], said["stored"], said["held"], said["refused"]) == (len(trades), len(trades), 0, 0)
        assert (said["missing"], said["skipped"], said["files"][0]["source"]) == (0, [], "rest")
        assert stored(named_tables, data_dir) == trades
        # Two more days, from the archive.
        earlier_us = start_us - 2 * DAY_US
        arguments = ["--from", format_time(earlier_us), "--to", format_time(end_us)]
        server.requests.clear()
        assert main(["history", "BTC/USDT", "trades", *arguments]) == 0
        assert capsys.readouterr().out.endswith("; 2 files from the archive.\n")
        assert sum(path.endswith(".zip") for path in server.requests) == 2
        assert server.requests["/api/v3/historicalTrades"] == 0
        server.requests.clear()
        assert main(["history", "BTCUSDT", "trades", *arguments]) == 0
        printed = capsys.readouterr()
        assert printed.out == "All of it is stored already: nothing was fetched.\n"
        assert printed.err == ""
        assert dict(server.requests) == {}
        assert list((data_dir / "archive").iterdir()) == []
    assert main(["gaps", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert main(["db", "verify"]) == 0


def test_candles_are_fetched_until_now_and_what_cannot_be_had_is_named(
    data_dir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with exchange(rate=0.05) as server:
        point_to(server, monkeypatch)
        # Three days have at least one whole day in them that ended long enough ago to be in the archive.
        assert main(["history", "BTC", "5m", "--days", "3", "--keep-files", "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert said["from"] == format_time(today_us() - 3 * DAY_US)  # as in the dialog: whole days, and today so far
        assert 3 * 288 <= said["read"] == said["stored"] < 4 * 288
        assert {file["kind"] for file in said["files"]} == {"klines"}
        kept = [path.name for path in (data_dir / "archive").iterdir()]
        assert len(kept) >= 1
        assert all(name.startswith("BTCUSDT-5m-") and name.endswith(".zip") for name in kept)
        assert main(["export", "BTC", "5m", "--stored", "--out", str(data_dir.parent / "a.csv")]) == 0
        capsys.readouterr()
        assert main(["history", "BTC", "5m", "--days", "2", "--to", format_time(today_us() - 2 * HOUR_US)]) == 0
        since = format_time(today_us() - 3 * DAY_US)[:10]
        assert capsys.readouterr().out == f"Since {since}: all of it is stored already: nothing was fetched.\n"
        # Both hosts are in trouble: each piece is named, and the exit code says so.
        server.faults.archive.misstate_checksum(times=None)
        start_us = today_us() - 5 * DAY_US
        span = ["--from", format_time(start_us), "--to", format_time(start_us + 2 * DAY_US)]
        assert main(["history", "BTC", "1h", *span, "--json"]) == 3
        printed = capsys.readouterr()
        said = json.loads(printed.out)
        assert [(one["symbol"], one["what"]) for one in said["skipped"]] == [("BTCUSDT", "1h")] * 2
        assert {one["from"] for one in said["skipped"]} == {
            format_time(start_us),
            format_time(start_us + DAY_US),
        }
        lines = printed.err.splitlines()
        assert len(lines) == 2
        assert "does not fit the checksum" in lines[0]
        assert lines[0].startswith(f"cryptopipe: missing: BTCUSDT 1h from {format_time(start_us + DAY_US)[:10]} to ")
        # A symbol that neither has.
        assert main(["history", "BTCUSD", "1h", *span]) == 2
        assert "did you mean BTCUSDT?" in capsys.readouterr().err
    assert main(["history", "BTC", "1h", *span]) == 3
    assert "Cannot reach 127.0.0.1" in capsys.readouterr().err


@needs_signals
def test_a_download_that_is_killed_or_cancelled_goes_on_where_it_was(
    data_dir: Path, named_tables: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    start_us, end_us = today_us() - 4 * DAY_US, today_us() - DAY_US
    arguments = ["history", "BTCUSDT", "trades", "--from", format_time(start_us), "--to", format_time(end_us)]
    with exchange(rate=0.5) as server:
        point_to(server, monkeypatch)
        slow = format_time(start_us)[:10]
        for number in (signal.SIGKILL, signal.SIGINT):
            server.faults.archive.slow_next(60.0, path=slow, times=None)
            server.requests.clear()
            with started(*arguments) as process:
                wait_for(lambda: any(path.endswith(f"{slow}.zip") for path in server.requests), process)
                process.send_signal(number)
                printed = process.communicate(timeout=40)
                assert process.returncode == (1 if number == signal.SIGINT else -signal.SIGKILL)
            if number == signal.SIGINT:
                assert printed[1].startswith("cryptopipe: the download was cancelled; what is stored stays")
        server.faults.clear()
        assert main([*arguments, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["skipped"] == []
        assert stored(named_tables, data_dir) == wanted(server, start_us, end_us)
    assert main(["db", "verify"]) == 0


def test_a_window_reads_lines_and_ends_the_command_by_closing_its_input(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_us, end_us = today_us() - 2 * DAY_US, today_us()
    span = ("--from", format_time(start_us), "--to", format_time(end_us))
    with exchange(rate=0.5) as server:
        point_to(server, monkeypatch)
        slow = format_time(start_us)[:10]
        server.faults.archive.slow_next(60.0, path=slow, times=None)
        with started("history", "BTCUSDT", "1m", *span, "--lines") as process:
            assert process.stdout is not None
            first = message_of(process.stdout.readline().encode(), DownloadProgress)
            assert first.symbols["BTCUSDT"].total == 48.0
            wait_for(lambda: any(slow in path and path.endswith(".zip") for path in server.requests), process)
            assert process.stdin is not None
            process.stdin.close()
            process.stdin = None
            # What it still prints is read, too, and says why where it ended otherwise; the program bounds its end.
            _, said = process.communicate(timeout=2 * SHUTDOWN_S)
            assert process.returncode == 1, said
        server.faults.clear()
        with started("history", "BTCUSDT", "1m", *span, "--lines") as process:
            assert process.stdout is not None
            *_, last = process.stdout.readlines()
            outcome = message_of(last.encode(), DownloadOutcome)
            assert outcome.is_whole
            assert outcome.rows.stored >= 1_440
            assert process.wait(30) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["BTC", "1m"], "either --from 2024-08-08 or --days 30"),
        (["BTC", "1m", "--from", "2024-08-08", "--days", "3"], "either --from"),
        (["BTC", "1m", "--days", "0"], "--days must be"),
        (["BTC", "1m", "--from", "2024-08-08", "--to", "2024-08-08"], "--to must be later"),
        (["BTC", "1m", "--from", "yesterday"], "is not a time"),
        (["BTC", "1x", "--days", "1"], "is not an interval"),
        ([",", "1m", "--days", "1"], "Name at least one symbol"),
        (["BTC", "1m", "--days", "1", "--parallel", "0"], "--parallel must be"),
        (["BTC", "1m", "--days", "1", "--source", "ftp"], "--source cannot be used"),
        (["BTC", "1m", "--days", "1", "--archive-url", "data.binance.vision"], "no address of the exchange"),
    ],
)
def test_wrong_usage_is_one_sentence_and_makes_no_file(
    data_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    monkeypatch.delenv("CRYPTOPIPE_DATABASE_URL")
    assert main(["history", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not data_dir.exists()
