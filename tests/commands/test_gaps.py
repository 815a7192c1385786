"""``cryptopipe gaps``: what it lists, what it fetches beside a program that records, and how it ends."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.live.repair import repairer
from app.main import main
from app.market.trade import Trade
from app.sandbox.server.server import SandboxServer
from storage.database import Database
from storage.integrity.gap_report import read_gaps
from storage.integrity.verify import verify
from storage.postgres.connection import connect
from storage.postgres.repair_locks import exclusive_repair
from storage.spool.disk_spool import FILE_NAME, DiskSpool
from tests.program import exchange, point_to, set_surroundings, started, unchanged_process, wait_for
from tests.servers import forget
from tests.storage.damage import LEVEL_TABLES

SYMBOL = "BTCUSDT"
PAGE = "historicalTrades"


@pytest.fixture(scope="module")
def server() -> Iterator[SandboxServer]:
    with exchange() as made:
        yield made


@pytest.fixture(scope="module")
def opened(reachable_folder: Path) -> Iterator[Database]:
    """The database of a program that is open, as that of a window is."""
    data_dir = reachable_folder / "gaps" / "data"
    data_dir.parent.mkdir(mode=0o711)
    database = Database.open(None, data_dir)
    try:
        yield database
    finally:
        database.close()
        forget(data_dir)


@pytest.fixture
def in_use(opened: Database) -> Database:
    with connect(opened.url) as connection:
        # Not the symbols: the writer knows their numbers.
        connection.execute(f"TRUNCATE {', '.join(['trades', 'coverage', 'absent_trades', *LEVEL_TABLES])}")
    return opened


@pytest.fixture(autouse=True)
def _surroundings(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reachable_folder: Path, server: SandboxServer
) -> Iterator[None]:
    set_surroundings(monkeypatch, tmp_path, reachable_folder / "gaps" / "data")
    for wait in ("_AWAY_S", "_SHORT_S"):
        monkeypatch.setattr(repairer, wait, 0.05)
    monkeypatch.setattr(repairer, "_DOUBTS_S", (0.05, 0.05))
    point_to(server, monkeypatch)
    with unchanged_process():
        yield
    server.faults.clear()


@pytest.fixture(scope="module")
def trades(server: SandboxServer) -> list[Trade]:
    """Trades of the exchange's past, with ids that follow each other."""
    ids = server.source.trade_ids(SYMBOL)
    assert ids is not None
    found = server.source.trades(SYMBOL, ids[1] - 9_000, 1000)
    while len(found) < 6_000:
        found += server.source.trades(SYMBOL, found[-1].trade_id + 1, 1000)
    assert [one.trade_id for one in found] == list(range(found[0].trade_id, found[-1].trade_id + 1))
    return list(found)


def store(database: Database, *parts: list[Trade]) -> None:
    for part in parts:
        assert database.writer.put(part)
    assert database.writer.drain(30)


