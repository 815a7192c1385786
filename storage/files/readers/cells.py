"""
One cell of a table as a value: exact, or refused.

A cell is text, or what a typed format holds: an integer, a float, a Decimal, a datetime, a truth value, or nothing.
Each function raises ValueError with a reason that follows the column's name: “price is not a number: 'abc'”.
"""

from __future__ import annotations

import math
import re
import struct
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

Cell = Any
"""str, int, float, Decimal, datetime, date, bool or None."""

FIRST_S, LAST_S = 946_684_800, 4_102_444_800  # the years 2000 to 2099: no two units of a time have a number in common
_UNITS = ((1, 1_000_000, 1), (1_000, 1_000, 1), (1_000_000, 1, 1), (1_000_000_000, 1, 1_000))
_NUMBER = re.compile(r"\+?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?|-(?:0+\.?0*|\.0+)", re.ASCII)
_TRUE = {"true", "t", "yes", "y", "1"}
_FALSE = {"false", "f", "no", "n", "0"}
_TAKER_SOLD = {"sell", "s", "seller", "ask", "sold"}
_TAKER_BOUGHT = {"buy", "b", "buyer", "bid", "bought"}
_EXACT_DIGITS = 15  # a double holds any decimal of so many; what comes after is noise of its arithmetic
_MAX_INT = 2**63 - 1


def to_decimal(cell: Cell, places: int) -> int:
    """
    Return a non-negative amount as a count of 10**-``places``.

    Raises:
        ValueError: If the cell is no such amount, or has digits that do not fit.
    """
    if isinstance(cell, str):
        text = cell.strip()
        if not _NUMBER.fullmatch(text):
            raise ValueError("is empty" if not text else f"is not a number: {cell[:40]!r}")
        number = Decimal(text)
    elif isinstance(cell, float):
        text = repr(cell)
        number = Decimal(text)
    elif isinstance(cell, (int, Decimal)) and not isinstance(cell, bool):
        text = str(cell)
        number = Decimal(cell)
    else:
        raise ValueError("is empty" if cell is None else f"is not a number: {str(cell)[:40]!r}")
    if not number.is_finite() or number < 0:
        raise ValueError(f"is not an amount: {text[:40]!r}")
    try:
        return _scaled(number, places)
    except ValueError:
        # 0.00031099999999999997 is what a program made of 0.000311. Only a float's own digits are read that way.
        if repr(float(number)) == text and len(number.as_tuple().digits) > _EXACT_DIGITS:
            return _scaled(Decimal(f"{float(number):.{_EXACT_DIGITS}g}"), places)
        raise


def to_e8(cell: Cell) -> int:
    """Return a non-negative amount in 1e-8 units; see `to_decimal`."""
    amount = to_decimal(cell, 8)
    if amount > _MAX_INT:
        raise ValueError(f"is too large: {str(cell)[:40]!r}")
    return amount


def to_price_e8(cell: Cell) -> int:
    """Return a price above 0 in 1e-8 units; see `to_decimal`."""
    price = to_e8(cell)
    if not price:
        raise ValueError("is 0")
    return price


def to_size_e8(cell: Cell) -> int:
    """
    Return a size in 1e-8 units; 0 where the cell is empty.

    A float32 that was written as a double, 0.8999999761581421, is the decimal that it was published as: 0.9.
    """
    if cell is None or (isinstance(cell, str) and not cell.strip()) or cell != cell:  # NaN: pandas had nothing there
        return 0
    try:
        return to_e8(cell)
    except ValueError:
        try:
            number = float(cell)
        except (TypeError, ValueError):
            number = math.nan
        # Only what packs into a float32 and out of it unchanged is one.
        if not 0 <= number < 1e9 or struct.unpack("<f", struct.pack("<f", number))[0] != number:
            raise
        shortest = next(text for places in range(1, 10) if _float32(text := f"{number:.{places}g}") == number)
        return round(Decimal(shortest).scaleb(8))


