"""
Lets schemathesis ask every route of the OpenAPI description, with parameters right and wrong, and judge the answers.

Once of a server that reads the recording of BTCUSDT, and once of one that records a simulated market and wants a token.
Exits with what schemathesis ends with: not 0 if any answer is not as described.

Usage: ``python -m tests.peers.described_server SCHEMATHESIS SECONDS``: its program, and for how long it asks each
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from storage.database import Database
from tests.peers.served_recording import BITCOIN, recorded_trades, serving, store
from tests.program import exchange, free_port
from tests.servers import EMBEDDED, empty_schema, shared_server, stop_shared_servers

CONFIG = Path(__file__).resolve().with_name("schemathesis.toml")
TOKEN = "a-token-for-trials"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("schemathesis", type=Path)
    parser.add_argument("seconds", type=int)
    options = parser.parse_args()
    os.environ["CRYPTOPIPE_SERVE_REQUESTS_PER_MINUTE"] = "0"
    try:
        ended = max(ask_all(options.schemathesis, options.seconds) for ask_all in (reading, recording))
    finally:
        stop_shared_servers()
    sys.exit(ended)


def reading(program: Path, seconds: int) -> int:
    """Ask a server that only reads."""
    with tempfile.TemporaryDirectory() as folder, empty_schema(shared_server(EMBEDDED)) as url:
        database = Database.open(url, Path(folder) / "writer")
        try:
            store(database, recorded_trades())
            database.store.save_symbols([BITCOIN])
        finally:
            database.close()
        with serving(url, Path(folder) / "server") as address:
            return ask(program, seconds, address)


def recording(program: Path, seconds: int) -> int:
    """Ask a server that records, and wants a token."""
    with tempfile.TemporaryDirectory() as folder, empty_schema(shared_server(EMBEDDED)) as url, exchange() as market:
        os.environ["CRYPTOPIPE_SERVE_TOKEN"] = TOKEN
        more = ("--record", "--port", str(free_port()), "--symbols", "BTCUSDT", "--binance-ws-url", market.ws_url)
        with serving(url, Path(folder) / "server", *more, "--binance-rest-url", market.rest_url) as address:
            return ask(program, seconds, address, "--header", f"Authorization: Bearer {TOKEN}")


def ask(program: Path, seconds: int, address: str, *more: str) -> int:
    """Run schemathesis for that long, with every check that it has."""
    options = ["--checks", "all", "--workers", "2", "--max-time", str(seconds), "--warnings", "off", *more]
    command = [str(program.absolute()), "--config-file", str(CONFIG), "run", f"{address}/openapi.json", *options]
    with tempfile.TemporaryDirectory() as folder:  # it leaves files where it runs
        return subprocess.run(command, check=False, cwd=folder).returncode


if __name__ == "__main__":
    main()
