"""
What OANDA sends, as values: lines of the pricing stream, candles, instruments, errors. No I/O.

Prices stay decimal text until they are integers of 1e-8, so they keep the digits of the instrument's displayPrecision.

Source: OANDA's v20 documentation, "Pricing Definitions", "Instrument Definitions", "Primitives Definitions".
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

import msgspec

from app.brokers.oanda.endpoints import symbol_of
from app.market.errors import MalformedMessage
from app.market.ports.quote_history import QuoteCandle
from app.market.quotes.tick import Tick
from app.market.quotes.tick_candle import PriceBar, TickCandle
from app.market.symbol import Symbol
from app.market.units import E8, parse_e8

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_UNIT_E8 = E8 // 1_000_000  # sizes are millions of the base asset


class _Level(msgspec.Struct):
    price: str
    liquidity: int | float | str = 0


class _Price(msgspec.Struct, tag_field="type", tag="PRICE"):
    time: str
    instrument: str
    bids: list[_Level] = []
    asks: list[_Level] = []


class _Heartbeat(msgspec.Struct, tag_field="type", tag="HEARTBEAT"):
    time: str


class Heartbeat(NamedTuple):
    """A sign of life, at OANDA's time (UTC microseconds)."""

    time_us: int


_line = msgspec.json.Decoder(_Price | _Heartbeat)


def decode_line(line: bytes) -> Tick | Heartbeat | None:
    """
    Return what one line of the pricing stream says; None for a price without a bid or an ask, as of a closed market.

    The tick's place is 0: see `app.brokers.oanda.tick_order`.

    Raises:
        MalformedMessage: If the line cannot be read.
    """
    try:
        message = _line.decode(line)
        if isinstance(message, _Heartbeat):
            return Heartbeat(time_us_of(message.time))
        if not message.bids or not message.asks:
            return None
        bid, ask = message.bids[0], message.asks[0]
        return Tick(
            symbol_of(message.instrument),
            time_us_of(message.time),
            0,
            _price_e8(bid.price),
            _price_e8(ask.price),
            _size_e8(bid.liquidity),
            _size_e8(ask.liquidity),
        )
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        raise MalformedMessage("A line of OANDA's pricing stream cannot be read.", sample=line[:100]) from error


def time_us_of(text: str) -> int:
    """
    Return a time as OANDA writes it (RFC 3339, nanoseconds) in UTC microseconds; digits beyond are dropped.

    Raises:
        ValueError: If it is no such time.
    """
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text[:40]!r} names no time zone")
    return (at - _EPOCH) // _MICROSECOND


def time_text(time_us: int) -> str:
    """Return a time as OANDA reads it."""
    return (_EPOCH + timedelta(microseconds=time_us)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class _Bar(msgspec.Struct):
    o: str
    h: str
    l: str  # noqa: E741  # because it is OANDA's name
    c: str


class _Candle(msgspec.Struct):
    time: str
    complete: bool
    volume: int
    mid: _Bar
    bid: _Bar
    ask: _Bar


class _Candles(msgspec.Struct):
    candles: list[_Candle]


_candles = msgspec.json.Decoder(_Candles)


def decode_candles(body: bytes, length_us: int) -> list[QuoteCandle]:
    """
    Return candles of bid, ask and mid, oldest first.

    ``length_us``: that of their interval, which ends the time that they may speak of.

    Raises:
        MalformedMessage: If the answer cannot be read.
    """
    try:
        candles = [_candle(one, length_us) for one in _candles.decode(body).candles]
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        raise MalformedMessage("OANDA's candles cannot be read.", sample=body[:100]) from error
    times = [one.candle.open_time_us for one in candles]
    if any(after <= before for before, after in pairwise(times)):
        raise MalformedMessage("The times of OANDA's candles do not rise.", sample=body[:100])
    return candles


def _candle(one: _Candle, length_us: int) -> QuoteCandle:
    open_us = time_us_of(one.time)
    bid, ask, mid = (
        PriceBar(*(_price_e8(text) for text in (bar.o, bar.h, bar.l, bar.c))) for bar in (one.bid, one.ask, one.mid)
    )
    if one.volume < 1:
        raise ValueError("a candle without a price")
    ends = (open_us, 0), (open_us + length_us - 1, 0)
    return QuoteCandle(TickCandle(open_us, bid, ask, mid, one.volume, 0, 0, *ends), one.complete)


class _Instrument(msgspec.Struct, rename="camel"):
    name: str
    type: str = ""
    display_name: str = ""
    display_precision: int = 5
    trade_units_precision: int = 0


class _Instruments(msgspec.Struct):
    instruments: list[_Instrument]


_instruments = msgspec.json.Decoder(_Instruments)
# The asset class and the calendar by the instrument's type. Of CFDs, each follows a market of its own.
_KINDS = {"CURRENCY": ("forex", "FOREX"), "METAL": ("metal", "FOREX"), "CFD": ("cfd", "")}


def decode_instruments(body: bytes) -> list[Symbol]:
    """
    Return the account's instruments as symbols, by name.

    Raises:
        MalformedMessage: If the answer cannot be read.
    """
    try:
        symbols = []
        for one in _instruments.decode(body).instruments:
            base, separator, quote = one.name.rpartition("_")
            if not separator or not 0 <= one.display_precision <= 8:
                raise ValueError(f"the instrument {one.name[:40]!r} is none")
            step_e8 = E8 // 10 ** min(max(one.trade_units_precision, 0), 8)
            name = symbol_of(one.name)
            asset_class, calendar = _KINDS.get(one.type, (one.type.lower(), ""))
            symbols.append(
                Symbol(
                    name,
                    base,
                    quote,
                    E8 // 10**one.display_precision,
                    step_e8,
                    exchange="OANDA",
                    asset_class=asset_class,
                    calendar=calendar,
                    time_zone="America/New_York",
                )
            )
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise MalformedMessage("OANDA's instruments cannot be read.", sample=body[:100]) from error
    return sorted(symbols, key=lambda symbol: symbol.name)


class _Refusal(msgspec.Struct, rename="camel"):
    error_message: str


_refusal = msgspec.json.Decoder(_Refusal)


def decode_refusal(body: bytes) -> str:
    """Return OANDA's own words in an answer that refuses, without a full stop; empty if it has none."""
    try:
        words = _refusal.decode(body).error_message
    except (msgspec.MsgspecError, RecursionError):
        return ""
    return " ".join(words.split())[:200].rstrip(".")


def _price_e8(text: str) -> int:
    price_e8 = parse_e8(text)
    if not 0 < price_e8 < 2**62:
        raise ValueError("a price that is none")
    return price_e8


def _size_e8(units: float | str) -> int:
    size_e8 = round(float(units) * _UNIT_E8)
    if not 0 <= size_e8 < 2**62:
        raise ValueError("a size that is none")
    return size_e8