def _float32(text: str) -> float:
    return float(struct.unpack("<f", struct.pack("<f", float(text)))[0])


def to_whole(cell: Cell) -> int:
    """Return a whole number from 0, such as an id."""
    if isinstance(cell, int) and not isinstance(cell, bool):
        number = cell
    elif isinstance(cell, str) and cell.strip().isascii() and cell.strip().isdigit():
        number = int(cell)
    else:
        try:
            number = to_decimal(cell, 0)
        except ValueError as error:
            if "is empty" in str(error):
                raise
            raise ValueError(f"is not a whole number: {str(cell)[:40]!r}") from error
    if not 0 <= number <= _MAX_INT:
        raise ValueError(f"is not a number from 0 to {_MAX_INT}: {str(cell)[:40]!r}")
    return number


def to_time_us(cell: Cell) -> int:
    """
    Return a time as UTC microseconds.

    A number is in s, ms, µs or ns by its size: from 2000 to 2099 their numbers are apart. A text without an offset is
    in UTC.
    """
    if isinstance(cell, datetime):
        moment = cell if cell.tzinfo is not None else cell.replace(tzinfo=UTC)
        return _checked_time(_micros(moment), cell)
    if isinstance(cell, date):
        return _checked_time(_micros(datetime(cell.year, cell.month, cell.day, tzinfo=UTC)), cell)
    if isinstance(cell, str) and not _NUMBER.fullmatch(cell.strip()):
        text = cell.strip()
        if not text:
            raise ValueError("is empty")
        try:
            moment = datetime.fromisoformat(text.removesuffix(" UTC"))
        except ValueError:
            raise ValueError(f"is not a time: {cell[:40]!r}") from None
        return _checked_time(_micros(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)), cell)
    if cell is None or isinstance(cell, bool):
        raise ValueError("is empty" if cell is None else f"is not a time: {cell}")
    try:
        number = Decimal(repr(cell) if isinstance(cell, float) else cell)
    except InvalidOperation:
        raise ValueError(f"is not a time: {str(cell)[:40]!r}") from None
    if number.is_finite():
        for per_second, factor, divisor in _UNITS:
            if FIRST_S * per_second <= number < LAST_S * per_second:
                return int(number * factor) // divisor
    raise ValueError(f"is not a time from 2000 to 2099: {str(cell)[:40]!r}")


def to_truth(cell: Cell) -> bool:
    """Return a truth value, however programs write it."""
    if isinstance(cell, bool):
        return cell
    text = "" if cell is None else _plain(cell)
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError("is empty" if not text else f"is neither true nor false: {str(cell)[:40]!r}")


def to_taker_sold(cell: Cell) -> bool:
    """Return from a side whether the taker sold: the maker bought, then."""
    text = "" if cell is None else _plain(cell)
    if text in _TAKER_SOLD:
        return True
    if text in _TAKER_BOUGHT:
        return False
    raise ValueError("is empty" if not text else f"is neither buy nor sell: {str(cell)[:40]!r}")


def _plain(cell: Cell) -> str:
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return str(cell).strip().lower()


def _scaled(number: Decimal, places: int) -> int:
    # No context: multiplying Decimals would round to 28 digits.
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    whole = int("".join(map(str, digits)))
    shift = exponent + places
    if shift >= 0:
        if shift > 40 and whole:
            raise ValueError(f"is too large: {number}")
        return int(whole * 10 ** min(shift, 40))
    result, rest = divmod(whole, 10**-shift)
    if rest:
        raise ValueError(f"has more than {places} decimal places: {number}" if places else f"is not whole: {number}")
    return int(result)


def _micros(moment: datetime) -> int:
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def _checked_time(time_us: int, cell: Cell) -> int:
    if not FIRST_S * 1_000_000 <= time_us < LAST_S * 1_000_000:
        raise ValueError(f"is not a time from 2000 to 2099: {str(cell)[:40]!r}")
    return time_us


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
