"""
Tables as text: CSV and its kin.

The first lines say the delimiter, the decimal mark and the columns. Then blocks of about two megabytes go through
pyarrow's parser into typed columns, without an object for a row. A block that it refuses is halved until the piece
with the bad row is small; that piece is read row by row, so what is wrong with a row is said of that row, and the
others keep their speed. A row is a line: a quoted cell with a line break in it is refused.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from app.market.errors import FileError
from app.market.ports.row_files import ReadingOptions, RowBatch
from storage.files.readers.arrow_columns import arrow_batches
from storage.files.readers.batches import NumberedRow, RowConverter, joined
from storage.files.readers.cells import Cell
from storage.files.readers.head import Head, Understanding, understand
from storage.files.readers.layout import is_header
from storage.files.readers.names import NameFacts
from storage.files.readers.shortfall import Shortfall
from storage.files.readers.sources.byte_source import ByteSource, first_bytes, verified_blocks
from storage.files.readers.sources.text_blocks import line_blocks, utf8_blocks

BLOCK_BYTES = 2 << 20
SMALLEST_PIECE = 64 << 10
_HEAD_BYTES = 64 << 10
_HEAD_ROWS = 200
_MOST_TITLES, _FEWEST_COLUMNS = 5, 4
_DELIMITERS = ",\t;|"
_OFFSET = re.compile(r"(?:Z|[+-]\d\d:?\d\d)$")
_THOUSANDS = re.compile(r"\d{1,3},\d{3}")
_DECIMAL_COMMA, _DECIMAL_POINT = re.compile(r"\d+,\d+"), re.compile(r"\d+\.\d+")
_TRUE_WORDS = ["true", "True", "TRUE", "1", "t", "sell", "SELL", "Sell"]
_FALSE_WORDS = ["false", "False", "FALSE", "0", "f", "buy", "BUY", "Buy"]
_INT64, _TEXT, _TRUTH = pa.int64(), pa.string(), pa.bool_()
_AMOUNT, _VOLUME, _SUM = pa.decimal128(20, 8), pa.decimal128(28, 8), pa.decimal128(38, 16)
_TYPES = {
    "volume": _VOLUME,
    "taker_buy_volume": _VOLUME,
    "quote_volume": _SUM,
    "taker_buy_quote_volume": _SUM,
    "is_buyer_maker": _TRUTH,
    "side": _TRUTH,
    "closed": _TRUTH,
    "complete": _TRUTH,
    "symbol": _TEXT,
    "interval": _TEXT,
    "source": _TEXT,
} | dict.fromkeys(("trade_id", "agg_id", "first_trade_id", "last_trade_id", "trades"), _INT64)
_LINE_END = ord("\n")
_TIMES = ("time", "open_time", "close_time")


class Dialect(NamedTuple):
    """How a table is written: its delimiter, its decimal mark, and how many lines precede the rows."""

    delimiter: str
    decimal: str
    lines_before: int


def csv_head(source: ByteSource) -> tuple[Head, Dialect]:
    """
    Return the first rows of a table, and how it is written.

    Raises:
        FileError: If it is no text, or empty.
    """
    found = first_bytes(source, _HEAD_BYTES)
    head = b"".join(utf8_blocks(source.path, [found] if found else []))
    lines = [_text(line) for line in head.split(b"\n")]
    if len(found) == _HEAD_BYTES and len(lines) > 1:
        lines.pop()  # it may be cut off
    before = 0
    delimiter = None
    while before < len(lines) and not lines[before].strip():
        before += 1
    if before < len(lines) and (match := re.fullmatch(r"(?i)sep=(.)", lines[before].strip("\r\n"))):
        delimiter = match[1]
        before += 1
    lines = [line for line in lines[before : before + _HEAD_ROWS] if line.strip()]
    if not lines:
        raise FileError(f"{source.path} is empty: it has no rows.")
    if delimiter is None:
        titles = _title_lines(lines)
        lines, before = lines[titles:], before + titles
        delimiter = _delimiter(lines)
    rows = [_cells(line, delimiter) for line in lines]
    names = None
    if is_header(rows[0]):
        names = tuple(cell.strip() for cell in rows.pop(0))
        before += 1
    decimal = "," if _has_decimal_comma(rows, is_delimiter=delimiter == ",") else "."
    return Head(names, [_with_point(row, decimal) for row in rows]), Dialect(delimiter, decimal, before)


class CsvFile:
    """
    A table of text whose columns are known; see `app.market.ports.row_files.RowFile`.

    ``block_bytes``: how much is parsed at once. ``smallest_piece``: less of a block with a bad row is read row by row.
    Neither changes what is read.
    """

    def __init__(
        self,
        source: ByteSource,
        dialect: Dialect,
        understanding: Understanding,
        facts: NameFacts | None = None,
        *,
        block_bytes: int = BLOCK_BYTES,
        smallest_piece: int = SMALLEST_PIECE,
    ) -> None:
        self.path: Path = source.path
        self.table = ""
        self.kind = understanding.layout.kind
        self.symbol = understanding.symbol
        self.understanding = understanding
        self._facts = facts or NameFacts()
        self._shortfall = Shortfall(self._facts)
        self._block_bytes = block_bytes
        self._smallest_piece = smallest_piece
        self._source = source
        self._dialect = dialect
        self._layout = understanding.layout
        self._identity = understanding.identity
        self._converter = RowConverter(self._layout, self._identity)
        self._convert_options = self._arrow_options()

    def batches(self) -> Iterator[RowBatch]:
        """See `app.market.ports.row_files.RowFile`."""
        return self.understanding.some_of(self.path, self._batches())

    def progress(self) -> float:
        """See `app.market.ports.row_files.RowFile`."""
        return self._source.progress()

    def shortfall(self) -> str | None:
        """See `app.market.ports.row_files.RowFile`."""
        return self._shortfall.sentence()

    def _batches(self) -> Iterator[RowBatch]:
        row = 1
        self._shortfall = Shortfall(self._facts)
        for number, block in enumerate(
            line_blocks(self.path, utf8_blocks(self.path, verified_blocks(self._source)), self._block_bytes)
        ):
            if number == 0:
                block = self._without_head(block)
            found: list[RowBatch] = []
            for piece, rows in self._pieces(block, row):
                found += piece
                row += rows
            for batch in joined(found):
                self._shortfall.see(batch)
                yield batch

    def _without_head(self, block: bytes) -> bytes:
        position = 0
        for _ in range(self._dialect.lines_before):
            position = block.find(b"\n", position) + 1
            if not position:
                return b""
        return block[position:]

    def _pieces(self, block: bytes, row: int) -> Iterator[tuple[list[RowBatch], int]]:
        """Yield the batches of each piece and how many rows it has; ``row`` is the number of the block's first."""
        pending = [block]
        while pending:
            piece = pending.pop()
            if not piece:
                continue
            fast = self._fast(piece, row)
            if fast is not None:
                found, rows = fast
                yield found, rows
            elif len(piece) > self._smallest_piece and 0 < (middle := _middle(piece)) < len(piece):
                pending += [piece[middle:], piece[:middle]]
                continue
            else:
                numbered = self._numbered(piece, row)
                rows = len(numbered)
                yield list(self._converter.batches(numbered)), rows
            row += rows

    def _fast(self, piece: bytes, row: int) -> tuple[list[RowBatch], int] | None:
        """Return the batches of a piece and how many rows it has; None if it has to be read row by row."""
        if _holds_hexadecimals(piece):
            return None  # pyarrow reads 0x1F as a number
        read = arrow_csv.ReadOptions(
            column_names=[str(position) for position in range(self._layout.width)],
            use_threads=False,
            block_size=len(piece) + 1,
        )
        parse = arrow_csv.ParseOptions(delimiter=self._dialect.delimiter)
        try:
            table = arrow_csv.read_csv(pa.BufferReader(piece), read, parse, self._convert_options)
        except pa.ArrowInvalid:
            return None
        if table.num_rows != _line_count(piece):
            return None
        columns = {name: table.column(str(position)) for name, position in self._layout.columns.items()}
        found = arrow_batches(self._layout, self._identity, columns, row)
        return None if found is None else (found, table.num_rows)

    def _arrow_options(self) -> arrow_csv.ConvertOptions:
        rows = self.understanding.head.rows
        types = {
            str(position): _time_type(rows, position) if name in _TIMES else _TYPES.get(name, _AMOUNT)
            for name, position in self._layout.columns.items()
        }
        return arrow_csv.ConvertOptions(
            column_types=types,
            include_columns=list(types),
            null_values=[""],
            true_values=_TRUE_WORDS,
            false_values=_FALSE_WORDS,
            decimal_point=self._dialect.decimal,
        )

    def _numbered(self, piece: bytes, row: int) -> list[NumberedRow]:
        lines = piece.split(b"\n")
        texts = [text for line in lines if (text := _text(line)).strip()]
        return [
            NumberedRow(row + offset, _with_point(_cells(text, self._dialect.delimiter), self._dialect.decimal), text)
            for offset, text in enumerate(texts)
        ]


