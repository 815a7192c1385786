"""
Single REST requests, within the limits that hold for all of them.

`HttpClient.get` waits while the minute's weight is used up, fails at once while the exchange bans this address, and
notes what each answer reports about both. It never repeats a request. The endpoints and the meaning of their answers
are in `app.brokers.binance.rest`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

import aiohttp

from app.brokers.addresses import host_of
from app.brokers.binance.endpoints import TIME_UNIT_HEADERS, USED_WEIGHT_HEADER, Endpoint, exchange_of
from app.brokers.binance.error_mapping import explain, response_error
from app.brokers.http_session import connector_for, request_proxy
from app.brokers.proxy import proxy_for, without_password
from app.brokers.rate_limit import SHARE_USED, WeightBudget
from app.market.durations import in_words
from app.market.errors import FeedBanned, FeedDisconnected, FeedError, MalformedMessage
from app.market.exchange_ban import ExchangeBan
from app.market.ports.clock import Clock

log = logging.getLogger(__name__)

T = TypeVar("T")

# A wait shorter than this is not worth reporting; a longer one is reported at once.
_PATIENCE_S = 3.0


class HttpClient:
    """
    Requests to ``base``, a checked base address. Use and `close` it on one event loop.

    ``budget``: the weight that all requests share, and ``share`` the part of it that this client may use. See
    `app.brokers.binance.rest.BinanceRest` for the other parameters.
    """

    def __init__(
        self,
        base: str,
        *,
        clock: Clock,
        timeout_s: float,
        proxy: str,
        ban: ExchangeBan,
        budget: WeightBudget,
        share: float = SHARE_USED,
    ) -> None:
        self._base = base
        self._clock = clock
        self._timeout_s = timeout_s
        self._budget = budget
        self._share = share
        self._proxy_setting = proxy
        self._proxy: str | None = None  # of the open session
        self._session: aiohttp.ClientSession | None = None
        self._old_sessions: list[aiohttp.ClientSession] = []
        self._requests: set[asyncio.Timeout] = set()
        self._ban = ban
        # A failing host, or one that does not belong to the chosen exchange, may ask for a pause that concerns only
        # itself.
        self._host_pauses: dict[str, ExchangeBan] = {}

    async def close(self) -> None:
        """Close the connections, which ends open requests; a later request opens new connections."""
        self.renew()
        await self._close_old()

    def renew(self) -> None:
        """Use new connections from now on, and end open requests: the old connections are probably dead."""
        if self._session is not None:
            self._old_sessions.append(self._session)
            self._session = None
        requests, self._requests = self._requests, set()
        for request in requests:
            request.reschedule(0.0)  # a time long past, so it expires at once

    async def get(
        self,
        endpoint: Endpoint,
        params: Mapping[str, str],
        decode: Callable[[bytes], T],
        *,
        base: str | None = None,
        share: float | None = None,
    ) -> T:
        """
        Send one GET request and return its answer's body, decoded by ``decode``.

        ``base``: another base address for this request. ``share``: the part of the minute's weight that may be used
        afterwards, if that is less than the client's.

        Raises:
            FeedDisconnected: Try later.
            FeedRejected: The same request would be refused again.
        """
        address = base or self._base
        host = host_of(address)
        await self._wait_for_budget(endpoint.weight, min(share or self._share, self._share), host)
        await self._close_old()
        url = address + endpoint.path
        session = self._open_session()
        proxy = request_proxy(self._proxy)
        try:
            async with (
                self._until_renewed(host),
                session.get(url, params=params, headers=TIME_UNIT_HEADERS, proxy=proxy) as response,
            ):
                self._observe(response.headers)
                body = await response.read()
                if response.status != 200:
                    raise self._note_failure(response.status, response.headers, body, params, address)
                return decode(body)
        except Exception as error:
            meaning = explain(error, host, without_password(self._proxy or ""))
            if meaning is None or meaning is error:
                raise
            if isinstance(error, MalformedMessage):
                log.warning("%s", error)
            raise meaning from error

    @asynccontextmanager
    async def _until_renewed(self, host: str) -> AsyncIterator[None]:
        """
        Raise FeedDisconnected within the context once `renew` is called.

        Closing the session is not enough: aiohttp does not wake a caller that reads the rest of a body, which would
        then wait for its time-out.
        """
        renewal = asyncio.timeout(None)
        try:
            async with renewal:
                self._requests.add(renewal)
                yield
        except TimeoutError as error:
            if not renewal.expired():
                raise
            raise FeedDisconnected(f"The connection to {host} was given up before it answered.") from error
        finally:
            self._requests.discard(renewal)

    async def _close_old(self) -> None:
        """Close the sessions that `renew` replaced."""
        while self._old_sessions:
            await self._old_sessions.pop().close()

    async def _wait_for_budget(self, weight: int, share: float, host: str) -> None:
        pause = self._host_pauses.setdefault(host, ExchangeBan())
        while True:
            now_s = self._clock.monotonic_s()
            banned_s = self._ban.left_s(now_s)
            if banned_s > _PATIENCE_S:
                raise FeedBanned(_with_wait(self._ban.reason, banned_s), retry_after_s=banned_s)
            paused_s = pause.left_s(now_s)
            if paused_s > _PATIENCE_S:
                raise FeedDisconnected(_with_wait(pause.reason, paused_s), retry_after_s=paused_s)
            delay_s = max(banned_s, paused_s, self._budget.delay_s(weight, self._clock.now_us(), share))
            if delay_s <= 0:
                self._budget.spend(weight, self._clock.now_us())
                return
            await self._clock.sleep(delay_s)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._proxy = proxy_for(self._proxy_setting, self._base)
            self._session = aiohttp.ClientSession(
                connector=connector_for(self._proxy), timeout=aiohttp.ClientTimeout(total=self._timeout_s)
            )
        return self._session

    def _observe(self, headers: Mapping[str, str]) -> None:
        used = headers.get(USED_WEIGHT_HEADER, "")
        if used.isascii() and used.isdigit():
            self._budget.observe(int(used[:9]), self._clock.now_us())  # cut, because a header may hold any length

    def _note_failure(
        self, status: int, headers: Mapping[str, str], body: bytes, params: Mapping[str, str], address: str
    ) -> FeedError:
        """Return the error for an answer other than 200; a ban defers all later requests, a pause those to its host."""
        host = host_of(address)
        error = response_error(
            status, headers, body, host, symbol=params.get("symbol", ""), proxy=without_password(self._proxy or "")
        )
        if isinstance(error, FeedDisconnected) and error.retry_after_s is not None:
            # A ban concerns every request to the exchange; a failing host's wish for a pause concerns that host only.
            is_for_all = isinstance(error, FeedBanned) and self._ban.counts(exchange_of(address))
            ban = self._ban if is_for_all else self._host_pauses[host]
            ban.note(str(error), error.retry_after_s, self._clock.monotonic_s())
        return error


def _with_wait(reason: str, left_s: float) -> str:
    return f"{reason.rstrip('.')}; it answers again {in_words(left_s)}."
