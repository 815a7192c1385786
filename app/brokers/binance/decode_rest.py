"""
Decoders for the bodies of REST answers. No I/O.

Each function takes the body of an answer and returns values of `app.market`. It raises `MalformedMessage`, and nothing
else, if the body cannot be read. Unknown fields are ignored, because the exchange adds some every year. The numbers are
checked by the functions that `decode_stream` uses for its frames.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import msgspec

from app.brokers.binance.decode_stream import (
    UNREADABLE,
    Id,
    SymbolName,
    amount_e8,
    malformed,
    price_e8,
    sum_e8,
    time_us_of,
)
from app.market.candle import Candle, CandleSource
from app.market.symbol import Symbol
from app.market.trade import DayTicker, Trade
from app.market.units import E8

T = TypeVar("T")


class AggregateTrade(NamedTuple):
    """Trades of one order at one price: the range of their ids (both inclusive) and their time (UTC microseconds)."""

    first_trade_id: int
    last_trade_id: int
    time_us: int


class ExchangeInfo(NamedTuple):
    """All symbols in order of their names, and the weight limit per minute (None if the exchange did not state it)."""

    symbols: list[Symbol]
    weight_per_minute: int | None


class ErrorReply(NamedTuple):
    """The exchange's own error: its code and its sentence in English."""

    code: int
    message: str


class _TradeRow(msgspec.Struct, gc=False):
    id: Id
    price: str
    qty: str
    time: int
    isBuyerMaker: bool  # noqa: N815  # because it is the exchange's own name


class _AggregateTradeRow(msgspec.Struct, gc=False):
    f: int
    l: int  # noqa: E741  # because it is the exchange's own name
    T: int


class _DayTickerRow(msgspec.Struct, rename="camel"):
    symbol: SymbolName
    open_price: str
    high_price: str
    low_price: str
    last_price: str
    volume: str
    quote_volume: str
    close_time: int
    last_id: int = -1


class _RateLimitRow(msgspec.Struct, rename="camel"):
    rate_limit_type: str = ""
    interval: str = ""
    interval_num: int = 0
    limit: int = 0


class _FilterRow(msgspec.Struct, rename="camel"):
    filter_type: str
    tick_size: str = ""
    step_size: str = ""


class _SymbolRow(msgspec.Struct, rename="camel"):
    symbol: SymbolName
    status: str
    base_asset: str
    quote_asset: str
    filters: list[_FilterRow] = []


class _ExchangeInfoBody(msgspec.Struct, rename="camel"):
    symbols: list[_SymbolRow]
    rate_limits: list[_RateLimitRow] = []


class _TimeBody(msgspec.Struct, rename="camel"):
    server_time: int


class _ErrorBody(msgspec.Struct):
    code: int
    msg: str = ""


# open time, open, high, low, close, volume, close time, quote volume, count, taker buy base, taker buy quote, unused
_KlineRow = tuple[int, str, str, str, str, str, int, str, Id, str, str, Any]

_trades = msgspec.json.Decoder(list[_TradeRow])
_aggregate_trades = msgspec.json.Decoder(list[_AggregateTradeRow])
_klines = msgspec.json.Decoder(list[_KlineRow])
_day_tickers = msgspec.json.Decoder(list[_DayTickerRow] | _DayTickerRow)
_exchange_info = msgspec.json.Decoder(_ExchangeInfoBody)
_time = msgspec.json.Decoder(_TimeBody)
_error_reply = msgspec.json.Decoder(_ErrorBody)


def decode_trades(body: bytes, symbol: str) -> list[Trade]:
    """Return the trades of ``symbol`` in an answer of /trades or /historicalTrades, in ascending order of their ids."""
    trades = _read(body, _trades, lambda rows: [_trade(row, symbol) for row in rows])
    return sorted(trades, key=lambda trade: trade.trade_id)


def decode_aggregate_trades(body: bytes) -> list[AggregateTrade]:
    """
    Return the aggregate trades in an answer of /aggTrades, in the exchange's order.

    Rows with ids of -1 are left out: the exchange puts them where it has cancelled trades.
    """
    return _read(
        body,
        _aggregate_trades,
        lambda rows: [AggregateTrade(row.f, row.l, time_us_of(row.T)) for row in rows if row.f >= 0],
    )


