"""Numbers as PostgreSQL array literals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def arrays(rows: Iterable[tuple[int, ...]], units: Sequence[str] = ("",) * 3) -> list[str]:
    """Return each column of the rows as `array` does; no row, no column."""
    return [array(column, unit) for column, unit in zip(zip(*rows, strict=True), units, strict=False)]


def array(numbers: Iterable[object], unit: str = "") -> str:
    """Return the numbers as PostgreSQL's literal of an array, each of them in ``unit``: 15 in "e-8" is 0.00000015."""
    return "{" + ",".join([f"{number}{unit}" for number in numbers]) + "}"
