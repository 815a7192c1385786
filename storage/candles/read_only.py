"""Stand-ins for what writes, where a database may only be read: they take everything and keep nothing."""

from __future__ import annotations

from collections.abc import Sequence

from app.market.candle import Candle
from app.market.interval import Interval
from app.market.ports.storage import StoredListener, WriterStatus
from app.market.symbol import Symbol
from app.market.trade import Trade
from storage.candles.store import PostgresStore


class ReadOnlyStore(PostgresStore):
    """A `PostgresStore` that passes over what is to be kept."""

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
    """A `TradeWriter` that takes everything and keeps nothing, so that no trade waits for ever."""

    status = WriterStatus()
    refused = 0

    def on_stored(self, listener: StoredListener) -> None:
        """Nothing is ever stored."""

    def put(self, trades: Sequence[Trade]) -> bool:
        """Take the trades and forget them."""
        return True

    async def wait_for_room(self, timeout_s: float) -> bool:
        """There is room."""
        return True

    async def flush(self, timeout_s: float) -> bool:
        """There is nothing to commit."""
        return True

    def drain(self, timeout_s: float) -> bool:
        """There is nothing to commit."""
        return True

    def unwritten(self) -> list[Trade]:
        """Return nothing: what was put was not to be written."""
        return []

    def close(self, timeout_s: float) -> bool:
        """There is nothing to end."""
        return True
