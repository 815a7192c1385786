"""
The database as the program uses it: opened once, a writer, a store, closed once.

`Database.open` starts the embedded server, or connects to the one that a URL names, and brings its tables up to date.
Afterwards everything reconnects by itself; an embedded server that has died is started again by whoever needs it first.
A database that this user may only read is opened all the same: nothing is written to it, and
`Database.read_only_reason` says why.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from app.market.errors import StoreUnavailable
from storage.candles.read_only import NullWriter, ReadOnlyStore
from storage.candles.store import PostgresStore
from storage.postgres.connection import Connection, ServerFacts, connect, facts_of
from storage.postgres.database_url import with_password
from storage.retention.job import RetentionJob
from storage.schema.migrate import migrate
from storage.schema.privileges import privileges_of
from storage.schema.retention_period import RetentionPeriod
from storage.server.embedded_server import EmbeddedServer
from storage.timescale.edition_setup import settle
from storage.trades.batch_writer import BatchWriter

logger = logging.getLogger(__name__)

_READERS_S = 2.0  # how long readers at work may hold the end up


class Database:
    """
    An open database. ``writer`` and ``store`` implement the Protocols of `app.market.ports`; ``facts`` describes the
    server, ``url`` is its conninfo (it may hold a password: never show it). ``read_only_reason`` is one sentence where
    nothing can be recorded, else empty; the writer then forgets what it is given.
    """

    def __init__(
        self,
        url: str,
        facts: ServerFacts,
        writer: BatchWriter | NullWriter,
        store: PostgresStore,
        server: EmbeddedServer | None,
        read_only_reason: str,
        keeper: RetentionJob | None = None,
    ) -> None:
        self.url = url
        self.facts = facts
        self.writer = writer
        self.store = store
        self.read_only_reason = read_only_reason
        self._server = server
        self._keeper = keeper

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
        keep_trades: RetentionPeriod | str | None = None,
        ask_password: Callable[[str], str] | None = None,
    ) -> Database:
        """
        Open the database that ``url`` names, or the embedded one in ``data_dir`` where it is None or empty.

        Blocks: call it from a worker thread. A failed one leaves nothing behind and may be tried again.
        ``keep_trades``: see `storage.retention.policy.enforce`. ``ask_password``: see `connect`; what it returns is
        used for every connection.

        Raises:
            StoreUnavailable: If the server cannot be started or reached.
            StoreSchemaMismatch: If its tables are newer than this program, or not ours, or older and this user may not
                change them. Nothing was changed.
        """
        server = None if url else EmbeddedServer(data_dir, postgres_bin=postgres_bin)
        try:
            address = url if url else _started(server)
            asked = _Asked(ask_password)
            with connect(address, ask_password=asked) as connection:
                address = with_password(address, asked.password) if asked.password else address
                privileges = privileges_of(connection)
                privileges.check_tables()
                migrate(connection)
                settle(connection)
                facts = facts_of(connection, embedded=server is not None)
        except BaseException:
            if server is not None:
                server.stop()
            raise
        logger.info("The database is %s. %s", facts.label, privileges.read_only_reason)
        to_read = _connector(address, server, "cryptopipe reader")
        if privileges.read_only_reason:
            return cls(address, facts, NullWriter(), ReadOnlyStore(to_read), server, privileges.read_only_reason)
        writer = BatchWriter(
            _connector(address, server, "cryptopipe writer"),
            batch_trades=batch_trades,
            batch_seconds=batch_seconds,
            queue_limit=queue_limit,
        )
        keeper = RetentionJob(_connector(address, server, "cryptopipe retention"), keep_trades)
        return cls(address, facts, writer, PostgresStore(to_read), server, "", keeper)

    @property
    def label(self) -> str:
        """The server in words, as ``"Embedded PostgreSQL 18.4"``."""
        return self.facts.label

    def close(self, timeout_s: float = 20.0) -> bool:
        """
        Commit what is queued, close the connections, leave the embedded server, which nothing here starts again; blocks
        for ``timeout_s`` at most, and a little. False where trades are left (see `BatchWriter.unwritten`) or the server
        would not stop.
        """
        deadline = time.monotonic() + timeout_s
        if self._keeper is not None:
            self._keeper.close()
        written = self.writer.close(timeout_s * 0.6)
        self.store.close(min(_READERS_S, max(0.0, deadline - time.monotonic())))
        if self._server is None:
            return written
        return self._server.close(max(2.0, deadline - time.monotonic())) and written


def _started(server: EmbeddedServer | None) -> str:
    assert server is not None
    return server.start()


class _Asked:
    """Asks for a password and remembers the answer."""

    def __init__(self, ask: Callable[[str], str] | None) -> None:
        self._ask = ask
        self.password = ""

    def __call__(self, url: str) -> str:
        self.password = self._ask(url) if self._ask else ""
        return self.password


def _connector(url: str, server: EmbeddedServer | None, name: str) -> Callable[[], Connection]:
    def reconnect() -> Connection:
        try:
            return connect(url, application_name=name)
        except StoreUnavailable:
            if server is None:
                raise
            address = server.start()
        try:
            return connect(address, application_name=name)
        except StoreUnavailable as error:
            # Its address is no business of the user's.
            raise StoreUnavailable("The embedded database is being started again; wait a moment.") from error

    return reconnect
