"""
Messages that no exchange means to send: garbage between events, and altered events. No I/O.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import NamedTuple

_HUGE_BYTES = 10 * 1024 * 1024
_NEST = 100_000


class OutgoingMessage(NamedTuple):
    """One text message to send; ``stream`` is "" unless it is an event of a stream."""

    stream: str
    text: bytes


class Garbage(StrEnum):
    """Kinds of messages that a client cannot use. Each is a valid WebSocket message with an invalid text."""

    INVALID_JSON = "invalid json"
    TRUNCATED_JSON = "truncated json"
    INVALID_UTF8 = "invalid utf-8"
    EMPTY = "empty"
    NESTED = "nested"
    UNKNOWN_EVENT = "unknown event"
    OTHER_SYMBOL = "other symbol"  # a valid trade of a symbol that is not subscribed
    WRONG_TYPES = "wrong types"
    HUGE = "huge"


class Alteration(StrEnum):
    """Kinds of changes to an event."""

    UNKNOWN_FIELDS = "unknown fields"  # still usable: the exchange adds fields every year
    CHANGED_TYPES = "changed types"  # numbers as texts and texts as numbers: not usable
    TRUNCATED = "truncated"  # not usable


def garbage_for(message: OutgoingMessage, kind: Garbage) -> OutgoingMessage:
    """Return garbage derived from ``message``."""
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
    """Return the event with that change."""
    match kind:
        case Alteration.UNKNOWN_FIELDS:
            # In every object and before the known fields, because a reader must not rely on their order either.
            text = message.text.replace(b"{", b'{"new":{"deep":[1,null,{}]},"\\u00e9":"\\u00e9",')
        case Alteration.CHANGED_TYPES:
            as_text = re.sub(rb'"(t|T|E|u)":(\d+)', rb'"\1":"\2"', message.text)
            text = re.sub(rb'"([a-zA-Z])":"(\d+\.\d+)"', rb'"\1":\2', as_text)
        case Alteration.TRUNCATED:
            text = _truncated(message.text)
    return OutgoingMessage(message.stream, text)


def _truncated(text: bytes) -> bytes:
    return text[: len(text) * 2 // 3]
