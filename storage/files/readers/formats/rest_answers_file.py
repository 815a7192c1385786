"""
Recorded answers of Binance's REST interface: one JSON object from each path to the requests and their data.

    {"/api/v3/aggTrades": [{"queryString": "limit=2&symbol=BTCUSDT", "data": [{"a": 1, …}]}], …}

Trades, aggTrades and klines are three files. Symbol and interval are those of the request. The last kline of an answer
may have been unfinished, so it counts only where it ends before the end of the range that was asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import msgspec

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
from storage.files.readers.sources.text_blocks import utf8_blocks

_FIRST_KEY = re.compile(rb'\s*\{\s*"/api/v\d/')
LARGEST_BYTES = 64 << 20  # the text of one file is in memory as a whole
_HEAD_ROWS = 20
_ROW = msgspec.json.Decoder(float_hook=str)  # amounts are exact as text
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_PRESETS = {preset.name: preset for preset in (*EXACT_PRESETS, *UNNAMED_PRESETS)}


class _Answer(msgspec.Struct, rename={"asked": "queryString"}):
    """One answer: the query of its request, and its rows, not decoded."""

    data: msgspec.Raw = msgspec.Raw(b"[]")
    asked: object = ""


_ANSWER = msgspec.json.Decoder(_Answer)


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
    recorded = _recorded(source)
    wanted = [answers for answers in _ANSWERS if options.kind in (None, answers.preset.kind)]
    first_rows = [(answers, list(islice(_rows(source.path, recorded, answers), _HEAD_ROWS))) for answers in wanted]
    found = [(answers, rows) for answers, rows in first_rows if rows]
    if not found:
        raise FileError(f"{source.path} holds recorded answers, and no trades, aggTrades or klines among them.")
    return [
        _table(source, answers, rows, options, answers.preset.kind if len(found) > 1 else "") for answers, rows in found
    ]


def _table(
    source: ByteSource, answers: _Answers, first: Sequence[NumberedRow], options: ReadingOptions, table: str
) -> TableFile:
    preset = answers.preset
    names = ("symbol", "interval", *preset.columns)
    columns = {name: place for place, name in enumerate(names)}
    if preset.kind is not RowKind.KLINES:
        del columns["interval"]
    understanding = Understanding(
        Head(names, [row.cells for row in first]),
        Layout(preset.kind, columns, names, preset.name),
        Identity(options.symbol, None, options.symbol is not None),
    )
    # It is read again, so that many files wait without their content.
    return TableFile(
        source.path,
        understanding,
        lambda: _rows(source.path, _recorded(source), answers),
        source.progress,
        table,
    )


def _recorded(source: ByteSource) -> dict[str, msgspec.Raw]:
    """Return the answers of each path, not decoded: as objects they take ten times the memory."""
    text = bytearray()
    for block in utf8_blocks(source.path, verified_blocks(source)):
        text += block
        if len(text) > LARGEST_BYTES:
            raise FileError(f"{source.path} has more than {LARGEST_BYTES:,} bytes of answers: cut it in two.")
    with _damage_named(source.path):
        return msgspec.json.decode(text, type=dict[str, msgspec.Raw])


def _rows(path: Path, recorded: Mapping[str, msgspec.Raw], answers: _Answers) -> Iterator[NumberedRow]:
    """Yield the rows of all answers, of which one at a time is decoded."""
    number = 0
    with _damage_named(path):
        for name in answers.paths:
            for text in _items(recorded.get(name)):
                answer = _ANSWER.decode(text) if _begins(text, b"{") else _Answer()
                asked = {field: values[0] for field, values in parse_qs(str(answer.asked)).items()}
                texts = _items(answer.data)
                items = [_ROW.decode(text) for text in texts]
                if answers.preset.kind is RowKind.KLINES:
                    items = _closed(items, asked.get("endTime"))
                for item, text in zip(items, texts, strict=False):
                    number += 1
                    values = [_value(item, field) for field in answers.preset.columns.values()]
                    yield NumberedRow(
                        number, [asked.get("symbol"), asked.get("interval"), *values], bytes(text).decode()
                    )


def _items(array: msgspec.Raw | None) -> list[msgspec.Raw]:
    """Return the items of an array; of anything else none, such as the answer to a refused request."""
    return _ITEMS.decode(array) if array is not None and _begins(array, b"[") else []


def _begins(text: msgspec.Raw, sign: bytes) -> bool:
    return bytes(memoryview(text)[:1]) == sign


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except (msgspec.DecodeError, RecursionError) as error:
        raise FileError(f"{path} is damaged or was cut off: it is no JSON. Get it again.") from error


def _closed(klines: list[Any], end: str | None) -> list[Any]:
    with suppress(ValueError, IndexError, TypeError):
        if end is not None and to_time_us(klines[-1][6]) < to_time_us(end):
            return klines
    return klines[:-1]


def _value(item: Any, field: str) -> Cell:
    if isinstance(item, list):
        return item[int(field)] if int(field) < len(item) else None
    return item.get(field) if isinstance(item, dict) else None
