"""
What the exchange remembers, asked for over REST.

`BinanceRest` implements `app.market.ports.TradeHistory`. Each call is one request (a ticker of many symbols excepted)
and is not repeated here: who asked knows whether the answer is still wanted. The limits hold for the client as a whole:
a call waits where the minute's weight is used up, and fails at once while the exchange keeps us out, whoever was told.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from urllib.parse import unquote, urlsplit

import aiohttp

from app.binance.budget import SHARE_USED, WeightBudget
from app.binance.connection import http_error, network_reason, proxy_trouble
from app.binance.decode_rest import (
    decode_aggregate_trades,
    decode_day_tickers,
    decode_exchange_info,
    decode_klines,
    decode_refusal,
    decode_time,
    decode_trades,
)
from app.binance.endpoints import (
    AGGREGATE_TRADES,
    DAY_TICKER_ALL,
    EXCHANGE_INFO,
    HISTORICAL_TRADES,
    ILLEGAL_CHARACTERS,
    INVALID_SYMBOL,
    KLINES,
    MARKET_DATA_ONLY_REST_HOST,
    MAX_ROWS,
    RECENT_TRADES,
    REST_BASE,
    TIME,
    TIME_UNIT_HEADERS,
    TOO_MUCH_WEIGHT,
    USED_WEIGHT_HEADER,
    Endpoint,
    check_rest_base,
    day_ticker_endpoint,
    host_of,
)
from app.binance.proxy import SYSTEM, check_proxy, is_socks, proxy_for, shown
from app.market.candle import Candle
from app.market.countdown import in_words
from app.market.errors import FeedDisconnected, FeedError, FeedRejected, FeedShutOut, MalformedMessage, UnknownSymbol
from app.market.interval import EXCHANGE_INTERVALS, Interval
from app.market.ports import Clock
from app.market.shutout import Shutout
from app.market.symbol import Symbol
from app.market.trade import DayTicker, Trade

log = logging.getLogger(__name__)

T = TypeVar("T")

_HOUR_MS = 3_600_000
_CONNECTIONS = 8
# A ban shorter than this is waited out; a longer one is reported at once.
_PATIENCE_S = 3.0
# How long the difference between the exchange's clock and ours is taken to hold.
_TIME_KEPT_S = 600.0
# Old trades are fetched by the hundred thousand, and must leave some of each minute's weight to the charts.
_REPAIR_SHARE = 0.6


class BinanceRest:
    """
    Binance's REST market data. Use and `close` it on one event loop.

    ``timeout_s`` bounds one request, its answer included. ``proxy``: see `app.binance.proxy`. ``shutout``: the one that
    all who ask the exchange from this address share.

    Raises:
        SettingsError: If ``rest_url`` is no base address, or ``proxy`` none of a proxy.
    """

    def __init__(
        self,
        rest_url: str,
        *,
        clock: Clock,
        timeout_s: float = 20.0,
        proxy: str = SYSTEM,
        shutout: Shutout | None = None,
    ) -> None:
        self._base = check_rest_base(rest_url)
        check_proxy(proxy)
        self._host = host_of(self._base)
        self._historical_base = REST_BASE if self._host == MARKET_DATA_ONLY_REST_HOST else self._base
        self._clock = clock
        self._timeout_s = timeout_s
        self._budget = WeightBudget()
        self._proxy_setting = proxy
        self._proxy: str | None = None  # in use by the open session
        self._session: aiohttp.ClientSession | None = None
        self._shutout = shutout or Shutout()
        self._host_rests = Shutout()  # a host with a fault of its own may want a pause too; that is no other's affair
        self._said_fallback = False
        self._old_sessions: list[aiohttp.ClientSession] = []  # whose last answers may still be awaited
        self._time_difference: tuple[float, int] | None = None

    @property
    def used_weight(self) -> int:
        """The weight used in this minute, of `weight_per_minute`."""
        return self._budget.used(self._clock.now_us())

    @property
    def weight_per_minute(self) -> int:
        """The weight a minute may use, as the exchange last said."""
        return self._budget.weight_per_minute

    @property
    def fallback(self) -> str:
        """One sentence where single trades are asked of another host than all the rest, else empty."""
        if self._historical_base == self._base:
            return ""
        return f"{self._host} does not serve single trades of the past; those are fetched from {host_of(REST_BASE)}."

    async def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        session, self._session = self._session, None
        await self._close_old()
        if session is not None:
            await session.close()

    def renew(self) -> None:
        """Open new connections for what is asked from now on: those from before are probably dead."""
        if self._session is not None and not self._session.closed:
            self._old_sessions.append(self._session)
            self._session = None

    async def symbols(self) -> list[Symbol]:
        """Return all symbols, also those not trading, by name."""
        info = await self._get(EXCHANGE_INFO, {}, decode_exchange_info)
        if info.weight_per_minute is not None:
            self._budget.weight_per_minute = info.weight_per_minute
        return info.symbols

    async def server_time_us(self) -> int:
        """Return the exchange's time, UTC microseconds."""
        time_us = await self._get(TIME, {}, decode_time)
        self._time_difference = (self._clock.monotonic_s(), time_us)
        return time_us

    async def day_tickers(self, symbols: Sequence[str]) -> list[DayTicker]:
        """Return the rolling day of each symbol, in the exchange's order."""
        if not symbols:
            return []
        endpoint = day_ticker_endpoint(len(symbols))
        params = {"type": "MINI"}
        if endpoint is not DAY_TICKER_ALL:
            params["symbols"] = json.dumps(list(symbols), separators=(",", ":"), ensure_ascii=False)
        wanted = set(symbols)
        tickers = await self._get(endpoint, params, decode_day_tickers)
        return [ticker for ticker in tickers if ticker.symbol in wanted]

    async def klines(
        self,
        symbol: str,
        interval: Interval,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        limit: int = MAX_ROWS,
    ) -> list[Candle]:
        """
        Return up to 1000 klines of an interval the exchange offers, oldest first, source KLINE.

        Open times in ``[start_us, end_us)``. With ``start_us`` the oldest of them, else the newest. The last may be
        unfinished: ``closed`` False.

        Raises:
            FeedDisconnected: Try later.
            FeedRejected: The exchange has no such symbol or interval.
        """
        if interval not in EXCHANGE_INTERVALS:
            raise FeedRejected(f"The exchange has no klines of {interval}; ask for one that {interval} is made of.")
        params = {"symbol": symbol, "interval": interval.name, "limit": str(_rows(limit))}
        if start_us is not None:
            params["startTime"] = str(-(-start_us // 1000))
        if end_us is not None:
            params["endTime"] = str((end_us - 1) // 1000)
        # Taken before the figures are, so that a kline that ends in between is not called closed.
        closed_before_us = await self.exchange_time_us()
        return await self._get(KLINES, params, lambda body: decode_klines(body, closed_before_us))

    async def trades_from(self, symbol: str, first_trade_id: int, *, limit: int = MAX_ROWS) -> list[Trade]:
        """Return up to 1000 trades with ids from ``first_trade_id`` up, in rising order."""
        params = {"symbol": symbol, "fromId": str(first_trade_id), "limit": str(_rows(limit))}
        if self.fallback and not self._said_fallback:
            self._said_fallback = True
            log.info("%s", self.fallback)
        trades = await self._get(
            HISTORICAL_TRADES,
            params,
            lambda body: decode_trades(body, symbol),
            base=self._historical_base,
            share=_REPAIR_SHARE,
        )
        return [trade for trade in trades if trade.trade_id >= first_trade_id]

    async def recent_trades(self, symbol: str, *, limit: int = MAX_ROWS) -> list[Trade]:
        """Return the newest trades, in rising order."""
        params = {"symbol": symbol, "limit": str(_rows(limit))}
        return await self._get(RECENT_TRADES, params, lambda body: decode_trades(body, symbol))

    async def first_trade_id_since(self, symbol: str, time_us: int) -> int | None:
        """Return the id of the first trade at or after ``time_us`` within an hour of it, or None."""
        start_ms = time_us // 1000
        params = {
            "symbol": symbol,
            "startTime": str(start_ms),
            "endTime": str(start_ms + _HOUR_MS),
            "limit": str(MAX_ROWS),
        }
        trades = await self._get(AGGREGATE_TRADES, params, decode_aggregate_trades)
        return min((trade.first_trade_id for trade in trades if trade.time_us >= time_us), default=None)

    async def exchange_time_us(self) -> int:
        """Return the exchange's time, or a little less; asked for where the last answer is older than ten minutes."""
        now_s = self._clock.monotonic_s()
        if self._time_difference is None or now_s - self._time_difference[0] > _TIME_KEPT_S:
            return await self.server_time_us()
        asked_s, time_us = self._time_difference
        return time_us + int((now_s - asked_s) * 1e6)

    async def _get(
        self,
        endpoint: Endpoint,
        params: Mapping[str, str],
        decode: Callable[[bytes], T],
        *,
        base: str | None = None,
        share: float = SHARE_USED,
    ) -> T:
        await self._wait_for_budget(endpoint.weight, share)
        await self._close_old()
        url = (base or self._base) + endpoint.path
        session = self._open_session()
        proxy = None if self._proxy is None or is_socks(self._proxy) else self._proxy
        try:
            async with session.get(url, params=params, headers=TIME_UNIT_HEADERS, proxy=proxy) as response:
                self._observe(response.headers)
                body = await response.read()
                if response.status != 200:
                    raise self._refused(response.status, response.headers, body, params)
                return decode(body)
        except MalformedMessage as error:
            log.warning("%s", error)
            raise FeedDisconnected(f"{self._host} gave an answer that cannot be read; try again later.") from error
        except TimeoutError as error:
            raise FeedDisconnected(f"{self._host} did not answer within {self._timeout_s:.0f} s.") from error
        except aiohttp.InvalidURL as error:
            raise FeedRejected(f"The address {url} cannot be used; correct the address of the exchange.") from error
        except Exception as error:
            sentence = _reason(error, self._host, shown(self._proxy or ""))
            if sentence is None:
                raise
            raise FeedDisconnected(sentence) from error

    async def _close_old(self) -> None:
        """End what `renew` left, requests on the way included: they fail at once instead of after the time-out."""
        while self._old_sessions:
            await self._old_sessions.pop().close()

    async def _wait_for_budget(self, weight: int, share: float) -> None:
        while True:
            now_s = self._clock.monotonic_s()
            shut_out_s = self._shutout.left_s(now_s)
            if shut_out_s > _PATIENCE_S:
                raise FeedShutOut(_answers_again(self._shutout.reason, shut_out_s), retry_after_s=shut_out_s)
            rests_s = self._host_rests.left_s(now_s)
            if rests_s > _PATIENCE_S:
                raise FeedDisconnected(_answers_again(self._host_rests.reason, rests_s), retry_after_s=rests_s)
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

    def _refused(self, status: int, headers: Mapping[str, str], body: bytes, params: Mapping[str, str]) -> FeedError:
        """Return what an answer other than 200 means; where it is a ban, hold back all later calls."""
        if status == 407:
            return FeedDisconnected(proxy_trouble(self._host, shown(self._proxy or ""), "HTTP 407", status))
        refusal = decode_refusal(body)
        if refusal is not None and 400 <= status < 500 and status not in (403, 418, 429, 451):
            if refusal.code == TOO_MUCH_WEIGHT:
                status = 429
            elif refusal.code in (INVALID_SYMBOL, ILLEGAL_CHARACTERS) and "symbol" in params:
                return UnknownSymbol(params["symbol"], code=refusal.code)
            else:
                words = refusal.message.rstrip(".")
                return FeedRejected(
                    f"The exchange refused the request: {words} (code {refusal.code}).", code=refusal.code
                )
        error = http_error(status, headers.get("Retry-After"), self._host)
        if isinstance(error, FeedDisconnected) and error.retry_after_s is not None:
            held_back = self._shutout if isinstance(error, FeedShutOut) else self._host_rests
            held_back.note(str(error), error.retry_after_s, self._clock.monotonic_s())
        return error


def _rows(limit: int) -> int:
    return max(1, min(limit, MAX_ROWS))


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


def _reason(error: Exception, host: str, proxy: str) -> str | None:
    """Return the sentence for what kept a request from its answer; None for what is no fault of the network."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return proxy_trouble(host, proxy, f"HTTP {error.status}", error.status)
    if type(error).__module__.partition(".")[0] == "aiohttp_socks":  # which is imported only where it is needed
        if not isinstance(error.__cause__, OSError):
            return proxy_trouble(host, proxy, str(error))
        error = error.__cause__
    if not isinstance(error, (aiohttp.ClientError, OSError)):
        return None
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        cause = error.certificate_error
        reason = network_reason(cause) if isinstance(cause, OSError) else "its certificate cannot be verified"
    elif isinstance(error, aiohttp.ClientConnectorError):
        reason = network_reason(error.os_error)
    else:
        reason = network_reason(error) if isinstance(error, OSError) else "the connection broke"
    way = f"{host} by the proxy {proxy}" if proxy else host
    return f"Cannot reach {way} ({reason})."
