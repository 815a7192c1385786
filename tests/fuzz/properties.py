"""
The properties that the decoders must have for any bytes.

Each function checks one input and raises if a property does not hold. This module needs nothing but msgspec, so that a
fuzzer can run it in its own environment.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.brokers.binance.decode_rest import (
    decode_aggregate_trades,
    decode_day_tickers,
    decode_error_reply,
    decode_exchange_info,
    decode_klines,
    decode_time,
    decode_trades,
)
from app.brokers.binance.decode_stream import (
    Message,
    OtherEvent,
    ServerShutdown,
    SubscriptionAnswer,
    SubscriptionError,
    decode,
)
from app.market.errors import MalformedMessage
from app.market.trade import DayTicker, Quote, Trade
from app.sandbox.wire import trade_event

_FIRST_US, _END_US = 1_230_768_000_000_000, 4_102_444_800_000_000
_AMOUNT_END_E8 = 10**20  # NUMERIC(20,8)
_ID_END = 2**63
_CLOSED_BEFORE_US = 1_723_161_600_000_000

_MESSAGES = (Trade, Quote, DayTicker, SubscriptionAnswer, SubscriptionError, ServerShutdown, OtherEvent)

REST_DECODERS: dict[str, Callable[[bytes], Any]] = {
    "trades": lambda body: decode_trades(body, "BTCUSDT"),
    "aggregate trades": decode_aggregate_trades,
    "klines": lambda body: decode_klines(body, _CLOSED_BEFORE_US),
    "day tickers": decode_day_tickers,
    "exchange info": decode_exchange_info,
    "time": decode_time,
    "refusal": decode_error_reply,
}


def check_frame(frame: bytes) -> Message | None:
    """Decode a frame of the stream into a plausible message; return None for MalformedMessage."""
    try:
        message = decode(frame)
    except MalformedMessage:
        return None
    assert isinstance(message, _MESSAGES), message
    if isinstance(message, Trade):
        check_trade(message)
        assert not _is_plain(message.symbol) or decode(trade_event(message, microseconds=True)) == message
    return message


def check_answer(body: bytes) -> dict[str, Any]:
    """Decode a REST answer with every decoder; return the results by the decoder's name."""
    found: dict[str, Any] = {}
    for name, decoder in REST_DECODERS.items():
        try:
            found[name] = decoder(body)
        except MalformedMessage:
            continue
    trades = found.get("trades", [])
    for trade in trades:
        check_trade(trade)
    assert [trade.trade_id for trade in trades] == sorted(trade.trade_id for trade in trades)
    for candle in found.get("klines", []):
        assert candle.low_e8 <= min(candle.open_e8, candle.close_e8)
        assert max(candle.open_e8, candle.close_e8) <= candle.high_e8
        assert 0 <= candle.trades < _ID_END
    if "time" in found:
        assert _FIRST_US <= found["time"] < _END_US
    return found


def check_trade(trade: Trade) -> None:
    """Check the properties on which the database and the charts rely."""
    assert 1 <= len(trade.symbol) <= 40
    assert type(trade.trade_id) is int
    assert 0 <= trade.trade_id < _ID_END
    assert _FIRST_US <= trade.time_us < _END_US
    assert 0 < trade.price_e8 < _AMOUNT_END_E8
    assert 0 <= trade.quantity_e8 < _AMOUNT_END_E8
    assert type(trade.is_buyer_maker) is bool


def _is_plain(text: str) -> bool:
    """Whether a text may be written between quotation marks unchanged."""
    return text.isprintable() and '"' not in text and "\\" not in text
