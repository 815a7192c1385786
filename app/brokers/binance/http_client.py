"""
Single requests over REST, within the limits that hold for all of them.

`HttpClient.get` waits where the minute's weight is used up, fails at once while the exchange keeps this address out,
whoever was told so, and takes note of what the answers say about both. It repeats nothing. What is asked, and what the
answers are, `rest` knows.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar
from urllib.parse import unquote, urlsplit

import aiohttp

from app.brokers.addresses import host_of
from app.brokers.binance.endpoints import TIME_UNIT_HEADERS, USED_WEIGHT_HEADER, Endpoint, exchange_of
from app.brokers.binance.error_mapping import explain, refusal
from app.brokers.proxy import is_socks, proxy_for, shown
from app.brokers.rate_limit import SHARE_USED, WeightBudget
from app.market.durations import in_words
from app.market.errors import FeedBanned, FeedDisconnected, FeedError, MalformedMessage
from app.market.exchange_ban import ExchangeBan
from app.market.ports.clock import Clock

log = logging.getLogger(__name__)

T = TypeVar("T")

_CONNECTIONS = 8
# A ban shorter than this is waited out; a longer one is reported at once.
_PATIENCE_S = 3.0


class HttpClient:
    """
    Requests to ``base``, an address that was checked; use and `close` it on one event loop.

    ``budget``: the weight that they share. See `app.brokers.binance.rest.BinanceRest` for the rest.
    """

    def __init__(
        self, base: str, *, clock: Clock, timeout_s: float, proxy: str, ban: ExchangeBan, budget: WeightBudget
    ) -> None:
        self._base = base
        self._clock = clock
        self._timeout_s = timeout_s
        self._budget = budget
        self._proxy_setting = proxy
        self._proxy: str | None = None  # in use by the open session
        self._session: aiohttp.ClientSession | None = None
        self._old_sessions: list[aiohttp.ClientSession] = []
        self._under_way: set[asyncio.Timeout] = set()
        self._ban = ban
        # A host with a fault of its own, or one that is none of the chosen exchange's, may want a pause; that is no
        # other's affair.
        self._resting: dict[str, ExchangeBan] = {}

    async def close(self) -> None:
        """Close the connections, which ends what is under way; a later request opens new ones."""
        self.renew()
        await self._close_old()

    def renew(self) -> None:
        """Open new connections for what is asked from now on, and end what is under way: the old are probably dead."""
        if self._session is not None:
            self._old_sessions.append(self._session)
            self._session = None
        under_way, self._under_way = self._under_way, set()
        for request in under_way:
            request.reschedule(0.0)  # long past

    async def get(
        self,
        endpoint: Endpoint,
        params: Mapping[str, str],
        decode: Callable[[bytes], T],
        *,
        base: str | None = None,
        share: float = SHARE_USED,
    ) -> T:
        """
        Return what ``decode`` makes of the answer's body.

        ``base``: another address for this one request. ``share``: of the minute's weight, that may be used up by then.

        Raises:
            FeedDisconnected: Try later.
            FeedRejected: The same request would be refused again.
        """
        address = base or self._base
        host = host_of(address)
        await self._wait_for_budget(endpoint.weight, share, host)
        await self._close_old()
        url = address + endpoint.path
        session = self._open_session()
        proxy = None if self._proxy is None or is_socks(self._proxy) else self._proxy
        try:
            async with (
                self._until_renewed(host),
                session.get(url, params=params, headers=TIME_UNIT_HEADERS, proxy=proxy) as response,
            ):
                self._observe(response.headers)
                body = await response.read()
                if response.status != 200:
                    raise self._refused(response.status, response.headers, body, params, address)
                return decode(body)
        except Exception as error:
            meaning = explain(error, host, shown(self._proxy or ""))
            if meaning is None or meaning is error:
                raise
            if isinstance(error, MalformedMessage):
                log.warning("%s", error)
            raise meaning from error

    @asynccontextmanager
    async def _until_renewed(self, host: str) -> AsyncIterator[None]:
        """
        Raise FeedDisconnected once `renew` is called.

        Closing the connections would not do: aiohttp tells nobody who waits for the rest of a body that it has closed
        them, and the time-out would be all that ends the waiting.
        """
        renewal = asyncio.timeout(None)
        try:
            async with renewal:
                self._under_way.add(renewal)
                yield
        except TimeoutError as error:
            if not renewal.expired():
                raise
            raise FeedDisconnected(f"The connection to {host} was given up before it answered.") from error
        finally:
            self._under_way.discard(renewal)

    async def _close_old(self) -> None:
        """Close the connections that `renew` left."""
        while self._old_sessions:
            await self._old_sessions.pop().close()

    async def _wait_for_budget(self, weight: int, share: float, host: str) -> None:
        host_rests = self._resting.setdefault(host, ExchangeBan())
        while True:
            now_s = self._clock.monotonic_s()
            shut_out_s = self._ban.left_s(now_s)
            if shut_out_s > _PATIENCE_S:
                raise FeedBanned(_answers_again(self._ban.reason, shut_out_s), retry_after_s=shut_out_s)
            rests_s = host_rests.left_s(now_s)
            if rests_s > _PATIENCE_S:
                raise FeedDisconnected(_answers_again(host_rests.reason, rests_s), retry_after_s=rests_s)
            delay_s = max(shut_out_s, rests_s, self._budget.delay_s(weight, self._clock.now_us(), share))
            if delay_s <= 0:
                self._budget.spend(weight, self._clock.now_us())
                return
            await self._clock.sleep(delay_s)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._proxy = proxy_for(self._proxy_setting, self._base)
            self._session = aiohttp.ClientSession(
                connector=_connector(self._proxy), timeout=aiohttp.ClientTimeout(total=self._timeout_s)
            )
        return self._session

    def _observe(self, headers: Mapping[str, str]) -> None:
        used = headers.get(USED_WEIGHT_HEADER, "")
        if used.isascii() and used.isdigit():
            self._budget.observe(int(used[:9]), self._clock.now_us())

    def _refused(
        self, status: int, headers: Mapping[str, str], body: bytes, params: Mapping[str, str], address: str
    ) -> FeedError:
        """Return what an answer other than 200 means; where it is a ban, hold back all later requests."""
        host = host_of(address)
        error = refusal(status, headers, body, host, symbol=params.get("symbol", ""), proxy=shown(self._proxy or ""))
        if isinstance(error, FeedDisconnected) and error.retry_after_s is not None:
            is_for_all = isinstance(error, FeedBanned) and self._ban.counts(exchange_of(address))
            held_back = self._ban if is_for_all else self._resting[host]
            held_back.note(str(error), error.retry_after_s, self._clock.monotonic_s())
        return error


def _answers_again(reason: str, left_s: float) -> str:
    return f"{reason.rstrip('.')}; it answers again {in_words(left_s)}."


def _connector(proxy: str | None) -> aiohttp.BaseConnector:
    """Return the connections' maker; for SOCKS one of a library that nothing else needs."""
    if proxy is None or not is_socks(proxy):
        return aiohttp.TCPConnector(limit=_CONNECTIONS)
    from aiohttp_socks import ProxyConnector, ProxyType

    address = urlsplit(proxy)
    version = ProxyType.SOCKS5 if address.scheme.startswith("socks5") else ProxyType.SOCKS4
    return ProxyConnector(
        host=address.hostname or "",
        port=address.port or 0,
        proxy_type=version,
        username=None if address.username is None else unquote(address.username),
        password=None if address.password is None else unquote(address.password),
        rdns=address.scheme in ("socks5h", "socks4a"),
        limit=_CONNECTIONS,
    )
