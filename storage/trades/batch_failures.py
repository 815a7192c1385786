"""
What to do when the database does not store a batch.

`decide` is the one place that knows which errors are worth another attempt, and which mean that a trade of the batch is
at fault; `store_by_bisection` finds that trade. Neither does any I/O of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from enum import Enum, auto
from typing import Generic, NamedTuple, TypeVar

import psycopg

from app.market.errors import StoreError
from app.market.trade import Trade
from storage.postgres.connection import store_error

Result = TypeVar("Result")


class Decision(Enum):
    """What follows from an error while a batch is stored."""

    RETRY = auto()
    """The database is away, or is not as it should be: the same batch may be stored later."""

    REFUSE = auto()
    """A trade of the batch is at fault: without it, the others can be stored."""

    FAIL = auto()
    """Not an error of the database, so a bug: a retry would repeat it endlessly."""


def decide(error: BaseException) -> Decision:
    """Return what follows from an error that was raised while a batch was stored."""
    # Before the other integrity errors: the trade is fine and is stored already, but the coverage has lost its id. To
    # refuse it would fill refused_trades with good trades; once the coverage is rebuilt the batch goes through.
    if isinstance(error, psycopg.errors.UniqueViolation):
        return Decision.RETRY
    if isinstance(error, psycopg.DataError | psycopg.IntegrityError | psycopg.errors.ProgramLimitExceeded):
        return Decision.REFUSE
    if isinstance(error, psycopg.Error | StoreError):
        return Decision.RETRY
    return Decision.FAIL


def explain(error: BaseException, doing: str) -> str:
    """Return the error as one sentence for the user; ``doing`` completes "could not …"."""
    if isinstance(error, psycopg.errors.UniqueViolation):
        return "The database holds trades that its ranges of ids do not know: mend it with cryptopipe db rebuild."
    return str(store_error(error, doing)) if isinstance(error, psycopg.Error) else str(error)


class StoredPart(NamedTuple, Generic[Result]):
    """Trades of a batch that were stored together, and what storing them returned."""

    trades: Sequence[Trade]
    result: Result


class RefusedTrade(NamedTuple):
    """A trade that the database refuses by itself, and its error."""

    trade: Trade
    error: Exception


def store_by_bisection(
    trades: Sequence[Trade], store: Callable[[Sequence[Trade]], Result]
) -> Iterator[StoredPart[Result] | RefusedTrade]:
    """
    Store the trades, and yield what became of each in their order: usually all of them as one part.

    Where a part is refused, its halves are stored apart, and so on until the trade at fault stands alone: one bad trade
    among n costs about 2 log2(n) attempts. Any error that is no refusal is raised; what was yielded before it stays
    stored.
    """
    parts = [trades] if trades else []
    while parts:
        part = parts.pop()
        try:
            result = store(part)
        except Exception as error:
            if decide(error) is not Decision.REFUSE:
                raise
            if len(part) == 1:
                yield RefusedTrade(part[0], error)
            else:
                half = len(part) // 2
                parts += [part[half:], part[:half]]  # the first half is popped first
        else:
            yield StoredPart(part, result)
