"""``cryptopipe db``: what it says, its exit codes, and that it works beside a recording."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app.main import main
from app.market.quotes.tick import Tick
from storage.database import Database
from storage.postgres.connection import Connection, connect
from storage.spool.batches import TICKS, TRADES
from storage.spool.disk_spool import FILE_NAME, TICK_FILE_NAME
from storage.spool.sqlite_file import SpoolFile
from tests.program import NOWHERE, set_surroundings, started, unchanged_process, wait_for
from tests.servers import forget
from tests.storage.helpers import some_trades

OLDEST = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=some_trades(1)[0].time_us)


@pytest.fixture(scope="module")
def in_use(reachable_folder: Path) -> Iterator[Database]:
    """The database of a program that is open."""
    data_dir = reachable_folder / "commands" / "data"
    data_dir.parent.mkdir(mode=0o711)
    database = Database.open(None, data_dir)
    try:
        assert database.writer.put([*some_trades(5_000), *some_trades(70, symbol="ETHUSDT")])
        assert database.writer.drain(30)
        yield database
    finally:
        database.close()
        forget(data_dir)


@pytest.fixture
def damaged(in_use: Database) -> Iterator[Connection]:
    """A connection to it; whatever the test breaks is mended afterwards."""
    with connect(in_use.url) as connection:
        yield connection
    assert main(["db", "rebuild"]) == 0


@pytest.fixture(autouse=True)
def _surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reachable_folder: Path) -> Iterator[None]:
    set_surroundings(monkeypatch, tmp_path, reachable_folder / "commands" / "data")
    with unchanged_process():
        yield


def json_of(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    assert main(["db", *arguments, "--json"]) == code
    answer: dict[str, Any] = json.loads(capsys.readouterr().out)
    return answer


@pytest.mark.usefixtures("in_use")
def test_status_is_a_page_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "status"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    lines = printed.out.splitlines()
    assert re.fullmatch(r"Embedded PostgreSQL [\d.]+ · [\d.]+ MB · answers in [\d.]+ ms", lines[0])
    assert lines[1].startswith("postgresql://cryptopipe@/cryptopipe?host=")
    assert max(len(line) for line in [lines[0], *lines[2:]]) <= 100
    assert re.search(r"^BTCUSDT +5,000 +0 +0 +2024-08-08 23:54:15 +2024-08-0\d \d\d:\d\d:\d\d +≈ \d", printed.out, re.M)
    assert re.search(r"^Trades lie in 1 monthly partition, from 2024-08-01 to 2024-09-01;", printed.out, re.M)
    assert re.search(r"^trades +5,070 ", printed.out, re.M)


@pytest.mark.usefixtures("in_use")
def test_status_is_json_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    status = json_of(capsys, "status")
    assert (status["edition"], status["embedded"], status["writable"]) == ("plain", True, True)
    first, second = status["symbols"]
    assert (first["symbol"], first["trades"], first["gaps"], first["missing"]) == ("BTCUSDT", 5_000, 0, 0)
    assert (second["symbol"], second["first_trade_id"], second["last_trade_id"]) == ("ETHUSDT", 100, 169)
    assert datetime.fromisoformat(first["oldest"]) == OLDEST
    assert {table["table"] for table in status["tables"]} >= {"trades", "rollup_1m", "klines"}


@pytest.fixture
def spooled(reachable_folder: Path) -> Iterator[None]:
    """Trades and ticks that wait on disk for the database."""
    folder = reachable_folder / "commands" / "data"
    file = SpoolFile(folder / FILE_NAME, TRADES)
    file.append([*some_trades(3), *some_trades(1, symbol="ETHUSDT")])
    file.close()
    ticks = SpoolFile(folder / TICK_FILE_NAME, TICKS)
    ticks.append([Tick("oanda:EURUSD", at_us, 0, 110_000_000, 110_010_000) for at_us in (0, 1_000_000)])
    ticks.close()
    yield
    (folder / FILE_NAME).unlink()
    (folder / TICK_FILE_NAME).unlink()


@pytest.mark.usefixtures("in_use", "spooled")
def test_status_reports_the_trades_and_ticks_spooled_on_disk(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "status"]) == 0
    said = "4 trades wait on disk for the database, from 2024-08-08 23:54:15 to 2024-08-08 23:54:15 UTC."
    lines = capsys.readouterr().out.splitlines()
    assert said in lines
    assert "2 ticks wait on disk for the database, from 1970-01-01 00:00:00 to 1970-01-01 00:00:01 UTC." in lines
    status = json_of(capsys, "status")
    assert (status["ticks_waiting_on_disk"]["ticks"], status["ticks_waiting_on_disk"]["symbols"]) == (
        2,
        {"oanda:EURUSD": 2},
    )
    assert status["waiting_on_disk"] == {
        "trades": 4,
        "first": OLDEST.isoformat(),
        "last": OLDEST.isoformat(),
        "symbols": {"BTCUSDT": 3, "ETHUSDT": 1},
        "problem": None,
    }
    assert main(["db", "status", "--database-url", f"postgresql://x@{NOWHERE}/x"]) == 1
    assert re.fullmatch(
        r"cryptopipe: Could not connect .+\. 4 trades wait on disk .+\. 2 ticks wait on disk .+\.\n",
        capsys.readouterr().err,
    )


@pytest.mark.parametrize("command", ["status", "verify", "rebuild", "url", "run"])
def test_a_database_that_is_away_is_one_sentence(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", command, "--database-url", f"postgresql://x@{NOWHERE}/x"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(r"cryptopipe: Could not connect to the database: it does not answer; .+\.\n", printed.err)


@pytest.mark.parametrize("command", ["status", "verify", "rebuild", "url", "run"])
def test_where_nothing_is_recorded_nothing_is_made(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["db", command, "--data-dir", str(tmp_path / "none")]) == 2
    assert re.fullmatch(r"cryptopipe: Nothing is recorded in .+\.\n", capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("in_use")
def test_verify_reports_nothing_where_all_agrees(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "verify"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("Nothing differs: 5,070 trades of 2 symbols agree with their ranges and candles (")
    assert printed.err == ""
    assert main(["db", "verify", "eth/usdt"]) == 0
    assert capsys.readouterr().out.startswith("Nothing differs: 70 trades of ETHUSDT agree")
    assert json_of(capsys, "verify", "ETHUSDT")["differences"] == []


def test_verify_lists_the_differences_and_rebuild_mends_them(
    damaged: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged.execute("UPDATE rollup_1m SET volume = volume + 1 WHERE symbol_id = 1")
    damaged.execute("UPDATE coverage SET last_trade_id = last_trade_id + 3 WHERE symbol_id = 2")
    candles = damaged.execute("SELECT count(*) FROM rollup_1m WHERE symbol_id = 1").fetchone()
    assert candles is not None
    names = dict(damaged.execute("SELECT id, name FROM symbols").fetchall())
    report = json_of(capsys, "verify", code=1)
    assert report["totals"] == [
        {"symbol": name, "kind": kind, "number": number}
        for name, kind, number in sorted([(names[1], "candle different", candles[0]), (names[2], "missing trades", 3)])
    ]
    assert main(["db", "verify"]) == 1
    printed = capsys.readouterr()
    assert printed.err == f"cryptopipe: {candles[0] + 3} differences were found: cryptopipe db rebuild mends them.\n"
    assert re.search(r"^[A-Z]+ +candle different +rollup_1m 2024-08-08 23:54:00 +volume ", printed.out, re.M)
    assert main(["db", "rebuild"]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == "Mended:"
    assert printed.err == ""
    assert main(["db", "rebuild"]) == 0
    assert capsys.readouterr().out == "There was nothing to mend.\n"


def test_one_difference_is_counted_in_the_singular_and_rebuild_explains_missing_trades(
    damaged: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged.execute("UPDATE coverage SET last_trade_id = last_trade_id + 1 WHERE symbol_id = 2")
    assert main(["db", "verify"]) == 1
    assert capsys.readouterr().err == "cryptopipe: 1 difference was found: cryptopipe db rebuild mends it.\n"
    assert main(["db", "rebuild"]) == 0
    assert capsys.readouterr().out.endswith(
        ": missing trades: 1\nThe missing trades count as missing now: recording fetches them where the exchange still "
        "can.\n"
    )


def test_symbols_that_nobody_recorded_are_not_counted(damaged: Connection, capsys: pytest.CaptureFixture[str]) -> None:
    damaged.execute("INSERT INTO symbols (name) VALUES ('LTCUSDT')")
    try:
        assert json_of(capsys, "verify")["symbols"] == ["BTCUSDT", "ETHUSDT"]
        assert json_of(capsys, "verify", "LTCUSDT")["symbols"] == ["LTCUSDT"]
    finally:
        damaged.execute("DELETE FROM symbols WHERE name = 'LTCUSDT'")


@pytest.mark.usefixtures("in_use")
def test_a_symbol_that_is_not_there_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("verify", "rebuild"):
        assert main(["db", command, "LUNA"]) == 2
        assert capsys.readouterr().err == (
            "cryptopipe: “LUNA” is not in the database: name a symbol that was recorded there.\n"
        )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send")
def test_ctrl_c_cancels_the_running_query(in_use: Database) -> None:
    with connect(in_use.url) as other, connect(in_use.url) as holder, holder.transaction():
        # Whoever holds this lock keeps verifying from reading the ranges.
        holder.execute("LOCK TABLE coverage IN ACCESS EXCLUSIVE MODE")
        with started("db", "verify") as process:
            wait_for(lambda: waiting(other), process)
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=20) == ("", "cryptopipe: interrupted before it was done.\n")
            assert process.returncode == 1
            assert not waiting(other)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send")
def test_a_rebuild_that_is_killed_is_finished_by_the_next(in_use: Database, damaged: Connection) -> None:
    damaged.execute("TRUNCATE rollup_5s, rollup_1h; DELETE FROM coverage")
    with connect(in_use.url) as other, damaged.transaction():
        damaged.execute("LOCK TABLE coverage IN SHARE MODE")  # its last step must wait
        with started("db", "rebuild") as process:
            wait_for(lambda: waiting(other), process)
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
    assert main(["db", "verify"]) == 1
    assert main(["db", "rebuild"]) == 0
    assert main(["db", "verify"]) == 0


def waiting(connection: Connection) -> bool:
    """Whether anyone waits for a lock."""
    return connection.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() != (0,)
