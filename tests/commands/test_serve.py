"""``cryptopipe serve`` on a database that another program records into."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.ipc
import pytest

from app.main import main
from storage.database import Database
from storage.server.embedded_server import EmbeddedServer
from tests.docs import ROOT
from tests.keyrings import MemoryKeyring, using
from tests.program import (
    exchange,
    free_port,
    needs_signals,
    point_to,
    started,
    wait_for,
)
from tests.servers import EMBEDDED, forget, shared_server
from tests.serving.helpers import record
from tests.storage.helpers import some_trades
from tests.storage.quotes.helpers import some_ticks
from tests.tables import our_tables

pytestmark = pytest.mark.usefixtures("surroundings")


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Database]:
    """A database that this process records into and the program's settings name."""
    with our_tables(shared_server(EMBEDDED)) as url:
        monkeypatch.setenv("CRYPTOPIPE_DATABASE_URL", url)
        database = Database.open(url, tmp_path)
        yield database
        assert database.close()


@pytest.fixture
def memory() -> Iterator[MemoryKeyring]:
    """The keyring of commands that run in this process."""
    made = MemoryKeyring()
    with using(made):
        yield made


def answer(url: str, path: str) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(url + path, timeout=20) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"Serving .+ at (http://127\.0\.0\.1:\d+) \(Ctrl-C ends it\)\.\n", line)
    assert found, (line, process.poll())
    return found[1]


@needs_signals
def test_serve_follows_what_another_program_records_and_ends_on_ctrl_c(recorder: Database) -> None:
    trades = some_trades(400)
    record(recorder, trades[:100])
    with started("serve", "--port", "0") as process:
        url = address(process)
        assert answer(url, "/health") == (200, {"status": "ok", "brokers": []})
        for count in (100, 250, 400):
            record(recorder, trades[:count])
            assert answer(url, "/api/metadata?symbol=BTC")[1]["tick_count"] == count
            _, newest = answer(url, "/candles?asset=BTC&duration=1m")
            assert sum(one["volume"] for one in newest["candles"]) == count
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
        assert (out, err, process.returncode) == ("", "", 0)


@needs_signals
def test_while_the_database_is_away_data_is_refused_and_later_served_again(data_dir: Path) -> None:
    own = EmbeddedServer(data_dir.with_name("own"))
    url = own.start()
    try:
        database = Database.open(url, data_dir)
        record(database, some_trades(10))
        database.close()
        with started("serve", "--port", "0", CRYPTOPIPE_DATABASE_URL=url) as process:
            served = address(process)
            path = "/api/candles?symbol=BTC&interval=1m"
            assert answer(served, path)[0] == 200
            assert own.stop()
            wait_for(lambda: answer(served, "/health")[0] == 503, process)
            status, body = answer(served, path)
            assert status == 503
            assert body["error"].startswith("Could not ")
            own.start()
            wait_for(lambda: answer(served, "/health")[0] == 200, process)
            assert answer(served, path)[0] == 200
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
    finally:
        own.stop()
        forget(data_dir.with_name("own"))


def test_serve_says_in_one_line_why_it_does_not_start(
    recorder: Database, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, memory: MemoryKeyring
) -> None:
    def refusal(code: int, *arguments: str) -> str:
        assert main(["serve", *arguments]) == code
        printed = capsys.readouterr()
        assert printed.out == ""
        assert re.fullmatch(r"cryptopipe: .+\.\n", printed.err)
        return printed.err

    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "it is in use" in refusal(2, "--port", str(taken.getsockname()[1]))
    assert "could be read from other machines" in refusal(2, "--host", "0.0.0.0")
    assert "from 0 to 65535" in refusal(2, "--port", "65536")
    assert "is not the origin of a web page" in refusal(2, "--serve-origins", "charts")
    memory.kept["cryptopipe", "serve_token"] = "t0ken"
    assert "serve_certificate and serve_key" in refusal(2, "--host", "::", "--serve-certificate", "x")
    monkeypatch.delenv("CRYPTOPIPE_DATABASE_URL")
    assert "Nothing is recorded" in refusal(2)


@needs_signals
def test_the_examples_of_the_document_give_what_is_stored(recorder: Database, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed: the examples were not run")
    text = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
    examples = re.findall(r"^(curl .+)$", text, re.MULTILINE)
    assert len(examples) >= 7
    record(recorder, [one._replace(time_us=one.time_us + 600_000_000) for one in some_trades(100)])
    assert recorder.tick_writer.put(some_ticks(100, symbol="oanda:EURUSD", start_us=1_783_504_800_000_000))
    assert recorder.tick_writer.drain(30.0)
    with started("serve", "--port", "0") as process:
        url = address(process)
        for example in examples:
            done = subprocess.run(
                ["sh", "-c", example.replace("curl ", "curl -sSf ", 1).replace("http://127.0.0.1:8080", url)],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=30,
                check=False,
            )
            assert (done.returncode, done.stderr) == (0, ""), example
            if "trades.arrow" in example:
                assert pyarrow.ipc.open_stream((tmp_path / "trades.arrow").read_bytes()).read_all().num_rows == 100
            elif "quotes.arrow" in example:
                assert pyarrow.ipc.open_stream((tmp_path / "quotes.arrow").read_bytes()).read_all().num_rows == 100
            elif "/metrics" not in example or "json" in example:
                assert json.loads(done.stdout) != []
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


@needs_signals
def test_serve_can_record_as_well(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with exchange() as market:
        point_to(market, monkeypatch)
        monkeypatch.setenv("CRYPTOPIPE_SYMBOLS", "BTC")
        with started("serve", "--record", "--port", str(free_port())) as process:
            url = address(process)
            wait_for(lambda: answer(url, "/health")[0] == 200, process)
            wait_for(lambda: answer(url, "/api/metadata?symbol=BTC")[0] == 200, process)
            wait_for(lambda: answer(url, "/api/metadata?symbol=BTC")[1]["tick_count"] > 20, process)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=40)
        assert (err, process.returncode) == ("", 0)
        assert re.fullmatch(r"\d+ trades of BTCUSDT received and stored\.\n", out)


@needs_signals
def test_serve_alone_has_the_metrics_at_their_port_unless_a_recorder_has_it(recorder: Database) -> None:
    port = free_port()
    own = f"http://127.0.0.1:{port}"
    with started("serve", "--port", "0", CRYPTOPIPE_METRICS_PORT=str(port)) as process:
        url = address(process)
        assert metrics_of(f"{own}/metrics") == metrics_of(f"{url}/metrics") != ""
        assert answer(own, "/health") == (200, {"status": "ok", "brokers": []})
        assert answer(own, "/api/metadata")[0] == 404
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30) == ("", "")
    with (
        socket.create_server(("127.0.0.1", port)),
        started("serve", "--port", "0", CRYPTOPIPE_METRICS_PORT=str(port)) as process,
    ):
        url = address(process)
        assert process.stdout is not None
        assert process.stdout.readline() == (
            f"The metrics cannot be served at port {port} (it is in use): set metrics_port to another, or to 0 for "
            f"none. They are at {url}/metrics as well.\n"
        )
        assert "cryptopipe_serve_clients" in metrics_of(f"{url}/metrics")
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30) == ("", "")
        assert process.returncode == 0


def metrics_of(url: str) -> str:
    """The names of the metrics; their values change with every request."""
    with urllib.request.urlopen(url, timeout=20) as response:
        return "\n".join(line for line in response.read().decode().splitlines() if line.startswith("# TYPE"))
