"""What an export needs of the file it writes; `storage.files` implements it, one class for each format."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from app.market.candle import Candle


class CandleFile(Protocol):
    """
    A file of candles that gets its name only when it is whole. Blocks: call it from a worker thread.

    Every method may raise FileError; nothing is left behind then, and an older file stays as it was.
    """

    def write(self, candles: Sequence[Candle]) -> None:
        """Write candles; each call's come after those of the call before."""

    def finish(self, name: str, facts: Mapping[str, object]) -> Path | None:
        """
        Give the file its name, replacing an older one in one step, and return its path; None for a stream.

        ``name`` is used where the file was given none at first. ``facts`` are written beside it, as JSON.
        """

    def discard(self) -> None:
        """Leave no file. Does nothing after `finish`."""
