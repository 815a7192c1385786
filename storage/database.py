"""
The database as the program uses it: opened once, a writer, a store, closed once.

`Database.open` starts the embedded server, or connects to the one that a URL names, and brings its tables up to date.
Afterwards everything reconnects by itself; an embedded server that has died is started again by whoever needs it first.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from app.market.errors import StoreUnavailable
from storage.candles import PostgresStore
from storage.connection import Connection, ServerFacts, connect, facts_of
from storage.embedded import EmbeddedServer
from storage.migrate import migrate
from storage.writer import BatchWriter

logger = logging.getLogger(__name__)


class Database:
    """
    An open database. ``writer`` and ``store`` implement the Protocols of `app.market.ports`; ``facts`` describes the
    server, ``url`` is its conninfo (it may hold a password: never show it).
    """

    def __init__(
        self, url: str, facts: ServerFacts, writer: BatchWriter, store: PostgresStore, server: EmbeddedServer | None
    ) -> None:
        self.url = url
        self.facts = facts
        self.writer = writer
        self.store = store
        self._server = server

    @classmethod
    def open(
        cls,
        url: str | None,
        data_dir: Path,
        postgres_bin: Path | None = None,
        *,
        batch_trades: int = 100,
        batch_seconds: float = 1.0,
        queue_limit: int = 200_000,
    ) -> Database:
        """
        Open the database that ``url`` names, or the embedded one in ``data_dir`` where it is None or empty.

        Blocks: call it from a worker thread. A failed one leaves nothing behind and may be tried again.

        Raises:
            StoreUnavailable: If the server cannot be started or reached.
            StoreSchemaMismatch: If its tables are newer than this program, or not ours. Nothing was changed.
        """
        server = None if url else EmbeddedServer(data_dir, postgres_bin=postgres_bin)
        try:
            address = url if url else _started(server)
            with connect(address) as connection:
                migrate(connection)
                facts = facts_of(connection, embedded=server is not None)
        except BaseException:
            if server is not None:
                server.stop()
            raise
        logger.info("The database is %s", facts.label)
        writer = BatchWriter(
            _connector(address, server, "cryptopipe writer"),
            batch_trades=batch_trades,
            batch_seconds=batch_seconds,
            queue_limit=queue_limit,
        )
        return cls(address, facts, writer, PostgresStore(_connector(address, server, "cryptopipe reader")), server)

    @property
    def label(self) -> str:
        """The server in words, as ``"Embedded PostgreSQL 18.4"``."""
        return self.facts.label

    def close(self, timeout_s: float = 20.0) -> bool:
        """
        Commit what is queued, close the connections, leave the embedded server; blocks for ``timeout_s`` at most, and
        a little. False where trades are left (see `BatchWriter.unwritten`) or the server would not stop.
        """
        deadline = time.monotonic() + timeout_s
        written = self.writer.close(timeout_s * 0.6)
        self.store.close()
        if self._server is None:
            return written
        return self._server.stop(max(2.0, deadline - time.monotonic())) and written


def _started(server: EmbeddedServer | None) -> str:
    assert server is not None
    return server.start()


def _connector(url: str, server: EmbeddedServer | None, name: str) -> Callable[[], Connection]:
    def reconnect() -> Connection:
        try:
            return connect(url, application_name=name)
        except StoreUnavailable:
            if server is None:
                raise
            return connect(server.start(), application_name=name)

    return reconnect
