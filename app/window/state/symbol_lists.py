"""
The watchlist's lists, each with a name and symbols in the user's order, and which one is shown. Pure.

A symbol may be in several lists. Names are distinct, so that a name says which list is meant. There is always a list.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec

FIRST_NAME = "Main"
LONGEST_NAME = 40


class SymbolList(msgspec.Struct):
    """One list."""

    name: str
    symbols: list[str]


class SymbolLists:
    """
    At least one list; ``shown`` is the index of that on the screen.

    Lists without a name, or with one that is taken, get another. A symbol stands once in a list.
    """

    def __init__(self, lists: Iterable[SymbolList], shown: int = 0) -> None:
        self.lists: list[SymbolList] = []
        for one in lists:
            self.lists.append(SymbolList(self._free_name(one.name), list(dict.fromkeys(one.symbols))))
        if not self.lists:
            self.lists.append(SymbolList(FIRST_NAME, []))
        self.shown = 0
        self.show(shown)

    @classmethod
    def of(cls, symbols: Iterable[str], name: str = FIRST_NAME) -> SymbolLists:
        """Return one list of these symbols."""
        return cls([SymbolList(name, list(symbols))])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SymbolLists) and (self.lists, self.shown) == (other.lists, other.shown)

    __hash__ = None  # type: ignore[assignment]  # because it is mutable; mypy wants object's method to stay one

    def __repr__(self) -> str:
        return f"SymbolLists({self.lists!r}, {self.shown})"

    @property
    def symbols(self) -> list[str]:
        """The symbols of the list shown."""
        return self.lists[self.shown].symbols

    @symbols.setter
    def symbols(self, symbols: Sequence[str]) -> None:
        self.lists[self.shown].symbols = list(dict.fromkeys(symbols))

    def names(self) -> list[str]:
        """Return the lists' names, in order."""
        return [one.name for one in self.lists]

    def union(self) -> list[str]:
        """Return the symbols of all lists, each once."""
        return list(dict.fromkeys(symbol for one in self.lists for symbol in one.symbols))

    def index_of(self, name: str) -> int:
        """Return the index of the list of that name; that of the list shown where there is none."""
        names = self.names()
        return names.index(name) if name in names else self.shown

    def show(self, index: int) -> None:
        """Show the list of that index; without one, the first."""
        self.shown = index if 0 <= index < len(self.lists) else 0

    def add(self, name: str = "", at: int | None = None, symbols: Sequence[str] = ()) -> int:
        """Add a list, at the end or in front of that at an index, and show it; return its index."""
        at = len(self.lists) if at is None else min(max(at, 0), len(self.lists))
        self.lists.insert(at, SymbolList(self._free_name(name), list(symbols)))
        self.shown = at
        return at

    def rename(self, index: int, name: str) -> None:
        """Give a list another name; a blank one changes nothing."""
        if name.strip():
            self.lists[index].name = self._free_name(name, but=index)

    def remove(self, index: int) -> SymbolList | None:
        """Remove a list and return it; the last one stays, and None is returned."""
        if len(self.lists) == 1:
            return None
        removed = self.lists.pop(index)
        self.shown = min(self.shown - (index < self.shown), len(self.lists) - 1)
        return removed

    def move(self, index: int, to: int) -> None:
        """Move a list to another index; the one shown stays the one shown."""
        shown = self.lists[self.shown]
        self.lists.insert(to, self.lists.pop(index))
        self.shown = next(at for at, one in enumerate(self.lists) if one is shown)

    def _free_name(self, name: str, but: int | None = None) -> str:
        """Return that name, or one like it that no other list has."""
        base = " ".join(name.split())[:LONGEST_NAME] or (f"List {len(self.lists) + 1}" if self.lists else FIRST_NAME)
        taken = {one.name.casefold() for at, one in enumerate(self.lists) if at != but}
        number, free = 1, base
        while free.casefold() in taken:
            number += 1
            free = f"{base[: LONGEST_NAME - 4]} {number}"
        return free


def read_lists(values: Any, symbols: Sequence[str]) -> tuple[SymbolLists, str]:
    """
    Return the lists of ``values`` (``[{"name": …, "symbols": […]}]``), and a sentence where some cannot be read.

    ``symbols`` are those of all lists: the ones that no readable list has are put into the first. A file from before
    there were several lists has ``values`` None.
    """
    if values is None:
        return SymbolLists.of(symbols), ""
    found, damaged = [], not isinstance(values, list)
    for value in values if isinstance(values, list) else ():
        try:
            found.append(msgspec.convert(value, SymbolList))
        except msgspec.ValidationError:
            damaged = True
    lists = SymbolLists(found)
    lost = [symbol for symbol in symbols if symbol not in lists.union()]
    lists.lists[0].symbols += lost
    sentence = f"A watchlist could not be read: its symbols are in “{lists.lists[0].name}” now." if damaged else ""
    return lists, sentence


def put_back(names: Sequence[str], removed: Collection[str], before: Sequence[str]) -> list[str]:
    """Return ``names`` and those ``removed``, each behind the nearest of those that it stood behind in ``before``."""
    result = list(names)
    for at, name in enumerate(before):
        if name in removed and name not in result:
            ahead = [result.index(one) for one in before[:at] if one in result]
            result.insert(ahead[-1] + 1 if ahead else 0, name)
    return result
