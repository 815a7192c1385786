"""What an import needs of the database it fills; `storage.loading` implements it."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from app.market.coverage import IdRanges
from app.market.ports.row_files import TradeBatch


class RefusedPlace(NamedTuple):
    """The place in its batch, from 0, of a row that is not stored, and why."""

    place: int
    reason: str


class LoadResult(NamedTuple):
    """How many rows are stored now and were not before, how many were held already, and those that were refused."""

    stored: int
    held: int
    refused: tuple[RefusedPlace, ...] = ()


class PreparedLoad(Protocol):
    """A batch packed for the database. ``first_id``, ``last_id``: the lowest and highest id that can be stored."""

    @property
    def first_id(self) -> int | None: ...

    @property
    def last_id(self) -> int | None: ...


class BulkLoader(Protocol):
    """
    Stores the rows of files in large batches, each in a transaction of its own and each row once.

    Of rows with one id (trades) or one open time (candles) and other content the first stays, the others are refused.
    Blocks. `prepare` may run in another thread than the rest, which belongs to one thread at a time.

    Every method but `prepare` may raise StoreError; nothing of that batch is stored then.
    """

    def prepare(self, batch: TradeBatch) -> PreparedLoad:
        """Sort and pack a batch of trades, without the database."""

    def load(self, prepared: PreparedLoad) -> LoadResult:
        """Store the trades of a prepared batch that are not held yet."""

    def held(self, symbol: str, first_id: int, last_id: int) -> IdRanges:
        """Return which ids from the first to the last, inclusive, nobody needs to fetch: held, or known as absent."""

    def finish(self) -> None:
        """Refresh the server's statistics of what was filled."""

    def abort(self) -> None:
        """Give up a statement under way, from any thread: whoever waits for it gets a StoreError."""

    def close(self) -> None:
        """Close the connection."""
