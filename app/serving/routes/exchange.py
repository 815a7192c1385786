"""
The exchange's own REST protocol, read from the database: `/api/v3/…`, so that its clients read here unchanged.

Parameters are checked and answers written by the sandbox's code. What is not stored is refused with an error of the
exchange: an empty list would say that nobody traded. Trades end at a hole; klines that lack trades are left out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from aiohttp import web

from app.market.candle import Candle
from app.market.columns.candle_columns import candles_of
from app.market.interval import Interval
from app.market.ports.clock import Clock
from app.market.ports.database import SeparateStore
from app.market.symbol import Symbol
from app.market.trade import Quote, Trade
from app.sandbox import wire
from app.sandbox.server.rest import ApiError, RestApi
from app.sandbox.source import RollingDay
from app.serving.answers import completeness
from app.serving.candle_ranges import CandleQuery, passes_for_kline, read_candles
from app.serving.description.route import Route
from app.serving.request_values import LAST_US
from app.serving.routes.exchange_shapes import PREFIX, exchange_routes
from app.serving.stored_day import stored_day
from app.serving.stored_market import StoredMarket

_SYMBOLS_FOR_S = 5.0
_UNITS = {"MICROSECOND": True, "MILLISECOND": False}
_LAST_ID = (1 << 63) - 1
_NOT_STORED = -1000  # the exchange's code for what it cannot say more about


class ExchangeRoutes:
    """Answers `/api/v3/…`. ``quote`` returns the best bid and ask of a symbol, if known."""

    def __init__(self, market: StoredMarket, clock: Clock, quote: Callable[[str], Quote | None]) -> None:
        self._market = market
        self._quote = quote
        self._clock = clock
        self._symbols: list[Symbol] = []
        self._symbols_s = 0.0

    def routes(self) -> Sequence[Route]:
        """See `app.serving.description.route.Routes`; unknown endpoints are refused as the exchange refuses them."""
        unknown = Route(f"{PREFIX}{{path:.*}}", self.answer, "", "", is_described=False)
        return (*exchange_routes(self.answer), unknown)

    async def answer(self, request: web.Request) -> web.Response:
        """
        Answer one request as the exchange does, keys and all.

        Raises:
            StoreError: If the database cannot be read; the server answers with the exchange's code for that.
        """
        try:
            unit = _UNITS.get(request.headers.get("X-MBX-TIME-UNIT", "MILLISECOND").upper())
            if unit is None:
                raise ApiError(400, -1194, "Invalid value for time unit; expected either MICROSECOND or MILLISECOND.")
            parameters = {name: value for name, value in request.query.items() if name != "token"}
            if len(set(request.query)) < len(request.query):
                raise ApiError(400, -1101, "Duplicate values for a parameter detected.")
            body, is_complete = await self._market.read(
                lambda store: self._answered(store, request.path, parameters, microseconds=unit)
            )
            return web.Response(
                body=body, content_type="application/json", headers=completeness(is_complete=is_complete)
            )
        except ApiError as error:
            return web.Response(status=error.status, body=error.body, content_type="application/json")

    def _answered(
        self, store: SeparateStore, path: str, parameters: Mapping[str, str], *, microseconds: bool
    ) -> tuple[bytes, bool]:
        """Return the body, and whether nothing is missing in it. In a thread, whose loop ends with the answer."""
        symbols, now_us, deadline = self._known_symbols(store), self._clock.now_us(), self._market.deadline()
        source = _StoredSource(store, symbols, now_us, deadline, self._quote)
        api = RestApi(source, joins_aggregates=True, whole_from=source.whole_from)
        value = asyncio.run(api.answer(path, parameters, microseconds=microseconds))
        return wire.encode(value), source.is_complete

    def _known_symbols(self, store: SeparateStore) -> list[Symbol]:
        now_s = self._clock.monotonic_s()
        if not self._symbols or now_s - self._symbols_s > _SYMBOLS_FOR_S:
            stored = [one.symbol for one in store.stored_symbols() if one.is_stored]
            self._symbols = [one for one in stored if one.has_trades]  # the exchange has no others
            self._symbols_s = now_s
        return self._symbols


class _StoredSource:
    """What is stored, as an `app.sandbox.source.MarketData`; blocks. ``is_complete``: nothing asked for is missing."""

    def __init__(
        self,
        store: SeparateStore,
        symbols: list[Symbol],
        now_us: int,
        check_deadline: Callable[[], None],
        quote: Callable[[str], Quote | None],
    ) -> None:
        self.is_complete = True
        self._store = store
        self._symbols = symbols
        self._now_us = now_us
        self._check_deadline = check_deadline
        self._quote = quote

    def now_us(self) -> int:
        return self._now_us

    def symbols(self) -> list[Symbol]:
        return self._symbols

    def trade_ids(self, symbol: str) -> tuple[int, int] | None:
        held = self._store.coverage(symbol)
        if held.first is None or held.last is None:
            raise _not_stored("Trades of this symbol are")
        return held.first, held.last

    def whole_from(self, symbol: str, first_id: int, end_id: int) -> int:
        """See `app.sandbox.server.rest.RestApi`."""
        held = self._store.coverage(symbol).range_of(end_id - 1)
        if held is None:
            raise _not_stored("The trades before that are")
        if held[0] > max(first_id, 1):
            self.is_complete = False
        return max(first_id, held[0])

    def first_id_from(self, symbol: str, time_us: int) -> int:
        found = self._store.nearest_trade(symbol, min(time_us, LAST_US), before=False)
        if found is None:
            ids = self.trade_ids(symbol)
            return ids[1] + 1 if ids else 0
        before = self._store.trades(symbol, found.trade_id - 1, found.trade_id - 1)
        if not before and found.trade_id > 1:
            self.is_complete = False  # trades between that time and this one may be missing
        return found.trade_id

    def trades(self, symbol: str, first_id: int, limit: int) -> list[Trade]:
        first_id = min(max(first_id, 0), _LAST_ID)
        covered = list(self._store.coverage_from({symbol: first_id})[symbol])
        if covered and covered[0][0] > max(first_id, 1):
            raise _not_stored("These trades are")
        found = list[Trade]()
        for first, last in covered[:1]:
            while first <= last and len(found) < limit:
                until = min(last, first + limit - len(found) - 1)
                found += self._store.trades(symbol, first, until)
                first = until + 1
                self._check_deadline()
        if len(covered) > 1 and len(found) < limit:
            self.is_complete = False  # a hole ends the answer
        return found

    async def klines(
        self, symbol: str, interval: Interval, *, start_us: int | None, end_us: int | None, limit: int
    ) -> list[Candle]:
        query = CandleQuery(symbol, interval, start_us, None if end_us is None else min(end_us, LAST_US), limit)
        klines, held = list[Candle](), None
        while True:
            found = read_candles(self._store, query, self._now_us, self._check_deadline)
            self.is_complete &= found.is_complete
            read = candles_of(found.table)
            if held is None and not all(one.complete for one in read):
                held = self._store.coverage(symbol)
            passed = [one for one in read if held is None or passes_for_kline(one, held)]
            klines = klines + passed if start_us is not None else passed + klines
            has_more = found.is_cut if start_us is not None else len(read) == query.limit
            if len(passed) == len(read) or not has_more:
                break
            self._check_deadline()  # thousands of klines in a row may lack trades
            # Clients take a page of fewer than they asked for to be the last.
            query = query._replace(limit=limit - len(klines))
            if start_us is not None:
                query = query._replace(start_us=read[-1].open_time_us + 1)
            else:
                query = query._replace(end_us=read[0].open_time_us - 1)
        if not klines and (read or found.missing):
            raise _not_stored("These klines are")
        return klines

    async def day(self, symbol: str) -> RollingDay | None:
        found = stored_day(self._store, symbol, self._now_us)
        if found is None:
            raise _not_stored("The last 24 hours of this symbol are")
        self.is_complete &= found.is_complete
        return found.day

    def quote(self, symbol: str) -> Quote | None:
        return self._quote(symbol)


def _not_stored(what: str) -> ApiError:
    return ApiError(400, _NOT_STORED, f"{what} not stored here.")
