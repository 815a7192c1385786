"""The first rows of a table, and what they say of all of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from app.market.errors import FileError
from app.market.ports.row_files import ReadingOptions, RowBatch, RowFile, RowKind
from storage.files.readers.cells import Cell
from storage.files.readers.identity import Identity, identify
from storage.files.readers.layout import Layout, lean_quotes, recognise
from storage.files.readers.names import NameFacts


class Head(NamedTuple):
    """The names of a table's columns, None where it has no header, and its first rows."""

    names: tuple[str, ...] | None
    rows: Sequence[Sequence[Cell]]


class Understanding(NamedTuple):
    """What a table is: the meaning of its columns, and whose rows they are."""

    head: Head
    layout: Layout
    identity: Identity

    @property
    def symbol(self) -> str | None:
        """The symbol of all rows; None where they name their own."""
        own = "symbol" in self.layout.columns and not self.identity.symbol_asked
        return None if own else self.identity.symbol

    def some_of(self, path: Path, batches: Iterator[RowBatch]) -> Iterator[RowBatch]:
        """
        Yield the batches of the table in the file ``path``.

        Raises:
            FileError: At the end, if there were none: all rows are of other symbols than the user asked for.
        """
        found = False
        for batch in batches:
            found = True
            yield batch
        if not found and self.head.rows and self.identity.symbol_asked:
            raise FileError(f"{path} holds nothing of {self.identity.symbol}: leave out --symbol, or name another.")


class Table(RowFile, Protocol):
    """A `RowFile` that can say what it was recognised as; who opens several of one path names them."""

    table: str

    @property
    def understanding(self) -> Understanding: ...


class UnknownTable(FileError):
    """A table that can be read and is not understood; ``head`` is shown to whoever can say what it is."""

    def __init__(self, message: str, head: Head) -> None:
        super().__init__(message)
        self.head = head


def understand(head: Head, facts: NameFacts, options: ReadingOptions) -> Understanding:
    """
    Return what a table is, from its first rows.

    Raises:
        UnknownTable: If it holds neither trades nor quotes nor candles, or nothing says whose.
    """
    try:
        if facts.kind is RowKind.QUOTES and facts.begin_us is not None and head.names is None and not options.columns:
            layout = lean_quotes(head.rows, facts.begin_us)
        else:
            layout = recognise(head.names, head.rows, options, facts.kind)
        return Understanding(head, layout, identify(layout, facts, options, head.rows))
    except FileError as error:
        raise UnknownTable(str(error), head) from error
