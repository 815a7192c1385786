"""The gaps in the stored trades: missing trades, and ids which the exchange itself lacks. Reads only the database."""

from __future__ import annotations

from collections.abc import Sequence

from app.market.coverage import StoredGap
from app.market.errors import UsageError
from storage.postgres import repair_locks
from storage.postgres.connection import Connection, translated
from storage.rollups.trade_times import time_of
from storage.schema import id_ranges

_SYMBOLS = 'SELECT id, symbol FROM symbols ORDER BY symbol COLLATE "C"'
_RECORDED = """
    SELECT symbol FROM symbols s WHERE EXISTS (SELECT FROM coverage WHERE symbol_id = s.id) ORDER BY symbol COLLATE "C"
"""


def read_gaps(connection: Connection, names: Sequence[str] = (), *, timed: int = 500) -> list[StoredGap]:
    """
    Return the gaps between the trades of these symbols (all symbols if none is named), sorted by name and id.

    ``timed``: only this many of each symbol's newest gaps get their times, which cost a few queries each.

    Raises:
        UsageError: If a symbol is not in the database.
        StoreError: If the database cannot be read.
    """
    found: list[StoredGap] = []
    with translated("look for gaps"), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        known = {name: symbol_id for symbol_id, name in connection.execute(_SYMBOLS)}
        _check_known(names, known)
        announced = repair_locks.announced_repairs(connection)
        for name in dict.fromkeys(names) if names else known:
            found += _symbol_gaps(connection, name, known[name], announced, timed)
    return found


def recorded_symbols(connection: Connection) -> list[str]:
    """Return the symbols with stored trades, sorted by name. Raises StoreError."""
    with translated("read the symbols"):
        return [name for (name,) in connection.execute(_RECORDED)]


def _symbol_gaps(
    connection: Connection, name: str, symbol_id: int, announced: repair_locks.AnnouncedRepairs, timed: int
) -> list[StoredGap]:
    covered = id_ranges.read(connection, id_ranges.COVERAGE, symbol_id)
    absent = id_ranges.read(connection, id_ranges.ABSENT, symbol_id)
    held = covered - absent
    pieces = sorted([*((first, last, False) for first, last in covered.gaps()), *((*one, True) for one in absent)])
    untimed = len(pieces) - timed
    return [
        StoredGap(
            name,
            first,
            last,
            time_of(connection, symbol_id, held.before(first)) if at >= untimed else None,
            time_of(connection, symbol_id, held.after(last)) if at >= untimed else None,
            is_absent,
            not is_absent and announced.fetches(symbol_id, last - first + 1),
        )
        for at, (first, last, is_absent) in enumerate(pieces)
    ]


def _check_known(names: Sequence[str], known: dict[str, int]) -> None:
    unknown = sorted(set(names) - known.keys())
    if unknown:
        raise UsageError(f"“{unknown[0]}” is not in the database: name a symbol that was recorded there.")
