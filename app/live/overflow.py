"""
Trades on their way to the database by the disk.

What is given to `keep` goes behind all that the spool holds, and `pass_on` gives the writer what it has held longest. A
batch stays on disk until the writer has committed it; while it is in both places it is *lent*. So a kill at any moment
costs nothing that `keep` has taken, and what is stored twice after one is stored once, like everything.
"""

from __future__ import annotations

from collections.abc import Sequence

from app.market.coverage import IdRanges
from app.market.ports import SpoolStatus, TradeSpool, TradeWriter
from app.market.trade import Trade

_PASS_ON_TRADES = 10_000
_PATIENCE_S = 0.25


class Overflow:
    """Moves trades between one spool and the writers that come and go. All methods on the loop, one at a time."""

    def __init__(self, spool: TradeSpool) -> None:
        self._spool = spool
        self._lent = 0  # up to this batch everything has been given to …
        self._lent_to: TradeWriter | None = None
        self._forgotten = 0  # and up to this one it has been stored

    @property
    def status(self) -> SpoolStatus:
        """What is on disk."""
        return self._spool.status

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits on disk that is not stored."""
        return self._spool.last_number <= self._forgotten or not self._spool.status.trades

    def held(self, symbol: str) -> IdRanges:
        """Return the ids on disk of a symbol."""
        return self._spool.held(symbol)

    def take_lost(self) -> dict[str, IdRanges]:
        """See `app.market.ports.TradeSpool`."""
        return self._spool.take_lost()

    async def open(self) -> None:
        """Find what an earlier run has left."""
        await self._spool.open()

    async def keep(self, trades: Sequence[Trade]) -> int:
        """Put trades on disk, behind all others; return how many of the first of them it took."""
        return await self._spool.append(trades)

    async def keep_lent(self, trades: Sequence[Trade], writer: TradeWriter) -> int:
        """`keep` what the writer holds and has not committed; the spool is empty."""
        taken = await self._spool.append(trades)
        self._lent, self._lent_to = (
            (self._spool.last_number, writer) if taken == len(trades) else (self._forgotten, None)
        )
        return taken

    async def pass_on(self, writer: TradeWriter) -> bool:
        """
        Give the writer the next trades, or wait a moment for it to commit those it has been given.

        False where what is on disk cannot be read just now: it stays there.
        """
        if writer is not self._lent_to:
            self._lent, self._lent_to = self._forgotten, writer
        if self._lent <= self._forgotten:
            batch = await self._spool.read(self._forgotten, _PASS_ON_TRADES)
            if batch is None:
                return self.is_empty
            if not writer.put(batch.trades):
                await writer.wait_for_room(_PATIENCE_S)
                return True
            self._lent = batch.number
        await self.settle(writer, _PATIENCE_S)
        return True

    async def settle(self, writer: TradeWriter, timeout_s: float) -> None:
        """Let go of what this writer has been given, where it commits that in time."""
        lent = self._lent
        if writer is self._lent_to and lent > self._forgotten and await writer.flush(timeout_s):
            self._forgotten = max(lent, self._forgotten)
            await self._spool.forget(lent)

    async def tidy(self) -> None:
        """Let go once more of what is stored, where the disk would not before; the spool is empty otherwise."""
        if self.is_empty and self._spool.status.trades:
            await self._spool.forget(self._forgotten)

    async def close(self, timeout_s: float) -> bool:
        """End the spool's thread."""
        return await self._spool.close(timeout_s)
