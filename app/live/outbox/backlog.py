"""Trades in memory on their way out, and the giving up of those that are too many."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from app.market.trade import Trade

logger = logging.getLogger(__name__)


class Backlog:
    """
    The trades that have neither been handed to a writer nor are on disk. About ``limit`` of them are kept.

    They are ``leaving``, on their way to the disk, or ``waiting`` behind those; each list in the order they came.
    ``on_lost`` is called with trades given up, ``on_recovered`` when trades are taken again.
    """

    def __init__(self, limit: int, *, on_lost: Callable[[list[Trade]], None], on_recovered: Callable[[], None]) -> None:
        self.limit = limit
        self.leaving: list[Trade] = []
        self.waiting: list[Trade] = []
        self._on_lost = on_lost
        self._on_recovered = on_recovered
        self._losing = False

    def __len__(self) -> int:
        return len(self.leaving) + len(self.waiting)

    @property
    def is_full(self) -> bool:
        """Whether there are more than can be kept."""
        return len(self) > self.limit

    def trades(self) -> list[Trade]:
        """Return all of them, in the order they came."""
        return [*self.leaving, *self.waiting]

    def put_first(self, trades: Sequence[Trade]) -> None:
        """Take back trades that came before those that wait."""
        self.waiting = [*trades, *self.waiting]

    def let_leave(self, most: int) -> list[Trade]:
        """Return the first of those that wait; they are leaving until `arrived`."""
        self.leaving, self.waiting = self.waiting[:most], self.waiting[most:]
        return self.leaving

    def arrived(self, count: int) -> bool:
        """Note that the first ``count`` of those leaving are on disk, and the others wait again; whether all are."""
        refused, self.leaving = self.leaving[count:], []
        if refused:
            self.put_first(refused)
        return not refused

    def give_up(self, keep: int) -> None:
        """Keep that many of those that wait: the newest are the easiest to fetch again."""
        lost, self.waiting = self.waiting[keep:], self.waiting[:keep]
        if lost:
            if not self._losing:
                logger.warning(
                    "the queue is full and the database is away: newest trades are given up until it is back"
                )
            self.lose()
            self._on_lost(lost)

    def lose(self) -> None:
        """Note that trades are lost, here or on disk, until they are `taken` again."""
        self._losing = True

    def taken(self, by: str) -> None:
        """Note that trades find their way again."""
        if self._losing:
            self._losing = False
            logger.info("%s takes trades again", by)
            self._on_recovered()
