"""
The database as the program uses it: opened once, with a writer and a store, and closed once.

`Database.open` starts the embedded server, or connects to the one that a URL names, and brings its tables up to date.
After that the writer and the store reconnect by themselves, and start an embedded server that has died again. A
database that this user may only read is opened as well: nothing is written to it, and `Database.read_only_reason` says
why.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from app.market.calendar.calendar import Calendar
from app.market.coverage import StoredGap
from app.market.errors import StoreError, StoreUnavailable
from app.market.quotes.tick import Tick
from app.market.trade import Trade
from storage.candles.read_only import NullWriter
from storage.postgres.connection import Connection, ServerFacts, connect, facts_of
from storage.postgres.database_url import with_password
from storage.postgres.pool import MOST_CONNECTIONS
from storage.research.keeper import ResearchKeeper
from storage.retention.job import RetentionJob
from storage.retention.lake_check import OpenLake
from storage.schema.migrate import migrate
from storage.schema.privileges import privileges_of
from storage.schema.retention_period import RetentionPeriod
from storage.server.embedded_server import EmbeddedServer
from storage.sides.market_store import MarketStore, ReadOnlyMarketStore
from storage.timescale.edition_setup import set_up_edition
from storage.trades.trade_writer import TRADE_ROWS, TradeBatchWriter
from storage.writing.batch_writer import BatchWriter

if TYPE_CHECKING:
    from storage.alerts.alert_store import PostgresAlerts
    from storage.drawings.drawing_store import PostgresDrawings
    from storage.loading.bulk_loader import BulkLoader
    from storage.loading.tick_loader import TickLoader
    from storage.quotes.tick_writer import TickBatchWriter
    from storage.research.research_store import Research

logger = logging.getLogger(__name__)

_READERS_S = 2.0  # how long readers at work may delay the close
_GAPS_TIMEOUT_S = 600.0  # each gap costs two look-ups, and there may be many
_ALL_GAPS = 1 << 30
_RESEARCH_TIMEOUT_S = 3_600.0  # per statement; one update is of all rows of a symbol
_ALERTS_TIMEOUT_S = 3_600.0  # one statement reads all trades that are to be judged
_WRITER_SHARE = 0.6  # of the time for a close: the rest is for the readers and for the server to stop
_LEAST_FLUSH_S = 1.0  # for the ticks, however long the trades took
_WRITER_NAME = "cryptopipe writer"
_SERVER_S = 2.0  # at least, for the server to stop, however long the others took


class Database:
    """
    An open database.

    ``writer`` and ``store`` implement the protocols of `app.market.ports.storage`, ``ticks`` that of
    `app.market.ports.ticks`. ``facts`` describes the server; ``url`` is its conninfo, which may hold a password: never
    show it. ``read_only_reason`` is a sentence that says why nothing can be recorded, empty if recording works; the
    writers discard what is put where it is not empty.
    """

    def __init__(
        self,
        url: str,
        facts: ServerFacts,
        writer: TradeBatchWriter | NullWriter[Trade],
        store: MarketStore,
        server: EmbeddedServer | None,
        read_only_reason: str,
        retention_job: RetentionJob | None = None,
        keeper: ResearchKeeper | None = None,
    ) -> None:
        self.url = url
        self.facts = facts
        self.writer = writer
        self.store = store
        self.ticks = store.tick_store
        self.read_only_reason = read_only_reason
        self._server = server
        self._retention_job = retention_job
        self._keeper = keeper
        self._tick_writer: TickBatchWriter | None = None
        self._alerts: PostgresAlerts | None = None

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
        most_readers: int = MOST_CONNECTIONS,
        ask_password: Callable[[str], str] | None = None,
        calendars: Mapping[str, str] | None = None,
        named_calendar: Callable[[str], Calendar] | None = None,
        open_lake: OpenLake | None = None,
    ) -> Database:
        """
        Open the database that ``url`` names, or the embedded one in ``data_dir`` if ``url`` is None or empty.

        Blocks: call it from a worker thread. A failed attempt leaves nothing behind and may be repeated.

        ``batch_trades``, ``batch_seconds``, ``queue_limit``: see `storage.writing.batch_writer.BatchWriter`.
        ``keep_trades``, ``open_lake``: see ``proposed`` and ``open_lake`` of `storage.retention.policy.enforce`.
        ``most_readers``: connections for reading at a time. ``ask_password``: see
        `storage.postgres.connection.connect`; the password it returns is used for every later connection.
        ``calendars``, ``named_calendar``: see `storage.sides.symbol_calendars`.

        Raises:
            StoreUnavailable: If the server cannot be started or reached.
            StoreSchemaMismatch: If its tables are newer than this program, are not ours, or are older and this user may
                not change them. Nothing was changed.
        """
        server = None if url else EmbeddedServer(data_dir, postgres_bin=postgres_bin)
        try:
            address = url if url else _started(server)
            prompt = _PasswordPrompt(ask_password)
            with connect(address, ask_password=prompt) as connection:
                # Reconnecting happens in threads, where nobody can be asked.
                address = with_password(address, prompt.password) if prompt.password else address
                privileges = privileges_of(connection)
                privileges.check_tables()
                migrate(connection)
                set_up_edition(connection)
                facts = facts_of(connection, embedded=server is not None)
        except BaseException:
            if server is not None:
                server.stop()
            raise
        logger.info("The database is %s. %s", facts.label, privileges.read_only_reason)
        connect_reader = _reconnector(address, server, "cryptopipe reader")
        if privileges.read_only_reason:
            return cls(
                address,
                facts,
                NullWriter[Trade](),
                ReadOnlyMarketStore(connect_reader, most_readers, calendars=calendars, named_calendar=named_calendar),
                server,
                privileges.read_only_reason,
            )
        writer = BatchWriter(
            _reconnector(address, server, _WRITER_NAME),
            TRADE_ROWS,
            batch_rows=batch_trades,
            batch_seconds=batch_seconds,
            queue_limit=queue_limit,
        )
        connect_retention = _reconnector(address, server, "cryptopipe retention")
        retention_job = RetentionJob(connect_retention, keep_trades, open_lake=open_lake)
        store = MarketStore(connect_reader, most_readers, calendars=calendars, named_calendar=named_calendar)
        connect_keeper = _reconnector(address, server, "cryptopipe research", _RESEARCH_TIMEOUT_S)
        keeper = ResearchKeeper(connect_keeper, store.pool, store)
        return cls(address, facts, writer, store, server, "", retention_job, keeper)

    @property
    def label(self) -> str:
        """The server in words, as ``"Embedded PostgreSQL 18.4"``."""
        return self.facts.label

    @property
    def tick_writer(self) -> TickBatchWriter | NullWriter[Tick]:
        """See `app.market.ports.ticks.TickDatabase`. From one thread."""
        if self.read_only_reason:
            return NullWriter[Tick]()
        if self._tick_writer is None:
            from storage.quotes.tick_writer import TICK_ROWS  # here: most programs record no ticks

            self._tick_writer = BatchWriter(_reconnector(self.url, self._server, _WRITER_NAME), TICK_ROWS)
        return self._tick_writer

    def tick_loader(self) -> TickLoader:
        """See `app.market.ports.ticks.TickDatabase`."""
        from storage.loading.bulk_loader import STATEMENT_TIMEOUT_S  # here: most programs load no history
        from storage.loading.tick_loader import TickLoader

        self._check_writable()
        return TickLoader(_reconnector(self.url, self._server, "cryptopipe import", STATEMENT_TIMEOUT_S))

    def _check_writable(self) -> None:
        if self.read_only_reason:
            raise StoreError(self.read_only_reason)

    def separate_store(self, connections: int, statement_timeout_s: float) -> MarketStore:
        """See `app.market.ports.database.OpenedDatabase`; it only reads."""
        connect_reader = _reconnector(self.url, self._server, "cryptopipe serve", statement_timeout_s)
        return self.store.reading_alike(connect_reader, connections)

    @property
    def external_url(self) -> str:
        """The conninfo of a server that another process connects with; empty if the server is the embedded one."""
        return "" if self._server is not None else self.url

    def bulk_loader(self) -> BulkLoader:
        """
        Return what files are loaded with, on a connection of its own; close it before the database.

        Raises:
            StoreError: If this user may only read.
        """
        self._check_writable()
        from storage.loading.bulk_loader import STATEMENT_TIMEOUT_S, BulkLoader  # here: most programs load no files

        return BulkLoader(_reconnector(self.url, self._server, "cryptopipe import", STATEMENT_TIMEOUT_S))

    @property
    def alerts(self) -> PostgresAlerts:
        """See `app.market.ports.database.OpenedDatabase`."""
        if self._alerts is None:
            from storage.alerts.alert_store import PostgresAlerts  # here: the window opens without
            from storage.rollups.candle_sql import load_numerics_as_int

            reconnect = _reconnector(self.url, self._server, "cryptopipe alerts", _ALERTS_TIMEOUT_S)

            def connect_judge() -> Connection:
                connection = reconnect()
                load_numerics_as_int(connection)
                return connection

            self._alerts = PostgresAlerts(self.store.pool, connect_judge)
        return self._alerts

    @property
    def drawings(self) -> PostgresDrawings:
        """See `app.market.ports.database.OpenedDatabase`."""
        from storage.drawings.drawing_store import PostgresDrawings  # here: the window opens without

        return PostgresDrawings(self.store.pool)

    def research(self) -> Research:
        """Return the tables of rolling windows; each call of it uses a connection of its own."""
        from storage.research.research_store import Research  # here: most programs have no use for it

        connect = _reconnector(self.url, self._server, "cryptopipe research", _RESEARCH_TIMEOUT_S)
        return Research(connect, self.store)

    def gaps(self, symbol: str) -> list[StoredGap]:
        """
        Return all gaps between the stored trades of a symbol, by id, with the times around each; blocks.

        Raises:
            UsageError: If nothing of the symbol is stored.
            StoreError: If the database cannot be read.
        """
        from storage.integrity.gap_report import read_gaps

        reader = _reconnector(self.url, self._server, "cryptopipe gaps", _GAPS_TIMEOUT_S)
        with reader() as connection:
            return read_gaps(connection, [symbol], timed=_ALL_GAPS)

    def close(self, timeout_s: float = 20.0) -> bool:
        """
        Commit what is queued, close the connections, and leave the embedded server, which nothing here starts again.

        Blocks for about ``timeout_s`` at most. False if trades or ticks are left (see `BatchWriter.unwritten`) or the
        server did not stop.
        """
        began_s = time.monotonic()
        deadline, written_by = began_s + timeout_s, began_s + timeout_s * _WRITER_SHARE
        if self._retention_job is not None:
            self._retention_job.close()
        if self._keeper is not None:
            self._keeper.close()
        written = self.writer.close(timeout_s * _WRITER_SHARE)
        if self._tick_writer is not None:
            written = self._tick_writer.close(max(_LEAST_FLUSH_S, written_by - time.monotonic())) and written
        self.store.close(min(_READERS_S, max(0.0, deadline - time.monotonic())))
        if self._server is None:
            return written
        return self._server.close(max(_SERVER_S, deadline - time.monotonic())) and written


def _started(server: EmbeddedServer | None) -> str:
    assert server is not None
    return server.start()


class _PasswordPrompt:
    """Asks for a password and remembers the answer, for the connections to come."""

    def __init__(self, ask: Callable[[str], str] | None) -> None:
        self._ask = ask
        self.password = ""

    def __call__(self, url: str) -> str:
        self.password = self._ask(url) if self._ask else ""
        return self.password


def _reconnector(
    url: str, server: EmbeddedServer | None, name: str, statement_timeout_s: float | None = None
) -> Callable[[], Connection]:
    """Return a function that connects under an application name, after starting an embedded server that has died."""

    def reconnect() -> Connection:
        try:
            return connect(url, application_name=name, statement_timeout_s=statement_timeout_s)
        except StoreUnavailable:
            if server is None:
                raise
            address = server.start()
        try:
            return connect(address, application_name=name, statement_timeout_s=statement_timeout_s)
        except StoreUnavailable as error:
            # The original names the server's own address, which means nothing to the user.
            raise StoreUnavailable("The embedded database is being started again; wait a moment.") from error

    return reconnect
