"""
Which connection carries which symbol. No I/O.

A symbol stays on its connection while it is wanted: moving it would need both connections for a moment and gain
nothing. New symbols go to the first connection with room, so that the later ones run empty. An empty connection is kept
for a while: a user who browses through hundreds of symbols would otherwise open and close connections by the dozen, and
the exchange limits the attempts.
"""

from __future__ import annotations

from collections.abc import Collection

from app.brokers.binance.endpoints import MAX_SYMBOLS

KEEP_EMPTY_S = 30.0


class SymbolAssignment:
    """The symbols of connections 1, 2, …, at most ``room`` each. At least one connection exists, even without any."""

    def __init__(self, room: int = MAX_SYMBOLS) -> None:
        self._room = room
        self._symbols: dict[int, set[str]] = {1: set()}
        self._empty_since_s: dict[int, float] = {}

    @property
    def by_connection(self) -> dict[int, frozenset[str]]:
        """The symbols of each connection by its number, empty connections included."""
        return {number: frozenset(self._symbols[number]) for number in sorted(self._symbols)}

    @property
    def in_use(self) -> list[int]:
        """The numbers of the connections with symbols; without any symbol, that of the first connection."""
        return [number for number in sorted(self._symbols) if self._symbols[number]] or [min(self._symbols)]

    def connection_of(self, symbol: str) -> int | None:
        """Return the number of the connection that carries ``symbol``."""
        return next((number for number, symbols in self._symbols.items() if symbol in symbols), None)

    def assign(self, symbols: Collection[str], now_s: float, *, full: Collection[int] = ()) -> None:
        """
        Carry exactly these symbols from ``now_s`` (monotonic) on.

        Connections numbered in ``full`` get no new ones.
        """
        wanted = set(symbols)
        for carried in self._symbols.values():
            carried &= wanted
        for symbol in sorted(wanted.difference(*self._symbols.values())):
            self._first_with_room(full).add(symbol)
        for number, carried in self._symbols.items():
            if carried:
                self._empty_since_s.pop(number, None)
            else:
                self._empty_since_s.setdefault(number, now_s)

    def remove_idle(self, now_s: float) -> list[int]:
        """Remove the connections that have been empty for `KEEP_EMPTY_S`, and return their numbers."""
        idle = [
            number
            for number, since_s in self._empty_since_s.items()
            if now_s - since_s >= KEEP_EMPTY_S and number not in self.in_use
        ]
        for number in idle:
            del self._symbols[number], self._empty_since_s[number]
        return idle

    def next_removal_s(self, now_s: float) -> float | None:
        """Return the seconds until `remove_idle` will remove a connection, or None while none is empty."""
        waits = [
            max(0.0, since_s + KEEP_EMPTY_S - now_s)
            for number, since_s in self._empty_since_s.items()
            if number not in self.in_use
        ]
        return min(waits, default=None)

    def _first_with_room(self, full: Collection[int]) -> set[str]:
        # Numbers of removed connections are used again, so they stay small in status and log.
        number = 1
        while number in full or len(self._symbols.get(number, ())) >= self._room:
            number += 1
        return self._symbols.setdefault(number, set())
