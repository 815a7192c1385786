"""
OANDA's REST interface: the account's instruments, and candles of bid, ask and mid.

`OandaRest` implements `app.market.ports.exchange.SymbolSource` and `app.market.ports.quote_history.QuoteCandleSource`;
`OandaKlines` shows the candles of one price as klines. A request is not repeated here: the caller knows whether the
answer is still needed. Intervals without a price have no candle, here as there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from app.brokers.addresses import host_of
from app.brokers.oanda.decode import (
    decode_candles,
    decode_instruments,
    time_text,
)
from app.brokers.oanda.endpoints import (
    GRANULARITIES,
    MAX_CANDLES,
    candle_parameters,
    candles_path,
    check_rest_base,
    instrument_of,
    instruments_path,
)
from app.brokers.oanda.error_mapping import BadRequest, explain
from app.brokers.oanda.http_client import HttpClient
from app.market.candle import Candle, CandleSource, combine
from app.market.errors import MalformedMessage, UnknownSymbol
from app.market.interval import SECOND_US, Interval
from app.market.ports.clock import Clock
from app.market.ports.quote_history import QuoteCandle
from app.market.quotes.tick import PriceSide
from app.market.symbol import Symbol
from app.market.units import E8

Answer = TypeVar("Answer")


class OandaRest:
    """
    Requests at the base address ``rest_url`` by ``http``, whose owner closes it.

    Raises:
        SettingsError: If ``rest_url`` cannot be the address of the interface.
    """

    def __init__(self, rest_url: str, http: HttpClient, *, clock: Clock) -> None:
        self._base = check_rest_base(rest_url)
        self._http = http
        self._clock = clock

    def renew(self) -> None:
        """Use new connections from now on, because the old ones are probably dead; the stream's is one of them."""
        self._http.renew()

    async def symbols(self) -> list[Symbol]:
        """Return the instruments that the account may trade, by name."""
        return await self._get(instruments_path(self._http.account), {}, decode_instruments)

    def has_candles_of(self, interval: Interval) -> bool:
        """See `app.market.ports.quote_history.QuoteCandleSource`."""
        return interval.name in GRANULARITIES

    async def quote_candles(self, symbol: str, interval: Interval, start_us: int, end_us: int) -> Sequence[QuoteCandle]:
        """
        Return the candles that open in ``[start_us, end_us)``, oldest first, in as many requests as they need.

        Raises:
            UnknownSymbol: If there is no such instrument.
            ValueError: If OANDA has no candles of the interval.
        """
        if not self.has_candles_of(interval):
            raise ValueError(f"OANDA has no candles of {interval}")
        end_us = min(end_us, self._clock.now_us())
        found: list[QuoteCandle] = []
        next_us = interval.next_open_us(start_us - 1)
        while next_us < end_us:
            most = (end_us - next_us) // _shortest_us(interval) + 1
            count = str(min(MAX_CANDLES, most))
            page = await self._page(symbol, interval, {"from": time_text(next_us), "count": count})
            found += [one for one in page if next_us <= one.candle.open_time_us < end_us]
            if not page or most <= MAX_CANDLES or page[-1].candle.open_time_us >= end_us:
                break
            next_us = interval.next_open_us(page[-1].candle.open_time_us)
        return found

    async def oldest_candles(
        self, symbol: str, interval: Interval, start_us: int, end_us: int, limit: int
    ) -> Sequence[QuoteCandle]:
        """Return up to 5000 candles that open in ``[start_us, end_us)``, the oldest of them, oldest first."""
        if start_us >= min(end_us, self._clock.now_us()):  # a time in the future would be refused
            return []
        count = str(max(1, min(limit, MAX_CANDLES)))
        page = await self._page(symbol, interval, {"from": time_text(start_us), "count": count})
        return [one for one in page if start_us <= one.candle.open_time_us < end_us]

    async def newest_candles(self, symbol: str, interval: Interval, end_us: int, limit: int) -> Sequence[QuoteCandle]:
        """Return up to 5000 candles that open before ``end_us``, the newest of them, oldest first."""
        parameters = {"count": str(max(1, min(limit, MAX_CANDLES)))}
        if end_us < self._clock.now_us():
            parameters["to"] = time_text(end_us)
        page = await self._page(symbol, interval, parameters)
        return [one for one in page if one.candle.open_time_us < end_us]

    async def _page(self, symbol: str, interval: Interval, parameters: dict[str, str]) -> list[QuoteCandle]:
        parameters = candle_parameters(GRANULARITIES[interval.name]) | parameters
        try:
            return await self._get(
                candles_path(instrument_of(symbol)),
                parameters,
                lambda body: decode_candles(body, interval.length_us),
            )
        except BadRequest as error:
            if "instrument" in str(error).lower():
                raise UnknownSymbol(symbol) from error
            raise

    async def _get(self, path: str, parameters: dict[str, str], decode: Callable[[bytes], Answer]) -> Answer:
        body = await self._http.get(self._base, path, parameters)
        try:
            return decode(body)
        except MalformedMessage as error:
            raise explain(error, host_of(self._base)) or error from error


def _shortest_us(interval: Interval) -> int:
    return interval.seconds * SECOND_US or interval.months * 28 * 86_400 * SECOND_US


class OandaKlines:
    """
    The candles of one price as klines (`app.market.ports.exchange.KlineSource`); volume and trades count ticks.

    Three minutes and three days, which OANDA does not have, are added up from finer candles.
    """

    def __init__(self, rest: OandaRest, side: PriceSide, *, clock: Clock) -> None:
        self._rest = rest
        self._side = side
        self._clock = clock

    async def exchange_time_us(self) -> int:
        """Return the time of our clock: OANDA says what is closed by itself."""
        return self._clock.now_us()

    async def klines(
        self,
        symbol: str,
        interval: Interval,
        *,
        start_us: int | None = None,
        end_us: int | None = None,
        limit: int = 1000,
    ) -> list[Candle]:
        """See `app.market.ports.exchange.KlineSource`."""
        finer = _FINER.get(interval.name, interval)
        if not self._rest.has_candles_of(finer):
            return []
        end_us = self._clock.now_us() if end_us is None else end_us
        wanted = limit * max(1, interval.length_us // finer.length_us)
        if start_us is None:
            found = await self._rest.newest_candles(symbol, finer, end_us, wanted)
        else:
            found = await self._rest.oldest_candles(symbol, finer, start_us, end_us, wanted)
        candles = [self._kline(one) for one in found]
        if finer != interval:
            candles = _added_up(candles, interval)
        return candles[-limit:] if start_us is None else candles[:limit]

    def _kline(self, one: QuoteCandle) -> Candle:
        candle = one.candle
        ticks = candle.ticks
        return Candle(
            candle.open_time_us,
            *candle.bar(self._side),
            volume_e8=ticks * E8,
            quote_volume_e16=0,
            trades=ticks,
            taker_buy_volume_e8=0,
            taker_buy_quote_volume_e16=0,
            closed=one.closed,
            complete=one.closed,
            source=CandleSource.KLINE,
        )


_FINER = {"3m": Interval.parse("1m"), "3d": Interval.parse("1d")}


def _added_up(candles: Sequence[Candle], interval: Interval) -> list[Candle]:
    parts: dict[int, list[Candle]] = {}
    for candle in candles:
        parts.setdefault(interval.open_time_us(candle.open_time_us), []).append(candle)
    return [combine(open_us, parts[open_us]) for open_us in sorted(parts)]
