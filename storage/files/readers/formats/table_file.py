"""A table whose rows come as cells, one by one: the reader that JSON, spreadsheets and recordings share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

from app.market.errors import FileError
from app.market.ports.row_files import RowBatch
from storage.files.readers.batches import NumberedRow, RowConverter
from storage.files.readers.head import Understanding

_BLOCK_ROWS = 20_000


class TableFile:
    """
    See `app.market.ports.row_files.RowFile`. Each call of ``rows`` reads the file from the start.

    ``table``: its name among several of one path.
    """

    def __init__(
        self,
        path: Path,
        understanding: Understanding,
        rows: Callable[[], Iterable[NumberedRow]],
        progress: Callable[[], float],
        table: str = "",
    ) -> None:
        self.path = path
        self.kind = understanding.layout.kind
        self.symbol = understanding.symbol
        self.understanding = understanding
        self.progress = progress
        self.table = table
        self._rows = rows
        self._converter = RowConverter(understanding.layout, understanding.identity)

    def batches(self) -> Iterator[RowBatch]:
        """See `app.market.ports.row_files.RowFile`."""
        return self.understanding.some_of(self.path, self._batches())

    def shortfall(self) -> str | None:
        """See `app.market.ports.row_files.RowFile`."""
        return None

    def _batches(self) -> Iterator[RowBatch]:
        rows = iter(self._rows())
        damage: FileError | None = None
        while damage is None:
            block: list[NumberedRow] = []
            try:
                # Not extend: what was read before the damage is good.
                for row in islice(rows, _BLOCK_ROWS):
                    block.append(row)
            except FileError as error:
                damage = error
            yield from self._converter.batches(block)
            if damage is None and len(block) < _BLOCK_ROWS:
                return
        raise damage
