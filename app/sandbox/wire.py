"""
The encoder for Binance's JSON: events and rows of answers from values of `app.market`. No I/O.

Times are in milliseconds, or in microseconds if the client asked for them. Amounts are strings with eight decimal
places; quote volumes with more are cut there, as by the exchange.

Source: binance-spot-api-docs, web-socket-streams.md and rest-api.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from app.market.candle import Candle
from app.market.interval import Interval
from app.market.symbol import Symbol
from app.market.trade import DayTicker, Quote, Trade
from app.market.units import E8, format_e8
from app.sandbox.source import RollingDay

_ORDER_TYPES = ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"]
_TICKER_KEYS = {
    "priceChange": "p",
    "priceChangePercent": "P",
    "weightedAvgPrice": "w",
    "prevClosePrice": "x",
    "lastPrice": "c",
    "lastQty": "Q",
    "bidPrice": "b",
    "bidQty": "B",
    "askPrice": "a",
    "askQty": "A",
    "openPrice": "o",
    "highPrice": "h",
    "lowPrice": "l",
    "volume": "v",
    "quoteVolume": "q",
    "openTime": "O",
    "closeTime": "C",
    "firstId": "F",
    "lastId": "L",
    "count": "n",
}  # of /api/v3/ticker/24hr and of the stream, which has the same figures
WEIGHT_PER_MINUTE = 6000

Levels = Iterable[tuple[int, int]]
"""Prices and quantities of a side of the book, in 1e-8 units."""


def encode(value: object) -> bytes:
    """Return JSON in the exchange's form: no spaces, UTF-8."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def exchange_time(time_us: int, *, microseconds: bool) -> int:
    """Return a time (UTC microseconds) in the unit that the client asked for."""
    return time_us if microseconds else time_us // 1000


def trade_event(trade: Trade, *, microseconds: bool) -> bytes:
    """Return the raw event of ``<symbol>@trade``."""
    # Formatted by hand: a flood has thousands of these per second, for which json.dumps is too slow.
    symbol, trade_id, time_us, price, quantity, maker = trade
    at = time_us if microseconds else time_us // 1000
    return (
        f'{{"e":"trade","E":{at},"s":"{symbol}","t":{trade_id},"p":"{price // E8}.{price % E8:08d}",'
        f'"q":"{quantity // E8}.{quantity % E8:08d}","T":{at},"m":{"true" if maker else "false"},"M":true}}'
    ).encode()


def aggregate_event(trade: Trade, last_id: int | None = None, *, microseconds: bool) -> bytes:
    """Return the raw event of ``<symbol>@aggTrade``; ``last_id``: as in `aggregate_row`."""
    row = {"e": "aggTrade", "E": exchange_time(trade.time_us, microseconds=microseconds), "s": trade.symbol}
    return encode(row | aggregate_row(trade, last_id, microseconds=microseconds))


def quote_event(quote: Quote) -> bytes:
    """Return the raw event of ``<symbol>@bookTicker``."""
    return encode(
        {
            "u": quote.update_id,
            "s": quote.symbol,
            "b": format_e8(quote.bid_e8),
            "B": format_e8(quote.bid_quantity_e8),
            "a": format_e8(quote.ask_e8),
            "A": format_e8(quote.ask_quantity_e8),
        }
    )


def book_event(
    symbol: str, ids: tuple[int, int], bids: Levels, asks: Levels, now_us: int, *, microseconds: bool
) -> bytes:
    """
    Return the raw event of ``<symbol>@depth``: the levels that changed, a quantity of 0 for one that is gone.

    ``ids``: of the first and the last change of the book in it.
    """
    return encode(
        {
            "e": "depthUpdate",
            "E": exchange_time(now_us, microseconds=microseconds),
            "s": symbol,
            "U": ids[0],
            "u": ids[1],
            "b": [[format_e8(price), format_e8(quantity)] for price, quantity in bids],
            "a": [[format_e8(price), format_e8(quantity)] for price, quantity in asks],
        }
    )


def ticker_event(day: RollingDay, quote: Quote | None, *, microseconds: bool) -> bytes:
    """Return the raw event of ``<symbol>@ticker``; without a quote it has no best bid and ask."""
    row = day_row(day, quote, mini=False, microseconds=microseconds)
    names = {key: short for key, short in _TICKER_KEYS.items() if key in row}
    at = exchange_time(day.ticker.time_us, microseconds=microseconds)
    return encode({"e": "24hrTicker", "E": at, "s": day.ticker.symbol} | {names[key]: row[key] for key in names})