def decode_klines(body: bytes, closed_before_us: int) -> list[Candle]:
    """
    Return the klines in an answer of /klines or /uiKlines, oldest first.

    ``closed_before_us``: the exchange's time of the request, or earlier (UTC microseconds). A kline that ends later is
    not closed.
    """
    candles = _read(body, _klines, lambda rows: [_candle(row, closed_before_us) for row in rows])
    return sorted(candles, key=lambda candle: candle.open_time_us)


def decode_day_tickers(body: bytes) -> list[DayTicker]:
    """Return the rolling days in an answer of /ticker/24hr, for one symbol or several, of type FULL or MINI."""
    return _read(
        body,
        _day_tickers,
        lambda rows: [_day_ticker(row) for row in (rows if isinstance(rows, list) else [rows])],
    )


def decode_exchange_info(body: bytes) -> ExchangeInfo:
    """Return the content of /exchangeInfo. A symbol whose tick or step size cannot be read gets 1e-8, the smallest."""
    return _read(
        body,
        _exchange_info,
        lambda info: ExchangeInfo(
            sorted((_symbol(row) for row in info.symbols), key=lambda symbol: symbol.name),
            _weight_limit(info.rate_limits),
        ),
    )


def decode_time(body: bytes) -> int:
    """Return the exchange's time in an answer of /time, UTC microseconds."""
    return _read(body, _time, lambda answer: time_us_of(answer.server_time))


def decode_error_reply(body: bytes) -> ErrorReply | None:
    """Return the exchange's own error, or None if the body holds none, as with the error page of a proxy."""
    try:
        reply = _error_reply.decode(body)
    except UNREADABLE:
        return None
    return ErrorReply(reply.code, reply.msg)


def _read(body: bytes, decoder: msgspec.json.Decoder[Any], convert: Callable[[Any], T]) -> T:
    try:
        return convert(decoder.decode(body))
    except UNREADABLE as error:
        raise malformed(error, body) from error


def _trade(row: _TradeRow, symbol: str) -> Trade:
    return Trade(symbol, row.id, time_us_of(row.time), price_e8(row.price), amount_e8(row.qty), row.isBuyerMaker)


def _candle(row: _KlineRow, closed_before_us: int) -> Candle:
    open_time, open_, high, low, close, volume, close_time, quote_volume, trades, taker, taker_quote, _ = row
    closed = time_us_of(close_time) < closed_before_us
    candle = Candle(
        time_us_of(open_time),
        amount_e8(open_),
        amount_e8(high),
        amount_e8(low),
        amount_e8(close),
        sum_e8(volume),
        # The exchange rounds quote volumes to eight places too, so the lower half of the 1e-16 unit is lost.
        sum_e8(quote_volume) * E8,
        trades,
        sum_e8(taker),
        sum_e8(taker_quote) * E8,
        closed=closed,
        complete=closed,
        source=CandleSource.KLINE,
    )
    if (
        not candle.low_e8
        <= min(candle.open_e8, candle.close_e8)
        <= max(candle.open_e8, candle.close_e8)
        <= candle.high_e8
    ):
        raise ValueError("a kline whose open or close lies outside its low and high")
    return candle


def _day_ticker(row: _DayTickerRow) -> DayTicker:
    prices = (amount_e8(row.open_price), amount_e8(row.high_price), amount_e8(row.low_price), amount_e8(row.last_price))
    volumes = sum_e8(row.volume), sum_e8(row.quote_volume)
    last_id = row.last_id if row.last_id >= 0 else None  # -1 if the symbol had no trade that day
    return DayTicker(row.symbol, time_us_of(row.close_time), *prices, *volumes, last_id)


def _symbol(row: _SymbolRow) -> Symbol:
    tick_size = step_size = 1
    for rule in row.filters:
        if rule.filter_type == "PRICE_FILTER":
            tick_size = _step_e8(rule.tick_size)
        elif rule.filter_type == "LOT_SIZE":
            step_size = _step_e8(rule.step_size)
    assets = row.base_asset, row.quote_asset
    return Symbol(row.symbol, *assets, tick_size, step_size, row.status, "Binance", "crypto", "CRYPTO", "UTC")


def _step_e8(text: str) -> int:
    try:
        return amount_e8(text) or 1
    except ValueError:
        return 1


def _weight_limit(limits: list[_RateLimitRow]) -> int | None:
    for limit in limits:
        if (limit.rate_limit_type, limit.interval, limit.interval_num) == ("REQUEST_WEIGHT", "MINUTE", 1):
            return limit.limit if limit.limit > 0 else None
    return None
