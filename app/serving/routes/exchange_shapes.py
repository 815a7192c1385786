"""
The exchange's endpoints as the description has them: what each is for, its parameters and the shape of its answer.

The answers themselves are written by the sandbox's code; these types only describe them. Prices and volumes are text.

Source: binance-spot-api-docs, rest-api.md.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from app.market.interval import EXCHANGE_INTERVALS
from app.sandbox.server.rest import PARAMETERS
from app.serving.description.route import Handler, Parameter, Route

PREFIX = "/api/v3/"
_MOST = 10**20 - 1  # twenty digits, as the exchange reads
_GROUP = "The exchange’s own protocol"


class ExchangeFailure(msgspec.Struct):
    """A refusal as the exchange writes it."""

    code: int
    msg: str


class Nothing(msgspec.Struct):
    """An empty object."""


class ServerTime(msgspec.Struct, rename="camel"):
    """Milliseconds since 1970."""

    server_time: int


class ExchangeInfo(msgspec.Struct, rename="camel"):
    """The symbols that are stored, with their filters."""

    timezone: str
    server_time: int
    rate_limits: list[dict[str, Any]]
    exchange_filters: list[dict[str, Any]]
    symbols: list[dict[str, Any]]


Kline = tuple[int, str, str, str, str, str, int, str, int, str, str, str]
"""Open time, open, high, low, close, volume, close time, quote volume, trades, taker's volumes, nothing."""


class ExchangeTrade(msgspec.Struct, rename="camel"):
    """A trade."""

    id: int
    price: str
    qty: str
    quote_qty: str
    time: int
    is_buyer_maker: bool
    is_best_match: bool


class AggregatedTrade(msgspec.Struct):
    """Trades of one time, price and side: ``f`` and ``l`` are their first and last ids, ``T`` is their time."""

    a: int
    p: str
    q: str
    f: int
    l: int  # noqa: E741  # because the exchange names it so
    T: int
    m: bool
    M: bool


class ExchangeDay(msgspec.Struct, rename="camel"):
    """The last 24 hours; of type MINI without the figures that are not always there."""

    symbol: str
    open_price: str
    high_price: str
    low_price: str
    last_price: str
    volume: str
    quote_volume: str
    open_time: int
    close_time: int
    first_id: int
    last_id: int
    count: int
    price_change: str | UnsetType = UNSET
    price_change_percent: str | UnsetType = UNSET
    weighted_avg_price: str | UnsetType = UNSET
    prev_close_price: str | UnsetType = UNSET
    last_qty: str | UnsetType = UNSET
    bid_price: str | UnsetType = UNSET
    bid_qty: str | UnsetType = UNSET
    ask_price: str | UnsetType = UNSET
    ask_qty: str | UnsetType = UNSET


class ExchangePrice(msgspec.Struct):
    """The last price."""

    symbol: str
    price: str


class ExchangeQuote(msgspec.Struct, rename="camel"):
    """The best bid and ask."""

    symbol: str
    bid_price: str
    bid_qty: str
    ask_price: str
    ask_qty: str


class ExchangeDepth(msgspec.Struct, rename="camel"):
    """One level: price and quantity of the best bid, and of the best ask."""

    last_update_id: int
    bids: list[tuple[str, str]]
    asks: list[tuple[str, str]]


_SYMBOL = Parameter("symbol", "A symbol.", "BTCUSDT", is_needed=True)
_DECLARED = {
    "symbol": Parameter("symbol", "A symbol; without it, or symbols, all.", "BTCUSDT"),
    "symbols": Parameter("symbols", "Several symbols, as an array of JSON.", '["BTCUSDT"]'),
    "limit": Parameter("limit", "How many at most, up to 1,000; without it 500.", "10", int, between=(1, _MOST)),
    "interval": Parameter(
        "interval",
        "One of the exchange’s intervals.",
        "1m",
        is_needed=True,
        choices=tuple(one.name for one in EXCHANGE_INTERVALS),
    ),
    "startTime": Parameter("startTime", "Milliseconds since 1970.", "1723161600000", int, between=(0, _MOST)),
    "endTime": Parameter("endTime", "Milliseconds since 1970, inclusive.", "1723165200000", int, between=(0, _MOST)),
    "timeZone": Parameter("timeZone", "0 is the only one.", "0"),
    "fromId": Parameter("fromId", "The first trade id wanted.", "1", int, between=(0, _MOST)),
    "type": Parameter("type", "How much of it.", "FULL", choices=("FULL", "MINI")),
    "permissions": Parameter("permissions", "Ignored.", "SPOT"),
    "showPermissionSets": Parameter("showPermissionSets", "Ignored.", "true"),
    "symbolStatus": Parameter("symbolStatus", "Only symbols in this state.", "TRADING"),
}
_NEED_SYMBOL = {"klines", "uiKlines", "trades", "historicalTrades", "aggTrades", "depth"}
_ENDPOINTS: dict[str, tuple[str, Any]] = {
    "ping": ("Whether the server answers.", Nothing),
    "time": ("The time.", ServerTime),
    "exchangeInfo": ("The symbols that are stored.", ExchangeInfo),
    "klines": (
        "Candles as rows: times of open and close, prices and volumes as text, and the number of trades.",
        list[Kline],
    ),
    "uiKlines": ("The same as klines.", list[Kline]),
    "trades": ("The newest trades.", list[ExchangeTrade]),
    "historicalTrades": ("Trades from an id on.", list[ExchangeTrade]),
    "aggTrades": ("Aggregated trades: their ids are those of their first trades.", list[AggregatedTrade]),
    "ticker/24hr": ("The last 24 hours, from a whole minute on.", ExchangeDay | list[ExchangeDay]),
    "ticker/price": ("The last price.", ExchangePrice | list[ExchangePrice]),
    "ticker/bookTicker": ("The best bid and ask, where the server records.", ExchangeQuote | list[ExchangeQuote]),
    "depth": ("One level: the best bid and ask, where the server records.", ExchangeDepth),
}


def exchange_routes(handler: Handler) -> list[Route]:
    """Return the declared endpoints, all answered by ``handler``."""
    return [
        Route(
            PREFIX + name,
            handler,
            _GROUP,
            sentence,
            answer,
            tuple(_SYMBOL if one == "symbol" and name in _NEED_SYMBOL else _DECLARED[one] for one in PARAMETERS[name]),
            failures=(ExchangeFailure,),
            tells_completeness=True,
        )
        for name, (sentence, answer) in _ENDPOINTS.items()
    ]
