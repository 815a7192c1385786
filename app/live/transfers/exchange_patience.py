"""
Asks the exchange on behalf of an export: tries again while that is worth it, and then gives up for good.

An exchange that is away is asked every four seconds, for twenty: with the wait for its last answer that is less than
forty. One that refuses is left alone for as long as it says, if that is a minute at most; a longer ban ends the asking
at once. Whoever exports gets what is stored, and the reason.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from app.market.errors import FeedDisconnected, FeedError, FeedRejected
from app.market.ports.clock import Clock

logger = logging.getLogger(__name__)

PROBE_S = 4.0
AWAY_S = 20.0
REFUSED_S = 60.0

Answer = TypeVar("Answer")


class ExchangePatience:
    """
    ``on_wait`` is called with a sentence while an answer is waited for, and with "" once it is there.

    ``gave_up``: the sentence that says why nothing more is asked; empty until then. ``refusal``: the error behind it,
    if the exchange refused.
    """

    def __init__(self, clock: Clock, on_wait: Callable[[str], None]) -> None:
        self._clock = clock
        self._on_wait = on_wait
        self.gave_up = ""
        self.refusal: FeedRejected | None = None

    async def answer(self, ask: Callable[[], Awaitable[Answer]]) -> Answer | None:
        """Return what ``ask`` returns, or None once `gave_up`."""
        began_s = self._clock.monotonic_s()
        while not self.gave_up:
            try:
                answer = await ask()
            except FeedError as error:
                await self._bear(error, self._clock.monotonic_s() - began_s)
            else:
                self._on_wait("")
                return answer
        return None

    async def _bear(self, error: FeedError, failing_s: float) -> None:
        """Wait until it makes sense to ask again, or give up."""
        wait_s, patience_s = PROBE_S, AWAY_S
        if isinstance(error, FeedDisconnected) and error.retry_after_s is not None:
            wait_s, patience_s = max(error.retry_after_s, 0.0), REFUSED_S
        if not isinstance(error, FeedDisconnected) or failing_s + wait_s > patience_s:
            logger.warning("the exchange is asked no more: %s", error)
            self.gave_up = str(error)
            self.refusal = error if isinstance(error, FeedRejected) else None
            return
        self._on_wait(str(error))
        await self._clock.sleep(wait_s)
