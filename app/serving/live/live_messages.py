"""
The messages of the live WebSocket, as frames ready to send. No I/O.

Each is JSON with a ``type``. A frame of the server is the same for every client, so it is made once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from app.market.candle import Candle
from app.market.interval import SECOND_US
from app.market.quotes.tick import Tick, position_of
from app.market.trade import Quote, Trade
from app.market.units import E8
from app.sandbox.wire import text_frame

_encode = msgspec.json.Encoder().encode


def greeting(assets: Iterable[str]) -> bytes:
    """Return the first message to a client; ``assets``: the symbols that there are."""
    return _frame({"type": "connection", "message": "Connected to cryptopipe.", "assets": list(assets)})


def error(sentence: str) -> bytes:
    """Return the message that something could not be done."""
    return _frame({"type": "error", "message": sentence})


def subscribed(action: str, broker: str, subscriptions: Mapping[str, Iterable[str]]) -> bytes:
    """Return the answer to a request: its broker, and what is subscribed now, the types by symbol."""
    listed = [{"symbol": symbol, "types": sorted(types)} for symbol, types in sorted(subscriptions.items())]
    return _frame({"type": f"{action}d", "broker": broker, "subscriptions": listed})


def price_update(trade: Trade, bid_e8: int, ask_e8: int) -> bytes:
    """Return the price of a trade, with the best bid and ask then."""
    return _price(trade.symbol, trade.price_e8, bid_e8, ask_e8, trade.time_us)


def tick_price(tick: Tick) -> bytes:
    """Return the mid of a tick as its price, with its bid and ask."""
    return _price(tick.symbol, tick.mid_e8, tick.bid_e8, tick.ask_e8, tick.time_us)


def _price(symbol: str, price_e8: int, bid_e8: int, ask_e8: int, time_us: int) -> bytes:
    return _of(
        "price_update",
        symbol,
        {
            "symbol": symbol,
            "originalPrice": price_e8 / E8,
            "bidPrice": bid_e8 / E8,
            "askPrice": ask_e8 / E8,
            "timestamp": time_us // 1_000,
        },
    )


def price_around(trade: Trade, spread_percent: float) -> bytes:
    """Return the price of a trade, with that percentage less and more as bid and ask."""
    share = spread_percent / 100
    return price_update(trade, round(trade.price_e8 * (1 - share)), round(trade.price_e8 * (1 + share)))


def trade_message(trade: Trade) -> bytes:
    """Return a trade."""
    return _of(
        "trade",
        trade.symbol,
        {
            "id": trade.trade_id,
            "price": trade.price_e8 / E8,
            "quantity": trade.quantity_e8 / E8,
            "timestamp": trade.time_us // 1_000,
            "isBuyerMaker": trade.is_buyer_maker,
        },
    )


def quote_message(quote: Quote) -> bytes:
    """Return the best bid and ask."""
    return _of(
        "quote",
        quote.symbol,
        {
            "id": quote.update_id,
            "bidPrice": quote.bid_e8 / E8,
            "bidQuantity": quote.bid_quantity_e8 / E8,
            "askPrice": quote.ask_e8 / E8,
            "askQuantity": quote.ask_quantity_e8 / E8,
        },
    )


def tick_message(tick: Tick) -> bytes:
    """Return a tick as a quote, with the position by which a client resumes; sizes in millions of the base asset."""
    return _of(
        "quote",
        tick.symbol,
        {
            "bid": tick.bid_e8 / E8,
            "ask": tick.ask_e8 / E8,
            "bidSize": tick.bid_size_e8 / E8,
            "askSize": tick.ask_size_e8 / E8,
            "timestamp": tick.time_us // 1_000,
            "position": position_of(tick.number),
        },
    )


def candle_message(symbol: str, kind: str, candle: Candle) -> bytes:
    """Return a candle of the type ``kind`` (``candle:1m``); volumes as `/candles` has them."""
    return _of(
        kind,
        symbol,
        {
            "time": candle.open_time_us // SECOND_US,
            "open": candle.open_e8 / E8,
            "high": candle.high_e8 / E8,
            "low": candle.low_e8 / E8,
            "close": candle.close_e8 / E8,
            "volume": candle.trades,
            "base_volume": candle.volume_e8 / E8,
            "closed": candle.closed,
            "complete": candle.complete,
        },
    )


def _of(kind: str, symbol: str, data: object) -> bytes:
    return _frame({"type": kind, "symbol": symbol, "data": data})


def _frame(message: object) -> bytes:
    return text_frame(_encode(message))


def close_frame(code: int) -> bytes:
    """Return the frame that closes a WebSocket with that code (RFC 6455, 5.5.1)."""
    return b"\x88\x02" + code.to_bytes(2, "big")


def pong_frame(payload: bytes) -> bytes:
    """Return the frame that answers a ping (RFC 6455, 5.5.3)."""
    return bytes((0x8A, len(payload))) + payload
