"""
Recorded answers of Binance's REST interface: one JSON object from each path to the requests and their data.

    {"/api/v3/aggTrades": [{"queryString": "limit=2&symbol=BTCUSDT", "data": [{"a": 1, …}]}], …}

Trades, aggTrades and klines are three files. Symbol and interval are those of the request. The last kline of an answer
may have been unfinished, so it counts only where it ends before the end of the range that was asked for.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from app.market.errors import FileError
from app.market.ports.row_files import ReadingOptions, RowKind
from storage.files.readers.batches import NumberedRow
from storage.files.readers.cells import Cell, to_time_us
from storage.files.readers.formats.table_file import TableFile
from storage.files.readers.head import Head, Understanding
from storage.files.readers.identity import Identity
from storage.files.readers.layout import Layout
from storage.files.readers.presets import EXACT_PRESETS, UNNAMED_PRESETS, Preset
from storage.files.readers.sources.byte_source import ByteSource, verified_blocks

_FIRST_KEY = re.compile(rb'\s*\{\s*"/api/v\d/')
_LARGEST_BYTES = 64 << 20  # it is decoded as a whole
_HEAD_ROWS = 20
_PRESETS = {preset.name: preset for preset in (*EXACT_PRESETS, *UNNAMED_PRESETS)}


class _Answers(NamedTuple):
    """The paths that answer with one kind of rows."""

    paths: tuple[str, ...]
    preset: Preset


_ANSWERS = (
    _Answers(("/api/v3/historicalTrades", "/api/v3/trades"), _PRESETS["Binance REST trades"]),
    _Answers(("/api/v3/aggTrades",), _PRESETS["Binance REST aggTrades"]),
    _Answers(("/api/v3/klines", "/api/v3/uiKlines"), _PRESETS["Binance klines"]),
)


def is_rest_answers(head: bytes) -> bool:
    """Whether a text that begins so is a recording of answers."""
    return _FIRST_KEY.match(head) is not None


def open_rest_answers(source: ByteSource, options: ReadingOptions) -> list[TableFile]:
    """
    Open a recording of answers: one file for each kind of rows.

    Raises:
        FileError: If it cannot be read, or holds no rows.
    """
    parts: list[bytes] = []
    size = 0
    for block in verified_blocks(source):
        size += len(block)
        if size > _LARGEST_BYTES:
            raise FileError(f"{source.path} has more than {_LARGEST_BYTES:,} bytes of answers: cut it in two.")
        parts.append(block)
    try:
        recorded = json.loads(b"".join(parts), parse_float=str)
    except ValueError as error:
        raise FileError(f"{source.path} is damaged or was cut off: it is no JSON. Get it again.") from error
    files = []
    for answers in _ANSWERS:
        rows = list(_rows(recorded, answers))
        if rows and options.kind in (None, answers.preset.kind):
            files.append(_table(source, answers.preset, rows, options))
    if not files:
        raise FileError(f"{source.path} holds recorded answers, and no trades, aggTrades or klines among them.")
    return files


def _table(source: ByteSource, preset: Preset, rows: list[NumberedRow], options: ReadingOptions) -> TableFile:
    names = ("symbol", "interval", *preset.columns)
    columns = {name: place for place, name in enumerate(names)}
    if preset.kind is not RowKind.KLINES:
        del columns["interval"]
    layout = Layout(preset.kind, columns, names, preset.name)
    understanding = Understanding(
        Head(names, [row.cells for row in rows[:_HEAD_ROWS]]),
        layout,
        Identity(options.symbol, None, options.symbol is not None),
    )
    return TableFile(source.path, understanding, lambda: rows, source.progress)


def _rows(recorded: dict[str, Any], answers: _Answers) -> Iterator[NumberedRow]:
    number = 0
    for path in answers.paths:
        for answer in recorded.get(path) or []:
            if not isinstance(answer, dict) or not isinstance(answer.get("data"), list):
                continue
            asked = {name: values[0] for name, values in parse_qs(str(answer.get("queryString", ""))).items()}
            items = answer["data"]
            if answers.preset.kind is RowKind.KLINES:
                items = _closed(items, asked.get("endTime"))
            for item in items:
                number += 1
                values = [_value(item, field) for field in answers.preset.columns.values()]
                yield NumberedRow(number, [asked.get("symbol"), asked.get("interval"), *values], json.dumps(item))


def _closed(klines: list[Any], end: str | None) -> list[Any]:
    with suppress(ValueError, IndexError, TypeError):
        if end is not None and to_time_us(klines[-1][6]) < to_time_us(end):
            return klines
    return klines[:-1]


def _value(item: Any, field: str) -> Cell:
    if isinstance(item, list):
        return item[int(field)] if int(field) < len(item) else None
    return item.get(field) if isinstance(item, dict) else None
