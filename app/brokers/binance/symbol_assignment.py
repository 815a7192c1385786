"""
Which connection carries which symbol. No I/O.

A symbol stays on its connection for as long as it is wanted: moving it would need both connections for a moment, and
gains nothing. New ones go to the first connection with room, so that the later ones run empty. An empty one is kept
for a while: whoever browses through hundreds of symbols would otherwise open and close connections by the dozen, and
the exchange counts the attempts.
"""

from __future__ import annotations

from collections.abc import Collection

from app.brokers.binance.endpoints import MAX_SYMBOLS

KEPT_EMPTY_S = 30.0


class SymbolAssignment:
    """The symbols of connections 1, 2, …; there is always one, with symbols or without."""

    def __init__(self, room: int = MAX_SYMBOLS) -> None:
        self._room = room
        self._parts: dict[int, set[str]] = {1: set()}
        self._empty_since_s: dict[int, float] = {}

    @property
    def parts(self) -> dict[int, frozenset[str]]:
        """The symbols of each connection, those without any included, by number."""
        return {number: frozenset(self._parts[number]) for number in sorted(self._parts)}

    @property
    def busy(self) -> list[int]:
        """The connections that matter: those with symbols, or the one that is there without."""
        return [number for number in sorted(self._parts) if self._parts[number]] or [min(self._parts)]

    def carrier(self, symbol: str) -> int | None:
        """Return the number of the connection that carries ``symbol``."""
        return next((number for number, part in self._parts.items() if symbol in part), None)

    def assign(self, symbols: Collection[str], now_s: float, *, full: Collection[int] = ()) -> None:
        """Make these the symbols carried, from ``now_s`` (monotonic) on; the connections ``full`` get no new ones."""
        wanted = set(symbols)
        for part in self._parts.values():
            part &= wanted
        carried = set().union(*self._parts.values())
        for symbol in sorted(wanted - carried):
            self._with_room(full).add(symbol)
        for number, part in self._parts.items():
            if part:
                self._empty_since_s.pop(number, None)
            else:
                self._empty_since_s.setdefault(number, now_s)

    def spent(self, now_s: float) -> list[int]:
        """Remove the connections that have been empty for long, and return their numbers."""
        gone = [
            number
            for number, since_s in self._empty_since_s.items()
            if now_s - since_s >= KEPT_EMPTY_S and number not in self.busy
        ]
        for number in gone:
            del self._parts[number], self._empty_since_s[number]
        return gone

    def next_spent_s(self, now_s: float) -> float | None:
        """Return how long until `spent` has something to return; None where nothing is empty."""
        waits = [
            max(0.0, since_s + KEPT_EMPTY_S - now_s)
            for number, since_s in self._empty_since_s.items()
            if number not in self.busy
        ]
        return min(waits, default=None)

    def _with_room(self, full: Collection[int]) -> set[str]:
        number = 1
        while number in full or len(self._parts.get(number, ())) >= self._room:
            number += 1
        return self._parts.setdefault(number, set())
