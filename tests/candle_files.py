"""Candles as an exported file, for tests that compare it with other ways to the same candles."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from app.market.candle import Candle
from storage.files.candle_csv import CandleCsv
from storage.files.target import NewFile


def write_csv(batches: Iterable[list[Candle]], path: Path) -> int:
    """Write the candles into a CSV file, as an export does, and return how many there were."""
    file = CandleCsv(NewFile(path.parent, path.name))
    written = 0
    try:
        for batch in batches:
            file.write(batch)
            written += len(batch)
        file.finish(path.name, {})
    finally:
        file.discard()
    return written
