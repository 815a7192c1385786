"""What an export needs of the file it writes; `storage.files` implements it for every format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol


class ExportFile(Protocol):
    """
    A file of candles, trades or gaps that gets its name only when it is whole. Blocks: call it from a worker thread.

    Every method may raise FileError; nothing is left behind then, and an older file stays as it was.
    """

    def write(self, rows: Any) -> None:
        """
        Write an Arrow RecordBatch of `app.market.columns.candle_columns`, or of what else the file is for.

        Each call's rows come after those of the call before.
        """

    def finish(self, name: str, facts: Mapping[str, object]) -> Path | None:
        """
        Give the file its name, replacing an older one in one step, and return its path; None for a stream.

        ``name`` is used where the file was given none at first. ``facts`` are written beside it, as JSON, and into it
        where the format allows.
        """

    def discard(self) -> None:
        """Leave no file. Does nothing after `finish`."""
