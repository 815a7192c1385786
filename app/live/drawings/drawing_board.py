"""
The drawings of all symbols while the program runs, for charts.

A change is shown at once. Milliseconds later it is in the journal on this computer's disk, and in the database as soon
as there is one. Changes of other desktops are read from the database twice a second. Until a chart asks for drawings,
nothing is opened and nothing is read.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from app.concurrency.background import Background, in_background
from app.concurrency.tasks import first_of
from app.market.errors import FileError, StoreError, UsageError
from app.market.ports.clock import Clock
from app.market.ports.database import OpenedDatabase

if TYPE_CHECKING:  # a program without charts runs without
    from app.live.drawings.drawing_book import DrawingBook
    from app.market.drawings.drawing import Drawing
    from app.market.ports.drawings import DrawingJournal, JournalState

logger = logging.getLogger(__name__)

_LOOK_S = 0.5
_AGAIN_S = 2.0  # after the database or the disk failed
_MOST_AT_ONCE = 500  # changes in a transaction

DrawingListener = Callable[[str], None]
"""Is called on the loop with the symbol whose drawings have changed."""


class DrawingBoard:
    """
    Run `run` meanwhile; call `finish` at the end. All methods on the loop.

    ``journal``: where changes outlive a kill; None: they are in memory until the database has them. ``database``
    returns the one in use. ``on_change``: who is called after every change, whoever made it.
    """

    def __init__(
        self, journal: DrawingJournal | None, database: Callable[[], OpenedDatabase | None], clock: Clock
    ) -> None:
        self.on_change: list[DrawingListener] = []
        self._journal = journal
        self._database = database
        self._clock = clock
        self._book: DrawingBook | None = None
        self._used: OpenedDatabase | None = None
        self._asked: set[str] = set()  # the symbols that somebody has asked for
        self._waiting: list[Callable[[DrawingBook], object]] = []  # changes while there is no book
        self._is_wanted, self._has_changed = asyncio.Event(), asyncio.Event()
        self._is_saved = asyncio.Event()
        self._saving = asyncio.Lock()
        self._fault = ""

    def drawings(self, symbol: str) -> tuple[Drawing, ...]:
        """
        Return a symbol's drawings in the order of painting.

        The first time there may be none yet: ``on_change`` is called once they are known.
        """
        self._asked.add(symbol)
        self._is_wanted.set()
        return () if self._book is None else self._book.drawings(symbol)

    def put(self, *drawings: Drawing) -> None:
        """
        Add drawings, or replace those of the same id: one step of undo for each symbol.

        Raises:
            UsageError: If one is not possible (`app.market.drawings.drawing.check`). None was changed.
        """
        from app.market.drawings.drawing import check

        by_symbol: dict[str, list[Drawing]] = {}
        for one in drawings:
            check(one)
        for one in drawings:
            by_symbol.setdefault(one.symbol, []).append(one)
        for symbol, some in by_symbol.items():
            self.change(symbol, put=some)

    def remove(self, symbol: str, *drawing_ids: str) -> None:
        """Remove drawings of a symbol, as one step of undo. Ids that are not there are passed over."""
        self.change(symbol, remove=drawing_ids)

    def change(self, symbol: str, *, put: Sequence[Drawing] = (), remove: Sequence[str] = ()) -> None:
        """
        Add, replace and remove drawings of one symbol, as one step of undo.

        Raises:
            UsageError: If one is not possible, or of another symbol. None was changed.
        """
        from app.market.drawings.drawing import check

        for one in put:
            check(one)
            if one.symbol != symbol:
                raise UsageError(f"A drawing of {one.symbol} cannot be put on {symbol}: copy it with a new id.")
        self._do(lambda book: book.change(symbol, put, remove))

    def undo(self, symbol: str) -> bool:
        """Take back this desktop's last step on a symbol, also of an earlier run; return whether there was one."""
        return self._do(lambda book: book.undo(symbol)) if self._book else False

    def redo(self, symbol: str) -> bool:
        """Do the step again that was undone last; return whether there was one."""
        return self._do(lambda book: book.redo(symbol)) if self._book else False

    def can_undo(self, symbol: str) -> bool:
        """Whether there is a step to take back."""
        return self._book is not None and self._book.can_undo(symbol)

    def can_redo(self, symbol: str) -> bool:
        """Whether there is a step to do again."""
        return self._book is not None and self._book.can_redo(symbol)

    @property
    def is_stored(self) -> bool:
        """Whether the database in use has all that was drawn here."""
        return self._book is not None and not self._book.changes and not self._waiting

    async def run(self) -> None:
        """Keep drawings until cancelled."""
        await self._is_wanted.wait()
        await self._begin(None)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_saving())
            tasks.create_task(self._follow())

    async def finish(self) -> None:
        """Keep what is not kept yet, after `run` has ended; bounded by the database's time limit. Logs failures."""
        if self._book is None:
            return
        await self._save()
        if self._book.changes and self._used is not None and self._used is self._database():
            try:
                await self._exchange(self._used, self._book)
            except StoreError as error:
                logger.info("drawings are brought to the database at the next start: %s", error)
            await self._save()
        if self._journal is not None:
            await in_background(self._journal.close, "close-drawings")

    def _do(self, work: Callable[[DrawingBook], bool]) -> bool:
        self._is_wanted.set()
        if self._book is None:
            self._waiting.append(work)
            return False
        is_changed = work(self._book)
        self._report()
        self._has_changed.set()
        return is_changed

    def _report(self) -> None:
        """Call the listeners with the symbols that have changed."""
        if self._book is None:
            return
        changed, self._book.changed = self._book.changed, set()
        for symbol in sorted(changed & self._asked):
            for listener in list(self.on_change):
                listener(symbol)

    async def _begin(self, database_id: str | None) -> None:
        """Use the book of that database, None: of the last one; changes made meanwhile wait for it."""
        self._book = None
        state = await in_background(partial(self._load, database_id), "read-drawings")
        from app.live.drawings.drawing_book import DrawingBook

        self._book = DrawingBook(state)
        waiting, self._waiting = self._waiting, []
        for work in waiting:
            work(self._book)
        self._book.changed |= self._asked
        self._report()
        self._has_changed.set()

    def _load(self, database_id: str | None) -> JournalState:
        import uuid

        from app.live.drawings import drawing_book  # noqa: F401  # because loading it here keeps it off the loop
        from app.market.ports.drawings import JournalState

        if self._journal is not None:
            try:
                return self._journal.load(database_id)
            except FileError as error:
                logger.error("drawings are kept in memory and in the database alone: %s", error)
                self._journal = None
        return JournalState(str(uuid.uuid4()), database_id or "", 0, (), (), ())

    # The journal

    async def _keep_saving(self) -> None:
        while True:
            await self._has_changed.wait()
            self._has_changed.clear()
            if not await self._save():
                await self._clock.sleep(_AGAIN_S)
                self._has_changed.set()
            if self._book is not None and self._book.changes:
                self._is_saved.set()

    async def _save(self) -> bool:
        """Write to the journal what it lacks; return False if that failed."""
        async with self._saving:
            book, journal = self._book, self._journal
            while book is not None and journal is not None and book.is_dirty:
                entry = book.entry()
                try:
                    await _to_its_end(partial(journal.write, entry))
                except FileError as error:
                    book.write_again(entry)
                    if self._fault != (fault := str(error)):
                        logger.warning("%s", fault)
                        self._fault = fault
                    return False
                self._fault = ""
            return True

    # The database

    async def _follow(self) -> None:
        while True:
            wait_s, is_more = _LOOK_S, False
            self._is_saved.clear()
            database, book = self._database(), self._book
            try:
                if database is not None and database is not self._used:
                    await self._use(database)
                elif database is not None and book is not None:
                    is_more = await self._exchange(database, book)
            except (StoreError, FileError) as error:
                logger.info("drawings are not in step with the database: %s", error)
                wait_s = _AGAIN_S
            if not is_more:
                await first_of(self._clock.sleep(wait_s), self._is_saved.wait())

    async def _use(self, database: OpenedDatabase) -> None:
        """Begin with another database: with what this computer knows of it."""
        # In a thread also the first use of it, which loads modules.
        database_id = await in_background(lambda: database.drawings.database_id(), "find-drawings")
        book, journal = self._book, self._journal
        if book is not None and not book.database_id:
            # The first database of this computer: what was drawn so far belongs to it, and nothing else is known of it.
            if journal is not None:
                await in_background(lambda: journal.load(database_id), "read-drawings")
            book.database_id = database_id
        elif book is not None and book.database_id != database_id:
            await self._save()
            await self._begin(database_id)
        self._used = database

    async def _exchange(self, database: OpenedDatabase, book: DrawingBook) -> bool:
        """
        Bring changes to the database, those in the journal already, and take what is new there.

        Return whether it took changes and many more are left, for which nothing need be waited for.
        """
        await self._save()
        sent = [] if database.read_only_reason else book.changes[:_MOST_AT_ONCE]
        news = await in_background(
            lambda: database.drawings.exchange(book.desktop, book.seen, sent), "exchange-drawings"
        )
        if book is not self._book:
            return False
        before = len(book.changes)
        book.take(sent, news)
        self._report()
        if book.is_dirty:
            self._has_changed.set()
        return _MOST_AT_ONCE < len(book.changes) < before


async def _to_its_end(work: Callable[[], None]) -> None:
    """Run ``work`` in a thread and wait for it, also if cancelled: a later write must not be overtaken by it."""
    running = Background(work, lambda _: None, "save-drawings", to_its_end=True)
    try:
        await running.result()
    except asyncio.CancelledError:
        await running.result()
        raise
