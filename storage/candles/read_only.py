"""
Stand-ins for a database that may only be read: they accept what is to be written and discard it.

So the recorder works as with any database: no trade waits, and nothing fails. `Database.read_only_reason` says that
nothing is recorded.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.market.candle import Candle
from app.market.interval import Interval
from app.market.ports.storage import StoredListener, WriterStatus
from app.market.symbol import Symbol
from app.market.trade import Trade
from storage.candles.store import PostgresStore


class ReadOnlyStore(PostgresStore):
    """A `PostgresStore` that discards what is to be saved."""

    def save_klines(
        self, symbol: str, interval: Interval, candles: Sequence[Candle], fetched: tuple[int, int] | None = None
    ) -> None:
        """Do nothing."""

    def save_listing(self, symbol: str, listed_us: int) -> None:
        """Do nothing."""

    def save_absent(self, symbol: str, absent: Sequence[tuple[int, int]]) -> None:
        """Do nothing."""

    def save_symbols(self, symbols: Sequence[Symbol]) -> None:
        """Do nothing."""


class NullWriter:
    """A `TradeWriter` that discards every trade, so that none waits."""

    status = WriterStatus()
    refused = 0

    def on_stored(self, listener: StoredListener) -> None:
        """Do nothing: no trade is ever stored."""

    def put(self, trades: Sequence[Trade]) -> bool:
        """Discard the trades; True, as if they were queued."""
        return True

    async def wait_for_room(self, timeout_s: float) -> bool:
        """Return True: there always is room."""
        return True

    async def flush(self, timeout_s: float) -> bool:
        """Return True: there is nothing to commit."""
        return True

    def drain(self, timeout_s: float) -> bool:
        """Return True: there is nothing to commit."""
        return True

    def unwritten(self) -> list[Trade]:
        """Return nothing: discarded trades do not count as unwritten, or another database would be given them."""
        return []

    def close(self, timeout_s: float) -> bool:
        """Return True: there is no thread to end."""
        return True
