"""What is missing of the stored symbols, and what the exchange itself does not have, told from the database alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import psycopg
from psycopg import sql

from app.market.coverage import IdRanges
from app.market.errors import StoreError, UsageError
from storage import candle_sql, ranges
from storage.connection import Connection, translated
from storage.nearby import hours_of

_REPAIR_LOCKS = 0x67_61_70_73
"""The first half of the numbers of the locks that programs hold on the symbols they fetch missing trades of."""

_SYMBOLS = 'SELECT id, name FROM symbols ORDER BY name COLLATE "C"'
_RECORDED = """
    SELECT name FROM symbols s WHERE EXISTS (SELECT FROM coverage WHERE symbol_id = s.id) ORDER BY name COLLATE "C"
"""
_LOCKED = """
    SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objsubid = 2 AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_TIME = sql.SQL(
    """
    SELECT {time_us} FROM trades WHERE symbol_id = %s AND trade_id = %s
        AND time >= timestamptz 'epoch' + %s * interval '1 microsecond'
        AND time < timestamptz 'epoch' + %s * interval '1 microsecond'
    """
).format(time_us=candle_sql.microseconds("time"))


class StoredGap(NamedTuple):
    """
    Ids that are not stored, inclusive. ``absent``: the exchange has no trades of them; else they are missing, and
    ``repairing`` says that a program has set out to fetch them. ``start_us`` and ``end_us`` are the times of the stored
    trades just before and after (UTC microseconds; None where retention has dropped that, or there is none).
    """

    symbol: str
    first_trade_id: int
    last_trade_id: int
    start_us: int | None
    end_us: int | None
    absent: bool
    repairing: bool = False

    @property
    def ids(self) -> int:
        """How many ids that are."""
        return self.last_trade_id - self.first_trade_id + 1


def read_gaps(connection: Connection, names: Sequence[str] = ()) -> list[StoredGap]:
    """
    Return what is not stored between the trades of these symbols, or of all where none is named, by name and id.

    Raises:
        UsageError: If nothing was ever recorded of a symbol.
        StoreError: If the database cannot be read.
    """
    found: list[StoredGap] = []
    with translated("look for gaps"), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        known = {name: symbol_id for symbol_id, name in connection.execute(_SYMBOLS)}
        _check(names, known)
        locked = {symbol_id for (symbol_id,) in connection.execute(_LOCKED, (_REPAIR_LOCKS,))}
        for name in dict.fromkeys(names) if names else known:
            found += _of(connection, name, known[name], repairing=known[name] in locked)
    return found


@contextlib.contextmanager
def repairing(connection: Connection, names: Sequence[str]) -> Iterator[None]:
    """
    Tell other programs that what is missing of these symbols is being fetched, for as long as the connection lives.

    Raises:
        StoreError: If another program is at it.
    """
    with translated("begin fetching what is missing"):
        known = {name: symbol_id for symbol_id, name in connection.execute(_SYMBOLS)}
        for name in names:
            row = connection.execute(
                "SELECT pg_try_advisory_lock(%s, %s)", (_REPAIR_LOCKS, known.get(name, 0))
            ).fetchone()
            if row != (True,):
                raise StoreError(f"Another program is fetching what is missing of {name}: wait until it is done.")
    try:
        yield
    finally:
        with contextlib.suppress(psycopg.Error):  # a connection that is gone holds nothing
            connection.execute("SELECT pg_advisory_unlock_all()")


def recorded_symbols(connection: Connection) -> list[str]:
    """Return the symbols that anything is stored of, by name. Raises StoreError."""
    with translated("read the symbols"):
        return [name for (name,) in connection.execute(_RECORDED)]


def _of(connection: Connection, name: str, symbol_id: int, *, repairing: bool) -> list[StoredGap]:
    settled = ranges.read(connection, ranges.COVERAGE, symbol_id)
    absent = ranges.read(connection, ranges.ABSENT, symbol_id)
    held = IdRanges(settled)
    for first, last in absent:
        held.remove_range(first, last)
    pieces = [*((first, last, False) for first, last in settled.gaps()), *((*one, True) for one in absent)]
    return [
        StoredGap(
            name,
            first,
            last,
            _time_of(connection, symbol_id, held.before(first)),
            _time_of(connection, symbol_id, held.after(last)),
            is_absent,
            repairing and not is_absent,
        )
        for first, last, is_absent in sorted(pieces)
    ]


def _time_of(connection: Connection, symbol_id: int, trade_id: int | None) -> int | None:
    hours = None if trade_id is None else hours_of(connection, symbol_id, trade_id, trade_id)
    if hours is None:
        return None
    row = connection.execute(_TIME, (symbol_id, trade_id, *hours), prepare=False).fetchone()
    return None if row is None else row[0]


def _check(names: Sequence[str], known: dict[str, int]) -> None:
    unknown = sorted(set(names) - known.keys())
    if unknown:
        raise UsageError(f"“{unknown[0]}” is not in the database: name a symbol that was recorded there.")
