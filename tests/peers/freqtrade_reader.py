"""
Reads the files of `tests.peers.freqtrade_files` with freqtrade's own readers, and compares each candle with the CSV's.

A feather file gives the nearest float to each number. Of a json file pandas, by which freqtrade reads it, may miss that
by the last bit, whoever wrote the file.

Runs where freqtrade is installed, without anything of ours: `make freqtrade`. Exits with 1 if anything differs.

Usage: ``python tests/peers/freqtrade_reader.py FOLDER``
"""

from __future__ import annotations

import csv
import math
import sys
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from freqtrade.data.history.datahandlers import get_datahandler
from freqtrade.enums import CandleType

PAIR, SYMBOL = "ETH/USDT", "ETHUSDT"
TIMEFRAMES = ("1m", "5m", "1h", "1d", "1M")
COLUMNS = ("open", "high", "low", "close", "volume")
FORMATS = {"feather": 0.0, "json": 5e-16}
"""From the format to how far a number may be off, relative to itself."""


def difference(frame: Any, path: Path, most_off: float) -> str:
    """Return how a frame of freqtrade's differs from the candles of the CSV; empty if it does not."""
    if list(frame.columns) != ["date", *COLUMNS]:
        return f"its columns are {list(frame.columns)}"
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if len(frame) != len(rows):
        return f"it has {len(frame):,} candles and not {len(rows):,}"
    times = [moment.to_pydatetime() for moment in frame["date"]]
    for at, row in enumerate(rows):
        if times[at] != datetime.fromisoformat(row["open_time"]):
            return f"candle {at} is of {times[at]} and not of {row['open_time']}"
    for name in COLUMNS:
        for at, (found, row) in enumerate(zip(frame[name].tolist(), rows, strict=True)):
            if not isinstance(found, float) or not math.isclose(found, float(row[name]), rel_tol=most_off):
                return f"the {name} of candle {at} is {found!r} and not {row[name]}"
    return ""


def main() -> None:
    folder = Path(sys.argv[1])
    differences = 0
    for data_format, most_off in FORMATS.items():
        handler = get_datahandler(folder, data_format)
        for timeframe in TIMEFRAMES:
            # As it reads before it cuts off a candle that may be open.
            frame = handler._ohlcv_load(PAIR, timeframe, None, CandleType.SPOT)
            found = difference(frame, folder / "exact" / f"{SYMBOL}-{timeframe}.csv", most_off)
            differences += bool(found)
            name = type(handler).__name__
            print(f"{name:18} {timeframe:>3}: {len(frame):>9,} candles, {found or 'the same'}")
        known = {(pair, timeframe) for pair, timeframe, _ in handler.ohlcv_get_available_data(folder, "spot")}
        if known != {(PAIR, timeframe) for timeframe in TIMEFRAMES}:
            differences += 1
            print(f"{data_format}: freqtrade finds the files of {sorted(known)} only")
    print(f"freqtrade {version('freqtrade')}: {'no difference' if not differences else f'{differences} differences'}")
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