def day_event(ticker: DayTicker, *, microseconds: bool) -> bytes:
    """Return the raw event of ``<symbol>@miniTicker``."""
    return encode(
        {
            "e": "24hrMiniTicker",
            "E": exchange_time(ticker.time_us, microseconds=microseconds),
            "s": ticker.symbol,
            "c": format_e8(ticker.close_e8),
            "o": format_e8(ticker.open_e8),
            "h": format_e8(ticker.high_e8),
            "l": format_e8(ticker.low_e8),
            "v": format_e8(ticker.volume_e8),
            "q": format_e8(ticker.quote_volume_e8),
        }
    )


def kline_event(symbol: str, interval: Interval, candle: Candle, now_us: int, *, microseconds: bool) -> bytes:
    """Return the raw event of ``<symbol>@kline_<interval>``."""
    row = kline_row(candle, interval, microseconds=microseconds)
    kline = {
        "t": row[0],
        "T": row[6],
        "s": symbol,
        "i": interval.name,
        # The exchange sends -1 for a candle without trades.
        "f": -1 if candle.first_trade_id is None else candle.first_trade_id,
        "L": -1 if candle.last_trade_id is None else candle.last_trade_id,
        "o": row[1],
        "c": row[4],
        "h": row[2],
        "l": row[3],
        "v": row[5],
        "n": row[8],
        "x": candle.closed,
        "q": row[7],
        "V": row[9],
        "Q": row[10],
        "B": "0",
    }
    return encode({"e": "kline", "E": exchange_time(now_us, microseconds=microseconds), "s": symbol, "k": kline})


def shutdown_event(now_us: int, *, microseconds: bool) -> bytes:
    """Return the event that announces the end of the connection for maintenance."""
    return encode({"e": "serverShutdown", "E": exchange_time(now_us, microseconds=microseconds)})


