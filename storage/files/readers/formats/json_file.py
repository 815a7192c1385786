"""
JSON: an array of rows, or a row on each line. A row is an array of values or an object.

An array is decoded row by row while it is read, so its size does not matter. Numbers with a decimal point stay text:
they are exact that way. Objects as ccxt makes them carry the exchange's own answer in ``info``; that counts.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from app.market.errors import FileError
from app.market.ports.row_files import ReadingOptions
from storage.files.readers.batches import NumberedRow
from storage.files.readers.formats.table_file import TableFile
from storage.files.readers.head import Head, understand
from storage.files.readers.names import NameFacts
from storage.files.readers.presets import EXACT_PRESETS
from storage.files.readers.sources.byte_source import ByteSource, first_bytes, verified_blocks
from storage.files.readers.sources.text_blocks import LONGEST_LINE, line_blocks, utf8_blocks

_HEAD_ROWS = 200
_LINE_BLOCK = 256 << 10
_BETWEEN = re.compile(r"[\s,]*")
_DECODER = json.JSONDecoder(parse_float=str)
_FIRST_ROW = re.compile(rb"\s*\[\s*[\[{\]]")
_REST_KEYS = [set(preset.columns.values()) for preset in EXACT_PRESETS]


def is_json(head: bytes) -> bool:
    """Whether a text that begins so is an array of rows, or has one on each line."""
    return head.lstrip()[:1] in (b"[", b"{")


def open_json(source: ByteSource, facts: NameFacts, options: ReadingOptions) -> TableFile:
    """
    Open a JSON file of rows.

    Raises:
        FileError: If it cannot be read, or is neither trades nor candles.
    """
    understanding = understand(json_head(source), facts, options)
    names = understanding.head.names

    def numbered() -> Iterator[NumberedRow]:
        for number, item in _items(source, verified_blocks(source)):
            if names is not None and isinstance(item, dict):
                yield NumberedRow(number, [item.get(name) for name in names])
            elif names is None and isinstance(item, list):
                yield NumberedRow(number, item)
            else:
                yield NumberedRow(number, [], item if isinstance(item, str) else json.dumps(item))

    return TableFile(source.path, understanding, numbered, source.progress)


def json_head(source: ByteSource) -> Head:
    """
    Return the keys of the rows, None where rows are arrays, and the first rows.

    Raises:
        FileError: If there is no row.
    """
    rows: list[Any] = []
    try:
        for _, item in islice(_items(source, source.blocks()), _HEAD_ROWS):
            if isinstance(item, (dict, list)):
                rows.append(item)
    except FileError:
        if not rows:
            raise
    if not rows:
        raise FileError(f"{source.path} is empty: it has no rows.")
    if isinstance(rows[0], dict):
        names = tuple(dict.fromkeys(key for row in rows if isinstance(row, dict) for key in row))
        return Head(names, [[row.get(name) for name in names] for row in rows if isinstance(row, dict)])
    return Head(None, [row for row in rows if isinstance(row, list)])


def _items(source: ByteSource, blocks: Iterable[bytes]) -> Iterator[tuple[int, Any]]:
    """Yield each row's number and what it decodes to; the text of a line that is no JSON."""
    head = b"".join(utf8_blocks(source.path, [first_bytes(source, 4096)]))
    blocks = utf8_blocks(source.path, blocks)
    items = _array_items(source, blocks) if _FIRST_ROW.match(head) else _line_items(source, blocks)
    for number, item in enumerate(items, 1):
        yield number, _own_answer(item) if isinstance(item, dict) and "info" in item else item


def _own_answer(item: dict[str, Any]) -> dict[str, Any]:
    """Return the exchange's own answer that ccxt put into ``info``, if it is one of a trade; else the item."""
    info = item["info"]
    if isinstance(info, dict) and any(info.keys() >= keys for keys in _REST_KEYS):
        return {"symbol": item.get("symbol"), **info}
    return item


def _line_items(source: ByteSource, blocks: Iterable[bytes]) -> Iterator[Any]:
    for block in line_blocks(source.path, blocks, _LINE_BLOCK):
        for line in block.decode("utf-8", "replace").split("\n"):
            if text := line.strip():
                try:
                    yield _DECODER.decode(text)
                except (ValueError, RecursionError):
                    yield text


def _array_items(source: ByteSource, blocks: Iterable[bytes]) -> Iterator[Any]:
    """Yield the items of one array, which may be longer than memory."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    text, position, began = "", 0, False
    for block in blocks:
        text, position = text[position:] + decode(block), 0
        if not began:
            position, began = text.index("[") + 1, True
        while True:
            start = _BETWEEN.match(text, position).end()  # type: ignore[union-attr]  # because it also matches nothing
            if text.startswith("]", start):
                return
            try:
                item, end = _DECODER.raw_decode(text, start)
            except RecursionError as error:
                raise FileError(f"{source.path} is no table: its values lie too deep in one another.") from error
            except ValueError as error:
                if len(text) - start > LONGEST_LINE:
                    raise FileError(
                        f"{source.path} is damaged: it is no JSON after {text[start : start + 40]!r}."
                    ) from error
                break
            if not isinstance(item, (list, dict)) and end == len(text):
                break  # a number may go on in the next block
            position = end
            yield item
    raise FileError(f"{source.path} ends early: it was cut off. Get it again.")
