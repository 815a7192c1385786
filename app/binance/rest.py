"""
What the exchange remembers, asked for over REST.

`BinanceRest` implements `app.market.ports.TradeHistory`. Each call is one request (a ticker of many symbols excepted)
and is not repeated here: who asked knows whether the answer is still wanted. The limits hold for the client as a whole:
a call waits where the minute's weight is used up, and fails at once while the exchange keeps us out.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import aiohttp

from app.binance.budget import WeightBudget
from app.binance.connection import http_error, network_reason
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
    is_loopback,
)
from app.market.candle import Candle
from app.market.errors import FeedDisconnected, FeedError, FeedRejected, MalformedMessage, UnknownSymbol
from app.market.interval import EXCHANGE_INTERVALS, Interval
from app.market.ports import Clock
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


class BinanceRest:
    """
    Binance's REST market data. Use and `close` it on one event loop.

    ``timeout_s`` bounds one request, its answer included.

    Raises:
        SettingsError: If ``rest_url`` is no base address.
    """

    def __init__(self, rest_url: str, *, clock: Clock, timeout_s: float = 20.0) -> None:
        self._base = check_rest_base(rest_url)
        self._host = host_of(self._base)
        # The market-data-only host lacks this one endpoint; the main host has it.
        self._historical_base = REST_BASE if self._host == MARKET_DATA_ONLY_REST_HOST else self._base
        self._clock = clock
        self._timeout_s = timeout_s
        self._budget = WeightBudget()
        self._session: aiohttp.ClientSession | None = None
        self._shut_out_until_s = 0.0
        self._time_difference: tuple[float, int] | None = None

    @property
    def used_weight(self) -> int:
        """The weight used in this minute, of `weight_per_minute`."""
        return self._budget.used(self._clock.now_us())

    @property
    def weight_per_minute(self) -> int:
        """The weight a minute may use, as the exchange last said."""
        return self._budget.weight_per_minute

    async def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

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
        closed_before_us = await self._exchange_time_us()
        return await self._get(KLINES, params, lambda body: decode_klines(body, closed_before_us))

    async def trades_from(self, symbol: str, first_trade_id: int, *, limit: int = MAX_ROWS) -> list[Trade]:
        """Return up to 1000 trades with ids from ``first_trade_id`` up, in rising order."""
        params = {"symbol": symbol, "fromId": str(first_trade_id), "limit": str(_rows(limit))}
        trades = await self._get(
            HISTORICAL_TRADES, params, lambda body: decode_trades(body, symbol), base=self._historical_base
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

    async def _exchange_time_us(self) -> int:
        """Return the exchange's time, or a little less."""
        now_s = self._clock.monotonic_s()
        if self._time_difference is None or now_s - self._time_difference[0] > _TIME_KEPT_S:
            return await self.server_time_us()
        asked_s, time_us = self._time_difference
        return time_us + int((now_s - asked_s) * 1e6)

    async def _get(
        self, endpoint: Endpoint, params: Mapping[str, str], decode: Callable[[bytes], T], *, base: str | None = None
    ) -> T:
        await self._wait_for_budget(endpoint.weight)
        url = (base or self._base) + endpoint.path
        try:
            async with self._open_session().get(url, params=params, headers=TIME_UNIT_HEADERS) as response:
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
        except (aiohttp.ClientError, OSError) as error:
            raise FeedDisconnected(f"Cannot reach {self._host} ({_reason(error)}).") from error

    async def _wait_for_budget(self, weight: int) -> None:
        while True:
            shut_out_s = self._shut_out_until_s - self._clock.monotonic_s()
            if shut_out_s > _PATIENCE_S:
                raise FeedDisconnected(
                    f"{self._host} was asked too much and answers again in {shut_out_s:.0f} s.",
                    retry_after_s=shut_out_s,
                )
            delay_s = max(shut_out_s, self._budget.delay_s(weight, self._clock.now_us()))
            if delay_s <= 0:
                self._budget.spend(weight, self._clock.now_us())
                return
            await self._clock.sleep(delay_s)

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                trust_env=not is_loopback(self._base),  # the system's proxy, but never for this machine itself
            )
        return self._session

    def _observe(self, headers: Mapping[str, str]) -> None:
        used = headers.get(USED_WEIGHT_HEADER, "")
        if used.isascii() and used.isdigit():
            self._budget.observe(int(used[:9]), self._clock.now_us())

    def _refused(self, status: int, headers: Mapping[str, str], body: bytes, params: Mapping[str, str]) -> FeedError:
        """Return what an answer other than 200 means; where it is a ban, hold back all later calls."""
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
            self._shut_out_until_s = self._clock.monotonic_s() + error.retry_after_s
        return error


def _rows(limit: int) -> int:
    return max(1, min(limit, MAX_ROWS))


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return network_reason(error.os_error)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "its certificate cannot be verified"
    if isinstance(error, OSError):
        return network_reason(error)
    return "the connection broke"
