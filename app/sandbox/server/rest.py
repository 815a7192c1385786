"""
The REST endpoints: parameters checked as by the exchange, answers read from the source.

HTTP itself is left to `app.sandbox.server.server`: here a path and its parameters give a JSON value, or an `ApiError`
with the exchange's code and words.

Source: binance-spot-api-docs, rest-api.md and errors.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from app.market.interval import EXCHANGE_INTERVALS, Interval
from app.market.symbol import Symbol
from app.market.trade import DayTicker, Trade, are_of_one_aggregate
from app.sandbox import wire
from app.sandbox.source import MarketData, RollingDay

_MAX_ROWS, _DEFAULT_ROWS = 1000, 500
_TRADES_PER_AGGREGATE = 4  # read for each of the newest aggregates
_HOUR_US = 3_600_000_000
_INTERVALS = {interval.name: interval for interval in EXCHANGE_INTERVALS}
_SYMBOL = re.compile(r"[^\Wa-z]{1,50}")
_NUMBER = re.compile(r"[0-9]{1,20}")


class ApiError(Exception):
    """The request is refused with that HTTP status and with the exchange's own code and words."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code

    @property
    def body(self) -> bytes:
        """The JSON body of the answer."""
        return wire.encode({"code": self.code, "msg": str(self)})


