"""
The engine's database: opened as soon as possible, changed for another while the program runs, closed in bounded time.

A change starts by opening the new database; the old one goes on recording until that has worked. Then trades wait in
the outbox while the old one commits its queue; trades it does not take go to the new one, before those that wait. So
every received trade is in one of the two databases.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from app.concurrency.background import Background, in_background
from app.live.recording.recorder import Recorder
from app.market.errors import StoreError, StoreSchemaMismatch
from app.market.ports.database import OpenDatabase, OpenedDatabase
from app.market.trade import Trade

logger = logging.getLogger(__name__)

_RETRY_S = 30.0
_FLUSH_S = 10.0
_CLOSE_S = 10.0
_UNREACHABLE_CLOSE_S = 2.0


class DatabaseKeeper:
    """
    Keeps one database in use; all methods on the loop.

    ``database`` is the one in use. While there is none, ``reason`` is one sentence, and ``failed`` says whether that is
    a failure rather than a start or a change. ``on_open`` is awaited with each database taken into use; ``on_failure``
    is called when one did not open.
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
        self._discarded = 0  # trades that no database has taken

    def retry(self) -> None:
        """Try to open the database now instead of later."""
        self._retry.set()

    async def run(self) -> None:
        """Open the database, retrying until it works; return then."""
        while await self._lacks_database():
            chosen = self._open_database
            self._retry.clear()
            opening = self._opening = _opening(chosen)
            try:
                database = await opening.result()
            except StoreError as error:
                self._opening = None
                logger.error("no database: %s", error)
                reason, wait_s = str(error), None if isinstance(error, StoreSchemaMismatch) else _RETRY_S
            except Exception as error:  # because a bug must not look like a database that never finishes starting
                self._opening = None
                logger.critical("no database by a fault in the program", exc_info=error)
                reason, wait_s = fault_sentence("Opening the database", error), None
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

    async def _lacks_database(self) -> bool:
        """Return whether there is no database; while one is being changed, wait for the end of that."""
        if self._changing is not None:
            await asyncio.wait([self._changing])
        return self.database is None

    async def change(self, open_database: OpenDatabase) -> None:
        """
        Use another database from now on. Returns when it is in use.

        Raises:
            StoreError: If it cannot be opened, or may only be read while trades wait for the one in use, which is away.
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
        """Store received trades and close; bounded in time. Return how many received trades are not stored."""
        self._closed = True
        if self._changing is not None:
            await asyncio.wait([self._changing])  # each of its steps is bounded in time
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
            is_reachable = not outbox.can_skip_database
            left = await _retire(database, self._recorder, is_reachable=is_reachable)
            refused = database.writer.refused
        await outbox.save(left)
        await outbox.finish()
        return self._recorder.unstored() + self._discarded + refused

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
        before = outbox.waiting  # trades that come from now on are the new database's alone
        if old is not None:
            self.database, self.reason, self.failed = None, "The database is being changed.", False
            # Trades that wait for a database that is away had better wait for the new one.
            is_reachable = not old.writer.status.reason
            left = await _retire(old, self._recorder, is_reachable=is_reachable, hold=True)
            before = len(left) + (0 if is_reachable else before)
            if left:
                logger.warning("%d trades go to the new database, because the old one did not take them", len(left))
            self._recorder.change_database(left)
        if new.read_only_reason:
            unsaved = await outbox.save()
            self._discard(len(unsaved) if outbox.has_spool else before)
        self._use(new)
        self._retry.set()  # `run` may wait to open the old one, and need not any more

    def _discard(self, trades: int) -> None:
        """Count trades that no database has taken, because the new one may only be read."""
        if trades:
            self._discarded += trades
            logger.error("%d trades are stored nowhere: the new database may only be read", trades)

    def _use(self, database: OpenedDatabase) -> None:
        self.database, self.reason, self.failed = database, "", False
        self._recorder.attach(database.writer, recording=not database.read_only_reason)
        logger.info("database open: %s. %s", database.label, database.read_only_reason)

    async def _wait(self, reason: str, wait_s: float | None) -> None:
        """Return when it is time to try again; ``wait_s`` None: only when the user asks for it."""
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
        except Exception as error:  # because a database that did not open need not be closed
            opening.abandon()
            expected = isinstance(error, (StoreError, TimeoutError))
            why = str(error) or "it takes too long to open"
            logger.warning("no database at the end: %s", why, exc_info=None if expected else error)
            return None


def _opening(open_database: OpenDatabase) -> Background[OpenedDatabase]:
    """Begin to open a database; if nobody takes it once it is open, it is closed again."""
    return Background(open_database, lambda database: database.close(_CLOSE_S), "open-database")


def fault_sentence(what: str, error: Exception) -> str:
    """Return the sentence for the user about a bug that ended ``what``."""
    return f"{what} failed inside ({type(error).__name__}): retry, or restart the program; the log file tells more."


async def _retire(
    database: OpenedDatabase, recorder: Recorder, *, is_reachable: bool, hold: bool = False
) -> list[Trade]:
    """
    Let the database commit all trades received so far, and close it; bounded in time.

    Returns the trades that its writer did not store, even if closing fails: a fault is only logged. Trades received
    meanwhile wait in the outbox; with ``hold`` not on disk, because another database is about to take them after the
    returned ones. ``is_reachable`` False: give it no more trades, and do not wait for its commits.
    """
    try:
        if is_reachable:
            async with asyncio.timeout(_FLUSH_S):
                await recorder.outbox.drain()
    except TimeoutError:
        logger.warning("the database takes too long to store the waiting trades")
    recorder.attach(None)
    if hold:
        recorder.outbox.hold()
    try:
        if is_reachable:
            await database.writer.flush(_FLUSH_S)
        close = partial(database.close, _CLOSE_S if is_reachable else _UNREACHABLE_CLOSE_S)
        await in_background(close, "close-database", to_its_end=True)
    except Exception as error:  # because the trades left and the next database must not depend on it
        logger.critical("the database was not closed in order", exc_info=error)
    return database.writer.unwritten()
