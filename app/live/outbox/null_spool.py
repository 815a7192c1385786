"""A spool for runs without a disk to use: it spares `app.live.outbox.spool_path` a special case per call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic

from app.market.coverage import IdRanges
from app.market.ports.storage import Row, SpooledBatch, SpoolStatus


class NullSpool(Generic[Row]):
    """A `RowSpool` that takes and holds nothing."""

    status = SpoolStatus()
    last_number = 0

    async def open(self) -> None:
        """Find nothing."""

    async def append(self, rows: Sequence[Row]) -> int:
        """Take none of the rows."""
        return 0

    async def read(self, after: int, limit: int) -> SpooledBatch[Row] | None:
        """Return None: there is nothing to read."""
        return None

    async def forget(self, number: int) -> None:
        """Do nothing: nothing is kept."""

    def held(self, symbol: str) -> IdRanges:
        """Return no ids."""
        return IdRanges()

    def take_lost(self) -> dict[str, IdRanges]:
        """Return no ids: what was never taken is not lost."""
        return {}

    async def close(self, timeout_s: float) -> bool:
        """There is nothing to end."""
        return True
