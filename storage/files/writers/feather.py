"""
Feather, which is the Arrow IPC file format: zstd, the facts in the schema's metadata.

The schema stands at the beginning of the file and again at its end, but what a file has is known only once it is
written. So the facts get room of a fixed length at first, which their JSON fills afterwards, ended by spaces.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, BinaryIO

import pyarrow as pa

from storage.files.writers.row_writer import FACTS_KEY

_BATCH_ROWS = 65_536
_ROOM = 4_096
_MARK = "cryptopipe's facts follow once the file is whole"
_TAIL = 65_536 + 2 * _ROOM  # the footer lies within


class FeatherWriter:
    """Writes rows into an Arrow IPC file. ``facts`` go into it only where ``is_seekable``."""

    def __init__(self, stream: BinaryIO, schema: Any, *, is_seekable: bool, compression: str = "zstd") -> None:
        self._stream = stream
        self._is_seekable = is_seekable
        if is_seekable:
            schema = schema.with_metadata({**(schema.metadata or {}), FACTS_KEY: _MARK.ljust(_ROOM)})
        self._schema = schema
        options = pa.ipc.IpcWriteOptions(compression=compression)
        self._writer = pa.ipc.new_file(stream, schema, options=options)
        self._waiting = list[Any]()
        self._waiting_rows = 0

    def write(self, rows: Any) -> None:
        """See `storage.files.writers.row_writer.RowWriter`."""
        self._waiting.append(rows)
        self._waiting_rows += rows.num_rows
        if self._waiting_rows >= _BATCH_ROWS:
            self._write_waiting()

    def finish(self, facts: Mapping[str, object]) -> None:
        """Write the rows left and the footer, then the facts into their room."""
        self._write_waiting()
        self._writer.close()
        if self._is_seekable:
            self._stream.flush()
            self._fill_in(_fitting(facts))

    def discard(self) -> None:
        """Forget the rows that wait."""
        self._waiting.clear()

    def _write_waiting(self) -> None:
        if self._waiting_rows:
            table = pa.Table.from_batches(self._waiting).combine_chunks().replace_schema_metadata(self._schema.metadata)
            self._writer.write_table(table, max_chunksize=_BATCH_ROWS)
        self._waiting, self._waiting_rows = [], 0

    def _fill_in(self, document: bytes) -> None:
        end = self._stream.seek(0, 2)
        for begin in {0, max(0, end - _TAIL)}:
            self._stream.seek(begin)
            part = self._stream.read(_TAIL)
            at = part.find(_MARK.encode())
            while at >= 0:
                self._stream.seek(begin + at)
                self._stream.write(document)
                at = part.find(_MARK.encode(), at + 1)
        self._stream.seek(0, 2)


def _fitting(facts: Mapping[str, object]) -> bytes:
    """
    Return the facts as JSON of exactly `_ROOM` bytes.

    The lists of what is missing are cut to what fits; beside a cut one ``…_spans`` tells how many it has.
    """
    lists = {name: list(value) for name, value in facts.items() if isinstance(value, list)}
    kept = max(map(len, lists.values()), default=0)
    while True:
        cut = {name: spans for name, spans in lists.items() if len(spans) > kept}
        shown = {**facts, **{name: spans[:kept] for name, spans in cut.items()}}
        shown |= {f"{name}_spans": len(spans) for name, spans in cut.items()}
        document = json.dumps(shown, separators=(",", ":")).encode()
        if len(document) <= _ROOM or not kept:
            return document[:_ROOM].ljust(_ROOM)
        kept //= 2
