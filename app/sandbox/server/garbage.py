"""
Messages that the exchange never meant to send: garbage between the events, and events that are not as they were.

Pure: a message in, a message out.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

_HUGE_BYTES = 10 * 1024 * 1024
_NEST = 100_000


class OutgoingMessage(NamedTuple):
    """One text message about to be sent; ``stream`` is "" for what is no event of a stream."""

    stream: str
    text: bytes


class Garbage(StrEnum):
    """Messages of no use to a client. Each is a WebSocket message, whatever its text."""

    INVALID_JSON = "invalid json"
    TRUNCATED_JSON = "truncated json"
    INVALID_UTF8 = "invalid utf-8"
    EMPTY = "empty"
    NESTED = "nested"
    UNKNOWN_EVENT = "unknown event"
    OTHER_SYMBOL = "other symbol"  # a trade as good as any, of a symbol that nobody subscribed to
    WRONG_TYPES = "wrong types"
    HUGE = "huge"


class Alteration(StrEnum):
    """What may become of an event on its way."""

    UNKNOWN_FIELDS = "unknown fields"  # still of use: the exchange adds fields every year
    CHANGED_TYPES = "changed types"  # numbers as texts and texts as numbers: of no use
    TRUNCATED = "truncated"  # of no use


def garbage_for(message: OutgoingMessage, kind: Garbage) -> OutgoingMessage:
    """Return garbage that takes after ``message``."""
    match kind:
        case Garbage.INVALID_JSON:
            text = b"\xe2\x82\xac not json {]"
        case Garbage.TRUNCATED_JSON:
            text = _truncated(message.text)
        case Garbage.INVALID_UTF8:
            text = message.text.replace(b'":"', b'":"\xff\xfe', 1)
        case Garbage.EMPTY:
            text = b""
        case Garbage.NESTED:
            text = b"[" * _NEST
        case Garbage.UNKNOWN_EVENT:
            text = b'{"stream":"btcusdt@riddle","data":{"e":"riddle","E":1,"s":"BTCUSDT"}}'
        case Garbage.OTHER_SYMBOL:
            text = (
                b'{"stream":"strayusdt@trade","data":{"e":"trade","E":1786700000000,"s":"STRAYUSDT","t":1,'
                b'"p":"1.00000000","q":"1.00000000","T":1786700000000,"m":true,"M":true}}'
            )
        case Garbage.WRONG_TYPES:
            text = (
                b'{"stream":"btcusdt@trade","data":'
                b'{"e":"trade","E":"soon","s":7,"t":"x","p":null,"q":[],"T":{},"m":"no","M":0}}'
            )
        case Garbage.HUGE:
            text = b'{"e":"huge","x":"' + b"x" * _HUGE_BYTES + b'"}'
    return OutgoingMessage("", text)


def altered(message: OutgoingMessage, kind: Alteration) -> OutgoingMessage:
    """Return the event as it arrives instead."""
    match kind:
        case Alteration.UNKNOWN_FIELDS:
            # In every object, before what is known: a reader may not rely on the order either.
            text = message.text.replace(b"{", b'{"new":{"deep":[1,null,{}]},"\\u00e9":"\\u00e9",')
        case Alteration.CHANGED_TYPES:
            as_text = re.sub(rb'"(t|T|E|u)":(\d+)', rb'"\1":"\2"', message.text)
            text = re.sub(rb'"([a-zA-Z])":"(\d+\.\d+)"', rb'"\1":\2', as_text)
        case Alteration.TRUNCATED:
            text = _truncated(message.text)
    return OutgoingMessage(message.stream, text)


def _truncated(text: bytes) -> bytes:
    return text[: len(text) * 2 // 3]
