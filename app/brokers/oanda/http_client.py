"""
Requests to OANDA, within the limits that hold for all of them: requests a second, and new connections a second.

`HttpClient.get` returns a body; `HttpClient.open_stream` returns an answer whose body never ends. Neither repeats a
request, and neither follows a redirection: the token is for OANDA alone. Once OANDA has refused it, requests fail at
once for a while; only a stream, which the user may ask for again, tries it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace

import aiohttp

from app.brokers.addresses import host_of
from app.brokers.http_session import connector_for, request_proxy
from app.brokers.oanda.credentials import Credentials
from app.brokers.oanda.endpoints import CONNECTIONS_PER_S, REQUESTS_PER_S
from app.brokers.oanda.error_mapping import TokenRefused, answer_error, explain
from app.brokers.proxy import check_proxy, proxy_for, without_password
from app.brokers.rate_limit import Pacer
from app.market.durations import with_retry
from app.market.errors import FeedDisconnected
from app.market.exchange_ban import ExchangeBan
from app.market.ports.clock import Clock

_CONNECTIONS = 2  # of requests, kept open and so opened at once; streams have their own
_MOST_STREAMS = 4  # one, another that replaces it, and those that are just ending
_SHARE = 0.8  # of the requests a second: other programs may use the account, too
_SECOND_S = 1.05  # a little more, because OANDA's seconds are not ours
_CONNECTING_S = 1.5  # longer for connections: two may arrive closer together than they were opened
_PATIENCE_S = 3.0
_REFUSED_S = 600.0  # for which a refused token is not tried by requests
_LONGEST_REFUSAL = 100_000


class HttpClient:
    """
    Requests with one account's token. Use and `close` it on one event loop.

    ``timeout_s`` limits one request including its answer, and the opening of a stream. ``proxy``: see
    `app.brokers.proxy`.

    Raises:
        SettingsError: If ``proxy`` is not one.
    """

    def __init__(
        self, credentials: Credentials, *, clock: Clock, proxy: str = "system", timeout_s: float = 20.0
    ) -> None:
        check_proxy(proxy)
        self._credentials = credentials
        self._clock = clock
        self._proxy_setting = proxy
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(_CONNECTIONS)
        self._requests = Pacer(round(REQUESTS_PER_S * _SHARE), _SECOND_S)
        self._connections = Pacer(CONNECTIONS_PER_S, _CONNECTING_S)
        self._refusal: tuple[float, TokenRefused] | None = None  # since when, and what OANDA said
        self._pauses: dict[str, ExchangeBan] = {}
        self._sessions: dict[tuple[str | None, bool], aiohttp.ClientSession] = {}
        self._old_sessions: list[aiohttp.ClientSession] = []

    @property
    def account(self) -> str:
        """The account that the requests are about."""
        return self._credentials.account

    async def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        self.renew()
        await self._close_old()

    def renew(self) -> None:
        """Use new connections from now on, because the old ones are probably dead: they end with the next request."""
        self._old_sessions += self._sessions.values()
        self._sessions = {}

    async def get(self, base: str, path: str, parameters: Mapping[str, str]) -> bytes:
        """
        Return the body of one answer.

        Raises:
            FeedDisconnected: Try later.
            FeedRejected: The same request would be refused again.
        """
        if self._refusal is not None and self._clock.monotonic_s() - self._refusal[0] < _REFUSED_S:
            raise TokenRefused(str(self._refusal[1]))
        try:
            # A slot before the turn: a request that waits for a connection is sent later than it was counted.
            async with self._slots, asyncio.timeout(self._timeout_s):
                response = await self._open(base, path, parameters, is_stream=False)
                async with response:
                    return await response.read()
        except Exception as error:  # noqa: BLE001  # because it is mapped, or raised as it is
            failure = self._meaning(error, base)
        # Outside of the handler: the error there may hold the request, and with it the token.
        raise failure

    async def open_stream(
        self, base: str, path: str, parameters: Mapping[str, str], *, timeout_s: float
    ) -> aiohttp.ClientResponse:
        """
        Return an answer whose body is a stream; close it.

        Raises:
            FeedDisconnected, FeedRejected: As `get`.
        """
        try:
            async with asyncio.timeout(timeout_s):
                return await self._open(base, path, parameters, is_stream=True)
        except Exception as error:  # noqa: BLE001  # because of the same as in `get`
            failure = self._meaning(error, base)
        raise failure

    async def _open(
        self, base: str, path: str, parameters: Mapping[str, str], *, is_stream: bool
    ) -> aiohttp.ClientResponse:
        host = host_of(base)
        await self._wait_for_turn(host)
        await self._close_old()
        proxy = proxy_for(self._proxy_setting, base)
        session = self._session(proxy, is_stream=is_stream)
        response = await session.get(
            base + path,
            params=parameters,
            # A stream that is packed would come in bursts.
            headers=self._credentials.headers() | ({"Accept-Encoding": "identity"} if is_stream else {}),
            proxy=request_proxy(proxy),
            allow_redirects=False,
        )
        if response.status == 200:
            self._refusal = None
            return response
        async with response:
            body = await response.content.read(_LONGEST_REFUSAL)
        failure = answer_error(response.status, response.headers, body, host, proxy=without_password(proxy or ""))
        if isinstance(failure, TokenRefused):
            self._refusal = (self._clock.monotonic_s(), failure)
        if isinstance(failure, FeedDisconnected) and failure.retry_after_s is not None:
            pause = self._pauses.setdefault(host, ExchangeBan())
            pause.note(str(failure), failure.retry_after_s, self._clock.monotonic_s())
        raise failure

    async def _close_old(self) -> None:
        while self._old_sessions:
            await self._old_sessions.pop().close()

    async def _wait_for_turn(self, host: str) -> None:
        pause = self._pauses.setdefault(host, ExchangeBan())
        while True:
            now_s = self._clock.monotonic_s()
            left_s = pause.left_s(now_s)
            if left_s > _PATIENCE_S:
                raise FeedDisconnected(with_retry(pause.reason, left_s), retry_after_s=left_s)
            delay_s = max(left_s, self._requests.delay_s(now_s))
            if delay_s <= 0:
                self._requests.note(now_s)
                return
            await self._clock.sleep(delay_s)

    def _session(self, proxy: str | None, *, is_stream: bool) -> aiohttp.ClientSession:
        key = (proxy, is_stream)
        if key not in self._sessions:
            pacing = aiohttp.TraceConfig()
            pacing.on_connection_create_start.append(self._wait_for_connection)
            self._sessions[key] = aiohttp.ClientSession(
                connector=connector_for(proxy, _MOST_STREAMS if is_stream else _CONNECTIONS),
                timeout=aiohttp.ClientTimeout(total=None),  # because `get` and `open_stream` have their own
                trace_configs=[pacing],
            )
        return self._sessions[key]

    async def _wait_for_connection(
        self, session: aiohttp.ClientSession, context: SimpleNamespace, start: aiohttp.TraceConnectionCreateStartParams
    ) -> None:
        del session, context, start
        while (delay_s := self._connections.delay_s(self._clock.monotonic_s())) > 0:
            await self._clock.sleep(delay_s)
        self._connections.note(self._clock.monotonic_s())

    def _meaning(self, error: Exception, base: str) -> Exception:
        """Return the error to raise instead of ``error``; that itself where it is a bug."""
        proxy = without_password(proxy_for(self._proxy_setting, base) or "")
        return explain(error, host_of(base), proxy) or error
