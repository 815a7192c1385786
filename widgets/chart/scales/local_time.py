"""
Starts of local days, and spans of constant offset from UTC, for the rules of one zone. Pure.

Instants are UTC seconds. Nothing here adds the length of a day to a time: a local day may last 23, 25 or 24½ hours,
begin at one o'clock because midnight was skipped, or not exist at all (Apia, 30 December 2011).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR_S = 3600
_BLOCK_S = 32 * 24 * _HOUR_S  # one cache entry of offset changes
_PROBE_S = 3 * _HOUR_S  # no zone has changed its clocks and changed them back within three hours


def moment(time_s: int, rules: tzinfo) -> datetime:
    """Return the local date and time at an instant."""
    # Not datetime.fromtimestamp: on Windows it fails before 1970.
    return (_EPOCH + timedelta(seconds=time_s)).astimezone(rules)


def is_ambiguous(shown: datetime) -> bool:
    """Whether the local time occurs twice, because the clocks were set back."""
    return shown.replace(fold=0).utcoffset() != shown.replace(fold=1).utcoffset()


@lru_cache(maxsize=8192)
def day_start(ordinal: int, rules: tzinfo) -> int:
    """
    Return the first instant of a local day, UTC seconds; of a day that was skipped, the start of the next one.

    ``ordinal``: the day's number as in `datetime.toordinal`.
    """
    midnight = datetime.fromordinal(ordinal).replace(tzinfo=rules)
    start = int(midnight.timestamp())
    skipped = moment(start, rules).replace(tzinfo=None) - midnight.replace(tzinfo=None)
    if not skipped:
        return start
    # The clocks were set forward over midnight. The day begins at that change, found by bisection before ``start``.
    before = start - int(skipped.total_seconds()) - 1
    while start - before > 1:
        middle = (before + start) // 2
        if moment(middle, rules).toordinal() >= ordinal:
            start = middle
        else:
            before = middle
    return start


def offset_spans(start: int, end: int, rules: tzinfo) -> Iterator[tuple[int, int, int]]:
    """Yield the spans of constant offset from ``start`` to ``end`` (exclusive) as start, end and offset, in seconds."""
    if rules is UTC:
        yield start, end, 0
        return
    since, offset = start, _offset(start, rules)
    for block in range(start // _BLOCK_S, end // _BLOCK_S + 1):
        for at, after in _changes(block, rules):
            if start < at < end:
                yield since, at, offset
                since, offset = at, after
    yield since, end, offset


@lru_cache(maxsize=1024)
def _changes(block: int, rules: tzinfo) -> tuple[tuple[int, int], ...]:
    """Return the offset changes within a block: the instant, and the offset from then on."""
    found = []
    first = block * _BLOCK_S
    for probe in range(first, first + _BLOCK_S, _PROBE_S):
        before, after = _offset(probe - 1, rules), _offset(probe + _PROBE_S - 1, rules)
        if before != after:
            found.append((_change(probe - 1, probe + _PROBE_S - 1, rules), after))
    return tuple(found)


def _change(before: int, after: int, rules: tzinfo) -> int:
    old = _offset(before, rules)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(middle, rules) == old:
            before = middle
        else:
            after = middle
    return after


def _offset(time_s: int, rules: tzinfo) -> int:
    offset = moment(time_s, rules).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())
