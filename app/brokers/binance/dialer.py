"""
New sockets to the exchange, within the ban and the limit of attempts that all connections of a feed share.

`Dialer.dial` makes one attempt. It makes none while the exchange bans this address or the limit of attempts is used up,
and notes a ban that it meets where REST looks for it too. While the exchange is away, the connection that found that
out probes for all others: they are spared their attempts, and woken as soon as one of its attempts succeeds. When to
try again, and what to subscribe to, is decided by `app.brokers.binance.feed_connection`; what a failure means, by
`app.brokers.binance.error_mapping.explain`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from app.brokers.binance.endpoints import (
    CONNECTION_ATTEMPTS_PERIOD_S,
    FREE_CONNECTION_ATTEMPTS,
    MAX_CONNECTION_ATTEMPTS,
)
from app.brokers.binance.error_mapping import explain
from app.brokers.binance.stream_socket import StreamSocket
from app.brokers.connection_state import PROBE_EVERY_S
from app.brokers.proxy import without_password
from app.brokers.rate_limit import Pacer
from app.market.errors import FeedAway, FeedBanned, FeedDisconnected
from app.market.exchange_ban import ExchangeBan
from app.market.ports.clock import Clock

# After so long without an attempt of the probing connection, which may have been removed, another one probes.
_PROBE_LOST_S = 30.0
# A lost handshake is given up sooner the first time: most often a second one is answered at once.
_FIRST_TIMEOUT_S = 4.0


class AttemptDeferred(FeedDisconnected):
    """No attempt was made, because none may be made yet. ``retry_after_s`` is never None."""


class ProbeDeferred(FeedAway):
    """No attempt was made, because another connection probes for the exchange's return; look again in ``wait_s``."""

    wait_s = PROBE_EVERY_S


class OpenSocket(Protocol):
    """Opens a socket, nothing subscribed on it; raises whatever the connecting raises."""

    async def __call__(self, *, timeout_s: float, proxy: str | None) -> StreamSocket: ...


class Dialer:
    """
    Opens sockets to ``host`` with ``open_socket``, one attempt per call.

    ``proxy`` returns the address of the proxy to use now, or None. ``timeout_s`` is the longest a handshake may take.
    ``on_return`` is called when an attempt succeeds after the exchange was away.
    """

    def __init__(
        self,
        host: str,
        open_socket: OpenSocket,
        *,
        clock: Clock,
        ban: ExchangeBan,
        proxy: Callable[[], str | None],
        timeout_s: float,
        on_return: Callable[[], None] = lambda: None,
    ) -> None:
        self._host = host
        self._open_socket = open_socket
        self._clock = clock
        self._ban = ban
        self._proxy = proxy
        self._timeout_s = timeout_s
        self._on_return = on_return
        self._away = ""  # why, while the exchange is away
        self._probing = 0  # the connection that probes meanwhile
        self._probed_at_s = 0.0
        self._attempts = Pacer(MAX_CONNECTION_ATTEMPTS, CONNECTION_ATTEMPTS_PERIOD_S, burst=FREE_CONNECTION_ATTEMPTS)

    async def dial(self, failures: int = 0, number: int = 0) -> StreamSocket:
        """
        Return a new socket, nothing subscribed on it, for connection ``number``.

        ``failures``: attempts of that connection that just failed in a row.

        Raises:
            AttemptDeferred: Nothing was tried, because of a ban or the limit of attempts.
            ProbeDeferred: Nothing was tried, because the exchange is away and another connection probes.
            FeedDisconnected: The attempt failed; another may succeed.
            FeedRejected: Another attempt would fail too.
        """
        if (deferral := self._deferral()) is not None:
            raise deferral
        now_s = self._clock.monotonic_s()
        if self._away:
            if number != self._probing and now_s - self._probed_at_s < _PROBE_LOST_S:
                raise ProbeDeferred(self._away)
            self._probing, self._probed_at_s = number, now_s
        # Noted before the attempt, because the exchange counts failed ones too.
        self._attempts.note(now_s)
        proxy = self._proxy()
        timeout_s = min(self._timeout_s, _FIRST_TIMEOUT_S * float(2 ** min(failures, 16)))
        try:
            socket = await self._open_socket(timeout_s=timeout_s, proxy=proxy)
        except Exception as error:
            meaning = explain(error, self._host, without_password(proxy or ""))
            if meaning is None:
                raise
            if isinstance(meaning, FeedBanned) and meaning.retry_after_s is not None:
                self._ban.note(str(meaning), meaning.retry_after_s, self._clock.monotonic_s())
            self._note_failure(meaning, number)
            raise meaning from error
        was_away, self._away = self._away, ""
        if was_away:
            self._on_return()
        return socket

    def _note_failure(self, meaning: Exception, number: int) -> None:
        if not isinstance(meaning, FeedAway):
            self._away = ""
        elif not self._away:
            self._away, self._probing, self._probed_at_s = str(meaning), number, self._clock.monotonic_s()
        elif number == self._probing:
            self._away = str(meaning)

    def _deferral(self) -> AttemptDeferred | None:
        now_s = self._clock.monotonic_s()
        if (left_s := self._ban.left_s(now_s)) > 0:
            return AttemptDeferred(self._ban.reason, retry_after_s=left_s)
        if (left_s := self._attempts.delay_s(now_s)) > 0:
            return AttemptDeferred(
                "Connections broke so often that more of them would be against the exchange's limit.",
                retry_after_s=left_s,
            )
        return None
