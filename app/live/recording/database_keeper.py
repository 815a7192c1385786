"""
The engine's database: opened when it can be, changed for another while the program runs, closed in bounded time.

A change begins with opening the new database; the old one records on until that has worked. Then trades wait in the
outbox while the old one commits what it was given, and whatever it could not take goes to the new one with them. So a
trade received is in the one database or in the other.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from app.concurrency.background import Background, in_background
from app.live.recording.recorder import Recorder
from app.market.errors import StoreError, StoreSchemaMismatch
from app.market.ports.storage import CandleReader, CandleStore, TradeWriter
from app.market.trade import Trade

logger = logging.getLogger(__name__)

_RETRY_S = 30.0
_FLUSH_S = 10.0
_CLOSE_S = 10.0
_HOPELESS_S = 2.0


class EngineStore(CandleStore, CandleReader, Protocol):
    """What the engine reads through."""


class EngineWriter(TradeWriter, Protocol):
    """What the engine writes through, and asks at the end what it could not write."""

    @property
    def refused(self) -> int:
        """Trades that the database would not take as they are."""


class OpenedDatabase(Protocol):
    """An open database, as `storage.database` gives it."""

    @property
    def writer(self) -> EngineWriter: ...

    @property
    def store(self) -> EngineStore: ...

    @property
    def label(self) -> str:
        """``"Embedded PostgreSQL 18.4"``."""

    @property
    def read_only_reason(self) -> str:
        """One sentence where nothing is recorded, else empty; the writer then forgets what it is given."""

    def close(self, timeout_s: float = ...) -> bool:
        """Commit what is queued, close, leave an embedded server; about ``timeout_s`` at most. False: trades left."""


OpenDatabase = Callable[[], OpenedDatabase]
"""Blocks, and raises StoreError."""


class DatabaseKeeper:
    """
    Keeps one database in use; all methods on the loop.

    ``reason`` is one sentence while there is none, ``failed`` whether that is a failure rather than a beginning.
    ``on_open`` is awaited with each database that is taken into use, ``on_failure`` called when one did not open.
    """

    def __init__(
        self,
        recorder: Recorder,
        open_database: OpenDatabase,
        *,
        on_open: Callable[[OpenedDatabase], Awaitable[None]],
        on_failure: Callable[[], None],
    ) -> None:
        self.database: OpenedDatabase | None = None
        self.reason = "The database is starting."
        self.failed = False
        self._recorder = recorder
        self._open_database = open_database
        self._on_open = on_open
        self._on_failure = on_failure
        self._retry = asyncio.Event()
        self._opening: Background[OpenedDatabase] | None = None
        self._is_changing = False
        self._changing: asyncio.Task[None] | None = None
        self._closed = False
        self._forgone = 0

    def retry(self) -> None:
        """Try to open the database now instead of later."""
        self._retry.set()

    async def run(self) -> None:
        """Open the database, trying until it works; return then."""
        while await self._is_wanted():
            chosen = self._open_database
            self._retry.clear()
            opening = self._opening = _opening(chosen)
            try:
                database = await opening.result()
            except StoreError as error:
                self._opening = None
                logger.error("no database: %s", error)
                reason, wait_s = str(error), None if isinstance(error, StoreSchemaMismatch) else _RETRY_S
            except Exception as error:  # because a bug must not look like a database that is starting for ever
                self._opening = None
                logger.critical("no database by a fault in the program", exc_info=error)
                reason, wait_s = inside("Opening the database", error), None
            else:
                self._opening = None
                if chosen is self._open_database:
                    self._use(database)
                    await self._on_open(database)
                else:  # another was chosen while this one opened
                    await in_background(partial(database.close, _CLOSE_S), "close-database", to_its_end=True)
                continue
            if chosen is self._open_database:
                await self._wait(reason, wait_s)

    async def _is_wanted(self) -> bool:
        """Whether there is no database, and none is about to come: a change lacks one only until it has the next."""
        if self._changing is not None:
            await asyncio.wait([self._changing])
        return self.database is None

    async def change(self, open_database: OpenDatabase) -> None:
        """
        Use another database from now on. Returns when it is in use.

        Raises:
            StoreError: If it cannot be opened, or would record nothing of what waits for the one in use, which is away.
                Nothing has changed.
        """
        if self._is_changing:
            raise StoreError("The database is being changed already: wait until that is done.")
        self._is_changing = True
        opening = _opening(open_database)
        try:
            new = await opening.result()
            self._check(new)
        except BaseException:
            opening.abandon()
            self._is_changing = False
            raise
        # Shielded, because half a change would leave neither database in use, or both open.
        self._changing = asyncio.ensure_future(self._change(new, open_database))
        await asyncio.shield(self._changing)

    async def close(self) -> int:
        """Store what was received and close; bounded in time. Returns how many trades received are not stored."""
        self._closed = True
        if self._changing is not None:
            await asyncio.wait([self._changing])  # its parts are bounded
        outbox = self._recorder.outbox
        outbox.close()
        outbox.release()
        if self.database is not None and self._opening is not None:  # changed while the first was still opening
            self._opening.abandon()
        database = self.database or await self._opened_late()
        self.database = None
        refused, left = 0, list[Trade]()
        if database is not None:
            if outbox.writer is not database.writer:
                self._recorder.attach(database.writer, recording=not database.read_only_reason)
            # What is on disk need not be waited for.
            hopeful = not outbox.is_hopeless
            left = await _retired(database, self._recorder, hopeful=hopeful)
            refused = database.writer.refused
        await outbox.save(left)
        await outbox.finish()
        return self._recorder.unstored() + self._forgone + refused

    def _check(self, new: OpenedDatabase) -> None:
        if self._closed:
            raise StoreError("The program is ending.")
        old = self.database
        if old is None or not new.read_only_reason or not old.writer.status.reason or self._recorder.outbox.has_spool:
            return
        waiting = old.writer.status.queued + self._recorder.outbox.waiting
        if waiting:
            raise StoreError(
                f"{waiting:,} trades wait for the database in use, which is away, and the other one may only be read: "
                "choose one that can be written, or wait until it is back."
            )

    async def _change(self, new: OpenedDatabase, open_database: OpenDatabase) -> None:
        try:
            await self._replace(new, open_database)
            await self._on_open(new)
        finally:
            self._is_changing = False
            self._changing = None

    async def _replace(self, new: OpenedDatabase, open_database: OpenDatabase) -> None:
        old, self._open_database = self.database, open_database
        outbox = self._recorder.outbox
        before = outbox.waiting  # what comes from now on is the new one's
        if old is not None:
            self.database, self.reason, self.failed = None, "The database is being changed.", False
            # What waits for a database that is away is better off waiting for the new one.
            hopeful = not old.writer.status.reason
            left = await _retired(old, self._recorder, hopeful=hopeful, hold=True)
            before = len(left) + (0 if hopeful else before)
            if left:
                logger.warning("%d trades go to the new database, because the one before did not take them", len(left))
            self._recorder.move(left)
        if new.read_only_reason:
            unsaved = await outbox.save()
            self._forgo(len(unsaved) if outbox.has_spool else before)
        self._use(new)
        self._retry.set()  # whoever waits to open the one before need not any more

    def _forgo(self, trades: int) -> None:
        """Count trades that no database has taken, where the new one may only be read."""
        if trades:
            self._forgone += trades
            logger.error("%d trades are stored nowhere: the new database may only be read", trades)

    def _use(self, database: OpenedDatabase) -> None:
        self.database, self.reason, self.failed = database, "", False
        self._recorder.attach(database.writer, recording=not database.read_only_reason)
        logger.info("database open: %s. %s", database.label, database.read_only_reason)

    async def _wait(self, reason: str, wait_s: float | None) -> None:
        """Return when it is time to try again; ``wait_s`` None: not before the user says so."""
        self.reason, self.failed = reason, True
        self._recorder.outbox.release()
        self._on_failure()
        try:
            async with asyncio.timeout(wait_s):
                await self._retry.wait()
        except TimeoutError:
            pass

    async def _opened_late(self) -> OpenedDatabase | None:
        opening, self._opening = self._opening, None
        if opening is None:
            return None
        try:
            async with asyncio.timeout(_CLOSE_S):
                return await opening.result()
        except Exception as error:  # because what failed need not be closed
            opening.abandon()
            expected = isinstance(error, (StoreError, TimeoutError))
            why = str(error) or "it takes too long to open"
            logger.warning("no database at the end: %s", why, exc_info=None if expected else error)
            return None


def _opening(open_database: OpenDatabase) -> Background[OpenedDatabase]:
    """Begin to open a database; one that opens too late for anyone is closed again."""
    return Background(open_database, lambda database: database.close(_CLOSE_S), "open-database")


def inside(what: str, error: Exception) -> str:
    """Return the sentence for a fault in the program."""
    return f"{what} failed inside ({type(error).__name__}): retry, or restart the program; the log file tells more."


async def _retired(database: OpenedDatabase, recorder: Recorder, *, hopeful: bool, hold: bool = False) -> list[Trade]:
    """
    Have the database commit what was received so far, and close it; bounded in time.

    Returns what it was given and could not store, however closing it goes: a fault is only logged. Trades that come
    meanwhile wait in the outbox; with ``hold`` not on disk, because another database is about to take them after what
    this one leaves. ``hopeful`` False: it is away, so it is given nothing more, and is not waited for.
    """
    try:
        if hopeful:
            async with asyncio.timeout(_FLUSH_S):
                await recorder.outbox.drain()
    except TimeoutError:
        logger.warning("the database takes too long to store what waits")
    recorder.attach(None)
    if hold:
        recorder.outbox.hold()
    try:
        if hopeful:
            await database.writer.flush(_FLUSH_S)
        close = partial(database.close, _CLOSE_S if hopeful else _HOPELESS_S)
        await in_background(close, "close-database", to_its_end=True)
    except Exception as error:  # because what follows must not depend on it: the trades left, and the next database
        logger.critical("the database was not closed in order", exc_info=error)
    return database.writer.unwritten()
