"""
The order of the watchlist's rows: the user's own, or sorted by a column. Pure.

Sorting is stable on the user's own order, and rows without a figure come last, whichever way it sorts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from widgets.view_values import WatchRow


class SortColumn(Enum):
    """A column with a head; the value is its name in files."""

    SYMBOL = "symbol"
    LAST = "last"
    CHANGE = "change"

    @property
    def falls_first(self) -> bool:
        """Whether the first click on the head sorts from the largest down."""
        return self is not SortColumn.SYMBOL


@dataclass(frozen=True, slots=True)
class SortOrder:
    """By which ``column`` rows are sorted, if any, and whether from the largest to the smallest."""

    column: SortColumn | None = None
    descending: bool = False

    @property
    def is_by_figures(self) -> bool:
        """Whether the order depends on figures that change by themselves."""
        return self.column not in (None, SortColumn.SYMBOL)

    def after_click(self, column: SortColumn) -> SortOrder:
        """Return the order after a click on a head: sorted, the other way round, the user's own order."""
        if self.column is not column:
            return SortOrder(column, column.falls_first)
        if self.descending is column.falls_first:
            return SortOrder(column, not self.descending)
        return SortOrder()

    def to_value(self) -> str:
        """Return the order as a text for a file and `from_value`: ``"change-"``; empty for the user's own."""
        return "" if self.column is None else f"{self.column.value}{'-' if self.descending else '+'}"

    @classmethod
    def from_value(cls, value: object) -> SortOrder:
        """Return the order of a text of `to_value`; anything else is the user's own order."""
        if not isinstance(value, str) or value[-1:] not in ("+", "-"):
            return cls()
        names = {column.value: column for column in SortColumn}
        return cls(names[value[:-1]], value[-1] == "-") if value[:-1] in names else cls()

    def sort(self, rows: Sequence[WatchRow]) -> list[WatchRow]:
        """Return the rows in this order; ``rows`` are in the user's own."""
        if self.column is None:
            return list(rows)
        key = _KEYS[self.column]
        known = [row for row in rows if key(row) is not None]
        known.sort(key=key, reverse=self.descending)
        return known + [row for row in rows if key(row) is None]


_KEYS: dict[SortColumn, Callable[[WatchRow], Any]] = {
    SortColumn.SYMBOL: lambda row: row.symbol.display_name,
    SortColumn.LAST: lambda row: row.last,
    SortColumn.CHANGE: lambda row: row.change_percent,
}


def moved(names: Sequence[str], name: str, place: int) -> list[str]:
    """
    Return the names with one of them moved in front of that which is at ``place`` now; past the end, to the end.

    Raises:
        ValueError: If ``name`` is not among them.
    """
    before = names.index(name)
    rest = [one for one in names if one != name]
    at = max(place - (place > before), 0)
    return [*rest[:at], name, *rest[at:]]
