"""What a database with 100,000 holes costs the loop a call, as a ratio to sorting as many numbers."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from app.live.repair.repairer import Repairer
from app.market.coverage import IdRanges
from tests.live.helpers import SYMBOL, FakeExchange, HandClock, recorder_for, trade

HOLES = 100_000
IDS = 50  # held and missing, of each stretch
RUNS = 7


def ms_of(call: Callable[[], object], *, before: Callable[[], object] = lambda: None) -> float:
    """Return the best of some runs, in milliseconds of this thread."""
    best = float("inf")
    for _ in range(RUNS):
        before()
        began = time.thread_time()
        call()
        best = min(best, time.thread_time() - began)
    return best * 1e3


def main() -> None:
    held = IdRanges((number * IDS + 1, number * IDS + IDS - 10) for number in range(HOLES))
    recorder = recorder_for(repair_trades=1_000)
    tracker = recorder.tracker(SYMBOL)
    assert tracker is not None
    tracker.note_stored(held)
    tracker.add(trade(HOLES * IDS + 1))
    repairer = Repairer(recorder, FakeExchange([], HandClock()), HandClock())
    numbers = np.random.default_rng(1).integers(0, HOLES * IDS, HOLES)
    yardstick = ms_of(lambda: np.sort(numbers))
    ids = iter(range(HOLES * IDS - 5, 0, -IDS))
    figures = {
        "missing ids, from scratch": ms_of(tracker.missing, before=lambda: tracker.note_stored(held)),
        "missing ids, after one trade": ms_of(
            tracker.missing, before=lambda: tracker.add(trade(next(ids)), live=False)
        ),
        "a trade into a hole": ms_of(lambda: tracker.add(trade(next(ids)), live=False)),
        "what is being repaired": ms_of(lambda: repairer.repairing),
        "the next request": ms_of(repairer._chunks.choose),
    }
    for name, ms in figures.items():
        print(f"{name + ':':36}{ms:7.3f} ms, {ms / yardstick:6.3f} of a sort")


if __name__ == "__main__":
    main()
