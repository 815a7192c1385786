"""A wait in words, for sentences whose time runs down while they are shown."""

from __future__ import annotations

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86_400


def with_retry(reason: str, left_s: float) -> str:
    """Return the sentence ``reason``, and when the next attempt is."""
    return f"{reason.rstrip('.')}; trying again {in_words(left_s)}."


def in_words(left_s: float) -> str:
    """Return “at once”, “in 19 s”, “in 2 min 5 s”, “in 3 h 0 min” or “in 2 d 4 h”: never longer than it is."""
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
