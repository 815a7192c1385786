"""
Asks a host on behalf of a download: ten times again over a hundred seconds, and then no more for that piece.

A host that was away for that long is tried just once for each further piece, until it answers one: a download of a year
then ends soon, and lists what is missing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from app.market.errors import FeedAway, FeedDisconnected
from app.market.ports.clock import Clock

WAITS_S = (1, 2, 4, 8, 10, 15, 15, 15, 15, 15)
_LONGEST_S = sum(WAITS_S)

Answer = TypeVar("Answer")


class Retries:
    """
    The requests to one host. ``on_wait`` is called with a sentence while an answer is waited for, and with "" after.
    """

    def __init__(self, clock: Clock, on_wait: Callable[[str], None]) -> None:
        self._clock = clock
        self._on_wait = on_wait
        self._is_away = False

    async def answer(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """
        Return what ``ask`` returns, in the end.

        Raises:
            FeedError: If trying again is useless, or was so ten times.
        """
        waited_s = 0.0
        for shortest_s in (*WAITS_S, _LONGEST_S + 1):
            try:
                answer = await ask()
            except FeedDisconnected as error:
                is_away = isinstance(error, FeedAway)
                wait_s = max(shortest_s, error.retry_after_s or 0.0)
                if waited_s + wait_s > _LONGEST_S or (is_away and self._is_away):
                    self._is_away = is_away
                    raise
                self._on_wait(str(error))
                waited_s += wait_s
                await self._clock.sleep(wait_s)
            else:
                self._is_away = False
                self._on_wait("")
                return answer
        raise AssertionError("the last try returns, or raises")
