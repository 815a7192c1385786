"""
Single requests to Dukascopy: few at once, and none while it asks for a pause.

`HttpClient.get` returns a body, empty where there is nothing, or raises what `answer_error` makes of the answer. It
never repeats a request; `app.brokers.dukascopy.history` does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import aiohttp

from app.brokers.addresses import host_of
from app.brokers.dukascopy.endpoints import SERVICE
from app.brokers.http_session import connector_for, request_proxy
from app.brokers.network_errors import explain_network, not_the_service, retry_after_of, server_fault
from app.brokers.proxy import check_proxy, proxy_for, without_password
from app.market.durations import with_retry
from app.market.errors import FeedDisconnected, FeedError, FeedRejected
from app.market.exchange_ban import ExchangeBan
from app.market.ports.clock import Clock

PARALLEL = 10
"""Requests at once, both interfaces together: more are refused for minutes."""

# A request without a name of its own is answered by an empty page.
_HEADERS = {"User-Agent": "Mozilla/5.0 (compatible; cryptopipe)", "Accept": "*/*"}
_REFUSED_S = 20.0  # to leave it alone after a refusal that names no time


class HttpClient:
    """
    Requests to checked base addresses. Use and `close` it on one event loop.

    During a pause that an interface asked for a request fails at once: the other one may have the answer.
    """

    def __init__(self, *, clock: Clock, proxy: str, timeout_s: float, parallel: int = PARALLEL) -> None:
        check_proxy(proxy)
        self._clock = clock
        self._proxy_setting = proxy
        self._timeout_s = timeout_s
        self._parallel = min(parallel, PARALLEL)
        self._slots = asyncio.Semaphore(self._parallel)
        self._pauses: dict[str, ExchangeBan] = {}
        self._sessions: dict[str | None, aiohttp.ClientSession] = {}

    async def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    async def get(self, base: str, path: str) -> bytes:
        """
        Return the body of ``path`` at ``base``; empty if there is nothing (HTTP 404).

        Raises:
            FeedDisconnected: Try later.
            FeedRejected: The same request would be refused again.
        """
        host = host_of(base)
        # Both interfaces may be at one address, as in the sandbox; they refuse each for itself all the same.
        pause = self._pauses.setdefault(f"{host}/{path.split('/')[1]}", ExchangeBan())
        async with self._slots:
            if (left_s := pause.left_s(self._clock.monotonic_s())) > 0:
                raise FeedDisconnected(with_retry(pause.reason, left_s), retry_after_s=left_s)
            proxy = proxy_for(self._proxy_setting, base)
            try:
                async with self._session(proxy).get(
                    base + path, headers=_HEADERS, proxy=request_proxy(proxy)
                ) as response:
                    body = await response.read()
                    status, headers = response.status, response.headers
            except Exception as error:
                meaning = explain_network(error, host, without_password(proxy or ""), SERVICE)
                if meaning is None:
                    raise
                raise meaning from error
        if status == 200:
            return body
        if status == 404:
            return b""
        failure = answer_error(status, headers, host)
        if isinstance(failure, FeedDisconnected) and failure.retry_after_s is not None:
            pause.note(str(failure), failure.retry_after_s, self._clock.monotonic_s())
        raise failure

    def _session(self, proxy: str | None) -> aiohttp.ClientSession:
        if proxy not in self._sessions:
            self._sessions[proxy] = aiohttp.ClientSession(
                connector=connector_for(proxy, self._parallel), timeout=aiohttp.ClientTimeout(total=self._timeout_s)
            )
        return self._sessions[proxy]


def answer_error(status: int, headers: Mapping[str, str], host: str) -> FeedError:
    """Return the meaning of an answer that is neither 200 nor 404."""
    retry_after = headers.get("Retry-After")
    if status in (403, 429):
        words = "was asked too much too fast" if status == 429 else "turned us away"
        return FeedDisconnected(
            f"{host} {words} (HTTP {status}).", retry_after_s=retry_after_of(retry_after, _REFUSED_S)
        )
    if status == 451:
        return FeedRejected(f"{host} does not serve this location (HTTP 451).")
    if (fault := server_fault(status, retry_after, host)) is not None:
        return fault
    if status < 400:
        return not_the_service(f"HTTP {status}", host, SERVICE)
    return FeedRejected(f"{host} refused the request (HTTP {status}); check the address of {SERVICE}.")
