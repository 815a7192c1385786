"""
The trades waiting in memory, and which of them are given up when there are too many.

A trade stays here until a writer has taken it (`app.live.outbox.writer_path`) or it is on disk
(`app.live.outbox.spool_path`). Losses, and the end of them, are reported to one `OutboxListener`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic

from app.market.coverage import IdRanges
from app.market.ports.storage import Row

logger = logging.getLogger(__name__)


def _ignore(*_: object) -> None:
    """Default callback: do nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboxListener(Generic[Row]):
    """
    The callbacks of an outbox's owner, all called on the loop.

    ``on_lost``: these trades were given up. ``on_spool_lost``: these ids, by symbol, were lost with a damaged spool.
    ``on_recovered``: after either, trades are taken again. ``on_spool_changed``: the trades an earlier run left on disk
    have been counted, or all trades on disk have been stored.
    """

    on_lost: Callable[[list[Row]], None] = _ignore
    on_recovered: Callable[[], None] = _ignore
    on_spool_lost: Callable[[dict[str, IdRanges]], None] = _ignore
    on_spool_changed: Callable[[], None] = _ignore


class Backlog(Generic[Row]):
    """
    The trades that neither a writer has taken nor the disk holds; about ``limit`` of them are kept.

    ``spooling``: those being written to disk now. ``waiting``: all others, which came later. Both in arrival order.
    """

    def __init__(self, limit: int, listener: OutboxListener[Row]) -> None:
        self.limit = limit
        self.spooling: list[Row] = []
        self.waiting: list[Row] = []
        self._listener = listener
        self._is_losing = False

    def __len__(self) -> int:
        return len(self.spooling) + len(self.waiting)

    @property
    def is_full(self) -> bool:
        """Whether there are more trades than ``limit``."""
        return len(self) > self.limit

    def trades(self) -> list[Row]:
        """Return all trades, in arrival order."""
        return [*self.spooling, *self.waiting]

    def put_first(self, trades: Sequence[Row]) -> None:
        """Take back trades that came before those waiting."""
        self.waiting = [*trades, *self.waiting]

    def begin_spooling(self, most: int) -> list[Row]:
        """Move up to ``most`` of the oldest waiting trades to ``spooling``, until `end_spooling`; return them."""
        self.spooling, self.waiting = self.waiting[:most], self.waiting[most:]
        return self.spooling

    def end_spooling(self, count: int) -> bool:
        """Drop the first ``count`` of ``spooling``, now on disk; the rest waits again. Return True if none is left."""
        refused, self.spooling = self.spooling[count:], []
        if refused:
            self.put_first(refused)
        return not refused

    def give_up(self, keep: int) -> None:
        """Give up all waiting trades but the oldest ``keep``: the newest are the easiest to fetch again."""
        lost, self.waiting = self.waiting[keep:], self.waiting[:keep]
        if lost:
            if not self._is_losing:
                logger.warning(
                    "the queue is full and the database is away: newest trades are given up until it is back"
                )
            self.note_loss()
            self._listener.on_lost(lost)

    def note_loss(self) -> None:
        """Note that trades are lost, in memory or on disk, until `note_progress`."""
        self._is_losing = True

    def note_progress(self, taker: str) -> None:
        """Note that ``taker``, "the database" or "the spool", takes trades; ends a time of losses."""
        if self._is_losing:
            self._is_losing = False
            logger.info("%s takes trades again", taker)
            self._listener.on_recovered()
