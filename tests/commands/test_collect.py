"""``cryptopipe collect`` when it is refused, interrupted, or cannot do what it promises."""

from __future__ import annotations

import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from app.brokers.binance.endpoints import exchange_of
from app.commands import collect
from app.concurrency.system_clock import SystemClock
from app.live.environment.ban_file import FILE_NAME as BAN_FILE
from app.live.environment.ban_file import StoredBan
from app.live.recording.recorder import Recorder
from app.main import main
from app.market.coverage import IdRanges
from app.market.errors import StoreError
from app.market.ports.storage import WriterStatus
from app.sandbox.server.server import SandboxServer
from storage.database import Database
from storage.postgres.connection import connect
from storage.server.embedded_server import EmbeddedServer
from storage.spool.disk_spool import FILE_NAME
from storage.spool.inspection import read_summary
from tests.program import (
    exchange,
    free_port,
    hanging_url,
    needs_signals,
    point_to,
    servers_in,
    silent_server,
    started,
    wait_for,
)


@pytest.fixture(autouse=True)
def _surroundings(surroundings: None) -> None:
    """Before `server`, which names its addresses in them."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[SandboxServer]:
    with exchange() as made:
        point_to(made, monkeypatch)
        yield made


def test_collect_does_not_start_where_its_metrics_cannot_be_served(
    server: SandboxServer, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["collect", "--symbols", "BTCUSDT", "--for", "60s", "--metrics-port", port]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(rf"cryptopipe: The metrics cannot be served at port {port} .+\.\n", printed.err)


def test_collect_asks_nothing_during_a_ban_that_an_earlier_run_met(
    server: SandboxServer, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data_dir.mkdir(parents=True)
    clock = SystemClock()
    banned = exchange_of(server.rest_url)
    StoredBan(data_dir / BAN_FILE, [banned], clock).note("We are banned.", 900, clock.monotonic_s())
    asked = server._weights.used
    assert main(["collect", "--symbols", "BTCUSDT", "--for", "60s"]) == 1
    assert re.fullmatch(r"cryptopipe: We are banned; it answers again in 14 min \d+ s\.\n", capsys.readouterr().err)
    assert server._weights.used == asked


@pytest.mark.usefixtures("server")
def test_a_bug_in_receiving_fails_the_recording(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], data_dir: Path
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(Recorder, "receive", fail)
    assert main(["collect", "--symbols", "BTCUSDT", "--for", "60s"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.fullmatch(r"cryptopipe: Receiving trades failed inside \(ZeroDivisionError\).+\.\n", printed.err)
    assert "Traceback" in (data_dir / "logs" / "cryptopipe.log").read_text()
    assert servers_in(data_dir) == []


@pytest.mark.usefixtures("server")
def test_a_bug_in_opening_the_database_fails_the_recording(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("app.runtime.wiring.open_database", fail)
    assert main(["collect", "--symbols", "BTCUSDT", "--for", "60s"]) == 1
    assert "Opening the database failed inside (ZeroDivisionError)" in capsys.readouterr().err


@pytest.mark.usefixtures("server")
def test_collect_does_not_claim_to_have_stored_what_it_lost(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRYPTOPIPE_SPOOL_MEGABYTES", "0")
    with silent_server() as database:
        url = hanging_url(database.address, connect_timeout_s=5)
        assert main(["collect", "--symbols", "BTCUSDT", "--for", "2s", "--database-url", url]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    match = re.fullmatch(
        r"cryptopipe: (\d+) of the trades received could not be stored \(\1 were received\).+\.\n", printed.err
    )
    assert match is not None
    assert int(match[1]) > 0


def spooled_ids(data_dir: Path) -> IdRanges:
    """The ids of BTCUSDT that wait on disk."""
    return read_summary(data_dir / FILE_NAME).ids.get("BTCUSDT", IdRanges())


def assert_stored(data_dir: Path, ids: IdRanges, url: str | None = None) -> None:
    database = Database.open(url, data_dir)
    held = database.store.coverage("BTCUSDT")
    stored = [one.trade_id for one in database.store.trades("BTCUSDT", 0, 2**62)]
    assert database.close()
    assert all(not held.missing(first, last) for first, last in ids)
    assert len(stored) == len(set(stored)) == held.count()


@pytest.mark.usefixtures("server")
def test_trades_that_a_hanging_database_did_not_take_are_spooled_and_stored_by_the_next_start(
    capsys: pytest.CaptureFixture[str], data_dir: Path
) -> None:
    with silent_server() as database:
        url = hanging_url(database.address, connect_timeout_s=5)
        assert main(["collect", "--symbols", "BTCUSDT", "--for", "2s", "--database-url", url]) == 1
    printed = capsys.readouterr()
    match = re.fullmatch(
        r"cryptopipe: (\d+) trades wait on disk \(\1 were received\).+ The next start .+\.\n", printed.err
    )
    assert match is not None, printed.err
    waiting = spooled_ids(data_dir)
    assert waiting.count() == int(match[1]) == read_summary(data_dir / FILE_NAME).rows
    assert main(["collect", "--symbols", "BTCUSDT", "--for", "2s"]) == 0
    assert read_summary(data_dir / FILE_NAME).rows == 0
    assert_stored(data_dir, waiting)


@needs_signals
@pytest.mark.usefixtures("server")
def test_spooled_trades_survive_a_kill_and_are_stored_by_the_next_start(data_dir: Path) -> None:
    dying = EmbeddedServer(data_dir.with_name("dying"))
    url = dying.start()
    try:
        with started("collect", "--symbols", "BTCUSDT", "--database-url", url) as process:
            wait_for(lambda: _stored(url) > 20, process)
            assert dying.stop()
            wait_for(lambda: read_summary(data_dir / FILE_NAME).rows > 50, process)
            process.kill()
            process.communicate(timeout=20)
        waiting = spooled_ids(data_dir)
        assert waiting.count() > 50
        assert len(list(waiting)) == 1
        url = dying.start()
        assert main(["collect", "--symbols", "BTCUSDT", "--for", "2s", "--database-url", url]) == 0
        assert read_summary(data_dir / FILE_NAME).rows == 0
        assert_stored(data_dir, waiting, url)
    finally:
        assert dying.stop()


def _stored(url: str) -> int:
    try:
        with connect(url) as connection:
            row = connection.execute("SELECT count(*) FROM trades").fetchone()
    except (StoreError, psycopg.errors.UndefinedTable):  # it is being made
        return 0
    return row[0] if row else 0


def logged(data_dir: Path) -> str:
    path = data_dir / "logs" / "cryptopipe.log"
    return path.read_text() if path.exists() else ""


@needs_signals
def test_collect_starts_without_an_exchange_says_so_and_records_once_it_is_there(
    monkeypatch: pytest.MonkeyPatch, data_dir: Path
) -> None:
    port = free_port()
    monkeypatch.setenv("CRYPTOPIPE_BINANCE_WS_URL", f"ws://127.0.0.1:{port}")
    monkeypatch.setenv("CRYPTOPIPE_BINANCE_REST_URL", f"http://127.0.0.1:{port}")
    with started("collect", "--symbols", "BTC,NOSUCH", "--log-level", "debug") as process:
        wait_for(lambda: "Waiting for the exchange" in logged(data_dir), process)
        with exchange(port):
            wait_for(lambda: "The exchange is back" in logged(data_dir), process)
            wait_for(lambda: "is not recorded" in logged(data_dir), process)
            wait_for(lambda: re.search(r"\d trades stored in", logged(data_dir)), process)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
    assert process.returncode == 0
    match = re.fullmatch(r"(\d+) trades of BTCUSDT received and stored\.\n", out)
    assert match is not None, (out, err)
    assert int(match[1]) > 0
    waiting, *others = err.splitlines()
    assert waiting == (
        "cryptopipe: Waiting for the exchange; recording goes on by itself. "
        f"Cannot reach 127.0.0.1:{port} (connection refused)."
    )
    assert sorted(others) == [
        "cryptopipe: The exchange is back; recording goes on.",
        "cryptopipe: “NOSUCH” is not a symbol of the exchange and is not recorded; the others are.",
    ]


@needs_signals
def test_collect_that_waits_ends_where_the_exchange_turns_out_not_to_have_its_symbols(
    monkeypatch: pytest.MonkeyPatch, data_dir: Path
) -> None:
    port = free_port()
    monkeypatch.setenv("CRYPTOPIPE_BINANCE_WS_URL", f"ws://127.0.0.1:{port}")
    monkeypatch.setenv("CRYPTOPIPE_BINANCE_REST_URL", f"http://127.0.0.1:{port}")
    with started("collect", "--symbols", "NOSUCH") as process:
        wait_for(lambda: "Waiting for the exchange" in logged(data_dir), process)
        with exchange(port):
            out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (2, "")
    assert err.splitlines()[-1] == "cryptopipe: “NOSUCH” is not a symbol of the exchange: name one such as BTCUSDT."


@needs_signals
def test_collect_that_waits_for_the_exchange_is_stopped_cleanly(data_dir: Path) -> None:
    with started("collect", "--symbols", "BTCUSDT") as process:
        wait_for(lambda: "Waiting for the exchange" in logged(data_dir), process)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "0 trades of BTCUSDT received and stored.\n")
    assert len(err.splitlines()) == 1
    assert servers_in(data_dir) == []


def test_collect_without_an_exchange_and_without_a_database_names_the_database(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["collect", "--symbols", "BTCUSDT", "--database-url", "postgresql://x@127.0.0.1:9/x"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("cryptopipe: Could not connect to the database")
    assert "exchange" not in told.err


@needs_signals
def test_the_first_signal_interrupts_collect_also_before_it_begins(
    monkeypatch: pytest.MonkeyPatch, data_dir: Path
) -> None:
    with silent_server() as away:
        monkeypatch.setenv("CRYPTOPIPE_BINANCE_REST_URL", f"http://{away.address}")
        with started("collect", "--symbols", "BTCUSDT") as process:
            wait_for(lambda: away.connections, process)
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=5) == ("0 trades of BTCUSDT received and stored.\n", "")
            assert process.returncode == 0
    assert not (data_dir / "database").exists()


@needs_signals
@pytest.mark.usefixtures("server")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_second_signal_leaves_collect_at_once(number: int) -> None:
    with (
        silent_server() as database,
        started("collect", "--symbols", "BTCUSDT", "--database-url", hanging_url(database.address)) as process,
    ):
        wait_for(lambda: database.connections, process)
        process.send_signal(number)
        time.sleep(0.5)
        assert process.poll() is None
        process.send_signal(number)
        assert process.communicate(timeout=5) == ("", "cryptopipe: Left at once, on the second signal.\n")
        assert process.returncode == 1


@pytest.mark.usefixtures("server")
def test_collect_refuses_a_database_that_may_only_be_read_and_doctor_says_so(
    data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    embedded = EmbeddedServer(data_dir.with_name("other"))
    try:
        url = embedded.start()
        assert Database.open(url, data_dir).close()
        reading = ["--database-url", make_conninfo(url, options="-cdefault_transaction_read_only=on")]
        assert main(["collect", "--symbols", "BTCUSDT", "--for", "20s", *reading]) == 1
        out, err = capsys.readouterr()
        said = "Reading only: the database is set to read-only for the user “cryptopipe”, so trades are not recorded."
        assert (out, err) == ("", f"cryptopipe: {said} Name a user who may record: docs/database.md says how.\n")
        assert main(["doctor", "--json", "--symbols", "BTCUSDT", *reading]) == 0
        assert said in capsys.readouterr().out
        with connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM symbols").fetchone() == (0,)
    finally:
        assert embedded.stop()


@needs_signals
@pytest.mark.usefixtures("server")
def test_collect_ends_in_time_also_where_the_database_hangs() -> None:
    script = "import sys, app.main as program, app.runtime.shutdown as shutdown; "
    script += "shutdown.SHUTDOWN_S = 2; sys.exit(program.main(sys.argv[1:]))"
    with silent_server() as database:
        arguments = [
            "collect",
            "--symbols",
            "BTCUSDT",
            "--for",
            "1s",
            "--database-url",
            hanging_url(database.address),
        ]
        with started(*arguments, script=script) as process:
            out, err = process.communicate(timeout=20)
            assert (process.returncode, out) == (1, "")
    assert re.fullmatch(r"cryptopipe: Ending took more than 2 s .+\.\n", err)


def test_the_running_line_counts_the_trades_received_and_what_is_left_to_do_with_them() -> None:
    def line(queued: int, spooled: int, quoted: int = 0) -> str:
        outbox = SimpleNamespace(spool_status=SimpleNamespace(rows=5 * quoted))
        ticks = SimpleNamespace(symbols=["oanda:EURUSD"] * quoted, ticks_received=1_234, outbox=outbox)
        engine: Any = SimpleNamespace(
            database=SimpleNamespace(writer=SimpleNamespace(status=WriterStatus(stored=99_999, queued=queued))),
            spool_status=SimpleNamespace(rows=spooled),
            clock=SimpleNamespace(monotonic_s=lambda: 0.0),
            feed=SimpleNamespace(status=SimpleNamespace(sentence=lambda _: "", state="live")),
            recorder=SimpleNamespace(trades_received=12_345, missing=lambda: 7),
            quotes=SimpleNamespace(recorder=ticks),
        )
        return collect._progress_line(engine)

    assert line(0, 0) == "live · 12,345 trades received · 7 missing"
    assert line(40, 1_000) == "live · 12,345 trades received · 40 to be stored · 1,000 on disk · 7 missing"
    assert line(0, 0, quoted=1) == "live · 12,345 trades received · 5 on disk · 7 missing · 1,234 ticks received"
