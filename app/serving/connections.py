"""
How many connections there may be. Without a bound a few thousand would take the file descriptors that recording needs.

A connection that brings no complete request in time is cut by aiohttp, whose keep-alive timeout runs from its start.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import cast

from aiohttp import web

_SPARE_FILES = 256  # for the database, the exchange, the log and what else is open
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


def connection_factory(server: web.Server, most: int) -> Callable[[], asyncio.Protocol]:
    """Return what makes the server's side of each connection: a refusal while there are ``most``."""
    return lambda: _Refusal() if len(server.connections) >= most else server()


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
