"""``cryptopipe drawings …``: the drawings of the database, as JSON out and in; desktops see what changes at once."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from app.commands.database_session import check_may_record
from app.commands.options import Options
from app.commands.reports.status_report import aligned
from app.config.settings import Settings
from app.market.drawings.drawing import Drawing
from app.market.drawings.drawing_json import drawing_text, file_text, read_file
from app.market.errors import FileError, StoreError, UsageError
from app.market.ports.drawings import DrawingChange
from app.market.symbol import read_symbol
from app.runtime.open_database import has_database, open_database
from storage.database import Database
from storage.files.times import format_time

_STANDARD_OUTPUT = "-"
_MOST_TEXT = 30  # characters of a drawing's text in a list


def prepare(settings: Settings, options: Options) -> Callable[[], int]:
    """
    Return the function that runs the ``drawings`` command of ``options``.

    Raises:
        UsageError: If a file holds no drawings, or it is not said which to remove. Nothing was changed.
        FileError: If a file cannot be read.
    """
    if options.command == "drawings import":
        found = [one for path in options.paths for one in _read(path)]
        return partial(_run, partial(_import, given=found), settings, options)
    if options.command == "drawings remove":
        if bool(options.ids) == options.all:
            raise UsageError("Name the ids of the drawings to remove, or --all: cryptopipe drawings list shows them.")
        return partial(_run, _remove, settings, options)
    work = _list if options.command == "drawings list" else _export
    if not has_database(settings):
        return partial(_report, work, options, [], 0)
    return partial(_run, partial(_read_and_report, work=work), settings, options)


def _run(work: Callable[[Database, Options], int], settings: Settings, options: Options) -> int:
    database = open_database(settings)
    try:
        return work(database, options)
    finally:
        database.close()


def _read_and_report(database: Database, options: Options, work: Callable[..., None]) -> int:
    symbols = [read_symbol(one, database.store.symbol_names()) for one in options.symbol]
    found = database.drawings.read(symbols)
    return _report(work, options, found.drawings, found.unknown)


def _report(work: Callable[..., None], options: Options, drawings: Sequence[Drawing], unknown: int) -> int:
    work(drawings, options)
    if unknown:
        more = "1 more is of a kind" if unknown == 1 else f"{unknown:,} more are of kinds"
        print(f"{more} that only a newer cryptopipe knows: update this one.", file=sys.stderr)
    return 0


def _list(drawings: Sequence[Drawing], options: Options) -> None:
    if options.as_json:
        print(json.dumps([json.loads(drawing_text(one)) | {"revision": one.revision} for one in drawings], indent=2))
    elif not drawings:
        print("No drawings: the window draws on charts, and cryptopipe drawings import brings them from a file.")
    else:
        head = ("symbol", "kind", "text", "first anchor (UTC)", "id", "price")
        print(aligned(head, [_row(one) for one in drawings], left=5))


def _row(drawing: Drawing) -> tuple[str, ...]:
    first = drawing.anchors[0]
    text = " ".join(drawing.text.split())
    shown = text if len(text) <= _MOST_TEXT else text[: _MOST_TEXT - 1] + "…"
    time = format_time(first.time_us) if first.time_us > 0 else ""
    return drawing.symbol, drawing.kind, shown, time, drawing.id, f"{first.price:.10g}"


def _export(drawings: Sequence[Drawing], options: Options) -> None:
    text = file_text(drawings)
    if str(options.path) == _STANDARD_OUTPUT:
        print(text, end="")
        return
    temporary = options.path.with_name(options.path.name + ".new")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(options.path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise FileError(f"{options.path} cannot be written: {error.strerror}; name another file.") from error
    said = {"path": str(options.path), "drawings": len(drawings)}
    print(json.dumps(said) if options.as_json else f"{_are(len(drawings))} in {options.path}.")


def _read(path: Path) -> tuple[Drawing, ...]:
    try:
        text = sys.stdin.read() if str(path) == _STANDARD_OUTPUT else path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        what = error.strerror if isinstance(error, OSError) else "it is no text"
        raise FileError(f"{path} cannot be read: {what}.") from error
    try:
        return read_file(text, new_id=lambda: str(uuid.uuid4())).drawings
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def _import(database: Database, options: Options, given: Sequence[Drawing]) -> int:
    check_may_record(database.read_only_reason)
    if options.to:
        symbol = read_symbol(options.to, database.store.symbol_names())
        # Of another symbol: a copy, and what it is a copy of stays where it is.
        given = [one if one.symbol == symbol else replace(one, symbol=symbol, id=str(uuid.uuid4())) for one in given]
    drawings = list({one.id: one for one in given}.values())
    known = database.drawings.revisions([one.id for one in drawings])
    _store(database, [_change(one, drawing_text(one), known.get(one.id, 0)) for one in drawings])
    replaced = sum(one.id in known for one in drawings)
    said: dict[str, Any] = {"stored": len(drawings), "replaced": replaced}
    print(json.dumps(said) if options.as_json else f"{_are(len(drawings))} stored, {replaced:,} of them replaced.")
    return 0


def _remove(database: Database, options: Options) -> int:
    check_may_record(database.read_only_reason)
    symbol = read_symbol(options.symbol, database.store.symbol_names())
    there = {one.id: one for one in database.drawings.read([symbol]).drawings}
    wanted = list(there) if options.all else list(dict.fromkeys(options.ids))
    for drawing_id in wanted:
        if drawing_id not in there:
            raise StoreError(f"{symbol} has no drawing {drawing_id}: cryptopipe drawings list {symbol} shows them.")
    _store(database, [_change(there[one], None, there[one].revision) for one in wanted])
    print(json.dumps({"removed": wanted}) if options.as_json else f"{_are(len(wanted), symbol)} removed.")
    return 0


def _are(number: int, symbol: str = "") -> str:
    of = f" of {symbol}" if symbol else ""
    return f"1 drawing{of} is" if number == 1 else f"{number:,} drawings{of} are"


def _change(drawing: Drawing, content: str | None, base_revision: int) -> DrawingChange:
    return DrawingChange(str(uuid.uuid4()), drawing.id, drawing.symbol, content, base_revision)


def _store(database: Database, changes: Sequence[DrawingChange]) -> None:
    seen = max((one.base_revision for one in changes), default=0)
    database.drawings.exchange(str(uuid.uuid4()), seen, changes)
