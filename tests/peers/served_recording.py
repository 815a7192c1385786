"""
Serves the recording of BTCUSDT by `cryptopipe serve`, and runs clients against it, such as `served_reader.py`.

The trades go into an empty database; the last of them only while a client watches. What the clients should read is
written beside: the trades, and candles that Python makes of them, not the database.

Usage: ``python -m tests.peers.served_recording [--tls] FOLDER PYTHON READER``: a folder for what is expected, the
clients' Python, and the name of the module here that runs them; ``--tls`` for those that want nothing else
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.market.interval import Interval
from app.market.symbol import Symbol
from app.market.trade import Trade
from app.market.units import format_e8
from app.sandbox.market.recording_files import read_recording
from storage.database import Database
from tests.conftest import SHARED_DATA
from tests.end_to_end.helpers import RECORDING
from tests.program import PROGRAM
from tests.servers import EMBEDDED, empty_schema, shared_server, stop_shared_servers
from tests.storage.helpers import folded
from tests.storage.listening import make_certificate

INTERVALS = ("1m", "5m", "1h")
BITCOIN = Symbol("BTCUSDT", "BTC", "USDT", 10**6, 10**3)
WATCHED = 2_000  # trades that are stored while a client watches
_PART = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("python", type=Path)
    parser.add_argument("reader")
    parser.add_argument("--tls", action="store_true")
    options = parser.parse_args()
    trades = recorded_trades()
    options.folder.mkdir(parents=True, exist_ok=True)
    expected = options.folder / "expected.json"
    expected.write_text(json.dumps(expectations(trades[:-WATCHED], trades)))
    try:
        with tempfile.TemporaryDirectory() as folder, empty_schema(shared_server(EMBEDDED)) as url:
            database = Database.open(url, Path(folder) / "writer")
            try:
                store(database, trades[:-WATCHED])
                database.store.save_symbols([BITCOIN])
                more, trusting = certified(Path(folder)) if options.tls else ((), {})
                with serving(url, Path(folder) / "server", *more) as address:
                    reader = Path(__file__).with_name(f"{options.reader}.py")
                    address = address.replace("127.0.0.1", "localhost")  # as the certificate has it
                    # A virtual environment's Python is a link, which may not be resolved.
                    command = [str(options.python.absolute()), str(reader.resolve()), address, str(expected.resolve())]
                    ended = run_reader(command, trusting, Path(folder), database, trades[-WATCHED:])
            finally:
                database.close()
    finally:
        stop_shared_servers()
    sys.exit(ended)


def recorded_trades() -> list[Trade]:
    """Return the trades of the recording, each once, rising."""
    found: dict[int, Trade] = {}
    for name in RECORDING:
        for frame in read_recording(SHARED_DATA / name).frames:
            if frame.trade is not None and frame.trade.symbol == BITCOIN.name:
                found[frame.trade.trade_id] = frame.trade
    return sorted(found.values(), key=lambda trade: trade.trade_id)


def expectations(trades: list[Trade], all_trades: list[Trade]) -> dict[str, object]:
    """Return what clients should read: as the exchange writes amounts, times in milliseconds."""
    return {
        "trades": [
            [one.trade_id, one.time_us // 1000, format_e8(one.price_e8), format_e8(one.quantity_e8), one.is_buyer_maker]
            for one in all_trades
        ],
        "stored": len(trades),
        "candles": {name: _rows(trades, Interval.parse(name)) for name in INTERVALS},
        "whole_minutes": _rows(all_trades, Interval.parse("1m")),
    }


def _rows(trades: list[Trade], interval: Interval) -> list[list[object]]:
    return [
        [
            one.open_time_us // 1000,
            *(format_e8(price) for price in (one.open_e8, one.high_e8, one.low_e8, one.close_e8)),
            format_e8(one.volume_e8),
            one.trades,
        ]
        for one in folded(trades, interval)
    ]


def store(database: Database, trades: list[Trade]) -> None:
    """Store the trades, and wait until they are."""
    assert database.writer.put(trades)
    assert database.writer.drain(60)


@contextmanager
def serving(database_url: str, data_dir: Path, *more: str) -> Iterator[str]:
    """`cryptopipe serve` on that database, with ``more`` options; yields its address."""
    options = ["--port", "0", "--database-url", database_url, "--data-dir", str(data_dir), *more]
    process = subprocess.Popen([*PROGRAM, "serve", *options], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        found = re.search(r"https?://[\d.]+:\d+", process.stdout.readline())
        assert found is not None
        yield found[0]
    finally:
        process.terminate()
        assert process.wait(30) == 0
        process.stdout.close()


def certified(folder: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    """Make a certificate; return the options of a server that has it, and the environment of clients that trust it."""
    certificate = make_certificate(folder, "server", "localhost")
    options = "--serve-certificate", str(certificate), "--serve-key", str(certificate.with_suffix(".key"))
    return options, dict.fromkeys(("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"), str(certificate))


def run_reader(
    command: list[str], environment: dict[str, str], folder: Path, database: Database, trades: list[Trade]
) -> int:
    """Run the clients in ``folder``; return their exit code. Store ``trades`` in parts once one of them watches."""
    environment = {**os.environ, **environment}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=folder)
    assert process.stdout is not None
    for line in process.stdout:
        print(line, end="", flush=True)
        if line.startswith("watching"):
            for at in range(0, len(trades), _PART):
                store(database, trades[at : at + _PART])
                time.sleep(0.05)
    return process.wait()


if __name__ == "__main__":
    main()
