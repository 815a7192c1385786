"""
How many connections there may be. Without a bound a few thousand would take the file descriptors that recording needs.

A connection that brings no complete request in time is cut by aiohttp, whose keep-alive timeout runs from its start.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from typing import cast

from aiohttp import web

from app.market.ports.clock import Clock

_BEGINS_S = 1.0  # within which a connection that was accepted has its transport
_SPARE_FILES = 256  # for the database, the exchange, the log, and connections that are about to be refused or cut
_BODY = b'{"error":"The server has too many clients: retry later."}'
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nConnection: close\r\nRetry-After: 5\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)


class _Refusal(asyncio.Protocol):
    """A connection too many: answers, whatever it asks, and ends it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        wire = cast(asyncio.Transport, transport)
        wire.write(_FULL)
        wire.close()


class Connections:
    """
    Makes the server's side of each connection, of at most ``most``.

    Once there are so many, a new one takes the place of the one that has been idle longest, so that connections that
    ask for nothing do not keep others out. Where none is idle, the new one is refused.
    """

    def __init__(self, server: web.Server, most: int, clock: Clock) -> None:
        self._server = server
        self._most = most
        self._clock = clock
        self._idle: dict[web.RequestHandler, float] = {}  # since when, longest first; some may have ended

    def __call__(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        if len(self._server.connections) >= self._most and not self._cut_one():
            return _Refusal()
        made = self._server()
        self._idle[made] = self._clock.monotonic_s()
        if len(self._idle) > 2 * self._most:
            self._forget_ended()
        return made

    @contextlib.contextmanager
    def busy(self, connection: web.RequestHandler) -> Iterator[None]:
        """Note that the connection has brought a request, which is answered during the block."""
        self._idle.pop(connection, None)
        try:
            yield
        finally:
            self._idle[connection] = self._clock.monotonic_s()

    def _cut_one(self) -> bool:
        """Cut the connection that has been idle longest; return whether there was any."""
        self._forget_ended()
        longest = next((one for one in self._idle if one.transport is not None), None)
        if longest is None:
            return False
        del self._idle[longest]
        longest.force_close()
        return True

    def _forget_ended(self) -> None:
        begun_s = self._clock.monotonic_s() - _BEGINS_S
        for connection, since_s in list(self._idle.items()):
            if since_s > begun_s:
                break
            if connection.transport is None:
                del self._idle[connection]


def room_for(clients: int) -> int:
    """Let the process have as many open files as that takes, where the system allows it; return how many it may be."""
    try:
        import resource
    except ImportError:  # Windows, which has no such limit
        return clients
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = clients + _SPARE_FILES
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return clients
    raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        soft = raised
    return max(1, min(clients, soft - _SPARE_FILES))


def let_wait(listening: int, most: int) -> None:
    """
    Let ``most`` connections wait to be accepted at a listening socket; beyond that clients try again after a second.

    The backlog of asyncio is also how many it accepts at once, which would be too many open files.
    """
    if os.name == "posix":
        with socket.socket(fileno=os.dup(listening)) as same:
            same.listen(most)
