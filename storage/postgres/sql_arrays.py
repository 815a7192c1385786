"""
Numbers as PostgreSQL array literals.

Written out as one text parameter each: the driver would look at every element of a list for its type, which costs more
than storing a small batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def column_literals(rows: Iterable[tuple[object, ...]], units: Sequence[str] = ("",) * 3) -> list[str]:
    """Return each column of the rows as an `array_literal` in its unit. Without rows there is no column."""
    return [array_literal(column, unit) for column, unit in zip(zip(*rows, strict=True), units, strict=False)]


def array_literal(numbers: Iterable[object], unit: str = "") -> str:
    """Return the numbers as the literal of an array, each in ``unit``: 15 in "e-8" is 0.00000015."""
    return "{" + ",".join([f"{number}{unit}" for number in numbers]) + "}"
