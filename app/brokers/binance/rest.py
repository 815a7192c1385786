"""
The exchange's history over REST: symbols, klines, trades, rolling days, time.

`BinanceRest` implements `app.market.ports.exchange.TradeHistory`. Each call is one request and is not repeated here:
the caller knows whether the answer is still needed. `app.brokers.binance.http_client` keeps all of them within the
exchange's limits.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence

from app.brokers.addresses import host_of
from app.brokers.binance.decode_rest import (
    decode_aggregate_trades,
    decode_day_tickers,
    decode_exchange_info,
    decode_klines,
    decode_time,
    decode_trades,
)
from app.brokers.binance.endpoints import (
    AGGREGATE_TRADES,
    DAY_TICKER_ALL,
    EXCHANGE_INFO,
    HISTORICAL_TRADES,
    KLINES,
    MARKET_DATA_ONLY_REST_HOST,
    MAX_ROWS,
    RECENT_TRADES,
    REST_BASE,
    TIME,
    WEIGHT_PER_MINUTE,
    check_rest_base,
    day_ticker_endpoint,
)
from app.brokers.binance.http_client import HttpClient
from app.brokers.proxy import SYSTEM_PROXY, check_proxy
from app.brokers.rate_limit import SHARE_USED, WeightBudget
from app.market.candle import Candle
from app.market.errors import FeedRejected
from app.market.exchange_ban import ExchangeBan
from app.market.interval import EXCHANGE_INTERVALS, Interval
from app.market.ports.clock import Clock
from app.market.symbol import Symbol
from app.market.trade import DayTicker, Trade

log = logging.getLogger(__name__)

_HOUR_MS = 3_600_000
# How long a measured difference between the exchange's clock and this machine's is used.
_TIME_VALID_S = 600.0
# Missing trades are fetched by the hundred thousand, and must leave some of each minute's weight to the charts.
_REPAIR_SHARE = 0.6


class BinanceRest:
    """
    Binance's REST market data. Use and `close` it on one event loop.

    ``timeout_s`` limits one request including its answer. ``proxy``: see `app.brokers.proxy`. ``ban``: the one shared
    by everything that asks the exchange from this address. ``share``: the part of each minute's weight that it may use.

    Raises:
        SettingsError: If ``rest_url`` is not a base address or ``proxy`` not a proxy.
    """

    def __init__(
        self,
        rest_url: str,
        *,
        clock: Clock,
        timeout_s: float = 20.0,
        proxy: str = SYSTEM_PROXY,
        ban: ExchangeBan | None = None,
        share: float = SHARE_USED,
    ) -> None:
        self._base = check_rest_base(rest_url)
        check_proxy(proxy)
        self._host = host_of(self._base)
        # The host for market data only lacks historicalTrades, so those requests go to the main host.
        self._historical_base = REST_BASE if self._host == MARKET_DATA_ONLY_REST_HOST else self._base
        self._clock = clock
        self._budget = WeightBudget(WEIGHT_PER_MINUTE)
        self._http = HttpClient(
            self._base,
            clock=clock,
            timeout_s=timeout_s,
            proxy=proxy,
            ban=ban or ExchangeBan(),
            budget=self._budget,
            share=share,
        )
        self._logged_fallback = False
        self._time_difference: tuple[float, int] | None = None

    @property
    def used_weight(self) -> int:
        """The weight used in this minute, of `weight_per_minute`."""
        return self._budget.used(self._clock.now_us())

    @property
    def weight_per_minute(self) -> int:
        """The weight limit per minute, as the exchange last stated it."""
        return self._budget.weight_per_minute

    @property
    def fallback(self) -> str:
        """A sentence for the user if trades by id come from another host than the rest, or ""."""
        if self._historical_base == self._base:
            return ""
        return f"{self._host} does not serve single trades of the past; those are fetched from {host_of(REST_BASE)}."

    async def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        await self._http.close()

    def renew(self) -> None:
        """Use new connections from now on, because the old ones are probably dead."""
        self._http.renew()

    async def symbols(self) -> list[Symbol]:
        """Return all symbols, including those not trading, in order of their names."""
        info = await self._http.get(EXCHANGE_INFO, {}, decode_exchange_info)
        if info.weight_per_minute is not None:
            self._budget.weight_per_minute = info.weight_per_minute
        return info.symbols

    async def server_time_us(self) -> int:
        """Return the exchange's time, UTC microseconds."""
        time_us = await self._http.get(TIME, {}, decode_time)
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
        tickers = await self._http.get(endpoint, params, decode_day_tickers)
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
        Return up to 1000 klines of an interval that the exchange offers, oldest first, source KLINE.

        Their open times are in ``[start_us, end_us)``: the oldest of them with ``start_us``, else the newest. The last
        may be unfinished (``closed`` is False).

        Raises:
            FeedDisconnected: Try later.
            FeedRejected: The exchange has no such symbol or interval.
        """
        if interval not in EXCHANGE_INTERVALS:
            raise FeedRejected(f"The exchange has no klines of {interval}; ask for one that {interval} is made of.")
        params = {"symbol": symbol, "interval": interval.name, "limit": str(_rows(limit))}
        if start_us is not None:
            params["startTime"] = str(-(-start_us // 1000))  # rounded up, because the bound is inclusive
        if end_us is not None:
            params["endTime"] = str((end_us - 1) // 1000)
        # Taken before the klines, so that a kline that ends in between is not marked as closed.
        closed_before_us = await self.exchange_time_us()
        return await self._http.get(KLINES, params, lambda body: decode_klines(body, closed_before_us))

    async def trades_from(self, symbol: str, first_trade_id: int, *, limit: int = MAX_ROWS) -> list[Trade]:
        """Return up to 1000 trades with ids from ``first_trade_id`` on, in ascending order."""
        params = {"symbol": symbol, "fromId": str(first_trade_id), "limit": str(_rows(limit))}
        if self.fallback and not self._logged_fallback:
            self._logged_fallback = True
            log.info("%s", self.fallback)
        trades = await self._http.get(
            HISTORICAL_TRADES,
            params,
            lambda body: decode_trades(body, symbol),
            base=self._historical_base,
            share=_REPAIR_SHARE,
        )
        return [trade for trade in trades if trade.trade_id >= first_trade_id]

    async def recent_trades(self, symbol: str, *, limit: int = MAX_ROWS) -> list[Trade]:
        """Return the newest trades, in ascending order of their ids."""
        params = {"symbol": symbol, "limit": str(_rows(limit))}
        return await self._http.get(RECENT_TRADES, params, lambda body: decode_trades(body, symbol))

    async def first_trade_id_since(self, symbol: str, time_us: int) -> int | None:
        """Return the id of the first trade at or after ``time_us`` within an hour of it, or None."""
        # The exchange limits a request for aggregate trades by time to one hour.
        start_ms = time_us // 1000
        params = {
            "symbol": symbol,
            "startTime": str(start_ms),
            "endTime": str(start_ms + _HOUR_MS),
            "limit": str(MAX_ROWS),
        }
        trades = await self._http.get(AGGREGATE_TRADES, params, decode_aggregate_trades)
        return min((trade.first_trade_id for trade in trades if trade.time_us >= time_us), default=None)

    async def exchange_time_us(self) -> int:
        """Return the exchange's time or slightly less (UTC microseconds); requests it at most every ten minutes."""
        now_s = self._clock.monotonic_s()
        if self._time_difference is None or now_s - self._time_difference[0] > _TIME_VALID_S:
            return await self.server_time_us()
        asked_s, time_us = self._time_difference
        return time_us + int((now_s - asked_s) * 1e6)


def _rows(limit: int) -> int:
    return max(1, min(limit, MAX_ROWS))
