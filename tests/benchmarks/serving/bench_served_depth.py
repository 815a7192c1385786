"""
How fast a deep database is served: the latest 1,000 candles, ten months of candles, a million trades.

    python -m tests.benchmarks.serving.bench_served_depth [--trades 20] [--data-dir DIR]

The database is that of `bench_switch`: three symbols, so many million trades behind three years of 1 min candles; with
``--data-dir`` it is kept there, and taken if it is there already. `cryptopipe serve` runs in a process of its own; the
times are medians of four requests after one that warms up. The yardstick is a SELECT of a thousand rows of a rollup.
To be met: 30 ms for the latest, 1 s for the others.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

from app.market.interval import MENU_INTERVALS
from storage.database import Database
from storage.postgres.connection import connect
from tests.benchmarks._database import benchmark_folder
from tests.benchmarks.serving.bench_serving import median_ms
from tests.benchmarks.storage import bench_candles
from tests.benchmarks.window.bench_switch import fill, trades_begin_us
from tests.peers.served_recording import serving

RUNS = 4
MONTHS_S = 304 * 86_400
CUSTOM = ("90s", "7m", "17m", "97m")
_PLAIN = "SELECT * FROM rollup_1m WHERE symbol_id = 1 ORDER BY open_time DESC LIMIT 1000"


def served_ms(address: str) -> tuple[float, float]:
    """Return the median time of a request, and the size of its answer in MB; not a number where it is refused."""

    def fetch() -> int:
        with urlopen(address) as answer:
            return len(answer.read())

    try:
        size = fetch()
    except HTTPError:
        return math.nan, 0.0
    return median_ms(fetch, RUNS), size / 1e6


def show(url: str, begin_us: int, trades: int, plain_ms: float) -> None:
    end_s = (begin_us + trades * bench_candles.SPACING_US) // 1_000_000
    for name in [*(interval.name for interval in MENU_INTERVALS), *CUSTOM]:
        latest_ms, _ = served_ms(f"{url}/candles?asset=BTC&duration={name}")
        months = f"symbol=BTC&timeframe={name}&from={end_s - MONTHS_S}&to={end_s}"
        months_ms, size = served_ms(f"{url}/api/candles?{months}")
        print(
            f"{name:>4}: latest 1,000 {latest_ms:6.1f} ms, ratio {latest_ms / plain_ms:5.1f};"
            f" 10 months {months_ms:7.0f} ms, {size:4.1f} MB",
            flush=True,
        )
    arrow_ms, size = served_ms(f"{url}/trades.arrow?symbol=BTC&from={begin_us // 1_000}")
    print(f"1M trades as Arrow {arrow_ms:.0f} ms, {size:.1f} MB")


def measure(data_dir: Path, trades: int) -> None:
    if not data_dir.exists():
        fill(data_dir, trades)
    begin_us = trades_begin_us(data_dir)
    database = Database.open(None, data_dir)
    try:
        with connect(database.url) as connection:
            plain_ms = median_ms(lambda: connection.execute(_PLAIN).fetchall(), RUNS)
        with serving(database.url, data_dir / "serve", "--serve-requests-per-minute", "0") as url:
            began = time.perf_counter()
            show(url, begin_us, trades, plain_ms)
            print(f"a SELECT of 1,000 rows {plain_ms:.1f} ms; all in {time.perf_counter() - began:.0f} s")
    finally:
        database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trades", type=float, default=20.0, help="millions")
    parser.add_argument("--data-dir", type=Path)
    options = parser.parse_args()
    with benchmark_folder() as folder:
        measure(options.data_dir or folder / "data", int(options.trades * 1e6))


if __name__ == "__main__":
    main()
