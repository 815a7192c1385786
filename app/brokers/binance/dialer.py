"""
The way to the exchange: what all connections of a feed share, and one attempt to open another of them.

An attempt is made only where the exchange does not keep this address out and the limit of attempts has room. What its
failure means, `faults.explain` says; a ban is noted where everybody looks for it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from app.brokers.binance.error_mapping import explain
from app.brokers.binance.stream_socket import Deliver, StreamSocket
from app.brokers.proxy import shown
from app.brokers.rate_limit import Pacer
from app.market.errors import FeedBanned, FeedDisconnected
from app.market.exchange_ban import ExchangeBan
from app.market.ports.clock import Clock
from app.market.ports.exchange import FeedCounters

# A handshake that gets lost is given up sooner the first time: most often the second one is answered at once.
_FIRST_TIMEOUT_S = 4.0


class AttemptDeferred(FeedDisconnected):
    """No attempt was made, because none may be made yet."""


@dataclass(frozen=True, slots=True)
class Dialer:
    """
    What all connections of a feed share: the way to the exchange and its limits, and whom they deliver to.

    ``proxy``: returns the address of the proxy to use now, or None. See `app.brokers.binance.feed.BinanceFeed` for the
    rest.
    """

    url: str
    host: str
    clock: Clock
    proxy: Callable[[], str | None]
    deliver: Deliver
    counters: FeedCounters
    attempts: Pacer
    ban: ExchangeBan
    chance: random.Random
    stall_after_s: float
    max_attempts: int
    max_age_s: float
    connect_timeout_s: float

    async def open(self, failures: int) -> StreamSocket:
        """
        Return a new link, nothing subscribed on it yet, after ``failures`` of the same connection in a row.

        Raises:
            FeedError: What kept it from being opened; `AttemptDeferred` where nothing was tried.
        """
        if (held_back := self._held_back()) is not None:
            raise held_back
        self.attempts.note(self.clock.monotonic_s())
        proxy = self.proxy()
        timeout_s = min(self.connect_timeout_s, _FIRST_TIMEOUT_S * float(2 ** min(failures, 16)))
        try:
            return await StreamSocket.open(
                self.url, self.deliver, self.counters, self.clock, timeout_s=timeout_s, proxy=proxy
            )
        except Exception as error:
            meaning = explain(error, self.host, shown(proxy or ""))
            if meaning is None:
                raise
            if isinstance(meaning, FeedBanned) and meaning.retry_after_s is not None:
                self.ban.note(str(meaning), meaning.retry_after_s, self.clock.monotonic_s())
            raise meaning from error

    def _held_back(self) -> AttemptDeferred | None:
        now_s = self.clock.monotonic_s()
        if (left_s := self.ban.left_s(now_s)) > 0:
            return AttemptDeferred(self.ban.reason, retry_after_s=left_s)
        if (left_s := self.attempts.delay_s(now_s)) > 0:
            return AttemptDeferred(
                "Connections broke so often that more of them would be against the exchange's limit.",
                retry_after_s=left_s,
            )
        return None
