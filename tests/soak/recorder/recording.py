"""
A process that records the tape as the program records the market, and reports what the database confirmed.

On its standard output: ``open``, then ``acknowledged N`` (the rounds before N are committed), at last ``closed``. It
begins at the first line of its standard input and ends properly when that closes.

Usage: ``python -m tests.soak.recorder.recording DATA_DIR SEED FIRST_ROUND``
"""

from __future__ import annotations

import random
import sys
import threading
import time
from pathlib import Path

from storage.database import Database
from tests.soak.recorder.tape import trades_of_round

DRAIN_S = 120.0
BURSTS = (1, 1, 1, 2, 4, 12)
"""How many rounds are put before the process waits for all that was put; as many may be stored and not acknowledged."""


def main() -> None:
    data_dir, seed, number = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    dice = random.Random(f"{seed} from {number}")
    database = Database.open(None, data_dir)
    print("open", flush=True)
    sys.stdin.readline()
    ending = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ending.set()), daemon=True).start()
    while not ending.is_set():
        for _ in range(dice.choice(BURSTS)):
            assert database.writer.put(trades_of_round(seed, number))
            number += 1
        if not database.writer.drain(DRAIN_S):
            sys.exit(f"not committed within {DRAIN_S:.0f} s: {database.writer.status.reason}")
        print("acknowledged", number, flush=True)
        time.sleep(dice.choice((0.0, 0.0, 0.02)))
    if not database.close():
        sys.exit("it could not be closed in time")
    print("closed", flush=True)


if __name__ == "__main__":
    main()
