"""
Numbers and times as text for the panels.

The same everywhere: commas between thousands, a real minus sign, no line break before a unit, and a dash for an
unknown value. Nothing here depends on the system's locale, so a screenshot reads the same for everyone.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime

from app.market.interval import Interval
from app.market.symbol import Symbol

UNKNOWN = "–"
MINUS = "−"
SPACE = "\u00a0"
"""A no-break space, between a number and its unit."""
_THIN = "\u202f"  # narrow and no-break, before “%”

_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_LARGE = ((1e12, "tn"), (1e9, "bn"))
_RATES = ((1e9, "bn"), (1e6, "M"), (1e3, "k"))
_UNITS = ((604_800, "week"), (86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))


def fixed(value: float | None, decimals: int) -> str:
    """Return ``value`` with exactly that many decimals: ``"61,693.94"``."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    text = f"{value:,.{decimals}f}"
    if text.startswith("-"):  # a value rounded to “-0.00” loses its sign
        text = text[1:] if not text.strip("-0.,") else MINUS + text[1:]
    return text


def price(value: float | None, symbol: Symbol) -> str:
    """Return a price with the symbol's decimals."""
    return fixed(value, symbol.price_decimals)


def quantity(value: float | None, symbol: Symbol) -> str:
    """Return an amount of the base asset to four significant digits or more, but no finer than the symbol's step."""
    if value is None or not math.isfinite(value) or value == 0:
        return fixed(value, 0)
    for size, unit in _LARGE:
        if abs(value) >= size:
            return f"{fixed(value / size, 2)}{SPACE}{unit}"
    digits_before_the_point = math.floor(math.log10(abs(value))) + 1
    return fixed(value, max(0, min(symbol.quantity_decimals, 4 - digits_before_the_point)))


def count(value: int | None) -> str:
    """Return a whole number: ``"19,904"``."""
    return UNKNOWN if value is None else fixed(value, 0)


def counted(number: int, noun: str) -> str:
    """Return a number of things: ``"1 trade"``, ``"1,200 trades"``."""
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"


def compact(value: float | None) -> str:
    """Return an amount in about three digits: ``"340"``, ``"1.19 k"``."""
    if value is None:
        return UNKNOWN
    for size, unit in _RATES:
        if abs(value) >= size:
            return f"{_three_digits(value / size)}{SPACE}{unit}"
    return rate(value)


def rate(value: float | None) -> str:
    """Return a rate, to one decimal where it is small: ``"1,204"``, ``"0.4"``."""
    return fixed(value, 0 if value is None or abs(value) >= 9.95 or value == round(value) else 1)


def percent(value: float | None) -> str:
    """Return a change with its sign: ``"−0.53 %"``, ``"+14.1 %"``, ``"0.00 %"``."""
    if value is None or not math.isfinite(value):
        return UNKNOWN
    text = _three_digits(value)
    sign = "+" if value > 0 and text.strip("0.,") else ""
    return f"{sign}{text}{_THIN}%"


def data_size(size_bytes: int) -> str:
    """Return a number of bytes as ``"3.4 MB"``."""
    amount = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 999.5:
            return f"{fixed(amount, 0 if unit in ('B', 'kB') or amount >= 99.95 else 1)}{SPACE}{unit}"
        amount /= 1000
    return f"{fixed(amount, 1)}{SPACE}TB"


def direction(change: float | None) -> str:
    """Return the tone of a change (see `style.set_tone`): ``"rising"``, ``"falling"``, or ``""`` for no change."""
    if not change:
        return ""
    return "rising" if change > 0 else "falling"


def utc_time(time_us: int | None) -> str:
    """Return a time as ``"09 Aug 2024 00:15:23 UTC"``."""
    if time_us is None:
        return UNKNOWN
    moment = datetime.fromtimestamp(time_us // 1_000_000, UTC)
    return f"{moment.day:02} {_MONTHS[moment.month - 1]} {moment.year} {moment:%H:%M:%S} UTC"


def interval_in_words(interval: Interval) -> str:
    """Return an interval in words: ``"13 minutes"``, ``"1 hour, 5 minutes later"``."""
    if interval.phase:
        return f"{interval_in_words(interval.with_phase(0))}, {_plural(interval.phase, 'minute')} later"
    if interval.months:
        return _plural(interval.months, "month")
    for seconds, unit in _UNITS:
        if interval.seconds % seconds == 0:
            return _plural(interval.seconds // seconds, unit)
    raise AssertionError("every length is a number of seconds")


def _three_digits(value: float) -> str:
    size = abs(value)
    # The limits are where rounding adds a digit: 9.995 is “10.0”, not “10.00”.
    return fixed(value, 2 if size < 9.995 else 1 if size < 99.95 else 0)


def _plural(number: int, unit: str) -> str:
    return f"{number:,} {unit}" if number == 1 else f"{number:,} {unit}s"
