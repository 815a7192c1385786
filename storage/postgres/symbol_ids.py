"""
The numbers that the table `symbols` gives to symbols: every other table refers to a symbol by its number.

A symbol gets its number when something of it is first stored, and keeps it. A recording role may add symbols, a reading
role may not, so looking a symbol up never adds it.
"""

from __future__ import annotations

from collections.abc import Iterable

from storage.postgres.connection import Connection, translated

_ADD = "INSERT INTO symbols (name) SELECT unnest(%s::text[]) ON CONFLICT (name) DO NOTHING"


def symbol_id_of(connection: Connection, name: str) -> int | None:
    """Return the symbol's number; None if nothing of it was ever stored. Raises psycopg.Error."""
    row = connection.execute("SELECT id FROM symbols WHERE name = %s", (name,)).fetchone()
    return None if row is None else row[0]


def symbol_ids_of(connection: Connection, names: Iterable[str]) -> dict[str, int]:
    """Return the numbers of these symbols by name, without those that have none. Raises psycopg.Error."""
    return dict(connection.execute("SELECT name, id FROM symbols WHERE name = ANY(%s)", (list(names),)).fetchall())


def known_symbols(connection: Connection) -> set[str]:
    """Return the names of all symbols, recorded or only listed by the exchange. Raises StoreError."""
    with translated("read the symbols"):
        return {name for (name,) in connection.execute("SELECT name FROM symbols")}


def add_symbols(connection: Connection, names: Iterable[str]) -> None:
    """Give a number to each of these symbols that has none. Raises psycopg.Error."""
    # Sorted: two programs that add the same symbols in different orders could wait for each other in a circle.
    connection.execute(_ADD, (sorted(names),))
