"""
The rows waiting in memory, and which of them are given up when there are too many.

A row stays here until a writer has taken it (`app.live.outbox.writer_path`) or it is on disk
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

    ``on_lost``: these rows were given up. ``on_spool_lost``: these ids of trades, or times of ticks, by symbol, were
    lost with a damaged spool. ``on_recovered``: after either, rows are taken again. ``on_spool_changed``: the rows an
    earlier run left on disk have been counted, or all rows on disk have been stored.
    """

    on_lost: Callable[[list[Row]], None] = _ignore
    on_recovered: Callable[[], None] = _ignore
    on_spool_lost: Callable[[dict[str, IdRanges]], None] = _ignore
    on_spool_changed: Callable[[], None] = _ignore


class Backlog(Generic[Row]):
    """
    The rows that neither a writer has taken nor the disk holds; about ``limit`` of them are kept.

    ``plural`` names them in the log. ``spooling``: those being written to disk now. ``waiting``: all others, which came
    later. Both in arrival order.
    """

    def __init__(self, limit: int, listener: OutboxListener[Row], plural: str) -> None:
        self.limit = limit
        self.plural = plural
        self.spooling: list[Row] = []
        self.waiting: list[Row] = []
        self._listener = listener
        self._is_losing = False

    def __len__(self) -> int:
        return len(self.spooling) + len(self.waiting)

    @property
    def is_full(self) -> bool:
        """Whether there are more rows than ``limit``."""
        return len(self) > self.limit

    def rows(self) -> list[Row]:
        """Return all rows, in arrival order."""
        return [*self.spooling, *self.waiting]

    def put_first(self, rows: Sequence[Row]) -> None:
        """Take back rows that came before those waiting."""
        self.waiting = [*rows, *self.waiting]

    def begin_spooling(self, most: int) -> list[Row]:
        """Move up to ``most`` of the oldest waiting rows to ``spooling``, until `end_spooling`; return them."""
        self.spooling, self.waiting = self.waiting[:most], self.waiting[most:]
        return self.spooling

    def end_spooling(self, count: int) -> bool:
        """Drop the first ``count`` of ``spooling``, now on disk; the rest waits again. Return True if none is left."""
        refused, self.spooling = self.spooling[count:], []
        if refused:
            self.put_first(refused)
        return not refused

    def give_up(self, keep: int) -> None:
        """Give up all waiting rows but the oldest ``keep``: the newest are the easiest to fetch again."""
        lost, self.waiting = self.waiting[keep:], self.waiting[:keep]
        if lost:
            if not self._is_losing:
                logger.warning(
                    "the queue is full and the database is away: newest %s are given up until it is back", self.plural
                )
            self.note_loss()
            self._listener.on_lost(lost)

    def note_loss(self) -> None:
        """Note that rows are lost, in memory or on disk, until `note_progress`."""
        self._is_losing = True

    def note_progress(self, taker: str) -> None:
        """Note that ``taker``, "the database" or "the spool", takes rows; ends a time of losses."""
        if self._is_losing:
            self._is_losing = False
            logger.info("%s takes %s again", taker, self.plural)
            self._listener.on_recovered()
