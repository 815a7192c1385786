"""
TLS handshakes: each connection has one before it counts among `app.serving.connections`.

Unfinished handshakes take files as well, so their number is bounded: a new one takes the place of the oldest.
asyncio's own listening with TLS knows neither how many there are nor how to cut one.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import cast

_GOODBYE_S = 2.0  # for a client to answer that the connection ends; asyncio would keep it for 30 s


class Handshakes:
    """
    Makes the protocol of each connection that was accepted; ``connected`` makes the one that follows its handshake.

    Used on one loop. `close` ends the handshakes that are not over.
    """

    def __init__(
        self, connected: Callable[[], asyncio.Protocol], context: ssl.SSLContext, within_s: float, most: int
    ) -> None:
        self._connected = connected
        self._context = context
        self._within_s = within_s
        self._most = most
        self._unfinished: dict[asyncio.Transport, asyncio.Task[None]] = {}  # oldest first

    def __call__(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        return _Accepted(self._begin)

    async def close(self) -> None:
        """Cut every connection whose handshake is not over."""
        tasks = list(self._unfinished.values())
        for transport in list(self._unfinished):
            transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, transport: asyncio.Transport) -> None:
        if len(self._unfinished) >= self._most:
            oldest = next(iter(self._unfinished))
            del self._unfinished[oldest]
            oldest.abort()
        self._unfinished[transport] = asyncio.get_running_loop().create_task(self._finish(transport))

    async def _finish(self, transport: asyncio.Transport) -> None:
        early = _EarlyData()
        try:
            with contextlib.suppress(OSError):  # ssl.SSLError is one, as are the timeout and a client that leaves
                secured = await asyncio.get_running_loop().start_tls(
                    transport,
                    early,
                    self._context,
                    server_side=True,
                    ssl_handshake_timeout=self._within_s,
                    ssl_shutdown_timeout=_GOODBYE_S,
                )
                if secured is not None and not early.is_lost and not transport.is_closing():
                    _hand_over(secured, early, self._connected())
        finally:
            self._unfinished.pop(transport, None)


class _Accepted(asyncio.Protocol):
    """A connection before its handshake."""

    def __init__(self, begin: Callable[[asyncio.Transport], None]) -> None:
        self._begin = begin

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        accepted = cast(asyncio.Transport, transport)
        accepted.pause_reading()  # what comes is for the handshake
        self._begin(accepted)


class _EarlyData(asyncio.Protocol):
    """Keeps what a client sent together with the end of its handshake."""

    def __init__(self) -> None:
        self.data = b""
        self.is_lost = False

    def data_received(self, data: bytes) -> None:
        self.data += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True


def _hand_over(secured: asyncio.Transport, early: _EarlyData, protocol: asyncio.Protocol) -> None:
    secured.set_protocol(protocol)
    protocol.connection_made(secured)
    if early.data:
        protocol.data_received(early.data)
