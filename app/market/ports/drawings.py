"""How desktops keep drawings: in a database that they share, and in a journal of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class DrawingChange(NamedTuple):
    """
    A drawing as it is to be stored: its JSON, None to remove it.

    ``change_id``: a UUID by which a change that is sent again is known. ``base_revision``: the revision of the drawing
    that whoever made the change had seen, 0 for none.
    """

    change_id: str
    drawing_id: str
    symbol: str
    content: str | None
    base_revision: int


class StoredDrawing(NamedTuple):
    """A drawing in the database, ``content`` None once it is removed. ``desktop`` wrote it, having seen the base."""

    drawing_id: str
    symbol: str
    revision: int
    base_revision: int
    desktop: str
    content: str | None


class AppliedChange(NamedTuple):
    """
    What became of a change.

    ``revision``: that of the drawing after it; None if it was not applied, because it would have removed what its maker
    had not seen. ``overwritten``: contents of other desktops that it replaced unseen, oldest first.
    """

    change_id: str
    revision: int | None
    overwritten: Sequence[str] = ()


class DrawingNews(NamedTuple):
    """
    What a database has for a desktop that has seen ``seen``: the answers to its changes, and the drawings since.

    ``is_whole``: the rows are all there are, because the database's revision is older than the one seen, as after its
    restoration from a backup. ``revision``: what the desktop has seen now.
    """

    revision: int
    applied: Sequence[AppliedChange]
    rows: Sequence[StoredDrawing]
    is_whole: bool


class DrawingStore(Protocol):
    """The drawings of one database. All methods block and may raise StoreError."""

    def database_id(self) -> str:
        """Return a UUID that this database alone has."""

    def exchange(self, desktop: str, seen: int, changes: Sequence[DrawingChange]) -> DrawingNews:
        """
        Store these changes of a desktop, of different drawings, and return what it has not seen.

        All are stored, or none. The later change of a drawing wins as a whole, whoever made it; but a removal yields to
        a change that its maker had not seen. A change that was stored before is answered as it was then.
        """


class KeptStep(NamedTuple):
    """A step of undo, or of redo if ``is_undone``; they are in the order of their numbers. ``edits`` is JSON."""

    symbol: str
    number: int
    is_undone: bool
    edits: str


class JournalState(NamedTuple):
    """
    What a desktop knew of one database when its journal was last written; ``database_id`` is empty before the first.

    ``changes`` are not in the database yet, as far as is known.
    """

    desktop: str
    database_id: str
    seen: int
    rows: Sequence[StoredDrawing]
    changes: Sequence[DrawingChange]
    steps: Sequence[KeptStep]


class JournalEntry(NamedTuple):
    """What changed since the last one: rows, changes and steps to keep, and those to forget by their keys."""

    seen: int
    rows: Sequence[StoredDrawing] = ()
    gone_rows: Sequence[str] = ()
    changes: Sequence[DrawingChange] = ()
    gone_changes: Sequence[str] = ()
    steps: Sequence[KeptStep] = ()
    gone_steps: Sequence[tuple[str, int]] = ()


class DrawingJournal(Protocol):
    """A desktop's own record of drawings, on its disk. All methods block and may raise StoreError."""

    def load(self, database_id: str | None = None) -> JournalState:
        """
        Return what is known of that database, None: of the one used last; write from now on what concerns it.

        What was written before any database was known belongs to the first one.
        """

    def write(self, entry: JournalEntry) -> None:
        """Write all of it or nothing; once this returns, it outlives a kill and a power failure."""

    def close(self) -> None: ...
