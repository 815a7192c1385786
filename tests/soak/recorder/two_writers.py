"""
Two programs record the same trades of one symbol into one database, in random order, with repeats.

    python tests/soak/recorder/two_writers.py [trades]

Prints what is stored in the end, and fails where that is not each trade once.
"""

from __future__ import annotations

import multiprocessing
import random
import sys
import tempfile
import time
from pathlib import Path

from storage.candles.store import PostgresStore
from storage.postgres.connection import connect
from storage.schema.migrate import migrate
from storage.server.embedded_server import EmbeddedServer
from storage.trades.trade_writer import TRADE_ROWS
from storage.writing.batch_writer import BatchWriter
from tests.storage.conftest import forget
from tests.storage.helpers import some_trades, stored

BATCH = 500


def write(url: str, count: int, seed: int) -> None:
    """Write the trades, a fifth of them twice, in an order of the seed's own."""
    dice = random.Random(seed)
    trades = some_trades(count)
    mixed = trades + dice.sample(trades, count // 5)
    dice.shuffle(mixed)
    writer = BatchWriter(lambda: connect(url), TRADE_ROWS)
    for start in range(0, len(mixed), BATCH):
        while not writer.put(mixed[start : start + BATCH]):
            time.sleep(0.01)
    assert writer.drain(600)
    assert writer.close(10)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 200_000
    with tempfile.TemporaryDirectory() as folder:
        data_dir = Path(folder) / "data"
        server = EmbeddedServer(data_dir)
        try:
            url = server.start()
            with connect(url) as connection:
                migrate(connection)
            began = time.monotonic()
            programs = [multiprocessing.Process(target=write, args=(url, count, seed)) for seed in (1, 2)]
            for program in programs:
                program.start()
            for program in programs:
                program.join()
            assert [program.exitcode for program in programs] == [0, 0]
            seconds = time.monotonic() - began
            store = PostgresStore(lambda: connect(url))
            assert stored(store) == some_trades(count)
            ranges = list(store.coverage("BTCUSDT"))
            assert ranges == [(100, count + 99)], ranges
            store.close()
            print(f"{count} trades of two writers, {count // 5} of them repeated by each: stored once, {seconds:.1f} s")
        finally:
            server.stop()
            forget(data_dir)


if __name__ == "__main__":
    main()
