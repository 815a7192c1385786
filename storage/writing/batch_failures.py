"""
What to do when the database does not store a batch.

`decide` is the one place that knows which errors are worth another attempt, and which mean that a row of the batch is
at fault; `store_by_bisection` finds that row. Neither does any I/O of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum, auto
from typing import Generic, NamedTuple, TypeVar

import psycopg

from app.market.errors import StoreError
from storage.postgres.connection import store_error

Row = TypeVar("Row")
Result = TypeVar("Result")


class Decision(Enum):
    """What follows from an error while a batch is stored."""

    RETRY = auto()
    """The database is away, or is not as it should be: the same batch may be stored later."""

    REFUSE = auto()
    """A row of the batch is at fault: without it, the others can be stored."""

    FAIL = auto()
    """Not an error of the database, so a bug: a retry would repeat it endlessly."""


def decide(error: BaseException) -> Decision:
    """Return what follows from an error that was raised while a batch was stored."""
    # Before the other integrity errors: the row is fine and is stored already, but what says so has lost it. To refuse
    # it would set good rows aside; once the database is rebuilt the batch goes through.
    if isinstance(error, psycopg.errors.UniqueViolation):
        return Decision.RETRY
    if isinstance(error, psycopg.DataError | psycopg.IntegrityError | psycopg.errors.ProgramLimitExceeded):
        return Decision.REFUSE
    if isinstance(error, psycopg.Error | StoreError):
        return Decision.RETRY
    return Decision.FAIL


def explain(error: BaseException, doing: str, unknown_rows: str = "rows that it does not know of") -> str:
    """
    Return the error as one sentence for the user.

    ``doing`` completes "could not …", ``unknown_rows`` "the database holds …", of rows that are stored unnoticed.
    """
    if isinstance(error, psycopg.errors.UniqueViolation):
        return f"The database holds {unknown_rows}: mend it with cryptopipe db rebuild."
    return str(store_error(error, doing)) if isinstance(error, psycopg.Error) else str(error)


class StoredPart(NamedTuple, Generic[Row, Result]):
    """Rows of a batch that were stored together, and what storing them returned."""

    rows: Sequence[Row]
    result: Result


class RefusedRow(NamedTuple, Generic[Row]):
    """A row that the database refuses by itself, and its error."""

    row: Row
    error: Exception


def store_by_bisection(
    rows: Sequence[Row], store: Callable[[Sequence[Row]], Result]
) -> Iterator[StoredPart[Row, Result] | RefusedRow[Row]]:
    """
    Store the rows, and yield what became of each in their order: usually all of them as one part.

    Where a part is refused, its halves are stored apart, and so on until the row at fault stands alone: one bad row
    among n costs about 2 log2(n) attempts. Any error that is no refusal is raised; what was yielded before it stays
    stored.
    """
    parts = [rows] if rows else []
    while parts:
        part = parts.pop()
        try:
            result = store(part)
        except Exception as error:
            if decide(error) is not Decision.REFUSE:
                raise
            if len(part) == 1:
                yield RefusedRow(part[0], error)
            else:
                half = len(part) // 2
                parts += [part[half:], part[:half]]  # the first half is popped first
        else:
            yield StoredPart(part, result)
