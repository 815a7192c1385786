"""
Random switches of symbol and interval, quick and slow, until each is painted: how long that takes, and whether it does.

    python -m tests.benchmarks.window.bench_switching [--turns 1000] [--seed 1] [--rate 200]

On the simulated market in a process of its own and a database of its own, which fill up meanwhile. Every tenth picture
is compared with what a paint of everything makes of it. It ends at the first switch that is not painted within a
minute, and says what there was instead; the same seed then asks for the same again. `make test` has the same with
thirty turns, in tests/end_to_end/test_switching.py.
"""

from __future__ import annotations

import argparse

import numpy as np

from app.config.settings import Settings
from tests.benchmarks._database import benchmark_folder
from tests.end_to_end.helpers import open_window, run_on_qt_loop, simulated_settings, until
from tests.end_to_end.switching import Switcher, assert_shows_what_it_would_paint

DAY_US = 86_400_000_000
COMPARED_EVERY = 10
PATIENCE_S = 60.0


async def measure(settings: Settings, turns: int, seed: int) -> None:
    async with open_window(settings) as running:
        await until(lambda: running.engine.database is not None and running.session.joined, seconds=PATIENCE_S)
        switcher = Switcher(running, settings.symbols, seed=seed, back_us=20 * DAY_US)
        for turn in range(turns):
            await switcher.turn(seconds=PATIENCE_S)
            if turn % COMPARED_EVERY == 0:
                await assert_shows_what_it_would_paint(running)
        switcher.stop()
        took_ms = np.array(switcher.took_s) * 1000
        p50, p99 = np.percentile(took_ms, [50, 99])
        print(f"{turns:,} turns, all painted: median {p50:.0f} ms, p99 {p99:.0f} ms, longest {took_ms.max():.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=200.0)
    options = parser.parse_args()
    sandbox = "--rate", str(options.rate), "--history", "30d"
    with benchmark_folder() as folder, simulated_settings(folder / "data", *sandbox) as settings:
        run_on_qt_loop(lambda: measure(settings, options.turns, options.seed))


if __name__ == "__main__":
    main()
