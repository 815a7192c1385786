"""
Columns as text: exact decimals, ISO 8601 times, true and false.

Every function returns an Arrow array of strings, null where the value is null. Digits are made for a whole column at
once, as a matrix of characters of which the superfluous ones are left out.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from app.market.columns.wide_decimals import Halves, counts_of, divmod_e8, halves_of

Characters = NDArray[np.uint8]
Mask = NDArray[np.bool_]

_ZERO = 48
_DAY_US, _SECOND_US = 86_400_000_000, 1_000_000
_OFFSET_UNIT_US = 900 * _SECOND_US  # a zone's offset changes at whole quarters of an hour, UTC
_FEWEST_PLACES = 8


@cache
def _four_digits() -> NDArray[np.uint32]:
    """Return the numbers 0 to 9999 as four characters each."""
    characters = np.frombuffer("".join(f"{number:04d}" for number in range(10_000)).encode(), dtype=np.uint8)
    return characters.view(np.uint32)


def text_of(column: Any, zone: str, *, trims: bool = False) -> Any:
    """
    Return a column's values as text.

    ``zone``: the time zone of times. ``trims``: decimals lose the zeros at their end, but for one place.
    """
    kind = column.type
    if pa.types.is_string(kind):
        return column
    if pa.types.is_decimal(kind):
        return _decimals(column, 1 if trims else _FEWEST_PLACES)
    if pa.types.is_timestamp(kind):
        return _times(column, zone)
    if pa.types.is_boolean(kind):
        return pc.if_else(column, "true", "false")
    if pa.types.is_floating(kind):
        return pa.array([None if value is None else repr(value) for value in column.to_pylist()], pa.string())
    return column.cast(pa.string())


def _decimals(column: Any, fewest_places: int) -> Any:
    """Return decimals of 8 or 16 places, without the zeros at their end beyond the fewest places."""
    low, high = halves_of(column)
    valid = _valid(column)
    low = np.where(valid, low, np.uint64(0))
    high = np.where(valid, high, 0)
    if bool((high < 0).any()):
        return _decimals_one_by_one(column, fewest_places)
    parts = list[NDArray[np.int64]]()
    left: Halves = (low, high)
    for _ in range(column.type.scale // 8):
        left, part = divmod_e8(left)
        parts.insert(0, part)
    whole = left[0].view(np.int64)
    if bool(left[1].any()) or bool((whole < 0).any()):
        return _decimals_one_by_one(column, fewest_places)
    digits = _digits_of(whole)
    width = 4 * ((digits.max(initial=1) + 3) // 4)
    places = column.type.scale
    characters = np.empty((len(low), width + 1 + places), dtype=np.uint8)
    keep = np.ones(characters.shape, dtype=np.bool_)
    _put_digits(characters, 0, whole, width)
    keep[:, :width] = np.arange(width) >= width - digits[:, None]
    characters[:, width] = ord(".")
    for at, part in enumerate(parts):
        _put_digits(characters, width + 1 + 8 * at, part, 8)
    if fewest_places == places and len(low) and digits.min() == digits.max() and valid.all():
        return _fixed_width(characters[:, width - digits[0] :])
    is_tail = np.ones(len(low), dtype=np.bool_)
    for at in range(width + places, width + fewest_places, -1):
        is_tail &= characters[:, at] == _ZERO
        if not is_tail.any():
            break
        keep[:, at] = ~is_tail
    return _strings(characters, keep, valid)


def _decimals_one_by_one(column: Any, fewest_places: int) -> Any:
    """Return the same for amounts that no market has: below zero, or beyond 64 bits before the point."""
    places = column.type.scale
    texts = list[str | None]()
    for count, valid in zip(counts_of(column), _valid(column).tolist(), strict=True):
        digits = str(abs(count)).rjust(places + 1, "0")
        fraction = digits[-places:]
        kept = max(fewest_places, len(fraction.rstrip("0")))
        texts.append(f"{'-' if count < 0 else ''}{digits[:-places]}.{fraction[:kept]}" if valid else None)
    return pa.array(texts, pa.string())


def _times(column: Any, zone: str) -> Any:
    """Return times in ISO 8601, with a Z or the zone's offset, and with a fraction only where there is one."""
    valid = _valid(column)
    times_us = np.where(valid, column.fill_null(0).view(pa.int64()).to_numpy(), 0)
    offset_us, ends = _zone_ends(times_us, zone)
    local_us = times_us + offset_us
    days, rest_us = np.divmod(local_us, _DAY_US)
    seconds, micros = np.divmod(rest_us, _SECOND_US)
    characters = np.empty((len(times_us), 26 + ends.shape[1]), dtype=np.uint8)
    keep = np.ones(characters.shape, dtype=np.bool_)
    unique, index = np.unique(days, return_inverse=True)
    dates = "".join(datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m-%dT") for day in unique.tolist())
    characters[:, :11] = np.frombuffer(dates.encode(), dtype=np.uint8).reshape(-1, 11)[index]
    _put_two_digits(characters, 11, seconds // 3_600)
    _put_two_digits(characters, 14, seconds // 60 % 60)
    _put_two_digits(characters, 17, seconds % 60)
    characters[:, [13, 16]] = ord(":")
    characters[:, 19] = ord(".")
    _put_two_digits(characters, 20, micros // 10_000)
    _put_digits(characters, 22, micros % 10_000, 4)
    keep[:, 19:26] = (micros != 0)[:, None]
    characters[:, 26:] = ends
    if len(times_us) and not micros.any() and ends.all() and valid.all():
        return _fixed_width(np.concatenate((characters[:, :19], characters[:, 26:]), axis=1))
    keep[:, 26:] = ends != 0
    return _strings(characters, keep, valid)


def _zone_ends(times_us: NDArray[np.int64], zone: str) -> tuple[NDArray[np.int64], Characters]:
    """Return the zone's offset at these times in microseconds, and what ends their text; zeros at its end are none."""
    if zone == "UTC":
        return np.zeros(len(times_us), dtype=np.int64), np.full((len(times_us), 1), ord("Z"), dtype=np.uint8)
    known = ZoneInfo(zone)
    units, index = np.unique(times_us // _OFFSET_UNIT_US, return_inverse=True)
    moments = [datetime.fromtimestamp(unit * 900, known) for unit in units.tolist()]
    offsets_us = [
        round(offset.total_seconds()) * _SECOND_US for one in moments if (offset := one.utcoffset()) is not None
    ]
    ends = "".join(one.isoformat()[19:].ljust(9, "\0") for one in moments)
    return (
        np.array(offsets_us, dtype=np.int64)[index],
        np.frombuffer(ends.encode(), dtype=np.uint8).reshape(-1, 9)[index],
    )


def _digits_of(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how many digits each number has."""
    digits = np.ones(len(numbers), dtype=np.int64)
    largest, power = int(numbers.max(initial=0)), 10
    while power <= largest:
        digits += numbers >= power
        power *= 10
    return digits


def _put_digits(characters: Characters, at: int, numbers: NDArray[Any], width: int) -> None:
    """Write the numbers with leading zeros, ``width`` characters each, a multiple of four."""
    # Unsigned numbers of 32 bits divide several times as fast, and four characters are stored as one number.
    numbers = numbers.astype(np.uint64 if numbers.max(initial=0) >> 32 else np.uint32)
    for end in range(at + width, at, -4):
        above = numbers // 10_000
        four = np.ndarray(len(numbers), np.uint32, characters, end - 4, characters.strides[:1])
        four[:] = _four_digits()[numbers - above * 10_000]
        numbers = above


def _put_two_digits(characters: Characters, at: int, numbers: NDArray[np.int64]) -> None:
    characters[:, at] = _ZERO + numbers // 10
    characters[:, at + 1] = _ZERO + numbers % 10


def _fixed_width(characters: Characters) -> Any:
    """Return the rows as strings, none of them null: most prices of a while have the same number of digits."""
    count, width = characters.shape
    ends = np.arange(0, count * width + 1, width, dtype=np.int32)
    return pa.StringArray.from_buffers(count, pa.py_buffer(ends), pa.py_buffer(np.ascontiguousarray(characters)))


def _strings(characters: Characters, keep: Mask, valid: Mask) -> Any:
    """Return the rows of kept characters as strings; null where not valid."""
    if not valid.all():
        keep[~valid] = False
    ends = np.zeros(len(characters) + 1, dtype=np.int32)
    np.cumsum(keep.sum(axis=1), out=ends[1:])
    bits = None if valid.all() else pa.py_buffer(np.packbits(valid, bitorder="little"))
    data = pa.py_buffer(characters[keep])
    return pa.StringArray.from_buffers(len(characters), pa.py_buffer(ends), data, bits)


def _valid(column: Any) -> Mask:
    if not column.null_count:
        return np.ones(len(column), dtype=np.bool_)
    valid: Mask = column.is_valid().to_numpy(zero_copy_only=False)
    return valid
