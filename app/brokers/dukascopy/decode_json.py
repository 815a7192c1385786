"""
Dukascopy's JSON interface: ticks as columns of differences. No I/O.

The first value of each column stands beside it; times are milliseconds, prices are multiples of the multiplier, sizes
are units and no differences. Numbers are read as text, so that no price passes through a float.

Source: recorded answers of July 2026.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any

import numpy as np

from app.market.errors import MalformedMessage
from app.market.quotes.tick_columns import Ints, TickColumns, no_ticks, tick_columns
from app.market.units import E8

_UNITS_E8 = Decimal(E8) / 1_000_000  # sizes are units there, and millions here
_HOUR_MS = 3_600_000
_MOST_E8 = 2**62


def decode_ticks(body: bytes, symbol: str, start_us: int) -> TickColumns:
    """
    Return the ticks of an answer about the hour that begins at ``start_us`` (UTC microseconds); an empty body has none.

    Raises:
        MalformedMessage: If the answer cannot be read, or is about another time.
    """
    if not body:
        return no_ticks(symbol)
    try:
        answer = _answer(body)
        times = _integers(answer, "times")
        if not len(times):
            return no_ticks(symbol)
        time_ms = int(answer["timestamp"]) + np.cumsum(times)
        if time_ms[0] < start_us // 1_000 or time_ms[-1] >= start_us // 1_000 + _HOUR_MS:
            raise ValueError("the ticks lie outside the hour that was asked for")
        multiplier = Decimal(answer["multiplier"])
        bid_e8, ask_e8 = (
            _prices_e8(Decimal(answer[side]), multiplier, _integers(answer, column, len(times)))
            for side, column in (("bid", "bids"), ("ask", "asks"))
        )
        bid_sizes, ask_sizes = (_sizes_e8(answer, column, len(times)) for column in ("bidVolumes", "askVolumes"))
        return tick_columns(symbol, time_ms * 1_000, bid_e8, ask_e8, bid_sizes, ask_sizes)
    except (ValueError, KeyError, TypeError, InvalidOperation, OverflowError, RecursionError) as error:
        raise _malformed(error, body) from error


def _answer(body: bytes) -> Mapping[str, Any]:
    answer = json.loads(body, parse_float=str, parse_constant=str)
    if not isinstance(answer, dict):
        raise TypeError("it is no object")
    return answer


def _integers(answer: Mapping[str, Any], name: str, length: int | None = None) -> Ints:
    values = answer[name]
    if not isinstance(values, list) or not all(type(value) is int for value in values):
        raise TypeError(f"{name} are not whole numbers")
    if length is not None and len(values) != length:
        raise ValueError(f"there are {len(values)} {name} for {length} times")
    return np.array(values, dtype=np.int64)


def _prices_e8(first: Decimal, multiplier: Decimal, differences: Ints) -> Ints:
    """Return the prices, exactly; the differences count multiples of ``multiplier``."""
    first_e8, step_e8 = _exact(first * E8), _exact(multiplier * E8)
    prices = first_e8 + np.cumsum(differences) * step_e8
    if step_e8 < 1 or prices.min() < 0 or prices.max() >= _MOST_E8:
        raise ValueError("a price is not one")
    return prices


def _exact(amount: Decimal) -> int:
    if not amount.is_finite() or amount != amount.to_integral_value() or abs(amount) >= _MOST_E8:
        raise ValueError("a price has more than eight decimal places")
    return int(amount)


def _sizes_e8(answer: Mapping[str, Any], name: str, length: int) -> Ints:
    values: Sequence[Any] = answer[name]
    if not isinstance(values, list) or len(values) != length:
        raise ValueError(f"there are not {length} {name}")
    # Few sizes occur in an hour, so each is converted once.
    exact = {value: _size_e8(value) for value in set(values)}
    return np.array([exact[value] for value in values], dtype=np.int64)


def _size_e8(units: object) -> int:
    if not isinstance(units, int | str) or isinstance(units, bool):
        raise TypeError("a size is not a number")
    size_e8 = (Decimal(units) * _UNITS_E8).to_integral_value(ROUND_HALF_EVEN)
    if not 0 <= size_e8 < _MOST_E8:
        raise ValueError("a size is not one")
    return int(size_e8)


def _malformed(error: Exception, body: bytes) -> MalformedMessage:
    reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
    return MalformedMessage(f"Dukascopy's answer cannot be read: {reason}", sample=body[:100])