def kline_row(candle: Candle, interval: Interval, *, microseconds: bool) -> list[Any]:
    """Return one row of /api/v3/klines."""
    unit_us = 1 if microseconds else 1000
    return [
        candle.open_time_us // unit_us,
        format_e8(candle.open_e8),
        format_e8(candle.high_e8),
        format_e8(candle.low_e8),
        format_e8(candle.close_e8),
        format_e8(candle.volume_e8),
        interval.next_open_us(candle.open_time_us) // unit_us - 1,  # the exchange's close time is inclusive
        format_e8(candle.quote_volume_e16 // E8),
        candle.trades,
        format_e8(candle.taker_buy_volume_e8),
        format_e8(candle.taker_buy_quote_volume_e16 // E8),
        "0",
    ]


def trade_row(trade: Trade, *, microseconds: bool) -> dict[str, Any]:
    """Return one row of /api/v3/trades and /api/v3/historicalTrades."""
    return {
        "id": trade.trade_id,
        "price": format_e8(trade.price_e8),
        "qty": format_e8(trade.quantity_e8),
        "quoteQty": format_e8(trade.price_e8 * trade.quantity_e8 // E8),
        "time": exchange_time(trade.time_us, microseconds=microseconds),
        "isBuyerMaker": trade.is_buyer_maker,
        "isBestMatch": True,
    }


def aggregate_row(trade: Trade, last_id: int | None = None, *, microseconds: bool) -> dict[str, Any]:
    """Return one row of /api/v3/aggTrades; ``last_id``: of the trades that ``trade`` stands for, if there are more."""
    return {
        "a": trade.trade_id,
        "p": format_e8(trade.price_e8),
        "q": format_e8(trade.quantity_e8),
        "f": trade.trade_id,
        "l": trade.trade_id if last_id is None else last_id,
        "T": exchange_time(trade.time_us, microseconds=microseconds),
        "m": trade.is_buyer_maker,
        "M": True,
    }


def day_row(day: RollingDay, quote: Quote | None, *, mini: bool, microseconds: bool) -> dict[str, Any]:
    """Return the object of /api/v3/ticker/24hr, of type MINI or FULL."""
    ticker = day.ticker
    figures = {
        "openPrice": format_e8(ticker.open_e8),
        "highPrice": format_e8(ticker.high_e8),
        "lowPrice": format_e8(ticker.low_e8),
        "lastPrice": format_e8(ticker.close_e8),
        "volume": format_e8(ticker.volume_e8),
        "quoteVolume": format_e8(ticker.quote_volume_e8),
        "openTime": exchange_time(day.open_time_us, microseconds=microseconds),
        "closeTime": exchange_time(ticker.time_us, microseconds=microseconds),
        "firstId": day.first_trade_id,
        "lastId": day.last_trade_id,
        "count": day.trades,
    }
    if mini:
        return {"symbol": ticker.symbol} | figures
    average = ticker.quote_volume_e8 * E8 // ticker.volume_e8 if ticker.volume_e8 else ticker.close_e8
    full = {
        "symbol": ticker.symbol,
        "priceChange": format_e8(ticker.close_e8 - ticker.open_e8),
        "priceChangePercent": f"{ticker.change_percent:.3f}",
        "weightedAvgPrice": format_e8(average),
        "prevClosePrice": format_e8(day.previous_close_e8),
        "lastQty": format_e8(day.last_quantity_e8),
    }
    if quote is not None:
        full |= {
            "bidPrice": format_e8(quote.bid_e8),
            "bidQty": format_e8(quote.bid_quantity_e8),
            "askPrice": format_e8(quote.ask_e8),
            "askQty": format_e8(quote.ask_quantity_e8),
        }
    return full | figures


def price_row(trade: Trade) -> dict[str, Any]:
    """Return the object of /api/v3/ticker/price."""
    return {"symbol": trade.symbol, "price": format_e8(trade.price_e8)}


def quote_row(quote: Quote) -> dict[str, Any]:
    """Return the object of /api/v3/ticker/bookTicker."""
    return {
        "symbol": quote.symbol,
        "bidPrice": format_e8(quote.bid_e8),
        "bidQty": format_e8(quote.bid_quantity_e8),
        "askPrice": format_e8(quote.ask_e8),
        "askQty": format_e8(quote.ask_quantity_e8),
    }


def depth(quote: Quote) -> dict[str, Any]:
    """Return the body of /api/v3/depth with one level: the best bid and ask."""
    return {
        "lastUpdateId": quote.update_id,
        "bids": [[format_e8(quote.bid_e8), format_e8(quote.bid_quantity_e8)]],
        "asks": [[format_e8(quote.ask_e8), format_e8(quote.ask_quantity_e8)]],
    }


def symbol_row(symbol: Symbol) -> dict[str, Any]:
    """Return one symbol of /api/v3/exchangeInfo."""
    tick, step = format_e8(symbol.tick_size_e8), format_e8(symbol.step_size_e8)
    return {
        "symbol": symbol.name,
        "status": symbol.status,
        "baseAsset": symbol.base,
        "baseAssetPrecision": 8,
        "quoteAsset": symbol.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": _ORDER_TYPES,
        "icebergAllowed": True,
        "ocoAllowed": True,
        "quoteOrderQtyMarketAllowed": True,
        "isSpotTradingAllowed": symbol.is_trading,
        "isMarginTradingAllowed": False,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000.00000000", "tickSize": tick},
            {"filterType": "LOT_SIZE", "minQty": step, "maxQty": "90000000.00000000", "stepSize": step},
            {"filterType": "NOTIONAL", "minNotional": "5.00000000", "applyMinToMarket": True, "avgPriceMins": 5},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
    }


def exchange_info(
    symbols: list[Symbol], now_us: int, weight_per_minute: int = WEIGHT_PER_MINUTE, *, microseconds: bool
) -> dict[str, Any]:
    """Return the body of /api/v3/exchangeInfo."""
    return {
        "timezone": "UTC",
        "serverTime": exchange_time(now_us, microseconds=microseconds),
        "rateLimits": [
            {
                "rateLimitType": "REQUEST_WEIGHT",
                "interval": "MINUTE",
                "intervalNum": 1,
                "limit": weight_per_minute,
            },
            {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61000},
        ],
        "exchangeFilters": [],
        "symbols": [symbol_row(symbol) for symbol in symbols],
    }


def text_frame(text: bytes) -> bytes:
    """Return one text message as an unfragmented, unmasked WebSocket frame (RFC 6455, 5.2)."""
    length = len(text)
    if length < 126:
        return bytes((0x81, length)) + text
    if length < 65536:
        return b"\x81\x7e" + length.to_bytes(2, "big") + text
    return b"\x81\x7f" + length.to_bytes(8, "big") + text
