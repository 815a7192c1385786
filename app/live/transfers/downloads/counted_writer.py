"""Stores trades fetched from the exchange by the database's writer, and counts what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from app.live.transfers.downloads.report import StoredRows
from app.market.errors import StoreUnavailable
from app.market.ports.database import OpenedDatabase
from app.market.trade import Trade

_FLUSH_S = 60.0
_ROOM_S = 60.0


class CountedWriter:
    """
    Shared by all trade downloads of a run, on the loop. Nobody else may use the writer meanwhile.

    The writer counts for all symbols together, so one answer of the exchange is stored at a time. Another program may
    have stored its trades since the ids were looked up: those count as held.
    """

    def __init__(self, database: OpenedDatabase) -> None:
        self._database = database
        self._turn = asyncio.Lock()

    async def store(self, trades: Sequence[Trade]) -> StoredRows:
        """
        Store trades, each once, and return what became of them.

        Raises:
            StoreUnavailable: If the database does not take them for a minute.
        """
        writer = self._database.writer
        async with self._turn:
            before = writer.status
            while not writer.put(trades):
                if not await writer.wait_for_room(_ROOM_S):
                    raise self._unavailable()
            if not await writer.flush(_FLUSH_S):
                raise self._unavailable()
            after = writer.status
        stored, refused = after.stored - before.stored, after.contradictions - before.contradictions
        reason = f"{refused:,} contradict the stored trades of their ids, which stand." if refused else ""
        return StoredRows(len(trades), stored, len(trades) - stored - refused, refused, reason=reason)

    def _unavailable(self) -> StoreUnavailable:
        reason = self._database.writer.status.reason
        return StoreUnavailable(reason or "The database takes too long to store trades.")