def listed(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> list[dict[str, object]]:
    assert main(["gaps", *arguments, "--json"]) == code
    answer: list[dict[str, object]] = json.loads(capsys.readouterr().out)
    return answer


def held(database: Database) -> list[Trade]:
    return database.store.trades(SYMBOL, 0, 1 << 60)


def lack(server: SandboxServer, lacking: range) -> None:
    """Let the exchange have no trades of these ids."""
    server.faults.rest.change_next(
        lambda rows: [row for row in rows if row["id"] not in lacking], times=None, path=PAGE
    )


def test_gaps_are_listed_without_an_exchange(
    in_use: Database, trades: list[Trade], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRYPTOPIPE_BINANCE_REST_URL", "http://127.0.0.1:9")
    store(in_use, trades[:100], trades[150:160], trades[1_400:1_500])
    in_use.store.save_absent(SYMBOL, [(trades[120].trade_id, trades[139].trade_id)])
    assert main(["gaps"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    lines = printed.out.splitlines()
    assert lines[0].split() == ["symbol", "status", "first", "id", "last", "id", "ids", "after", "before"]
    assert [line.split()[:5] for line in lines[1:5]] == [
        [SYMBOL, "open", str(trades[100].trade_id), str(trades[119].trade_id), "20"],
        [SYMBOL, "absent", str(trades[120].trade_id), str(trades[139].trade_id), "20"],
        [SYMBOL, "open", str(trades[140].trade_id), str(trades[149].trade_id), "10"],
        [SYMBOL, "open", str(trades[160].trade_id), str(trades[1_399].trade_id), "1,240"],
    ]
    assert lines[-2:] == ["1,270 trades missing of 1 symbol.", "20 ids the exchange itself has no trade of."]
    with connect(in_use.url) as connection:
        times = [(gap.start_us, gap.end_us) for gap in read_gaps(connection, [SYMBOL])]
        newest = [(gap.start_us, gap.end_us) for gap in read_gaps(connection, [SYMBOL], timed=1)]
    around = (trades[99].time_us, trades[150].time_us)
    assert times == [around, around, around, (trades[159].time_us, trades[1_400].time_us)]
    assert newest == [(None, None)] * 3 + times[-1:]
    rows = listed(capsys, SYMBOL.lower())
    assert rows[0] == {
        "symbol": SYMBOL,
        "first_trade_id": trades[100].trade_id,
        "last_trade_id": trades[119].trade_id,
        "missing": 20,
        "status": "open",
    }


def test_missing_trades_that_are_spooled_on_disk_are_reported(
    in_use: Database, trades: list[Trade], capsys: pytest.CaptureFixture[str], reachable_folder: Path
) -> None:
    store(in_use, trades[:10], trades[50:60])
    path = reachable_folder / "gaps" / "data" / FILE_NAME

    async def spool() -> None:
        disk = DiskSpool(path, 10_000_000)
        await disk.open()
        assert await disk.append(trades[40:70]) == 30
        assert await disk.close(10)

    asyncio.run(spool())
    try:
        assert [(row["missing"], row["on_disk"]) for row in listed(capsys)] == [(40, 10)]
        assert main(["gaps"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[-2:] == [
            "40 trades missing of 1 symbol.",
            "10 of them wait on disk, and are stored by the program that records, or its next start.",
        ]
    finally:
        path.unlink()


def test_no_missing_trades_are_reported_as_such(
    in_use: Database, trades: list[Trade], capsys: pytest.CaptureFixture[str]
) -> None:
    store(in_use, trades[:100])
    assert main(["gaps", SYMBOL]) == 0
    assert capsys.readouterr().out == "Nothing is missing between the trades stored.\n"
    assert listed(capsys) == []


@pytest.mark.usefixtures("in_use")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [(["gaps", "NOPE"], "“NOPE” is not in the database"), (["gaps", "--to-now"], "give --repair, too")],
)
def test_wrong_options_are_refused(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert sentence in capsys.readouterr().err


def test_without_a_database_nothing_is_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["gaps", "--data-dir", str(tmp_path / "none")]) == 2
    assert "Nothing is recorded in" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send")
def test_an_interruption_keeps_what_was_fetched(in_use: Database, trades: list[Trade], server: SandboxServer) -> None:
    store(in_use, trades[:10], trades[5_000:5_010])
    server.faults.rest.hang_next(0.0, times=2, path=PAGE)
    server.faults.rest.hang_next(4.0, times=None, path=PAGE)
    with started("gaps", "--repair") as process:
        wait_for(lambda: server.faults.counts["rest"] >= 3 and len(held(in_use)) > 2_000, process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "fetched and stored." in out
    assert err.endswith("still missing: it was interrupted; what was fetched is stored.\n")
    stored = held(in_use)
    assert stored == [*trades[:10], *trades[5_010 - len(stored) + 10 : 5_010]]
    with connect(in_use.url) as connection:
        assert not verify(connection).totals


def test_all_gaps_are_fetched_whatever_their_size(
    in_use: Database, trades: list[Trade], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRYPTOPIPE_REPAIR_TRADES", "10")
    store(in_use, trades[:10], trades[500:510], trades[4_000:4_010])
    assert main(["gaps", "--repair"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert printed.out == "3,980 trades fetched and stored.\nNothing is missing between the trades stored.\n"
    assert held(in_use) == trades[:4_010]
    with connect(in_use.url) as connection:
        assert not verify(connection).totals


def test_what_the_exchange_lacks_is_recorded_and_not_asked_for_again(
    in_use: Database, trades: list[Trade], capsys: pytest.CaptureFixture[str], server: SandboxServer
) -> None:
    store(in_use, trades[:10], trades[500:510])
    lacking = range(trades[100].trade_id, trades[120].trade_id)
    lack(server, lacking)
    rows = listed(capsys, "--repair")
    assert rows == [
        {
            "symbol": SYMBOL,
            "first_trade_id": lacking[0],
            "last_trade_id": lacking[-1],
            "missing": 20,
            "status": "absent",
        }
    ]
    assert held(in_use) == [one for one in trades[:510] if one.trade_id not in lacking]
    asked = server.faults.counts["rest"]
    assert listed(capsys, "--repair") == rows
    assert server.faults.counts["rest"] == asked
    with connect(in_use.url) as connection:
        assert not verify(connection).totals
    store(in_use, trades[110:112])  # they turn up after all
    assert [row["missing"] for row in listed(capsys)] == [10, 8]


def test_an_answer_without_a_later_trade_proves_nothing(
    in_use: Database, trades: list[Trade], capsys: pytest.CaptureFixture[str], server: SandboxServer
) -> None:
    store(in_use, trades[:10], trades[30:40])
    server.faults.rest.answer_next(b"[]", times=None, path=PAGE)
    assert main(["gaps", "--repair"]) == 1
    printed = capsys.readouterr()
    assert printed.err == "cryptopipe: 20 trades are still missing: The exchange's answers end before them.\n"
    assert [row["status"] for row in listed(capsys)] == ["open"]


def test_an_exchange_that_cannot_be_reached_is_said_in_one_sentence(
    in_use: Database, trades: list[Trade], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store(in_use, trades[:10], trades[30:40])
    monkeypatch.setenv("CRYPTOPIPE_BINANCE_REST_URL", "http://127.0.0.1:9")
    assert main(["gaps", "--repair"]) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith("cryptopipe: 20 trades are still missing: Cannot reach 127.0.0.1")
    assert printed.err.count("\n") == 1


def test_a_repair_survives_failures_on_the_way(
    in_use: Database, trades: list[Trade], server: SandboxServer, capsys: pytest.CaptureFixture[str]
) -> None:
    store(in_use, trades[:10], trades[2_000:2_010])
    server.faults.rest.fail_next(429, retry_after_s=1, path=PAGE)
    server.faults.rest.fail_next(502, path=PAGE)
    server.faults.rest.change_next(lambda rows: rows[: len(rows) // 3], path=PAGE)
    server.faults.rest.cut_next(path=PAGE)
    assert listed(capsys, "--repair") == []
    assert held(in_use) == trades[:2_010]


def test_a_trade_that_contradicts_the_stored_one_changes_nothing(
    in_use: Database, trades: list[Trade], server: SandboxServer, capsys: pytest.CaptureFixture[str]
) -> None:
    store(in_use, trades[:10], trades[30:40])
    server.faults.rest.change_next(lambda rows: [row | {"price": "1.00000000"} for row in rows], path=PAGE)
    assert listed(capsys, "--repair") == []
    stored = held(in_use)
    assert stored[:10] + stored[30:] == trades[:10] + trades[30:40]


def test_to_now_fetches_what_follows_the_newest_trade(
    in_use: Database, server: SandboxServer, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = server.source.trade_ids(SYMBOL)
    assert ids is not None
    store(in_use, list(server.source.trades(SYMBOL, ids[1] - 1_500, 10)))
    assert listed(capsys, "--repair", "--to-now") == []
    ((first, last),) = in_use.store.coverage(SYMBOL)
    assert first == ids[1] - 1_500
    assert last >= ids[1]


def test_to_now_passes_over_symbols_that_the_exchange_has_no_more(
    in_use: Database, server: SandboxServer, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = server.source.trade_ids(SYMBOL)
    assert ids is not None
    known = list(server.source.trades(SYMBOL, ids[1] - 100, 10))
    store(in_use, known, [one._replace(symbol="AGONEUSDT") for one in known])
    assert listed(capsys, "--repair", "--to-now") == []
    ((_, last),) = in_use.store.coverage(SYMBOL)
    assert last >= ids[1]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send")
def test_collect_leaves_its_repairs_to_the_command(
    in_use: Database, trades: list[Trade], capsys: pytest.CaptureFixture[str], server: SandboxServer
) -> None:
    store(in_use, trades[:10], trades[5_000:5_010])
    server.faults.rest.hang_next(1.0, times=None, path=PAGE)
    with started("collect", "--symbols", SYMBOL) as process:
        wait_for(lambda: {row["status"] for row in listed(capsys)} == {"repairing"}, process)
        log = Path(os.environ["CRYPTOPIPE_DATA_DIR"]) / "logs" / "cryptopipe.log"
        with connect(in_use.url) as connection, exclusive_repair(connection, [SYMBOL]):
            wait_for(lambda: "another program fetches the missing trades" in log.read_text(), process)
            assert {row["status"] for row in listed(capsys)} == {"repairing"}
        server.faults.clear()
        wait_for(lambda: not listed(capsys), process)  # it goes on when the other is done
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    with connect(in_use.url) as connection:
        assert not verify(connection).totals


def test_a_second_repair_of_a_symbol_is_refused(
    in_use: Database, trades: list[Trade], capsys: pytest.CaptureFixture[str]
) -> None:
    store(in_use, trades[:10], trades[30:40])
    in_use.store.announce_repairs({SYMBOL}, (), 20)  # a program that records
    assert [row["status"] for row in listed(capsys)] == ["repairing"]
    in_use.store.announce_repairs((), (), 0)
    with connect(in_use.url) as connection, exclusive_repair(connection, [SYMBOL]):
        assert [row["status"] for row in listed(capsys)] == ["repairing"]
        assert main(["gaps", "--repair"]) == 1
        assert "Another program is fetching what is missing of BTCUSDT" in capsys.readouterr().err
    assert [row["status"] for row in listed(capsys)] == ["open"]
