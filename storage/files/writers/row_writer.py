"""What all formats have in common: rows in batches of one schema, and facts at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

FACTS_KEY = "cryptopipe"
"""The key of the metadata under which the facts of an export stand in a file, as one JSON document."""


class RowWriter(Protocol):
    """Writes one file's rows into an open stream. Every method may raise OSError."""

    def write(self, rows: Any) -> None:
        """Write a RecordBatch of the file's schema."""

    def finish(self, facts: Mapping[str, object]) -> None:
        """Write what ends the file, with the facts where the format has a place for them. The stream stays open."""

    def discard(self) -> None:
        """Free what the writer holds besides the stream. Does nothing after `finish`."""
