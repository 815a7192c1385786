"""
Exports candles for freqtrade by the command, as feather and as json, and the same candles as CSV into a folder beside.

`tests.peers.freqtrade_reader` holds one against the other in freqtrade's environment.

Usage: ``python -m tests.peers.freqtrade_files FOLDER [--candles N]``
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from storage.files.times import format_time
from tests.servers import EMBEDDED, empty_schema, shared_server, stop_shared_servers
from tests.soak.files.round_trip import CANDLES_FROM_US, PUBLISHED, RoundTrip, candles_end_us, run_command

INTERVALS = "1m,5m,1h,1d,1M"
PRESET = ["--preset", "freqtrade"]
EXACT = "exact"
NOT_ALL_COMPLETE = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--candles", type=int, default=100_000, help="minutes (100,000)")
    options = parser.parse_args()
    shutil.rmtree(options.folder, ignore_errors=True)
    try:
        with tempfile.TemporaryDirectory() as scratch, empty_schema(shared_server(EMBEDDED)) as url:
            RoundTrip(url, Path(scratch)).fill(url, 0, options.candles)
            span = ["--from", format_time(CANDLES_FROM_US), "--to", format_time(candles_end_us(options.candles))]
            for form, folder in (
                (PRESET, options.folder),
                ([*PRESET, "--format", "json"], options.folder),
                (["--format", "csv"], options.folder / EXACT),
            ):
                arguments = ["export", PUBLISHED, INTERVALS, *span, "--stored", "--out", str(folder), *form]
                ended = run_command(arguments, url)
                if ended.code != NOT_ALL_COMPLETE:
                    sys.exit(f"The export ended with {ended.code}: {ended.complaints}")
    finally:
        stop_shared_servers()


if __name__ == "__main__":
    main()
