"""
The numbers that the table `symbols` gives to symbols: every other table refers to a symbol by its number.

A symbol gets its number when something of it is first stored, and keeps it. A recording role may add symbols, a reading
role may not, so looking a symbol up never adds it.

The table has a symbol's broker and the broker's name of it, and both as the one string that the program uses: the
column `symbol`, ``BTCUSDT`` or ``oanda:EURUSD``.
"""

from __future__ import annotations

from collections.abc import Iterable

from storage.postgres.connection import Connection, translated

_BINANCE = "binance"
# No index is named: two are unique, and either may find the row that another program is adding.
_ADD = """
    INSERT INTO symbols (broker, name) SELECT * FROM unnest(%s::text[], %s::text[])
    ON CONFLICT DO NOTHING
"""


def broker_and_name(symbol: str) -> tuple[str, str]:
    """
    Return the columns `broker` and `name` of a symbol, which any string is one of.

    From them the database makes the same string again. So of what is no symbol as the program writes them, nothing is
    split off: ``"binance:BTCUSDT"`` or ``"EURUSD:"``.
    """
    broker, _, name = symbol.partition(":")
    return (broker, name) if broker and name and broker != _BINANCE else (_BINANCE, symbol)


def symbol_id_of(connection: Connection, name: str) -> int | None:
    """Return the symbol's number; None if nothing of it was ever stored. Raises psycopg.Error."""
    row = connection.execute("SELECT id FROM symbols WHERE symbol = %s", (name,)).fetchone()
    return None if row is None else row[0]


def symbol_ids_of(connection: Connection, names: Iterable[str]) -> dict[str, int]:
    """Return the numbers of these symbols by name, without those that have none. Raises psycopg.Error."""
    return dict(connection.execute("SELECT symbol, id FROM symbols WHERE symbol = ANY(%s)", (list(names),)).fetchall())


def known_symbols(connection: Connection) -> set[str]:
    """Return the names of all symbols, recorded or only listed by the exchange. Raises StoreError."""
    with translated("read the symbols"):
        return {name for (name,) in connection.execute("SELECT symbol FROM symbols")}


class SymbolNumbers:
    """The numbers that one connection has looked up so far. One thread at a time; may raise psycopg.Error."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._ids: dict[str, int] = {}
        self._names: dict[int, str] = {}

    def ids(self, names: Iterable[str]) -> dict[str, int]:
        """Return the numbers of these symbols, and of all asked for before, by name; add those that have none."""
        unknown = set(names) - self._ids.keys()
        if unknown:
            add_symbols(self._connection, unknown)
            found = symbol_ids_of(self._connection, unknown)
            self._ids.update(found)
            self._names.update((number, name) for name, number in found.items())
        return self._ids

    def name_of(self, number: int) -> str:
        """Return the name of a symbol whose number was asked for before."""
        return self._names[number]


def add_symbols(connection: Connection, names: Iterable[str]) -> None:
    """Give a number to each of these symbols that has none. Raises psycopg.Error."""
    # Sorted: two programs that add the same symbols in different orders could wait for each other in a circle.
    parts = sorted(map(broker_and_name, names))
    connection.execute(_ADD, ([broker for broker, _ in parts], [name for _, name in parts]))
