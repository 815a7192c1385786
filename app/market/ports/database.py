"""The database a program records into: a writer and a store that are opened and closed together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from app.market.coverage import StoredGap
from app.market.ports.alerts import AlertBook
from app.market.ports.drawings import DrawingStore
from app.market.ports.sessions import SessionStore
from app.market.ports.storage import (
    CandleStore,
    CoverageStore,
    FetchedTrades,
    InventoryReader,
    RepairAnnouncements,
    SymbolStore,
    TradeReader,
    TradeWriter,
    TruthReader,
)
from app.market.ports.ticks import SideStores, TickDatabase, TickReader

if TYPE_CHECKING:  # the window opens without
    from app.market.ports.loading import BulkLoader


class MarketStore(
    CandleStore,
    TruthReader,
    FetchedTrades,
    TradeReader,
    CoverageStore,
    SymbolStore,
    InventoryReader,
    RepairAnnouncements,
    SideStores,
    SessionStore,
    Protocol,
):
    """Every reading role of one database."""


class SeparateStore(MarketStore, Protocol):
    """A store with connections of its own; whoever opened it closes it. ``tick_store`` reads ticks over the same."""

    @property
    def tick_store(self) -> TickReader: ...

    def close(self, timeout_s: float = ...) -> None:
        """Close the connections: those at work after ``timeout_s``, by hanging up."""


class OpenedDatabase(TickDatabase, Protocol):
    """An open database; `storage.database.Database` implements it."""

    @property
    def writer(self) -> TradeWriter: ...

    @property
    def store(self) -> MarketStore: ...

    @property
    def alerts(self) -> AlertBook:
        """The alerts kept in the database; the first use of it, in a thread, loads what it needs."""

    @property
    def drawings(self) -> DrawingStore:
        """The drawings kept in the database; the first use of it, in a thread, loads what it needs."""

    @property
    def label(self) -> str:
        """The server in words: ``"Embedded PostgreSQL 18.4"``."""

    @property
    def external_url(self) -> str:
        """
        What another process of this program connects with; empty if it is the embedded one of the data directory.

        It may hold a password: never show it.
        """

    @property
    def read_only_reason(self) -> str:
        """One sentence if nothing can be recorded, else empty; the writer then discards all trades."""

    def separate_store(self, connections: int, statement_timeout_s: float) -> SeparateStore:
        """Return a store on up to that many connections of its own; no statement of it takes longer than that."""

    def gaps(self, symbol: str) -> Sequence[StoredGap]:
        """
        Return all gaps between the stored trades of a symbol, by id, with the times around each. Blocks.

        Raises UsageError if nothing of the symbol is stored, and StoreError.
        """

    def bulk_loader(self) -> BulkLoader:
        """Return what files are loaded with; close it before the database. Raises StoreError if it may only be read."""

    def close(self, timeout_s: float = ...) -> bool:
        """
        Commit the queue, close the connections, release an embedded server; block for about ``timeout_s`` at most.

        Returns False if trades are left.
        """


OpenDatabase = Callable[[], OpenedDatabase]
"""Opens a database. Blocks, and raises StoreError."""