def open_csv(source: ByteSource, facts: NameFacts, options: ReadingOptions) -> CsvFile:
    """
    Open a table of text.

    Raises:
        FileError: If it cannot be read, or is neither trades nor candles.
    """
    head, dialect = csv_head(source)
    return CsvFile(source, dialect, understand(head, facts, options), facts)


def _time_type(rows: Sequence[Sequence[Cell]], position: int) -> Any:
    """Return as what pyarrow reads a column of times: as numbers, or as texts with an offset or without one."""
    texts = [str(row[position]).strip() for row in rows if len(row) > position]
    if sum(text.isdigit() for text in texts) * 2 >= len(texts):
        return _INT64
    with_offset = sum(_OFFSET.search(text) is not None for text in texts)
    return pa.timestamp("us", "UTC") if with_offset * 2 >= len(texts) else pa.timestamp("us")


def _middle(piece: bytes) -> int:
    """Return where the line that is in the middle begins."""
    return piece.rfind(b"\n", 0, len(piece) // 2) + 1 or piece.find(b"\n") + 1


def _holds_hexadecimals(piece: bytes) -> bool:
    # First for the rarer character: a search for two of which every number has the first takes as long as parsing.
    return (b"x" in piece and b"0x" in piece) or (b"X" in piece and b"0X" in piece)


def _line_count(piece: bytes) -> int:
    # Several times as fast as bytes.count, which looks for each line by itself.
    ends = np.count_nonzero(np.frombuffer(piece, np.uint8) == _LINE_END)
    return int(ends) + (not piece.endswith(b"\n"))


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r\n")


def _cells(text: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([text], delimiter=delimiter), [])
    except csv.Error:
        return [text]


def _title_lines(lines: Sequence[str]) -> int:
    """Return how many lines stand before the table: an address, a title, a remark."""
    for number, line in enumerate(lines[:_MOST_TITLES]):
        if max(len(_cells(line, delimiter)) for delimiter in _DELIMITERS) >= _FEWEST_COLUMNS:
            return number
    return 0


def _delimiter(lines: Sequence[str]) -> str:
    """
    Return the delimiter that cuts the first line into most cells, and then most lines into as many.

    Where that is even, each comma may be a decimal mark.
    """
    sample = lines[:20]

    def quality(delimiter: str) -> tuple[int, int, bool]:
        widths = [len(_cells(line, delimiter)) for line in sample]
        return (widths[0], widths.count(widths[0]), delimiter != ",") if widths[0] > 1 else (0, 0, False)

    return max(_DELIMITERS, key=quality)


def _has_decimal_comma(rows: Sequence[Sequence[str]], *, is_delimiter: bool) -> bool:
    """
    Whether commas are decimal marks: beside more numbers with a point they are marks of thousands, as in 1,234.

    Where the comma is the delimiter, too, numbers with one are quoted. They must not all look like thousands.
    """
    cells = [cell.strip() for row in rows for cell in row]
    commas, points = (sum(map(bool, map(mark.fullmatch, cells))) for mark in (_DECIMAL_COMMA, _DECIMAL_POINT))
    if is_delimiter and not any(_DECIMAL_COMMA.fullmatch(cell) and not _THOUSANDS.fullmatch(cell) for cell in cells):
        return False
    return commas > points


def _with_point(cells: list[str], decimal: str) -> list[Cell]:
    if decimal == ".":
        return list(cells)
    return [cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell.strip()) else cell for cell in cells]