@dataclass(frozen=True, slots=True)
class Request:
    """The parameters of one request, as sent, and the unit of times in its answer."""

    parameters: Mapping[str, str]
    microseconds: bool

    def text(self, name: str) -> str:
        """Return a mandatory parameter."""
        value = self.parameters.get(name, "")
        if not value:
            raise ApiError(400, -1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
        return value

    def number(self, name: str) -> int | None:
        """Return an integer, or None if it was not sent."""
        value = self.parameters.get(name)
        if value is None:
            return None
        if not _NUMBER.fullmatch(value):
            raise ApiError(
                400, -1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'."
            )
        return int(value)

    def time_us(self, name: str) -> int | None:
        """Return a time as UTC microseconds, or None; their size shows milliseconds or microseconds."""
        value = self.number(name)
        return value * 1000 if value is not None and value < 100_000_000_000_000 else value

    def limit(self) -> int:
        """Return the number of rows to answer with."""
        limit = self.number("limit")
        if limit == 0:
            raise ApiError(400, -1130, "Data sent for parameter 'limit' is not valid.")
        return min(limit or _DEFAULT_ROWS, _MAX_ROWS)


PARAMETERS: Mapping[str, Sequence[str]] = {
    "ping": (),
    "time": (),
    "exchangeInfo": ("symbol", "symbols", "permissions", "showPermissionSets", "symbolStatus"),
    "klines": ("symbol", "interval", "startTime", "endTime", "limit", "timeZone"),
    "uiKlines": ("symbol", "interval", "startTime", "endTime", "limit", "timeZone"),
    "trades": ("symbol", "limit"),
    "historicalTrades": ("symbol", "fromId", "limit"),
    "aggTrades": ("symbol", "fromId", "startTime", "endTime", "limit"),
    "ticker/24hr": ("symbol", "symbols", "type"),
    "ticker/price": ("symbol", "symbols"),
    "ticker/bookTicker": ("symbol", "symbols"),
    "depth": ("symbol", "limit"),
}
"""The parameters of each endpoint below ``/api/v3/``."""


@dataclass(frozen=True, slots=True)
class _Route:
    answer: Callable[[Request], Awaitable[object]]
    weight: int
    parameters: frozenset[str]


class RestApi:
    """
    The endpoints of one source.

    ``joins_aggregates``: an aggregated trade stands for all trades of one time, price and side with consecutive ids,
    and has the id of their first; without it each trade is its own.

    ``whole_from``: called with a symbol, a first id and an end; returns the id from that first on after which no trade
    before the end is missing. None: none ever is.
    """

    def __init__(
        self,
        source: MarketData,
        *,
        weight_per_minute: int = wire.WEIGHT_PER_MINUTE,
        joins_aggregates: bool = False,
        whole_from: Callable[[str, int, int], int] | None = None,
    ) -> None:
        self._source = source
        self._whole_from = whole_from or (lambda symbol, first_id, end_id: first_id)
        self._joins_aggregates = joins_aggregates
        self._weight_per_minute = weight_per_minute
        answers: dict[str, tuple[Callable[[Request], Awaitable[object]], int]] = {
            "ping": (self._ping, 1),
            "time": (self._time, 1),
            "exchangeInfo": (self._exchange_info, 20),
            "klines": (self._klines, 2),
            "uiKlines": (self._klines, 2),
            "trades": (self._trades, 25),
            "historicalTrades": (self._historical_trades, 25),
            "aggTrades": (self._aggregate_trades, 4),
            "ticker/24hr": (self._day_tickers, 2),
            "ticker/price": (self._prices, 2),
            "ticker/bookTicker": (self._quotes, 2),
            "depth": (self._depth, 5),
        }
        self._endpoints = {name: _Route(*answers[name], frozenset(PARAMETERS[name])) for name in PARAMETERS}

    def weight(self, path: str, parameters: Mapping[str, str]) -> int:
        """Return the weight of a request."""
        name = path.removeprefix("/api/v3/")
        if name == "ticker/24hr" and "symbol" not in parameters:
            # Without any list the request is for all symbols, which weighs as much as more than a hundred.
            count = parameters.get("symbols", "," * 100).count(",") + 1
            return 2 if count <= 20 else 40 if count <= 100 else 80
        endpoint = self._endpoints.get(name)
        return 1 if endpoint is None else endpoint.weight

    async def answer(self, path: str, parameters: Mapping[str, str], *, microseconds: bool) -> object:
        """
        Return the JSON value that answers one GET request.

        Raises:
            ApiError: If the exchange would refuse the request.
        """
        endpoint = self._endpoints.get(path.removeprefix("/api/v3/")) if path.startswith("/api/v3/") else None
        if endpoint is None:
            raise ApiError(404, -1000, "Path not found.")
        read = endpoint.parameters & parameters.keys()
        if len(read) < len(parameters):
            raise ApiError(
                400,
                -1104,
                f"Not all sent parameters were read; read '{len(read)}' parameter(s) but was sent '{len(parameters)}'.",
            )
        return await endpoint.answer(Request(parameters, microseconds))

    async def _ping(self, request: Request) -> object:
        return {}

    async def _time(self, request: Request) -> object:
        return {"serverTime": wire.exchange_time(self._source.now_us(), microseconds=request.microseconds)}

    async def _exchange_info(self, request: Request) -> object:
        symbols = self._wanted_symbols(request)
        status = request.parameters.get("symbolStatus")
        chosen = [symbol for symbol in symbols if status is None or symbol.status == status]
        now_us = self._source.now_us()
        return wire.exchange_info(chosen, now_us, self._weight_per_minute, microseconds=request.microseconds)

    async def _klines(self, request: Request) -> object:
        symbol = self._symbol(request)
        interval = self._interval(request)
        if request.parameters.get("timeZone", "0") not in ("0", "00:00", "+0", "+00:00"):
            raise ApiError(400, -1000, "Only the time zone 0 is served.")
        candles = await self._source.klines(
            symbol.name,
            interval,
            start_us=request.time_us("startTime"),
            end_us=request.time_us("endTime"),
            limit=request.limit(),
        )
        return [wire.kline_row(candle, interval, microseconds=request.microseconds) for candle in candles]

    async def _trades(self, request: Request) -> object:
        symbol = self._symbol(request).name
        ids = self._source.trade_ids(symbol)
        limit = request.limit()
        trades = []
        if ids is not None:
            end_id = ids[1] + 1
            trades = self._source.trades(symbol, self._whole_from(symbol, end_id - limit, end_id), limit)
        return [wire.trade_row(trade, microseconds=request.microseconds) for trade in trades]

    async def _historical_trades(self, request: Request) -> object:
        first_id = request.number("fromId")
        if first_id is None:
            return await self._trades(request)
        trades = self._source.trades(self._symbol(request).name, first_id, request.limit())
        return [wire.trade_row(trade, microseconds=request.microseconds) for trade in trades]

    async def _aggregate_trades(self, request: Request) -> object:
        symbol, limit = self._symbol(request).name, request.limit()
        first_id = request.number("fromId")
        start_us, end_us = request.time_us("startTime"), request.time_us("endTime")
        if first_id is not None and (start_us is not None or end_us is not None):
            raise ApiError(400, -1128, "Combination of optional parameters invalid.")
        ids = self._source.trade_ids(symbol)
        if ids is None:
            return []
        # endTime is inclusive.
        end_id = ids[1] + 1 if end_us is None else self._source.first_id_from(symbol, end_us + 1)
        count = limit
        if start_us is not None:
            first_id = self._source.first_id_from(symbol, start_us)
        elif first_id is None:  # the newest
            count *= _TRADES_PER_AGGREGATE if self._joins_aggregates else 1
            first_id = max(ids[0], self._whole_from(symbol, end_id - count, end_id))
        if self._joins_aggregates:
            joined = self._joined(symbol, first_id, end_id, count)[-limit:]
            return [wire.aggregate_row(one, last, microseconds=request.microseconds) for one, last in joined]
        trades = self._source.trades(symbol, first_id, min(limit, end_id - first_id)) if first_id < end_id else []
        return [wire.aggregate_row(trade, microseconds=request.microseconds) for trade in trades]

    def _joined(self, symbol: str, first_id: int, end_id: int, limit: int) -> list[tuple[Trade, int]]:
        """
        Return up to ``limit`` aggregates of the ids from ``first_id`` up to ``end_id``, each with its last id.

        One that begins before ``first_id`` is left out: a client that goes on after the last it has got has that one.
        """
        try:
            before = self._source.trades(symbol, first_id - 1, 1) if first_id > 1 else []
        except ApiError:
            before = []  # it is not stored, so nobody knows where the first aggregate begins
        previous = before[0] if before and before[0].trade_id == first_id - 1 else None
        found: list[tuple[Trade, int]] = []
        while first_id < end_id:
            count = min(_MAX_ROWS, end_id - first_id)
            trades = self._source.trades(symbol, first_id, count)
            for trade in trades:
                if previous is not None and are_of_one_aggregate(previous, trade):
                    if found:
                        first, _ = found[-1]
                        whole = first._replace(quantity_e8=first.quantity_e8 + trade.quantity_e8)
                        found[-1] = whole, trade.trade_id
                elif len(found) == limit:
                    return found
                else:
                    found.append((trade, trade.trade_id))
                previous = trade
            if len(trades) < count:
                break
            first_id = trades[-1].trade_id + 1
        return found

    async def _day_tickers(self, request: Request) -> object:
        kind = request.parameters.get("type", "FULL")
        if kind not in ("FULL", "MINI"):
            raise ApiError(400, -1139, "Invalid ticker type.")
        rows = []
        for symbol in self._wanted_symbols(request):
            try:
                day = await self._source.day(symbol.name) or _day_without_trades(symbol.name, self._source.now_us())
            except ApiError:
                if _names_symbols(request):
                    raise
                continue
            quote = self._source.quote(symbol.name)
            rows.append(wire.day_row(day, quote, mini=kind == "MINI", microseconds=request.microseconds))
        return rows[0] if "symbol" in request.parameters else rows

    async def _prices(self, request: Request) -> object:
        rows = []
        for symbol in self._wanted_symbols(request):
            try:
                ids = self._source.trade_ids(symbol.name)
            except ApiError:
                if _names_symbols(request):
                    raise
                continue
            rows += [wire.price_row(one) for one in self._source.trades(symbol.name, ids[1], 1)] if ids else []
        return rows[0] if "symbol" in request.parameters and rows else rows

    async def _quotes(self, request: Request) -> object:
        found = [self._source.quote(symbol.name) for symbol in self._wanted_symbols(request)]
        rows = [wire.quote_row(one) for one in found if one is not None]
        if "symbol" in request.parameters and not rows:
            raise ApiError(400, -1000, "The best bid and ask of this symbol are not known.")
        return rows[0] if "symbol" in request.parameters else rows

    async def _depth(self, request: Request) -> object:
        quote = self._source.quote(self._symbol(request).name)
        request.limit()
        if quote is None:
            raise ApiError(400, -1000, "The best bid and ask of this symbol are not known.")
        return wire.depth(quote)

    def _symbol(self, request: Request) -> Symbol:
        return self._known(request.text("symbol"))

    def _known(self, name: str) -> Symbol:
        if not _SYMBOL.fullmatch(name):
            raise ApiError(
                400,
                -1100,
                "Illegal characters found in parameter 'symbol'; legal range is '^[\\w\\-._&&[^a-z]]{1,50}$'.",
            )
        for symbol in self._source.symbols():
            if symbol.name == name:
                return symbol
        raise ApiError(400, -1121, "Invalid symbol.")

    def _interval(self, request: Request) -> Interval:
        interval = _INTERVALS.get(request.text("interval"))
        if interval is None:
            raise ApiError(400, -1120, "Invalid interval.")
        return interval

    def _wanted_symbols(self, request: Request) -> list[Symbol]:
        parameters = request.parameters
        if "symbol" in parameters and "symbols" in parameters:
            raise ApiError(400, -1128, "Combination of optional parameters invalid.")
        if "symbol" in parameters:
            return [self._symbol(request)]
        if "symbols" not in parameters:
            return list(self._source.symbols())
        try:
            names = json.loads(request.text("symbols"))
        except (ValueError, RecursionError):
            names = None
        if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
            raise ApiError(400, -1100, "Illegal characters found in parameter 'symbols'.")
        return [self._known(name) for name in names]


def _names_symbols(request: Request) -> bool:
    """Whether the request is for these symbols; one for all is answered with those that the source has it of."""
    return bool({"symbol", "symbols"} & request.parameters.keys())


def _day_without_trades(symbol: str, now_us: int) -> RollingDay:
    return RollingDay(DayTicker(symbol, now_us, 0, 0, 0, 0, 0, 0), now_us - 24 * _HOUR_US, 0, -1, -1, 0, 0)
