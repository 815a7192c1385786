"""
The decoder for frames of the stream. No I/O.

Text becomes numbers here and nowhere later. A frame that cannot be read or cannot be true raises `MalformedMessage` and
nothing else, so that one bad frame costs one frame. Trades arrive by the hundred thousand: a frame that looks like a
trade is read in a single typed pass, and the slower general decoder only runs if that fails.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

import msgspec

from app.market.errors import MalformedMessage
from app.market.trade import DayTicker, MarketEvent, Quote, Trade
from app.market.units import parse_e8

SAMPLE_BYTES = 200

# A plausible time lies between Bitcoin's first block and the end of this century. This range in milliseconds does not
# overlap with the same in microseconds, so the size of a number also gives its unit.
_EARLIEST_MS = 1_230_768_000_000
_LATEST_MS = 4_102_444_800_000
_EARLIEST_US = _EARLIEST_MS * 1000
_LATEST_US = _LATEST_MS * 1000
# Prices and quantities are stored as NUMERIC(20,8).
_AMOUNT_LIMIT_E8 = 10**20
# A day's volume has no such bound, but reading a number of a megabyte would hold up the loop.
_LONGEST_SUM = 40

Id = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
SymbolName = Annotated[str, msgspec.Meta(min_length=1, max_length=40)]


class SubscriptionAnswer(NamedTuple):
    """The exchange accepted a request. ``streams`` is the list it was asked for, or None."""

    request_id: int | None
    streams: tuple[str, ...] | None


class SubscriptionError(NamedTuple):
    """The exchange refused a request. ``request_id`` is None if it did not state which."""

    request_id: int | None
    code: int
    message: str


class ServerShutdown(NamedTuple):
    """The exchange is about to end this connection for maintenance."""

    time_us: int


class OtherEvent(NamedTuple):
    """A readable event of a kind that is not used here."""

    kind: str


Message = MarketEvent | SubscriptionAnswer | SubscriptionError | ServerShutdown | OtherEvent


class _TradeEvent(msgspec.Struct, tag_field="e", tag="trade", gc=False):
    s: SymbolName
    t: Id
    p: str
    q: str
    T: int
    m: bool


class _TradeFrame(msgspec.Struct, gc=False):
    data: _TradeEvent


class _MiniTickerEvent(msgspec.Struct, tag_field="e", tag="24hrMiniTicker"):
    E: int
    s: SymbolName
    c: str
    o: str
    h: str
    l: str  # noqa: E741  # because it is the exchange's own name
    v: str
    q: str


class _ShutdownEvent(msgspec.Struct, tag_field="e", tag="serverShutdown"):
    E: int


class _BookTickerEvent(msgspec.Struct, gc=False):
    u: Id
    s: SymbolName
    b: str
    B: str
    a: str
    A: str


class _BookTickerFrame(msgspec.Struct, gc=False):
    data: _BookTickerEvent


class _ErrorField(msgspec.Struct):
    code: int
    msg: str = ""


class _Outline(msgspec.Struct):
    """The fields by which the kinds of messages differ; each kind has only some of them."""

    data: msgspec.Raw = msgspec.Raw()
    e: str | None = None
    u: Any = None
    id: int | str | None = None
    result: list[str] | msgspec.UnsetType | None = msgspec.UNSET
    code: int | None = None
    msg: str = ""
    error: _ErrorField | None = None


_read_trade_frame = msgspec.json.Decoder(_TradeFrame).decode
_read_book_ticker_frame = msgspec.json.Decoder(_BookTickerFrame).decode
_read_book_ticker = msgspec.json.Decoder(_BookTickerEvent).decode
_read_event = msgspec.json.Decoder(_TradeEvent | _MiniTickerEvent | _ShutdownEvent).decode
_read_outline = msgspec.json.Decoder(_Outline).decode

_READABLE_KINDS = {"trade", "24hrMiniTicker", "serverShutdown"}
# msgspec.MsgspecError: not JSON, or other types; ValueError: numbers, times, characters; RecursionError: "[[[[…".
UNREADABLE = (msgspec.MsgspecError, ValueError, RecursionError)


def decode(frame: bytes) -> Message:
    """
    Return the message in one frame of ``/stream`` or ``/ws``. Its times may be in milliseconds or microseconds.

    Raises:
        MalformedMessage: If the frame cannot be read or cannot be true; the next frame is not affected.
    """
    try:
        # The stream's name comes first in a combined frame, so its beginning shows the kind without a parse.
        if frame.find(b'@trade"', 0, 80) > 0:
            return _trade(_read_trade_frame(frame).data)
        if frame.find(b'@bookTicker"', 0, 80) > 0:
            return _quote(_read_book_ticker_frame(frame).data)
    except UNREADABLE:
        pass  # the general decoder reports what is wrong, or finds that it is another kind of message
    try:
        return _decode_any(frame)
    except UNREADABLE as error:
        raise malformed(error, frame) from error


def malformed(error: BaseException, sample: bytes) -> MalformedMessage:
    """Return the error for a message whose decoding raised ``error``."""
    shown = bytes(sample[:SAMPLE_BYTES])
    text = shown[:80].decode("utf-8", "replace")
    return MalformedMessage(f"A message of the exchange could not be read ({error}): {text}", sample=shown)


def time_us_of(time: int) -> int:
    """
    Return a time of the exchange, given in milliseconds or microseconds, as UTC microseconds.

    Raises:
        ValueError: If it is plausible in neither unit.
    """
    if _EARLIEST_US <= time < _LATEST_US:
        return time
    if _EARLIEST_MS <= time < _LATEST_MS:
        return time * 1000
    raise ValueError("a time that cannot be")


def amount_e8(text: str) -> int:
    """
    Return a price or quantity in 1e-8 units.

    Raises:
        ValueError: If it is not a decimal amount or exceeds NUMERIC(20,8).
    """
    # The exchange always sends eight places, for which this is three times as fast as parse_e8.
    digits = text.replace(".", "", 1)
    if text[-9:-8] == "." and 9 <= len(digits) <= 20 and digits.isdigit() and digits.isascii():
        return int(digits)
    if len(text) > _LONGEST_SUM:
        raise ValueError("an amount that cannot be")
    amount = parse_e8(text)
    if amount >= _AMOUNT_LIMIT_E8:
        raise ValueError("an amount that cannot be")
    return amount


def price_e8(text: str) -> int:
    """
    Return a price in 1e-8 units.

    Raises:
        ValueError: If it is not a decimal amount, zero, or exceeds NUMERIC(20,8).
    """
    price = amount_e8(text)
    if not price:
        raise ValueError("a price of zero")
    return price


def sum_e8(text: str) -> int:
    """
    Return a volume in 1e-8 units; it may exceed the limit of a single amount.

    Raises:
        ValueError: If it is not a decimal amount.
    """
    if len(text) > _LONGEST_SUM:
        raise ValueError("an amount that cannot be")
    return parse_e8(text)


def _trade(event: _TradeEvent) -> Trade:
    return Trade(event.s, event.t, time_us_of(event.T), price_e8(event.p), amount_e8(event.q), event.m)


def _quote(event: _BookTickerEvent) -> Quote:
    # An empty side of the book is sent as zeros, which amount_e8 accepts and price_e8 would not.
    return Quote(event.s, event.u, amount_e8(event.b), amount_e8(event.B), amount_e8(event.a), amount_e8(event.A))


def _day_ticker(event: _MiniTickerEvent) -> DayTicker:
    # The prices of a symbol without a trade in 24 hours are zero.
    prices = (amount_e8(event.o), amount_e8(event.h), amount_e8(event.l), amount_e8(event.c))
    return DayTicker(event.s, time_us_of(event.E), *prices, sum_e8(event.v), sum_e8(event.q))


def _decode_any(frame: bytes) -> Message:
    outline = _read_outline(frame)
    if not bytes(outline.data):
        return _decode_outlined(frame, outline)
    payload = bytes(outline.data)
    return _decode_outlined(payload, _read_outline(payload))


def _decode_outlined(payload: bytes, outline: _Outline) -> Message:
    if outline.e is not None:
        if outline.e not in _READABLE_KINDS:
            return OtherEvent(outline.e)
        event = _read_event(payload)
        if isinstance(event, _TradeEvent):
            return _trade(event)
        if isinstance(event, _MiniTickerEvent):
            return _day_ticker(event)
        return ServerShutdown(time_us_of(event.E))
    if outline.u is not None:
        return _quote(_read_book_ticker(payload))
    request_id = outline.id if isinstance(outline.id, int) else None
    if outline.error is not None:
        return SubscriptionError(request_id, outline.error.code, outline.error.msg)
    if outline.code is not None:
        return SubscriptionError(request_id, outline.code, outline.msg)
    if not isinstance(outline.result, msgspec.UnsetType):
        return SubscriptionAnswer(request_id, None if outline.result is None else tuple(outline.result))
    raise ValueError("neither an event nor an answer")
