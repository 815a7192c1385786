"""Lengths of time in words: the wait until a retry, and differences."""

from __future__ import annotations

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400
_MOST = {"s": 120, "min": 120, "h": 48}


def with_retry(reason: str, left_s: float) -> str:
    """Return the sentence ``reason``, extended by the time until the next attempt."""
    return f"{reason.rstrip('.')}; trying again {in_words(left_s)}."


def in_words(left_s: float) -> str:
    """Return “at once”, “in 19 s”, “in 2 min 5 s”, “in 3 h 0 min” or “in 2 d 4 h”, rounded down."""
    if left_s < 1:
        return "at once"
    seconds = int(left_s)
    if seconds < _MINUTE_S:
        return f"in {seconds} s"
    if seconds < _HOUR_S:
        return f"in {seconds // _MINUTE_S} min {seconds % _MINUTE_S} s"
    if seconds < _DAY_S:
        return f"in {seconds // _HOUR_S} h {seconds % _HOUR_S // _MINUTE_S} min"
    return f"in {seconds // _DAY_S} d {seconds % _DAY_S // _HOUR_S} h"


def length(seconds: float) -> str:
    """Return “0.4 s”, “45 s”, “17 min”, “5 h” or “835 days”: a length, without its sign, in the unit that fits it."""
    seconds = abs(seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    for size_s, unit in ((1, "s"), (_MINUTE_S, "min"), (_HOUR_S, "h")):
        if (number := round(seconds / size_s)) < _MOST[unit]:
            return f"{number} {unit}"
    return f"{round(seconds / _DAY_S):,} days"
