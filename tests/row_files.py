"""Row files of values in memory, for tests of imports that are not about a format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from app.market.errors import FileError
from app.market.ports.row_files import (
    OpenRows,
    ReadingOptions,
    RefusedFile,
    RefusedRow,
    RowBatch,
    RowFile,
    RowKind,
    TradeBatch,
)
from app.market.trade import Trade


def trade_batch(trades: Sequence[Trade], refused: Sequence[RefusedRow] = ()) -> TradeBatch:
    """Return trades of one symbol as the batch of a file, in their order."""
    return TradeBatch(
        trades[0].symbol if trades else "BTCUSDT",
        len(trades) + len(refused),
        np.array([trade.trade_id for trade in trades], dtype=np.int64),
        np.array([trade.time_us for trade in trades], dtype=np.int64),
        np.array([trade.price_e8 for trade in trades], dtype=np.int64),
        np.array([trade.quantity_e8 for trade in trades], dtype=np.int64),
        np.array([trade.is_buyer_maker for trade in trades], dtype=np.bool_),
        tuple(refused),
    )


@dataclass
class MemoryFile:
    """A `RowFile`. ``failure``: what its reader raises after the batches. ``lacking``: its shortfall."""

    path: Path
    parts: Sequence[RowBatch]
    kind: RowKind = RowKind.TRADES
    symbol: str | None = "BTCUSDT"
    failure: str = ""
    lacking: str | None = None
    table: str = ""
    read: int = field(default=0, init=False)

    def batches(self) -> Iterator[RowBatch]:
        for batch in self.parts:
            self.read += 1
            yield batch
        if self.failure:
            raise FileError(self.failure)

    def progress(self) -> float:
        return self.read / max(1, len(self.parts))

    def shortfall(self) -> str | None:
        return self.lacking


def opening(*files: RowFile | RefusedFile) -> OpenRows:
    """Return what finds these files at any path."""

    def open_rows(
        path: Path, options: ReadingOptions, is_stopped: Callable[[], bool]
    ) -> Iterator[RowFile | RefusedFile]:
        del path, options, is_stopped
        return iter(files)

    return open_rows
