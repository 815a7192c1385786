"""
Store and writer for a database that may only be read: they accept every write and discard it.

The recorder then runs as with any database: its queue stays empty and no write fails. `storage.database.Database`
chooses them when it opens, and its ``read_only_reason`` reports that nothing is recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from app.market.candle import Candle
from app.market.interval import Interval
from app.market.ports.storage import WriterStatus
from app.market.symbol import Symbol
from storage.candles.store import PostgresStore

Row = TypeVar("Row")


class ReadOnlyStore(PostgresStore):
    """A `PostgresStore` that reads as usual and saves nothing."""

    def save_klines(
        self, symbol: str, interval: Interval, candles: Sequence[Candle], fetched: tuple[int, int] | None = None
    ) -> int:
        """Discard the candles. Return 0."""
        return 0

    def save_listing(self, symbol: str, listed_us: int) -> None:
        """Discard the time of the listing."""

    def save_fetched_trades(self, symbol: str, start_us: int, end_us: int) -> None:
        """Discard the times."""

    def forget_fetched_trades(self, symbol: str, start_us: int, end_us: int) -> None:
        """Forget nothing."""

    def save_absent(self, symbol: str, absent: Sequence[tuple[int, int]]) -> None:
        """Discard the absent ids."""

    def save_symbols(self, symbols: Sequence[Symbol]) -> None:
        """Discard the symbols."""


class NullWriter(Generic[Row]):
    """A `RowWriter` without a queue or a thread: it discards every row at once."""

    status = WriterStatus()
    refused = 0

    def on_stored(self, listener: Callable[[Sequence[Row], float], None]) -> None:
        """Do nothing: the listener would be called after a commit, and there is none."""

    def put(self, rows: Sequence[Row]) -> bool:
        """Discard the rows. Return True, as if they were queued: after False the caller would spool them."""
        return True

    async def wait_for_room(self, timeout_s: float) -> bool:
        """Return True: there is always room."""
        return True

    async def flush(self, timeout_s: float) -> bool:
        """Return True: there is nothing to commit."""
        return True

    def drain(self, timeout_s: float) -> bool:
        """Return True: there is nothing to commit."""
        return True

    def unwritten(self) -> list[Row]:
        """Return an empty list: a change of databases would hand unwritten rows to the next one."""
        return []

    def close(self, timeout_s: float) -> bool:
        """Return True: there is no thread to end."""
        return True
