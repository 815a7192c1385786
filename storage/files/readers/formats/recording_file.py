"""
Recordings of raw frames: what a program received over a WebSocket, one frame a line.

Three forms are known: ``<nanoseconds> <json>``, cryptofeed's ``<seconds>: <json>`` and ``<address> <- <seconds>:
<json>``, and plain JSON of events. The time before a frame is the recorder's: a trade has its own. A recording of
trades, aggTrades and klines is three files, one for each kind; of klines only those that are closed count. Lines of
other streams are passed over, and so is what is no JSON: a recorder that was killed leaves half a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from app.market.errors import FileError
from app.market.ports.row_files import ReadingOptions, RowKind
from storage.files.readers.batches import NumberedRow
from storage.files.readers.cells import Cell
from storage.files.readers.formats.table_file import TableFile
from storage.files.readers.head import Head, Understanding
from storage.files.readers.identity import Identity
from storage.files.readers.layout import Layout
from storage.files.readers.sources.byte_source import ByteSource, verified_blocks
from storage.files.readers.sources.text_blocks import line_blocks, utf8_blocks

_LINE_BLOCK = 256 << 10
_HEAD_ROWS = 20
_PREFIX = rb"(?:wss?://\S+ <- )?\d{9,20}(?:\.\d{1,9})?:? (?=[{\[])"
_STAMPED = re.compile(_PREFIX)
_FIRST_LINES = re.compile(rb"wss?://\S+ <-|" + _PREFIX + rb'|\s*\{(?=.{0,400}"(?:stream|e)"\s*:\s*")')


class _Form(NamedTuple):
    """One kind of event: what marks its lines, and its fields as columns."""

    name: str
    kind: RowKind
    mark: re.Pattern[bytes]
    columns: tuple[str, ...]
    fields: tuple[str, ...]
    side_of_maker: bool = False
    broker: str = ""


_FORMS = (
    _Form(
        "trade events",
        RowKind.TRADES,
        re.compile(rb'"e"\s*:\s*"trade"'),
        ("symbol", "trade_id", "time", "price", "quantity", "is_buyer_maker"),
        ("s", "t", "T", "p", "q", "m"),
    ),
    _Form(
        "aggTrade events",
        RowKind.AGGTRADES,
        re.compile(rb'"e"\s*:\s*"aggTrade"'),
        ("symbol", "agg_id", "time", "price", "quantity", "first_trade_id", "last_trade_id", "is_buyer_maker"),
        ("s", "a", "T", "p", "q", "f", "l", "m"),
    ),
    _Form(
        "kline events",
        RowKind.KLINES,
        re.compile(rb'"e"\s*:\s*"kline".*"x"\s*:\s*true'),
        (
            *("symbol", "interval", "open_time", "open", "high", "low", "close", "volume", "quote_volume", "trades"),
            *("taker_buy_volume", "taker_buy_quote_volume", "first_trade_id", "last_trade_id"),
        ),
        ("s", "i", "t", "o", "h", "l", "c", "v", "q", "n", "V", "Q", "f", "L"),
    ),
    _Form(
        "Coinbase matches",
        RowKind.TRADES,
        re.compile(rb'"type"\s*:\s*"(?:last_)?match"'),
        ("symbol", "trade_id", "time", "price", "quantity", "side"),
        ("product_id", "trade_id", "time", "price", "size", "side"),
        side_of_maker=True,
        broker="coinbase:",
    ),
)


def is_recording(head: bytes) -> bool:
    """Whether a text that begins so is a recording of frames."""
    return _FIRST_LINES.match(head) is not None


def open_recording(source: ByteSource, options: ReadingOptions) -> list[TableFile]:
    """
    Open a recording: one file for each kind of event in it.

    Raises:
        FileError: If it cannot be read, or holds no trades, aggTrades or closed klines.
    """
    wanted = [form for form in _FORMS if options.kind in (None, form.kind)]
    found: dict[str, bool] = {}
    for block in line_blocks(source.path, utf8_blocks(source.path, source.blocks()), _LINE_BLOCK):
        for form in wanted:
            if form.name not in found and form.mark.search(block):
                found[form.name] = True
        if len(found) == len(wanted):
            break
    forms = [form for form in wanted if form.name in found]
    if not forms:
        raise FileError(f"{source.path} is a recording without trades, aggTrades or closed klines.")
    return [_open_form(source, form, options, form.name if len(forms) > 1 else "") for form in forms]


def _open_form(source: ByteSource, form: _Form, options: ReadingOptions, table: str) -> TableFile:
    layout = Layout(
        form.kind,
        {name: place for place, name in enumerate(form.columns)},
        form.fields,
        form.name,
        form.side_of_maker,
    )
    identity = Identity(options.symbol, None, options.symbol is not None)
    first = [row.cells for row in islice(_rows(source, form), _HEAD_ROWS)]
    understanding = Understanding(Head(form.fields, first), layout, identity)
    return TableFile(source.path, understanding, lambda: _rows(source, form), source.progress, table)


def _rows(source: ByteSource, form: _Form) -> Iterator[NumberedRow]:
    number = 0
    for block in line_blocks(source.path, utf8_blocks(source.path, verified_blocks(source)), _LINE_BLOCK):
        for line in block.split(b"\n"):
            number += 1
            if form.mark.search(line) and (cells := _cells(line, form)) is not None:
                yield NumberedRow(number, cells, line.decode("utf-8", "replace"))
        number -= block.endswith(b"\n")


def _cells(line: bytes, form: _Form) -> list[Cell] | None:
    """Return the fields of the event in a line; None if it is no whole frame."""
    match = _STAMPED.match(line)
    try:
        frame = msgspec.json.decode(line[match.end() :] if match else line)
    except (msgspec.DecodeError, RecursionError):
        return None
    event: Any = frame.get("data", frame) if isinstance(frame, dict) else None
    if not isinstance(event, dict):
        return None
    if form.kind is RowKind.KLINES:
        event = event.get("k")
        if not isinstance(event, dict):
            return None
    cells = [event.get(field) for field in form.fields]
    if form.broker and cells[0] is not None:
        cells[0] = f"{form.broker}{cells[0]}"
    return cells
